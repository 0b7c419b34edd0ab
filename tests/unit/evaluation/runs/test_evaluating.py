"""`evaluate` and `compare` from Python, on LlamaIndex's plain index over text files that have no PMIDs."""

import json

import pytest
from llama_index.core import MockEmbedding, SimpleDirectoryReader, VectorStoreIndex

from llama_index_medqa.errors import InputError
from llama_index_medqa.evaluation import aevaluate, compare, evaluate
from llama_index_medqa.evaluation.answers import Answer, Evidence
from llama_index_medqa.evaluation.cases import EvaluationCase, as_cases, fingerprint, load_cases
from llama_index_medqa.evaluation.measures.measure import Measure
from llama_index_medqa.evaluation.results import read_results
from llama_index_medqa.evaluation.score import Score
from llama_index_medqa.testing import HashEmbedding, ScriptedLLM
from tests.conftest import REPOSITORY

FILES = {"tea.txt": "Tea is served at four.", "rooms.txt": "Rooms are cleaned daily.", "pets.txt": "Pets stay outside."}
CASES = [
    {"id": "tea", "question": "When is tea served?", "gold_documents": ["tea.txt"], "gold_answer": "At four."},
    {"id": "pets", "question": "Do pets stay outside?", "gold_documents": ["pets.txt"], "gold_label": "yes"},
    {"id": "bare", "question": "Are rooms cleaned daily?"},
]


@pytest.fixture
def index(tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    documents = SimpleDirectoryReader(tmp_path).load_data()
    return VectorStoreIndex.from_documents(documents, embed_model=HashEmbedding())


def test_a_plain_index_over_text_files_is_measured_by_the_names_of_its_files(index):
    engine = index.as_query_engine(llm=ScriptedLLM(["Yes."]), similarity_top_k=1)
    results = evaluate(engine, CASES, measures=["Recall@1", "Accuracy", "Answered"])
    assert [case.scores["Recall@1"].value for case in results.cases] == [1.0, 1.0, None]
    assert results.cases[0].scores["Recall@1"] == Score.of(1.0)
    assert results.summary("Recall@1").not_applicable == {"no gold document": 1}
    assert results.summary("Accuracy").values == [1.0]
    assert [case.answer["documents"] for case in results.cases] == [["tea.txt"], ["pets.txt"], ["rooms.txt"]]
    assert results.system == {"engine": "llama_index.core.query_engine.retriever_query_engine.RetrieverQueryEngine"}
    assert str(results).splitlines()[2] == "Answered: 1.000 (1.000 to 1.000), 3 cases"


def test_two_engines_are_compared_in_memory_and_from_files(index, tmp_path):
    good = index.as_query_engine(llm=ScriptedLLM(["Yes."]))
    silent = index.as_query_engine(llm=ScriptedLLM([""]))
    cases = [{"id": str(number), "question": f"Do pets stay outside, {number}?"} for number in range(60)]
    before = evaluate(good, cases, measures=["Answered"], output=tmp_path / "before.json")
    after = evaluate(silent, cases, measures=["Answered"], output=tmp_path / "after.json")
    report = compare(before, after)
    assert (report.verdict, report.comparisons[0].better_by.mean) == ("fail", -1.0)
    assert "Answered: " in str(report)
    assert str(report).endswith("Gate: fail")
    assert compare(tmp_path / "before.json", tmp_path / "after.json", {"Answered": 0.1}).verdict == "fail"
    assert compare(before, before, {"Answered": 0.1}).verdict == "pass"


def test_without_a_choice_all_measures_that_need_nothing_more_are_taken(tmp_path):
    (tmp_path / "tea.txt").write_text(FILES["tea.txt"])
    documents = SimpleDirectoryReader(tmp_path).load_data()
    index = VectorStoreIndex.from_documents(documents, embed_model=MockEmbedding(embed_dim=8))
    results = evaluate(index.as_query_engine(llm=ScriptedLLM(["Tea is served at four."])), CASES[:1])
    found = {info.name: results.summary(info.name).values for info in results.measures}
    # The sentence is the file's own, so the packaged verifier, which really runs here, supports it.
    assert found["Faithfulness(verifier)"] == [1.0]
    assert found["nDCG@10"] == [1.0]
    assert found["CitationPrecision"] == []


def test_measures_of_one_s_own_stand_beside_named_ones(index):
    short = Measure("Short", lambda case, answer: Score.of(len(answer.text) < 5))
    results = evaluate(index.as_query_engine(llm=ScriptedLLM(["Yes."])), CASES, measures=[short, "Answered"])
    assert [info.name for info in results.measures] == ["Short", "Answered"]
    assert results.summary("Short").values == [1.0] * 3


def test_a_journal_answers_what_was_answered_under_the_same_name(index, tmp_path):
    llm = ScriptedLLM(["Yes."])
    engine, journal = index.as_query_engine(llm=llm), tmp_path / "answers.jsonl"
    options = {"measures": ["Answered"], "journal": journal}
    first = evaluate(engine, CASES, name="one", **options)
    asked = len(llm.prompts)
    assert (asked, first.run["questions_asked"]) == (3, 3)
    again = evaluate(engine, CASES, name="one", **options)
    assert (len(llm.prompts), again.run["answers_of_earlier_runs"]) == (asked, 3)
    evaluate(engine, CASES, name="another", **options)
    assert len(llm.prompts) == 2 * asked


async def test_it_runs_inside_a_running_loop_as_in_a_notebook(index):
    engine = index.as_query_engine(llm=ScriptedLLM(["Yes."]))
    results = await aevaluate(engine, CASES, measures=["Answered"])
    assert results.summary("Answered").values == [1.0] * 3
    assert evaluate(engine, CASES, measures=["Answered"]).summary("Answered").values == [1.0] * 3


def test_any_system_can_take_the_place_of_an_engine(tmp_path):
    class Parrot:
        identity = {"name": "parrot"}  # noqa: RUF012

        async def answer(self, case):
            return Answer(case.question, (Evidence("doc-1"),))

    rows = [{"id": "1", "question": "Tea?", "gold_documents": ["doc-1"]}]
    results = evaluate(Parrot(), rows, measures=["Recall"], output=tmp_path / "r.json")
    assert results.summary("Recall").values == [1.0]
    assert read_results(tmp_path / "r.json").system == {"name": "parrot"}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "There is no case"),
        ([{"id": "1"}], "case 1: the field 'question' is missing"),
        ([CASES[0], CASES[0]], "Two cases have the id 'tea'"),
        ([{**CASES[0], "gold_pmids": ["tea.txt"]}], "other ids go under gold_documents"),
    ],
)
def test_what_is_no_case_is_an_error(rows, message):
    with pytest.raises(InputError, match=message):
        as_cases(rows)


