"""At which stage an answer was lost; one question a stage, each changed from the one that got it right."""

import pytest

from benchmarks.answering.failure_stages import NOT_JUDGED, RIGHT, result_of
from benchmarks.answering.gold_answers import GoldAnswer
from tests.benchmarks.answered import GOLD_TEXT, OTHER_TEXT, row

FACTOID = GoldAnswer("factoid", items=(("erenumab", "Aimovig"),))
LIST = GoldAnswer("list", items=(("erenumab",), ("fremanezumab",), ("galcanezumab",)))
YES = GoldAnswer("yesno", "yes")
SUMMARY = GoldAnswer("summary")
OTHER_PART = {"document_id": "PMID:1", "text": "Both are antibodies."}
RIGHT_TEXT = "Erenumab prevents migraine."


def result(answered, gold, *, texts=GOLD_TEXT, said=None, exact=1.0):
    return result_of(answered, gold, texts, said=said, exact=exact)


def test_a_gold_item_in_the_sentences_and_in_the_exact_answer_is_right():
    assert result(row(RIGHT_TEXT), FACTOID) == RIGHT
    assert result(row(RIGHT_TEXT), FACTOID, exact=0.0) == "exact answer"


@pytest.mark.parametrize(
    ("answered", "stage"),
    [
        (row(retrieved=["PMID:2"], abstained="no_evidence", chunks=[]), "retrieval"),
        # A right paper, but none of its text with the item.
        (row(chunks=[OTHER_PART], abstained="nothing_drafted"), "retrieval"),
        (row(abstained="no_evidence", shown=[]), "gate"),
        (row("Topiramate is older.", shown=[{"document_id": "PMID:2", "text": OTHER_TEXT}]), "evidence"),
        (row("Antibodies do.", shown=[OTHER_PART]), "evidence"),
        (row("Antibodies do."), "draft"),
        (row(abstained="model_declined", draft="I cannot answer this."), "draft"),
        (row(abstained="nothing_supported", draft=RIGHT_TEXT), "verification"),
        (row("Antibodies do.", draft=f"{RIGHT_TEXT} Antibodies do."), "verification"),
    ],
)
def test_a_factoid_is_lost_where_its_item_is_missed_first(answered, stage):
    assert result(answered, FACTOID) == stage


def test_any_of_several_items_answers_a_factoid():
    several = GoldAnswer("factoid", items=(("erenumab",), ("fremanezumab",), ("galcanezumab",)))
    assert result(row(RIGHT_TEXT), several, exact=1 / 3) == RIGHT


def test_half_of_a_list_is_enough():
    # Two of three items; the papers hold no more.
    assert result(row("Erenumab and fremanezumab."), LIST, exact=0.5) == RIGHT
    assert result(row("Erenumab."), LIST) == "draft"
    assert result(row("Erenumab.", draft="Erenumab. Fremanezumab."), LIST) == "verification"


@pytest.mark.parametrize(
    ("said", "draft", "stage"),
    [
        ("yes", "Yes.", RIGHT),
        ("no", "No, it is not.", "draft"),
        (None, "It is.", "draft"),
        (None, "Yes, it is.", "verification"),
    ],
)
def test_yes_or_no_is_lost_in_the_draft_or_after_it(said, draft, stage):
    assert result(row("It is.", draft=draft), YES, said=said) == stage


def test_what_code_cannot_judge_is_said_to_be_so():
    assert result(row("Some prevent it."), SUMMARY) == NOT_JUDGED
    # A long item is put in other words.
    long = GoldAnswer("factoid", items=(("Erenumab and fremanezumab prevent migraine",),))
    assert result(row("Some prevent it."), long) == NOT_JUDGED
    # No paper holds the item word for word.
    assert result(row("Some prevent it."), FACTOID, texts=OTHER_TEXT) == NOT_JUDGED
    assert result(row(abstained="no_evidence", shown=[]), SUMMARY) == "gate"
    assert result(row(abstained="model_declined"), SUMMARY) == "draft"
    assert result(row(abstained="nothing_supported", draft="Some."), SUMMARY) == "verification"
    assert result(row(retrieved=["PMID:2"], abstained="model_declined"), SUMMARY) == "retrieval"
