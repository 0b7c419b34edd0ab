"""Where the verifier that decided in a system judges its answers too, everything that tells of the judge says so."""

import io
import json
import re
from collections.abc import Sequence

import pytest
from rich.console import Console

from llama_index_medqa.cli.display.evaluation import print_gate, print_results
from llama_index_medqa.evaluation.answers import Answer, Evidence
from llama_index_medqa.evaluation.cases import EvaluationCase
from llama_index_medqa.evaluation.gate.comparison import compare
from llama_index_medqa.evaluation.gate.html_report import as_html
from llama_index_medqa.evaluation.gate.junit_markdown import as_markdown, describe_judge
from llama_index_medqa.evaluation.gate.margins import Margins
from llama_index_medqa.evaluation.judges.verifier import VerifierJudge
from llama_index_medqa.evaluation.measures.faithfulness import faithfulness, gold_support
from llama_index_medqa.evaluation.results import Results, read_results, write_results
from llama_index_medqa.evaluation.runs.runner import Reply
from llama_index_medqa.evaluation.runs.scoring import score_all
from llama_index_medqa.evaluation.score import Score
from llama_index_medqa.testing import ScriptedEntailment
from llama_index_medqa.verification.verifier import ClaimVerifier

FINDING = "Green tea lowered the resting heart rate."
CASES = [EvaluationCase(str(number), "Does tea help?", (f"PMID:{number}",), (), None, (FINDING,)) for number in (1, 2)]
OWN_WORK = "judged by the verifier that also decided in the engine: the system marked its own work"


class VerifierAndModel:
    """A judge of which the verifier is one part."""

    name = "offline"

    def __init__(self, verifier: ClaimVerifier) -> None:
        self.identity = {"judge": "offline", "version": 3, "model": "small", "verifier": dict(verifier.identity)}

    async def score_all(self, claims: Sequence[str], evidence: Sequence[str]) -> list[Score]:
        return [Score.of(1)] * len(claims)


def verifier(name="first"):
    return ClaimVerifier(ScriptedEntailment(name=name))


async def results(*, decided=None, judged="first", kind=VerifierJudge) -> Results:
    """Answers of an engine with one verifier, or none, judged by another or the same; one case has failed."""
    known = verifier(decided).identity if decided else None
    replies = [Reply(Answer(FINDING, (Evidence("PMID:1", FINDING),), verifier=known)), Reply(failure="lost")]
    judge = kind(verifier(judged))
    return await score_all(CASES, replies, [faithfulness(judge), gold_support(judge)], system={"engine": "x"})


def shown(printed, *arguments):
    console = Console(width=300, file=io.StringIO())
    printed(*arguments, console)
    return console.file.getvalue()


async def test_the_file_and_the_terminal_say_so(tmp_path):
    found = await results(decided="first")
    write_results(tmp_path / "r.json", found)
    assert [row["own_work"] for row in json.loads((tmp_path / "r.json").read_text())["measures"]] == [OWN_WORK] * 2
    assert read_results(tmp_path / "r.json").measures == found.measures
    told = shown(print_results, found)
    assert f"Faithfulness(verifier): {OWN_WORK}; it is not measured" in told
    assert f"GoldSupport(verifier): {OWN_WORK}" in told


@pytest.mark.parametrize("decided", [None, "second"])
async def test_nothing_is_said_of_another_verifier_or_of_none(decided):
    found = await results(decided=decided)
    assert [info.own_work for info in found.measures] == [None, None]
    assert "own_work" not in found.as_data()["measures"][0]
    assert "own work" not in shown(print_results, found)


async def test_a_judge_of_which_the_verifier_is_a_part_marks_its_own_work_in_part():
    found = await results(decided="first", kind=VerifierAndModel)
    assert describe_judge(found.measures[0]).startswith(
        "Faithfulness(offline): judged in part by the verifier that also decided in the engine"
    )


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("first", "first", f"(verifier): {OWN_WORK}"),
        (None, "first", f"(verifier): the candidate was {OWN_WORK}"),
        ("first", "second", f"(verifier): the baseline was {OWN_WORK}"),
    ],
)
async def test_the_gate_says_of_which_run(before, after, told):
    runs = await results(decided=before), await results(decided=after)
    report = compare(*runs, Margins())
    page = re.sub("<[^>]*>", "", as_html(report, *runs))
    assert f"Faithfulness{told}" in shown(print_gate, report)
    assert f"- GoldSupport{told}" in as_markdown(report)
    assert told.removeprefix("(verifier): ") in page


async def test_scores_of_two_verifiers_are_not_compared():
    first, second = await results(), await results(judged="second")
    report = compare(first, second, Margins())
    assert report.verdict == "not enough evidence"
    assert "different judges (verifier 'first' and 'second'): score both by one" in report.comparisons[0].reason
    mixed = [await results(judged=name, kind=VerifierAndModel) for name in ("first", "second")]
    reason = compare(*mixed, Margins()).comparisons[0].reason
    assert "different judges (verifier.verifier 'first' and 'second'): score both by one" in reason
