"""Items of lists that a claim has and its evidence has not; each pair written by us and judged by eye."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_index_medqa.verification.list_check import list_conflicts, lists_of

EVIDENCE = "Ginger and the stomach\nPain and vomiting were rarer with ginger than with placebo, and sleep was longer."


def told(claim, evidence=EVIDENCE, **options):
    """The items of which the check speaks, as it writes them."""
    return [
        detail.removeprefix("the evidence does not speak of ") for detail in list_conflicts(claim, evidence, **options)
    ]


@pytest.mark.parametrize(
    ("claim", "added"),
    [
        ("Ginger eased pain and fatigue.", ["'fatigue'"]),
        ("Ginger eased pain, fatigue and vomiting.", ["'fatigue'"]),
        ("Ginger eased pain, vomiting, anxiety and fatigue.", ["'anxiety'", "'fatigue'"]),
        ("Ginger eased pain or muscle strength.", ["'muscle strength'"]),
        ("Ginger eased pain as well as fatigue in adults.", ["'fatigue'"]),
        ("Fatigue and pain were rarer with ginger.", ["'Fatigue'"]),
        ("Ginger eased pain, and fatigue.", ["'fatigue'"]),
        ("Ginger changed neither pain nor appetite.", ["'appetite'"]),
    ],
)
def test_an_item_that_the_evidence_lacks_is_told(claim, added):
    assert told(claim) == added


@pytest.mark.parametrize(
    "claim",
    [
        "Ginger eased pain and vomiting.",
        # other forms of the words that are there
        "Ginger helped with painful nights, sleeping and vomiting.",
        # one of several words is there
        "Ginger eased pain and sleep problems.",
        # none is there: all is said in other words
        "Ginger eased aches and queasiness.",
        # no list
        "Ginger eased fatigue.",
        # verbs, adjectives, comparatives, numbers and times are no items
        "Ginger eased pain and shortened the illness.",
        "Ginger eased pain and helped.",
        "Ginger may dull or ease pain.",
        "Pain was rarer and shorter with ginger.",
        "Pain was common and bearable with ginger.",
        "Pain was rated at 4 weeks and 8 weeks.",
        "Pain was rated at four and eight weeks.",
        "Ginger lowers pain and calms the stomach.",
        # not told one by one
        "Ginger and rhubarb together eased pain.",
        "Pain did not differ between ginger and rhubarb.",
        "The combination of ginger and rhubarb eased pain.",
    ],
)
def test_what_is_no_added_item_is_not_told(claim):
    assert told(claim) == []


def test_a_number_ends_an_item():
    assert list(lists_of("Ginger lowered pain by 5 points and fatigue by 3 points.")) == [["points", "fatigue"]]


def test_long_phrases_are_no_items():
    assert list(lists_of("Ginger eased severe chronic lower back pain and fatigue.")) == []
    assert list(lists_of("Ginger eased severe lower back pain and fatigue.")) == [["severe lower back pain", "fatigue"]]


def test_lists_in_brackets_and_behind_marks():
    assert list(lists_of("Ginger eased pain; vomiting and fatigue, however, stayed.")) == [["vomiting", "fatigue"]]
    assert list(lists_of("Ginger eased pain and (rarely) fatigue.")) == []


def test_an_abbreviation_counts_as_what_it_stands_for():
    evidence = "Pain and health-related quality of life (HRQL) were better with ginger."
    claim = "Ginger improved pain and HRQL."
    assert told(claim, evidence.replace(" (HRQL)", "")) == []
    assert told(claim, "Pain was better with ginger.") == ["'HRQL'"]
    assert (
        told(
            "Ginger improved pain and KDQ.", "Pain and the dizziness score", abbreviations=[("KDQ", "dizziness score")]
        )
        == []
    )


def test_another_name_counts():
    assert told("Ginger prevented pain and heart attacks.", "Pain and myocardial infarction were rarer.") == []
    assert told("Ginger prevented pain and deaths.", "Pain and mortality were lower.") == []


@given(st.text(max_size=80), st.text(max_size=80))
def test_any_text_can_be_checked(claim, evidence):
    for detail in list_conflicts(claim, evidence):
        assert detail.startswith("the evidence does not speak of ")


@given(st.lists(st.sampled_from(["pain", "fatigue", "anxiety", "appetite", "memory"]), min_size=2, unique=True))
def test_a_claim_beside_itself_adds_nothing(items):
    claim = f"Ginger eased {', '.join(items[:-1])} and {items[-1]}."
    assert told(claim, claim) == []
    assert list(lists_of(claim)) == [items]