def test_cases_are_taken_as_they_are_and_older_fingerprints_hold():
    cases = load_cases(REPOSITORY / "examples" / "cases.jsonl")
    assert as_cases(cases) == cases
    baseline = json.loads((REPOSITORY / "examples/ci_gate/baseline.json").read_text())
    assert fingerprint(cases) == baseline["cases_fingerprint"]
    suite = REPOSITORY / "benchmarks/gates"
    old = json.loads((suite / "baselines/suite.json").read_text())["cases_fingerprint"]
    assert fingerprint(load_cases(suite / "suite/cases.jsonl")) == old
    plain = EvaluationCase("1", "Tea?")
    assert fingerprint([plain]) != fingerprint([EvaluationCase("1", "Tea?", kind="list", gold_items=(("tea",),))])


@pytest.mark.parametrize(
    ("piece", "gold", "name"),
    [
        # A reader's UUID says nothing: the file is the document.
        (Evidence("0b4a1b8e-7a0e-4c0e-9f5f-1f1f3a2b4c5d", file="/x/tea.txt"), ["tea.txt"], "tea.txt"),
        (Evidence("0b4a1b8e-7a0e-4c0e-9f5f-1f1f3a2b4c5d", file="C:\\x\\pets.txt"), ["tea.txt"], "pets.txt"),
        (Evidence("/x/tea.txt_part_0", file="/x/tea.txt"), ["/x/tea.txt"], "/x/tea.txt"),
        (Evidence("/x/pets.txt_part_0", file="/x/pets.txt"), ["tea.txt"], "pets.txt"),
        # An id that was given is the name, whatever file it came from.
        (Evidence("guide-7", file="/x/all.txt"), ["guide-8"], "guide-7"),
        (Evidence("guide-7", pmid="12"), ["PMID:12"], "PMID:12"),
        (Evidence("guide-7", pmid="12"), ["guide-7"], "guide-7"),
        (Evidence("guide-7"), ["PMID:12"], "guide-7"),
    ],
)
def test_a_document_is_named_as_the_gold_ones_are(piece, gold, name):
    assert piece.name_like(gold) == name
