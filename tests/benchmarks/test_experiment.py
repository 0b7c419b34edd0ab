"""The experiment: its design, what it keeps, and differences that were calculated by hand."""

import asyncio
from contextlib import contextmanager
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from llama_index.core import Document
from scipy.stats import binomtest

from benchmarks.common.answer_sets import AnswerSet
from benchmarks.experiment.asking import Asking, ClosedBook
from benchmarks.experiment.design import (
    ANSWER,
    BASE,
    CLOSED,
    EMBEDDED_SETUP,
    FORCED,
    GROUNDED,
    LABEL,
    MISTRAL_SETUP,
    RAG,
    SEED,
    UNKNOWN,
    Cell,
    Subject,
)
from benchmarks.experiment.repeatability import compared
from benchmarks.experiment.report import as_data, as_markdown, as_plot, conclusions, majority, plan, tokens
from benchmarks.experiment.scoring import (
    EFFECTS,
    CaseScore,
    CellScores,
    compare,
    comparisons,
    ragas_support,
    score_cell,
)
from llama_index_medqa.evaluation.answers import Answer, Evidence
from llama_index_medqa.evaluation.cases import EvaluationCase
from llama_index_medqa.evaluation.judges.verifier import VerifierJudge
from llama_index_medqa.evaluation.score import Score
from llama_index_medqa.testing import ScriptedEntailment, ScriptedLLM
from llama_index_medqa.verification.verifier import ClaimVerifier

JUDGE = VerifierJudge(ClaimVerifier(ScriptedEntailment()))
FINDING = "Green tea lowered the resting heart rate by 3.5 beats per minute."
CASES = [
    EvaluationCase(str(number), f"Does drug {number} help?", (f"PMID:{number}",), (), label, (FINDING,))
    for number, label in enumerate(("yes", "yes", "yes", "no"))
]
PROOF = {"adapter": "x", "gap": ""}


def cell(name, condition, task=LABEL):
    return Cell(Subject(name, "served"), condition, task)


def labels(name, condition, answers):
    """A cell in which these labels were declared; None has not been asked."""
    replies = [None if text is None else Answer(text) for text in answers]
    return asyncio.run(score_cell(cell(name, condition), list(zip(CASES, replies, strict=True)), JUDGE))


def effect(name):
    return next(one for one in EFFECTS if one.name == name)


def test_every_model_is_asked_the_same_in_both_conditions():
    for setup in (EMBEDDED_SETUP, MISTRAL_SETUP):
        names = [one.name for one in setup.cells]
        assert len(set(names)) == len(names) == 3 * 6 + 4 + 1
        assert len({one.file_name for one in setup.cells}) == len(names)
        for served in (BASE, SEED, GROUNDED):
            asked = {(one.condition, one.task.name) for one in setup.cells if one.subject.name == served}
            assert asked == {(condition, task.name) for condition in (CLOSED, RAG) for task in (LABEL, FORCED, ANSWER)}


def test_the_plan_tells_what_is_missing_and_what_is_left(tmp_path):
    setup = replace(EMBEDDED_SETUP, adapters={SEED: tmp_path / "seed"}, rates={"served": (100.0, 10.0)})
    left = {cell(BASE, CLOSED): 10, cell(BASE, RAG): 10, Cell(Subject("extractive", "quoted"), RAG, ANSWER): 5}
    # 10 prompts of 90 tokens and 10 of 490, and 20 answers of at most 48.
    assert tokens(left, 300) == (5800, 960)
    text = plan(setup, left, {SEED: False})
    assert "python -m training run smollm2_cpu_seed" in text
    assert "5,800 tokens to read and 960 to write at most, in 25 answers" in text
    # 5,800 / 100 + 960 / 10 = 154 seconds.
    assert "At most 3 minutes" in text
    assert "not measured" in plan(replace(setup, rates={}), left, {SEED: True})


@pytest.mark.parametrize(
    ("said", "text", "abstained"),
    [
        (f" {FINDING} ", FINDING, None),
        ("", "", "nothing said"),
    ],
)
async def test_a_closed_book_answer(said, text, abstained):
    model = ScriptedLLM([said])
    answer = await ClosedBook(model, ANSWER.closed, {}).answer(CASES[0])
    assert (answer.text, answer.abstained, answer.evidence) == (text, abstained, None)
    assert model.prompts[0].endswith("Question: Does drug 0 help?\nAnswer:")


