"""The noun phrases of a sentence; the expected ones were written by reading."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_index_medqa.text.noun_phrases import noun_phrases, words_with_spans


def phrases(text: str) -> list[str]:
    words = words_with_spans(text)
    return [text[words[first].start : words[last - 1].end] for first, last in noun_phrases(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Spesolimab is an anti-IL-36 receptor antibody approved for generalized pustular psoriasis (GPP).",
            ["Spesolimab", "IL-36 receptor antibody", "generalized pustular psoriasis", "GPP"],
        ),
        (
            "Variants cause intellectual disability, microcephaly, epilepsy, and hearing loss.",
            ["Variants", "intellectual disability", "microcephaly", "epilepsy", "hearing loss"],
        ),
        ("E. coli was isolated from Osler's triad.", ["E. coli", "Osler's triad"]),
        ("It reduces developmental delay/disability and/or pain.", ["developmental delay", "disability", "pain"]),
        ("MEK/ERK drives the target genes.", ["MEK/ERK", "target genes"]),
    ],
)
def test_phrases_end_at_verbs_function_words_and_punctuation(text, expected):
    assert phrases(text) == expected


@given(st.text(max_size=120))
def test_phrases_lie_in_order_and_apart(text):
    words = words_with_spans(text)
    ends = 0
    for first, last in noun_phrases(text):
        assert ends <= first < last <= len(words)
        ends = last
        assert not any(word.breaks for word in words[first:last])
    assert all(text[word.start : word.end] == word.text for word in words)
