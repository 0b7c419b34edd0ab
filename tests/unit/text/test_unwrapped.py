"""Wrapped lines are joined again; what wraps them is Python's own textwrap."""

import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_index_medqa.text.sentences import split_sentences, unwrapped

WORDS = st.lists(st.text("abcdefgxyzABC0123456789,", min_size=1, max_size=14), min_size=20, max_size=80)


def lines(text):
    """As lines for comparison: a joined line end is a space."""
    return [" ".join(line.split()) for line in text.splitlines()]


@given(WORDS, st.integers(60, 160))
def test_what_textwrap_wraps_is_joined_again(words, width):
    paragraph = "Tea " + " ".join(words)
    wrapped = textwrap.fill(paragraph, width, break_long_words=False, break_on_hyphens=False)
    assert lines(unwrapped(wrapped)) == [paragraph]


@given(st.text("ab.#- |>A1\n\r\t", max_size=200))
def test_only_line_ends_become_spaces(text):
    joined = unwrapped(text)
    assert len(joined) == len(text)
    assert all(after == before or (before == "\n" and after == " ") for before, after in zip(text, joined, strict=True))


@given(WORDS, WORDS)
def test_paragraphs_stay_apart(first, second):
    paragraphs = ["Tea " + " ".join(first), "Tea " + " ".join(second)]
    wrapped = "\n\n".join(textwrap.fill(one, 70, break_long_words=False) for one in paragraphs)
    assert [line for line in lines(unwrapped(wrapped)) if line] == paragraphs


@pytest.mark.parametrize(
    "text",
    [
        "Tea and the heart: a randomised trial\nTea lowered the pulse of all who drank it for twelve weeks in a row.",
        "Aspirin lowers fever\nTea lowers the pulse\nCoffee raises it",
        "OBJECTIVE: To see whether tea lowers the pulse.\nRESULTS: It fell by three beats per minute in all who drank.",
        "# Tea and the heart in adults who work in hospitals\nTea lowers.",
        "Tea lowers the pulse of adults who work in hospitals\n- Aspirin lowers fever\n* Coffee helps\n1. Milk",
        "Tea lowers the pulse of adults who work in hospitals\n> quoted\n| a row",
    ],
)
def test_lines_of_their_own_stay(text):
    assert unwrapped(text) == text


def test_a_line_that_begins_with_a_small_letter_goes_on():
    assert unwrapped("Tea lowers\nthe pulse.\n\nof all") == "Tea lowers the pulse.\n\nof all"
    assert unwrapped("- Tea lowers\n  the pulse\n- Coffee") == "- Tea lowers   the pulse\n- Coffee"
    assert unwrapped("# Heading\nsmall letters") == "# Heading\nsmall letters"
    assert unwrapped("Tea lowers\r\nthe pulse.") == "Tea lowers\r the pulse."


def test_sentences_of_a_wrapped_text_are_whole():
    text = "Green tea lowered the resting heart rate of\nadults. No serious harm was seen in any of\nthem."
    sentences = [text[start:end] for start, end in split_sentences(unwrapped(text))]
    assert sentences == [
        "Green tea lowered the resting heart rate of\nadults.",
        "No serious harm was seen in any of\nthem.",
    ]
