"""`medqa evaluate` on the suite of continuous integration, on a profile, on stored answers; LlamaIndex's own runner."""

import json

import pytest
from llama_index.core.evaluation import BatchEvalRunner

from benchmarks.gates.extractive import SUITE, engine
from llama_index_medqa.errors import InputError
from llama_index_medqa.evaluation.cases import load_cases
from llama_index_medqa.evaluation.measures.catalogue import measures_of
from llama_index_medqa.evaluation.measures.llama_index_evaluator import MeasureEvaluator
from llama_index_medqa.evaluation.results import read_results
from llama_index_medqa.pubmed.formats.jsonl import read_jsonl
from llama_index_medqa.testing import ScriptedEntailment
from llama_index_medqa.verification import verifier
from tests.conftest import REPOSITORY


@pytest.fixture(autouse=True)
def scripted(monkeypatch):
    """Verifies by shared words: the packaged model would read thousands of pairs for the three runs of the suite."""
    monkeypatch.setattr(verifier, "EntailmentEncoder", ScriptedEntailment)


@pytest.fixture
def medqa(medqa, monkeypatch):
    """The command, run from the repository."""
    monkeypatch.chdir(REPOSITORY)
    return medqa


def evaluated(medqa, tmp_path, name):
    output = tmp_path / f"{name}.json"
    arguments = ["--engine", f"benchmarks.gates.extractive:{name}", "--terms", SUITE / "terms.txt", "--output", output]
    code, out, err = medqa("evaluate", SUITE / "cases.jsonl", *arguments)
    assert code == 0, err
    assert "60 questions asked" in out
    return output


def test_the_suite_is_whole():
    records = list(read_jsonl(SUITE / "corpus.jsonl"))
    cases = load_cases(SUITE / "cases.jsonl")
    assert (len(records), len(cases)) == (61, 60)
    texts = {record.pmid: record.text for record in records}
    for case in cases:
        assert all(any(part in texts[pmid] for pmid in case.gold_pmids) for part in case.gold_evidence)
    headings = (SUITE / "terms.txt").read_text().splitlines()
    assert headings == sorted({heading for record in records for heading in record.mesh})


def test_the_gate_passes_a_harmless_change_and_fails_a_planted_regression(medqa, tmp_path):
    margins = ["--margins", SUITE / "margins.toml"]
    baseline = evaluated(medqa, tmp_path, "engine")
    harmless, planted = (evaluated(medqa, tmp_path, name) for name in ("harmless_change", "planted_regression"))
    code, out, _ = medqa("gate", baseline, harmless, *margins)
    assert (code, "Gate: pass" in out) == (0, True)
    code, out, _ = medqa("gate", baseline, planted, *margins, "--html", tmp_path / "report.html")
    assert (code, "Gate: fail" in out) == (1, True)
    failed = [line.split(":")[0] for line in out.splitlines() if "worse by more than the margin" in line]
    assert {"nDCG@10", "Recall@5"} <= set(failed)
    # Twelve of sixty questions were answered from other papers.
    assert read_results(planted).summary("Recall@5").estimate.mean == pytest.approx(48 / 60)
    # A second run asks nothing, and writes the same but for the run block.
    first = json.loads(baseline.read_text())
    arguments = ["--engine", "benchmarks.gates.extractive:engine", "--terms", SUITE / "terms.txt", "--output", baseline]
    _, out, _ = medqa("evaluate", SUITE / "cases.jsonl", *arguments)
    assert "0 questions asked, 60 answers of earlier runs" in out
    second = json.loads(baseline.read_text())
    assert first.pop("run") != second.pop("run")
    assert first == second


def test_stored_answers_are_scored(medqa, tmp_path):
    cases = load_cases(SUITE / "cases.jsonl")
    rows = [
        {"id": case.case_id, "answer": {"text": f"{case.gold_label}.", "evidence": ["PMID:1"]}} for case in cases[1:]
    ]
    (tmp_path / "answers.jsonl").write_text("\n".join(map(json.dumps, rows)))
    arguments = ["--answers", tmp_path / "answers.jsonl", "--measure", "Accuracy", "--measure", "Recall"]
    code, out, _ = medqa("evaluate", SUITE / "cases.jsonl", *arguments, "--output", tmp_path / "r.json", "--json")
    assert code == 3  # one case has no answer
    summary = json.loads(out)["summary"]
    assert (summary["Accuracy"]["estimate"]["mean"], summary["Recall"]["estimate"]["mean"]) == (1.0, 0.0)
    assert summary["Accuracy"]["unscored"] == {"no stored answer": 1}


