"""Numbers of a sentence and of its translation; the translations were written by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_index_medqa.text.quantities.number_matching import added_numbers, missing_numbers

KEPT = [
    ("It fell by 3.5 bpm (95% CI 1.2-4.8).", "Es sank um 3,5 Schläge (95%-KI 1,2-4,8).", "German"),
    ("Of 1,234 patients, 12,000 hours", "Von 1.234 Patienten, 12 000 Stunden", "German"),
    ("p < 0.001", "p < 0,001", "French"),
    ("p < 0.001", "p < 0.001", "Portuguese"),
    ("1.5 million people", "1,5 millones de personas", "Spanish"),
    ("1.2 million people", "120万人", "Chinese"),
    ("15,000 people in 2019", "2019年有1.5万人", "Chinese"),
    ("1,234 patients, 40%", "患者1,234名、４０％", "Japanese"),
    ("IL-6 and COVID-19", "IL-6とCOVID-19", "Japanese"),
    ("A two-fold rise in three groups", "3组增加了2倍", "Chinese"),
    ("A phase II trial", "第2相試験", "Japanese"),
    ("Half of the patients", "Die Hälfte der Patienten", "German"),
    ("10⁹ cells", "10⁹ Zellen", "German"),
    ("Risk doubled twice", "Das Risiko verdoppelte sich 2 Mal", "German"),
]


@pytest.mark.parametrize(("english", "translation", "language"), KEPT)
def test_numbers_that_are_kept(english, translation, language):
    assert missing_numbers(english, translation, language) == []
    assert added_numbers(english, translation, language) == []


@pytest.mark.parametrize(
    ("english", "translation", "language", "missing", "added"),
    [
        ("5 mg", "50 mg", "German", ["5"], ["50"]),
        ("1,234 patients", "1,234 Patienten", "German", ["1,234"], ["1,234"]),
        ("1.234 mg", "1.234 mg", "Spanish", ["1.234"], ["1.234"]),
        ("5 of 5", "5", "Chinese", ["5"], []),
        ("three patients", "4名患者", "Chinese", [], ["4"]),
        ("12 weeks, 120 adults", "12 semanas", "Spanish", ["120"], []),
        ("120,000 people", "12万人、3年", "Japanese", [], ["3"]),
        ("half of them", "50% d'entre eux", "French", [], ["50"]),
    ],
)
def test_numbers_that_are_lost_or_invented(english, translation, language, missing, added):
    assert missing_numbers(english, translation, language) == missing
    assert added_numbers(english, translation, language) == added


def _in_german(english: str) -> str:
    return english.translate(str.maketrans(",.", ".,"))


@given(st.integers(0, 10**7), st.integers(0, 99), st.booleans())
def test_the_same_number_is_known_in_either_way_of_writing(whole, hundredths, has_decimals):
    english = f"{whole:,}.{hundredths:02}" if has_decimals else f"{whole:,}"
    for language, written in (("German", _in_german(english)), ("Japanese", english)):
        assert missing_numbers(f"It was {english} mg.", f"({written} mg)", language) == []
        assert added_numbers(f"It was {english} mg.", f"({written} mg)", language) == []


@given(st.integers(0, 10**7), st.integers(0, 10**7))
def test_another_number_is_another_number(one, other):
    expected = [] if one == other else [f"{one:,}"]
    assert missing_numbers(f"{one:,} people", f"{_in_german(f'{other:,}')} Menschen", "German") == expected


@given(st.text(), st.text(), st.sampled_from(["German", "Chinese"]))
def test_any_text_can_be_read(english, translation, language):
    missing_numbers(english, translation, language)
    added_numbers(english, translation, language)
