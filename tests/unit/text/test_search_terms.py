"""What counts as the same word: examples written by hand, and rules that hold for any text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_index_medqa.retrieval.lexical_index import heading_term
from llama_index_medqa.text.search_terms import lexical_terms, rules_fingerprint


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("TNF-α", ["tnf", "alpha"]),
        ("TNFα", ["tnf", "alpha"]),
        ("TNF-alpha", ["tnf", "alpha"]),
        ("IL-6", ["il", "6"]),
        ("IL6", ["il", "6"]),
        ("COVID-19", ["covid", "19"]),
        ("p53", ["p", "53"]),
        ("β2-adrenergic", ["beta", "2", "adrenerg"]),
        ("CD4⁺ T cells", ["cd", "4", "t", "cell"]),
        ("5 µg", ["5", "mu", "g"]),
        ("naïve Ärzte", ["naiv", "arzt"]),
        ("The patients were treated.", ["patient", "treat"]),
        ("3.5", ["3", "5"]),
        ("snake_case", ["snake", "case"]),
        ("", []),
    ],
)
def test_medical_words(text, terms):
    # "arzt" and "naiv" are what the stemmer makes of words that are not English; the rest was written down by hand.
    assert [term.rstrip("e") for term in lexical_terms(text)] == [term.rstrip("e") for term in terms]


@given(st.text())
def test_terms_are_words_or_numbers_that_the_database_does_not_cut(text):
    for term in lexical_terms(text):
        assert term
        assert term.isdigit() or not any(character.isdecimal() for character in term)
        assert '"' not in term


@given(st.text(), st.text())
def test_a_text_has_the_terms_of_its_parts(first, second):
    assert lexical_terms(f"{first} {second}") == lexical_terms(first) + lexical_terms(second)


def test_no_text_holds_the_term_of_a_heading():
    term = heading_term("Myocardial Infarction")
    assert term == heading_term("myocardial infarction")
    assert lexical_terms(term) != [term]


def test_the_fingerprint_follows_the_rules(monkeypatch):
    from llama_index_medqa.text import search_terms as module

    before = rules_fingerprint()
    assert before == rules_fingerprint()
    monkeypatch.setattr(module, "stem", lambda word: word)
    assert rules_fingerprint() != before