def test_what_was_answered_is_not_asked_again(tmp_path):
    documents = [Document(id_=case.gold_documents[0], text=f"{FINDING} {case.case_id}") for case in CASES]
    bare = [replace(case, gold_evidence=()) for case in CASES]
    sets = {name: AnswerSet(name, documents, bare[:2], bare[2:], [], []) for name in ("PubMedQA", "BioASQ")}
    model = ScriptedLLM(["Yes."])

    @contextmanager
    def models(kind):
        yield lambda _cell: model

    def asking(limit):
        return Asking(EMBEDDED_SETUP, sets, tmp_path, limit, models)

    one = cell(BASE, CLOSED)
    assert asking(3).left(one) == 3
    assert asking(3).ask([one], lambda *_: None) == []
    assert (asking(3).left(one), asking(9).left(one), len(model.prompts)) == (0, 1, 3)
    asking(9).ask([one], lambda *_: None)
    assert len(model.prompts) == 4
    replies = asking(9).replies(one)
    assert [answer.text for _, answer in replies] == ["Yes."] * 4
    # Cases without evidence of their own have the texts of their papers.
    assert replies[3][0].gold_evidence == (f"{FINDING} 3",)
    # Another prompt is another question.
    assert asking(9).left(cell(BASE, CLOSED, ANSWER)) == 8


def test_a_label_is_right_wrong_or_none():
    scored = labels(BASE, CLOSED, ["Yes.", "No.", "Perhaps so.", None])
    assert scored.outcomes == {"right": 1, "wrong": 1, "no label": 1}
    assert [one.score.value for one in scored.scores["RightLabel"]] == [1.0, 0.0, 0.0]


def test_differences_are_those_calculated_by_hand():
    cells = [
        labels(BASE, CLOSED, ["Yes.", "No.", "No.", "No."]),
        labels(BASE, RAG, ["Yes.", "Yes.", "Yes.", "Yes."]),
        labels(SEED, CLOSED, ["No.", "No.", "No.", "Yes."]),
        labels(SEED, RAG, ["Yes.", "Yes.", "Yes.", "Yes."]),
    ]
    rag = compare(effect("RAG, base"), "RightLabel", cells)
    assert (rag.difference.mean, rag.changed.gained, rag.changed.lost) == (0.25, 2, 1)
    assert rag.p_value == pytest.approx(binomtest(2, 3).pvalue)
    tuned = compare(effect("seed SFT, closed book"), "RightLabel", cells)
    assert (tuned.difference.mean, tuned.changed.gained, tuned.changed.lost) == (-0.5, 0, 2)
    # (1 - 0) - (1 - 1), (1 - 0) - (1 - 0), (1 - 0) - (1 - 0), (0 - 0) - (0 - 1): 1, 0, 0 and 1.
    both = compare(effect("interaction of RAG and seed SFT"), "RightLabel", cells)
    assert (both.difference.mean, both.changed) == (0.5, None)
    # Two that differ, both upwards: of 4 ways to flip one is as high, so 1/4 on each side.
    assert both.p_value == pytest.approx(0.5)
    assert compare(effect("RAG, grounded SFT"), "RightLabel", cells) is None
    found = comparisons(cells)
    assert len(found) == 5
    assert min(one.corrected for one in found) == min(1.0, 5 * min(one.p_value for one in found))


def test_only_what_was_scored_on_both_sides_is_compared():
    before = labels(BASE, CLOSED, ["Yes.", None, "Yes.", "Yes."])
    after = labels(BASE, RAG, ["Yes.", "Yes.", "No.", None])
    found = compare(effect("RAG, base"), "RightLabel", [before, after])
    assert (found.difference.cases, found.difference.mean) == (2, -0.5)


def test_marks_of_the_engine_are_not_judged_and_refusals_have_no_support():
    answers = [
        Answer(f"{FINDING[:-1]} [PMID:0].", (Evidence("PMID:0", FINDING),)),
        Answer("Green tea raised it by 9 beats.", (Evidence("PMID:1", FINDING),)),
        Answer("I cannot answer this.", (), abstained="no_evidence"),
    ]
    replies = list(zip(CASES, answers, strict=False))
    scored = asyncio.run(score_cell(cell(BASE, RAG, ANSWER), replies, JUDGE))
    assert scored.outcomes == {"answered": 2, "no evidence": 1}
    for measure in ("GoldSupport(verifier)", "Faithfulness(verifier)"):
        assert [one.score.value for one in scored.scores[measure]] == [1.0, 0.0, None]
    assert scored.estimate("GoldSupport(verifier)").mean == 0.5
    # Of all three questions one is answered with what nothing supports.
    assert [one.score.value for one in scored.scores["Hallucination(verifier)"]] == [0.0, 1.0, 0.0]


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        (UNKNOWN, "model declined"),
        ("- I do not know.", "model declined"),
        ("No, I do not know the answer to this question.", "model declined"),
        ("No, drugs do not help. I do not know more.", "answered"),
    ],
)
async def test_who_says_that_it_does_not_know_has_declined(text, outcome):
    scored = await score_cell(cell(BASE, CLOSED, ANSWER), [(CASES[0], Answer(text))], JUDGE)
    assert scored.outcomes == {outcome: 1}


