"""BioASQ's measures of exact answers, against values worked out by hand from its evaluation program."""

import pytest

from llama_index_medqa.evaluation.measures.bioasq.exact_answers import (
    factoid_scores,
    list_scores,
    normalised,
    share_held,
)

GOLD = (("Magnetic resonance imaging", "MRI", "MR"),)
MIGRAINE = (("fremanezumab",), ("galcanezumab",), ("erenumab", "Aimovig"), ("Eptinezumab",))


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        (["MRI"], (1, 1, 1)),
        (["mri", "CT"], (1, 1, 1)),
        (["CT", "lumbar puncture", "magnetic Resonance imaging"], (0, 1, 1 / 3)),
        (["a", "b", "c", "d", "MR"], (0, 1, 1 / 5)),
        # The sixth does not count.
        (["a", "b", "c", "d", "e", "MRI"], (0, 0, 0)),
        (["MRI of the brain"], (0, 0, 0)),
        ([], (0, 0, 0)),
    ],
)
def test_factoid_candidates_are_right_in_any_spelling_and_case(items, expected):
    assert factoid_scores(items, GOLD) == pytest.approx(expected)


def test_any_of_several_gold_items_answers_a_factoid_question():
    assert factoid_scores(["7 days"], (("5 days",), ("7 days",))) == (1, 1, 1)


def test_a_list_is_scored_by_its_right_items():
    # Two of three are right, two of four found: 2/3, 1/2, and 2 * 2/3 * 1/2 / (2/3 + 1/2) = 4/7.
    assert list_scores(["Aimovig", "galcanezumab", "topiramate"], MIGRAINE) == pytest.approx((2 / 3, 1 / 2, 4 / 7))


def test_a_second_spelling_of_a_right_item_is_wrong():
    # 1 of 2 items, 1 of 4 gold items: 2 * 1/2 * 1/4 / (3/4) = 1/3.
    assert list_scores(["erenumab", "aimovig"], MIGRAINE) == pytest.approx((1 / 2, 1 / 4, 1 / 3))


@pytest.mark.parametrize("items", [[], ["topiramate"]])
def test_a_list_without_a_right_item_scores_nothing(items):
    assert list_scores(items, MIGRAINE) == (0, 0, 0)


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ("Huntington's disease,", "huntington's disease"),
        ("the  Putamen", "putamen"),
        ("COVID–19", "covid-19"),
        ("“G1P[8]”", "g1p[8]"),
        ("SBMA (Spinal and bulbar muscular atrophy", "sbma (spinal and bulbar muscular atrophy"),
        ("Theophylline", "theophylline"),
    ],
)
def test_stray_punctuation_articles_and_dashes_do_not_count(item, expected):
    assert normalised(item) == expected


def test_items_are_held_word_for_word():
    text = "Erenumab (Aimovig) and fremanezumab prevent migraine."
    assert share_held(MIGRAINE, text) == 0.5
    assert share_held((("ere",),), text) == 0
    assert share_held((("prevent  MIGRAINE",),), text) == 1
    assert share_held((), text) is None
