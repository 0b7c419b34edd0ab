"""BioASQ task B's measures of exact answers, one question at a time.

They follow BioASQ's evaluation program (``EvaluatorTask1b``, version 8: https://github.com/BioASQ/Evaluation-Measures):
an item is right if it is any of the spellings of a gold item, in upper or lower case. In addition punctuation and
spaces around an item, a leading article, and the kind of dash do not count, because gold items end in stray commas.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

MOST_FACTOID_ITEMS = 5

_DASHES = re.compile(r"[‐‑‒–—−]")
_EDGES = re.compile(r"^[\s.,;:!?\"'“”‘’]+|[\s.,;:!?\"'“”‘’]+$")
_ARTICLE = re.compile(r"^(?:the|an?)\s+")
_WORD = re.compile(r"[^\W_]+")

GoldItems = Sequence[Sequence[str]]
"""Right items, each in all its spellings."""


class FactoidScores(NamedTuple):
    """The scores of a list of candidates for a factoid question.

    Attributes:
        strict: 1 if the first candidate is right, else 0.
        lenient: 1 if any of the first five is right, else 0.
        reciprocal_rank: 1 divided by the rank of the first right one; 0 if none is.
    """

    strict: float
    lenient: float
    reciprocal_rank: float


class ListScores(NamedTuple):
    """The scores of a list of items for a list question.

    Attributes:
        precision: share of the items that are right; an item that repeats a right one is wrong.
        recall: share of the gold items that are among them.
        f1: their harmonic mean.
    """

    precision: float
    recall: float
    f1: float


def normalised(item: str) -> str:
    """Return an item as it is compared."""
    text = _DASHES.sub("-", " ".join(item.casefold().split()))
    return _ARTICLE.sub("", _EDGES.sub("", text))


def factoid_scores(items: Sequence[str], gold: GoldItems) -> FactoidScores:
    """Return the scores of a factoid question.

    Args:
        items: the candidates, the best first; no more than five count.
        gold: right items; a factoid question has one, or several of which any is right.
    """
    spellings = {normalised(spelling) for spellings in gold for spelling in spellings}
    right = [normalised(item) in spellings for item in items[:MOST_FACTOID_ITEMS]]
    if True not in right:
        return FactoidScores(0.0, 0.0, 0.0)
    first = right.index(True)
    return FactoidScores(float(first == 0), 1.0, 1 / (first + 1))


def list_scores(items: Sequence[str], gold: GoldItems) -> ListScores:
    """Return the scores of a list question; all are 0 without items.

    Args:
        items: what was answered.
        gold: right items.
    """
    left = [{normalised(spelling) for spelling in spellings} for spellings in gold]
    found = 0
    for item in map(normalised, items):
        match = next((spellings for spellings in left if item in spellings), None)
        if match is not None:
            left.remove(match)
            found += 1
    if not found:
        return ListScores(0.0, 0.0, 0.0)
    precision, recall = found / len(items), found / len(gold)
    return ListScores(precision, recall, 2 * precision * recall / (precision + recall))


def share_held(gold: GoldItems, text: str) -> float | None:
    """Return the share of gold items that a text holds word for word.

    In any spelling; None where there are none.
    """
    if not gold:
        return None
    words = _words(text)
    return sum(any(_words(spelling) in words for spelling in spellings) for spellings in gold) / len(gold)


def _words(text: str) -> str:
    return f" {' '.join(_WORD.findall(text.casefold()))} "