async def test_ragas_is_shown_the_gold_evidence_in_place_of_what_was_retrieved():
    asked = []

    class Judge:
        def identity_of(self, metric):
            return {"judge": "ragas"}

        async def score(self, metric, inputs):
            asked.append((metric, inputs["retrieved_contexts"]))
            return Score.of(0.5)

    measure = ragas_support(Judge())
    answer = Answer("Green tea helps.", (Evidence("PMID:9", "Something else."),))
    assert (await measure.ascore(CASES[0], answer), measure.name) == (Score.of(0.5), "GoldSupport(ragas)")
    assert asked == [("Faithfulness", [FINDING])]
    # Of ten answers three, from all over the list.
    replies = [(replace(CASES[0], case_id=str(number)), answer) for number in range(10)]
    scored = await score_cell(cell(BASE, CLOSED, ANSWER), replies, JUDGE, measure, 3)
    assert [row.case_id for row in scored.scores["GoldSupport(ragas)"]] == ["0", "3", "6"]


def test_what_a_judge_failed_to_score_is_counted_in_the_tables():
    failed = Score.unscored("judge timeout")
    some = [CaseScore("0", "0", Score.of(1.0)), CaseScore("1", "1", failed)]
    rows = [*some, CaseScore("2", "2", Score.not_applicable("abstained")), CaseScore("3", "3", Score.of(1.0))]
    scored = CellScores(
        cell(BASE, RAG, ANSWER), {"all": rows, "sample": rows[:3]}, {"answered": 3, "model declined": 1}
    )
    text = as_markdown([scored], [], None, "", {})
    assert "| 1.000 (1.000 to 1.000); 3 answered, 1 model declined, 1 unscored: judge timeout |" in text
    assert "; 1 abstained, 1 scored, 1 unscored: judge timeout |" in text


def test_tables_plots_and_sentences_say_what_was_found():
    cells = [labels(BASE, CLOSED, ["No."] * 4), labels(BASE, RAG, ["Yes."] * 3 + ["No."])]
    found = comparisons(cells)
    assert majority(CASES) == ("yes", majority(CASES)[1])
    assert majority(CASES)[1].mean == 0.75
    text = as_markdown(cells, found, majority(CASES), "Judge: none.", {"seed SFT, RAG, label": PROOF})
    assert "| always the commonest label (yes) | 0.750" in text
    assert "| base | 0.250 (0.000 to 0.750); 1 right, 3 wrong | 1.000" in text
    assert "| RightLabel | RAG, base | +0.750" in text
    assert "proved before the first question of: seed SFT, RAG, label." in text
    # Three of four changed: too few to show anything.
    assert conclusions(found) == ["- Not shown, either way: RightLabel, RAG, base."]
    [sure] = [one._replace(corrected=0.01) for one in found]
    assert conclusions([sure]) == ["- RightLabel, RAG, base: higher by 0.750 (corrected p: 0.010)."]
    data = as_data(cells, found)
    assert data["cells"]["base, RAG, label"]["scores"]["RightLabel"] == {"0": 1.0, "1": 1.0, "2": 1.0, "3": 1.0}
    assert "drug" not in str(data)
    picture = ElementTree.fromstring(as_plot(cells, "RightLabel"))
    assert picture.tag == "{http://www.w3.org/2000/svg}svg"
    assert {"baseline", "candidate"} <= {part.get("class") for part in picture.iter()}


def test_a_second_run_is_compared_by_what_is_scored():
    said = Answer("Yes.", evidence=(Evidence("PMID:1", FINDING),), answer_tokens=2, seconds=1.0, answered_by="qwen")
    first = list(zip(CASES, (said, said, said, said), strict=True))
    elsewhere = replace(said, seconds=9.0, answered_by="qwen-q4")
    other_evidence = replace(said, evidence=(Evidence("PMID:2", FINDING),))
    again = list(zip(CASES, (elsewhere, replace(said, text="No."), other_evidence, None), strict=True))
    counts = {"asked": 4, "twice": 3, "equal_text": 2, "equal": 1}
    assert compared(first, again) == {**counts, "unlike": {"1": ["text"], "2": ["evidence"]}}
    # The order of the questions does not matter.
    assert compared(first, again[::-1])["equal"] == 1
    # A mark that an engine gives now and did not then says nothing else than the text does.
    declined = Answer(UNKNOWN)
    marked = replace(declined, abstained="model_declined")
    assert compared([(CASES[0], declined)], [(CASES[0], marked)])["equal"] == 1
