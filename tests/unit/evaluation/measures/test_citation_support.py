"""Citations held against what they cite: shares worked out by hand, with a judge that says what it is told."""

import pytest

from llama_index_medqa.errors import InputError
from llama_index_medqa.evaluation.answers import Answer, Evidence
from llama_index_medqa.evaluation.cases import EvaluationCase
from llama_index_medqa.evaluation.judges.verifier import VerifierJudge
from llama_index_medqa.evaluation.measures.catalogue import measures_of
from llama_index_medqa.evaluation.measures.citation_support import (
    CitedSentences,
    citation_measures,
    cited_sentences,
    names_by,
)
from llama_index_medqa.evaluation.score import Score

CASE = EvaluationCase("1", "Does tea help?", gold_answers=("Tea lowers the heart rate. Tea is safe.", "Tea is safe."))
TEXTS = (Evidence("PMID:1", "Tea lowers the heart rate."), Evidence("PMID:2", "Coffee raises it."))


class HoldsWord:
    """Supports a claim whose last word stands in a text; contradicts one with "never"."""

    name = "words"
    identity = {"judge": "words"}  # noqa: RUF012

    async def score_all(self, claims, evidence):
        return [Score.of(claim.rstrip(".").split()[-1] in " ".join(evidence)) for claim in claims]

    async def verdicts(self, claims, evidence):
        return ["contradicted" if "never" in claim else "unsupported" for claim in claims]


class Fails(HoldsWord):
    async def score_all(self, claims, evidence):
        return [Score.unscored("judge timeout") for _ in claims]


def scores(text, judge=None, evidence=TEXTS, **known):
    answer = Answer(text, evidence, **known)
    return {one.name.split("(")[0]: one.score(CASE, answer) for one in citation_measures(judge or HoldsWord())}


def test_marks_are_tied_to_their_sentences():
    answer = Answer("It falls [PMID:1]. It is safe [1, 2]. Nobody knows. It never rises. [PMID:9]", TEXTS)
    assert [(one.text, one.cited) for one in cited_sentences(answer)] == [
        ("It falls.", ("PMID:1",)),
        ("It is safe.", ("PMID:1", "PMID:2")),
        ("Nobody knows.", ()),
        ("It never rises.", ("PMID:9",)),
    ]
    assert CitedSentences.score(CASE, answer) == Score.of(0.75)
    bare = Answer("It falls [1].", (Evidence("0012"),))
    assert cited_sentences(bare)[0].cited == ("PMID:12",)


def test_shares_of_sentences_and_of_citations():
    # Citations: rate in 1 (yes), rate in 2 (no), raises in 2 (yes), raises in 9, which was not retrieved (no).
    found = scores("It lowers the rate [PMID:1][PMID:2]. Coffee never raises [PMID:2][PMID:9]. It is so.")
    assert found["CitationSupport"] == Score.of(2 / 4)
    assert found["CitationCoverage"] == Score.of(2 / 3)
    assert found["CitationContradiction"] == Score.of(1 / 4)
    # Of the first gold answer "rate" is held and "safe" is not; of the second nothing.
    assert found["NuggetRecall"] == Score.of(0.5)


def test_what_cannot_be_judged_has_a_reason():
    assert {name: one.reason for name, one in scores("It falls.").items()} == {
        "CitationCoverage": "",
        "CitationSupport": "nothing cited",
        "CitationContradiction": "nothing cited",
        "NuggetRecall": "",
    }
    assert scores("It falls.")["CitationCoverage"].value == 0.0
    assert scores("It falls [PMID:1].", evidence=None)["CitationSupport"].reason == "no evidence text"
    assert scores("", evidence=TEXTS)["CitationCoverage"].reason == "empty answer"
    assert scores("No.", abstained="no_evidence")["NuggetRecall"].reason == "abstained"
    failed = scores("It falls [PMID:1].", judge=Fails())
    assert failed["CitationSupport"].reason == failed["NuggetRecall"].reason == "judge timeout"


def test_the_packaged_verifier_judges_citations():
    text = "Green tea lowered the resting heart rate by 3.5 beats per minute compared with water [PMID:1]."
    evidence = (Evidence("PMID:1", "Green tea lowered the resting heart rate by 3.5 beats per minute versus water."),)
    found = scores(text, judge=VerifierJudge(), evidence=evidence)
    assert (found["CitationSupport"].value, found["CitationContradiction"].value) == (1.0, 0.0)


@pytest.mark.parametrize(
    "name", ["CitationSupport(verifier)", "nuggetrecall(verifier)", "CitationContradiction(verifier)"]
)
def test_they_are_taken_by_name_only(name):
    assert measures_of([name])[0].name.lower() == name.lower()
    assert name.lower() not in {one.name.lower() for one in measures_of()}


def test_judges_that_give_no_verdicts_have_no_contradictions():
    class OnlySupport:
        name, identity, score_all = "plain", {"judge": "plain"}, HoldsWord.score_all

    assert tuple(one.name for one in citation_measures(OnlySupport())) == names_by("plain")
    assert tuple(one.name for one in citation_measures(VerifierJudge())) == names_by("verifier")
    with pytest.raises(InputError, match="no measure"):
        measures_of(["CitationContradiction(plain)"], judge=OnlySupport())
