"""Query expansion by the records' own abbreviations and MeSH headings."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from llama_index_medqa.retrieval.lexical_index import LexicalIndex, heading_key, heading_term
from llama_index_medqa.text.search_terms import lexical_terms

_WORD = re.compile(r"[^\s()\[\],;:?!\"]+")
# A definition that one paper alone uses, or one of several meanings, would bring in another subject.
_LEAST_RECORDS = 2
_LEAST_SHARE = 0.6
_LONGEST_PHRASE = 6


class Expansion(NamedTuple):
    """A term that is added to a question.

    Attributes:
        found: what in the question it is for.
        added: an acronym, a long form or a MeSH heading.
        terms: the terms that are looked for.
    """

    found: str
    added: str
    terms: list[str]


def expand_query(question: str, index: LexicalIndex) -> list[Expansion]:
    """Return the other names that the records use for a question's terms.

    An acronym brings its long form and a long form its acronym, where at least two records define the pair and at
    least 60 % of the records that define one side mean this other. The words of a MeSH heading, in any order, in the
    question or in such a long form, bring the records that carry the heading.

    Args:
        question: the question as it was asked.
        index: the records, up to date.
    """
    expansions: dict[str, Expansion] = {}
    phrases = [question]
    for found, added in _acronym_pairs(question, index):
        expansions.setdefault(added, Expansion(found, added, lexical_terms(added)))
        phrases.append(added)
    for phrase in phrases:
        for found, heading in _headings(phrase, index):
            expansions.setdefault(heading, Expansion(found, heading, [heading_term(heading)]))
    present = set(lexical_terms(question))
    return [expansion for expansion in expansions.values() if not present.issuperset(expansion.terms)]


def _acronym_pairs(question: str, index: LexicalIndex) -> Iterator[tuple[str, str]]:
    words = _WORD.findall(question.rstrip(". "))
    for short in dict.fromkeys(words):
        meant = _clear_majority(index.long_forms(short)) if short != short.lower() else None
        if meant:
            yield short, meant
    lower = [word.lower() for word in words]
    for first in range(len(lower)):
        for last in range(first + 2, min(first + _LONGEST_PHRASE, len(lower)) + 1):
            long = " ".join(lower[first:last])
            used = _clear_majority(index.short_forms(long))
            if used:
                yield long, used


def _headings(phrase: str, index: LexicalIndex) -> Iterator[tuple[str, str]]:
    terms = lexical_terms(phrase)
    for first in range(len(terms)):
        for last in range(first + 1, min(first + _LONGEST_PHRASE, len(terms)) + 1):
            for heading in index.headings(heading_key(terms[first:last])):
                yield " ".join(terms[first:last]), heading


def _clear_majority(counts: dict[str, int]) -> str | None:
    """Return the form that most records use; None where too few do."""
    if not counts:
        return None
    best = max(counts, key=lambda form: counts[form])
    return best if counts[best] >= max(_LEAST_RECORDS, _LEAST_SHARE * sum(counts.values())) else None
