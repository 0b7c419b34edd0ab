"""What a sentence states, and its clauses; expected by reading."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_index_medqa.verification.claims import clauses_of, statement_of


@pytest.mark.parametrize(
    ("sentence", "statement"),
    [
        ("Yes, aspirin lowers fever.", "Aspirin lowers fever."),
        ("No. Aspirin does not lower fever.", "Aspirin does not lower fever."),
        ("The study found that aspirin lowers fever.", "Aspirin lowers fever."),
        ("Based on the provided abstracts, aspirin lowers fever.", "Aspirin lowers fever."),
        ("The passage states that IL-6 rose.", "IL-6 rose."),
        ("Yes.", ""),
        ("No", ""),
        ("No serious adverse events occurred.", "No serious adverse events occurred."),
        ("No, no harm was seen.", "No harm was seen."),
        ("Nodules shrank.", "Nodules shrank."),
        ("Yesterday's dose counts.", "Yesterday's dose counts."),
    ],
)
def test_what_a_sentence_states(sentence, statement):
    assert statement_of(sentence) == statement


@pytest.mark.parametrize(
    ("claim", "clauses"),
    [
        (
            "Tea slowed the pulse, and coffee was without effect.",
            ["Tea slowed the pulse.", "coffee was without effect."],
        ),
        (
            "Fever fell in treated children; no harm was seen in them.",
            ["Fever fell in treated children.", "no harm was seen in them."],
        ),
        ("Pain and fever were reduced.", ["Pain and fever were reduced."]),
        ("Aspirin reduced fever and pain.", ["Aspirin reduced fever and pain."]),
        (
            "Mortality was lower with aspirin, whereas bleeding was more common.",
            ["Mortality was lower with aspirin.", "bleeding was more common."],
        ),
    ],
)
def test_clauses(claim, clauses):
    assert clauses_of(claim) == clauses


@given(st.text(alphabet="ab cd,;. andwas", min_size=1, max_size=80))
def test_no_word_of_a_claim_is_lost_but_the_joints(claim):
    words = " ".join(clauses_of(claim)).replace(".", " ").replace(",", " ").replace(";", " ").split()
    kept = iter(claim.replace(".", " ").replace(",", " ").replace(";", " ").split())
    assert all(word in kept for word in words)