def test_a_profile_is_evaluated_and_knows_its_own_headings(medqa, tmp_path, tiny_model):
    index_options = ["--index", tmp_path / "index", "--embedder", tiny_model]
    assert medqa("index", SUITE / "corpus.jsonl", *index_options)[0] == 0
    arguments = ["--llm", "extractive", "--retrieval", "lexical", "--output", tmp_path / "r.json"]
    arguments += ["--strictness", "strict"]
    code, out, err = medqa("evaluate", SUITE / "cases.jsonl", *index_options, *arguments)
    assert code == 0, err
    assert "Faithfulness(verifier): judged by the verifier that also decided in the engine: the system marked" in out
    results = read_results(tmp_path / "r.json")
    assert results.system["verifier"] == verifier.ClaimVerifier(strictness="strict").identity
    assert results.system["profile"]["retrieval"] == "lexical"
    assert results.adapter is None
    assert results.summary("Recall@5").estimate.mean == 1.0
    assert results.summary("TermPrecision").estimate.mean > 0.9
    assert results.summary("RetractedEvidence").estimate.mean == 0.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "squad"], "--format cannot be 'squad'"),
        (["--engine", "a:b", "--answers", "c"], "either --engine or --answers"),
        (["--engine", "json:loads", "--measure", "bleu"], "no measure 'bleu'"),
        (["--engine", "nowhere:engine"], "No module named 'nowhere'"),
        (["--profile", "huge"], "no profile 'huge'"),
        (["--strictness", "sloppy"], "--strictness cannot be 'sloppy': choose strict, balanced, open"),
        (["--terms", "none.txt", "--engine", "json:loads"], "none.txt cannot be read"),
    ],
)
def test_a_mistake_is_one_line(medqa, tmp_path, arguments, message):
    code, out, err = medqa("evaluate", SUITE / "cases.jsonl", "--output", tmp_path / "r.json", *arguments)
    misused = arguments[0] in ("--format", "--profile", "--strictness") or "--answers" in arguments
    assert (code, out, err.count("\n")) == (2 if misused else 1, "", 1)
    assert message in err


async def test_llamaindex_s_runner_takes_our_measures():
    cases = load_cases(SUITE / "cases.jsonl")[:3]
    evaluators = {one.name: MeasureEvaluator(one, cases) for one in measures_of(["Recall@5", "Accuracy", "WordF1"])}
    runner = BatchEvalRunner(evaluators, workers=2)
    questions = [*(case.question for case in cases), "Which case asks this?"]
    found = await runner.aevaluate_queries(engine(), queries=questions)
    assert [one.score for one in found["Recall@5"]] == [1.0, 1.0, 1.0, None]
    assert [(one.invalid_result, one.invalid_reason) for one in found["Accuracy"]] == [
        (False, None),
        # The verifier is not sure enough to say yes to the second question, and the third asks for none.
        *[(True, "unparsable")] * 2,
        (True, "no case asks this question"),
    ]
    assert all(0 < one.score < 1 for one in found["WordF1"][:3])
    text = evaluators["Accuracy"].evaluate(query=cases[0].question, response="Yes.", contexts=["Tea."])
    assert (text.score, text.contexts) == (1.0, ["Tea."])
    # Texts alone tell no ids: no number is made of them.
    no_ids = evaluators["Recall@5"].evaluate(query=cases[0].question, response="Yes.", contexts=["Tea."])
    assert (no_ids.score, no_ids.invalid_reason) == (None, "ids unknown")
    with pytest.raises(InputError, match="Two cases ask"):
        MeasureEvaluator(measures_of(["Recall"])[0], [*cases, cases[0]])
