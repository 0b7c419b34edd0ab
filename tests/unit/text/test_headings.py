"""Headings of abstracts; expected by reading."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_index_medqa.text.headings import OPTIONAL_HEADING, without_heading


@pytest.mark.parametrize(
    ("sentence", "bare"),
    [
        ("CONCLUSION: Zinc shortened colds.", "Zinc shortened colds."),
        ("MATERIALS AND METHODS: Zinc was given.", "Zinc was given."),
        ("METHODS/DESIGN:Zinc was given.", "Zinc was given."),
        ("DESIGN, SETTING & PATIENTS: Zinc was given.", "Zinc was given."),
        ("AIMS: RESULTS: Zinc.", "RESULTS: Zinc."),
        ("Conclusion: Zinc.", "Conclusion: Zinc."),
        ("IL-6: it rose.", "IL-6: it rose."),
        ("DNA: it rose.", "DNA: it rose."),
        ("We found this. RESULTS: Zinc.", "We found this. RESULTS: Zinc."),
        ("RESULTS Zinc helped.", "RESULTS Zinc helped."),
    ],
)
def test_without_heading(sentence, bare):
    assert without_heading(sentence) == bare


@pytest.mark.parametrize("heading", ["", "OBJECTIVE: ", "OBJECTIVE ", "AIMS AND SCOPE:"])
def test_a_heading_may_lack_its_colon_or_be_missing(heading):
    assert re.fullmatch(rf"{OPTIONAL_HEADING}To assess it.", f"{heading}To assess it.")


@given(st.text(alphabet="ABC:&/, abc", max_size=60))
def test_only_the_beginning_is_cut(text):
    assert text.endswith(without_heading(text))
