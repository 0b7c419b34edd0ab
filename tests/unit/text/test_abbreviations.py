"""Acronyms in sentences written for these tests; the pairs were written down by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_index_medqa.text.abbreviations import find_acronyms, with_other_forms


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("Patients with heart failure (HF) were seen.", [("HF", "heart failure")]),
        ("HF (heart failure) was seen.", [("HF", "heart failure")]),
        ("It was HF. Heart failure (HF) is grave.", [("HF", "Heart failure")]),
        (
            "Chronic obstructive pulmonary disease (COPD; stage 2) and body mass index [BMI] were noted.",
            [("COPD", "Chronic obstructive pulmonary disease"), ("BMI", "body mass index")],
        ),
        ("Tumor necrosis factor-alpha (TNF-α) rose.", [("TNF-α", "Tumor necrosis factor-alpha")]),
        ("Interleukin 6 (IL-6) rose.", [("IL-6", "Interleukin 6")]),
        ("Gonadotropin-releasing hormone (GnRH) fell.", [("GnRH", "Gonadotropin-releasing hormone")]),
        ("Type 2 diabetes mellitus (T2DM) is common.", [("T2DM", "Type 2 diabetes mellitus")]),
        # Not definitions.
        ("Many papers (see Fig. 2) say so (n = 30).", []),
        ("The heat shock protein (HSP70) was high.", []),
        ("We saw a cat (XYZ) there.", []),
        ("The HF group (HF) was small.", []),
        ("Heart failure. (HF)", []),
        ("", []),
    ],
)
def test_definitions(text, pairs):
    assert list(find_acronyms(text)) == pairs


@given(st.text(alphabet="abcAB 12()[];.-α\n", max_size=80))
def test_any_text_is_read_and_pairs_come_from_it(text):
    for short, long in find_acronyms(text):
        assert short in text
        assert len(long) > len(short)
        letters = iter(long.lower())
        assert all(any(letter in ({"α": "a"}.get(character, character), character) for letter in letters)
                   for character in short.lower() if character.isalnum())  # fmt: skip


def test_other_forms_stand_behind_a_text():
    pairs = [("SGA", "small for gestational age"), ("ROP", "retinopathy of prematurity")]
    assert with_other_forms("SGA was a risk factor.", pairs) == "SGA was a risk factor. small for gestational age"
    spelled = with_other_forms("Retinopathy of prematurity was rare.", pairs)
    assert spelled == "Retinopathy of prematurity was rare. ROP"
    assert with_other_forms("SGAs and no others", pairs) == "SGAs and no others"
