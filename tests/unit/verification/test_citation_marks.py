"""Marks and quotations of a model; each was taken apart by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_index_medqa.verification.citation_marks import find_quote, sentences_with_marks, take_apart


@pytest.mark.parametrize(
    ("sentence", "text", "claimed"),
    [
        ("It fell [PMID:123].", "It fell.", ["PMID:123"]),
        ("It fell (PMID: 123; 456), and rose.", "It fell, and rose.", ["PMID:123", "PMID:456"]),
        ("It fell [PMID:1, PMID:2][PMID:3].", "It fell.", ["PMID:1", "PMID:2", "PMID:3"]),
        ("It fell PMID 12345678.", "It fell.", ["PMID:12345678"]),
        ("It fell [SHA:0123456789ab].", "It fell.", ["SHA:0123456789ab"]),
        ("It fell [3].", "It fell.", ["[3]"]),
        ("The stay was 5 days [3–11].", "The stay was 5 days [3–11].", []),
        ("It fell (P = .02) [2, 5].", "It fell (P = .02).", ["[2, 5]"]),
        ("1. It fell by 12 mg.", "It fell by 12 mg.", []),
        ("- It fell (p = 0.05).", "It fell (p = 0.05).", []),
        ("It fell (https://pubmed.ncbi.nlm.nih.gov/123/).", "It fell.", ["PMID:123"]),
        ("It fell.[PMID:123]", "It fell.", ["PMID:123"]),
        ("It fell. [PMID:123].", "It fell.", ["PMID:123"]),
    ],
)
def test_marks(sentence, text, claimed):
    marked = take_apart(sentence)
    assert (marked.text, list(marked.claimed)) == (text, claimed)


@pytest.mark.parametrize(
    ("draft", "sentences"),
    [
        ("It fell. [PMID:1] It rose.", ["It fell. [PMID:1]", "It rose."]),
        ("It fell. [PMID:1] [PMID:22]. It rose (PMID:3).", ["It fell. [PMID:1] [PMID:22].", "It rose (PMID:3)."]),
        ("It fell.\n[PMID:1]\nIt rose.", ["It fell.\n[PMID:1]", "It rose."]),
        ("[PMID:1] It fell. [PMID:2] It rose.", ["[PMID:1] It fell.", "[PMID:2] It rose."]),
        ("It fell. [PMI", ["It fell. [PMI"]),
        ("It fell. (In men, it rose.", ["It fell.", "(In men, it rose."]),
        ("[PMID:1]", ["[PMID:1]"]),
    ],
)
def test_marks_after_a_stop_stay_with_their_sentence(draft, sentences):
    assert [draft[start:end] for start, end in sentences_with_marks(draft)] == sentences


@given(st.lists(st.integers(1, 99_999_999), min_size=1, max_size=4), st.sampled_from(["[{}]", "({})", " {}"]))
def test_no_mark_stays_in_the_text(numbers, bracket):
    marks = ", ".join(f"PMID:{number}" for number in numbers)
    marked = take_apart(f"Tea helps {bracket.format(marks)}.")
    assert marked.text == "Tea helps."
    assert list(marked.claimed) == [f"PMID:{number}" for number in dict.fromkeys(numbers)]


@pytest.mark.parametrize(
    ("sentence", "quotes"),
    [
        ("They say “it fell” and ‘it rose’.", ["it fell", "it rose"]),
        ('They say "it fell".', ["it fell"]),
        ("The patients' and doctors' views differ; it's fine.", []),
        ("They say 'it fell by half' today.", ["it fell by half"]),
        ("They say “it fell.", ["it fell."]),
        ("It rose again.”", ["It rose again."]),
    ],
)
def test_quotations(sentence, quotes):
    assert list(take_apart(sentence).quotes) == quotes


TEXT = "Mean  blood-pressure fell by 5 mmHg,\nand it’s safe."


@pytest.mark.parametrize(
    ("quote", "found"),
    [
        ("blood–pressure fell", "blood-pressure fell"),
        ("Mean blood-pressure", "Mean  blood-pressure"),
        ("mean … 5 mmHg, and it's safe.", TEXT.rstrip(".")),
        ("fell [sharply] by 5 mmHg", "fell by 5 mmHg"),
        ("pressure fell by 5 mm", None),
        ("safe … mean", None),
        ("…", None),
    ],
)
def test_where_a_quotation_stands(quote, found):
    span = find_quote(quote, TEXT)
    assert (TEXT[slice(*span)] if span else None) == found


@given(st.text(alphabet="ab \n-.’“", min_size=1, max_size=40), st.data())
def test_every_stretch_of_whole_words_is_found(text, data):
    words = text.split()
    if not words:
        return
    first = data.draw(st.integers(0, len(words) - 1))
    last = data.draw(st.integers(first, len(words) - 1))
    quote = " ".join(words[first : last + 1])
    if not any(sign in quote for sign in "ab") or ".." in quote.replace(" ", ""):
        return
    assert find_quote(quote, text) is not None
