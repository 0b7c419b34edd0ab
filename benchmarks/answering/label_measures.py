"""Accuracy and macro F1 of one-word labels, where a question may be left without one."""

from collections import Counter
from collections.abc import Sequence

NO_LABEL = "none"

Pair = tuple[str, str | None]
"""A question's gold label and the one that was said; None where none was."""


def accuracy(pairs: Sequence[Pair]) -> float | None:
    """Return the share of questions whose label is right; without a label a question is wrong. None without any."""
    return sum(gold == said for gold, said in pairs) / len(pairs) if pairs else None


def macro_f1(pairs: Sequence[Pair], labels: Sequence[str]) -> float | None:
    """Return the mean of the labels' F1; None without questions.

    A question without a label is missed by its own label and held against no other. (BioASQ's program counts it as if
    the opposite had been said, as it asks for an answer to every question.)

    Args:
        pairs: of the questions.
        labels: all possible ones; one that is neither gold nor said has an F1 of 0.
    """
    if not pairs:
        return None
    return sum(_f1(pairs, label) for label in labels) / len(labels)


def confusion(pairs: Sequence[Pair]) -> dict[str, dict[str, int]]:
    """Return how often which label was said, by gold label; ``none`` where none was."""
    table: dict[str, Counter[str]] = {}
    for gold, said in pairs:
        table.setdefault(gold, Counter())[said or NO_LABEL] += 1
    return {gold: dict(sorted(row.items())) for gold, row in sorted(table.items())}


def _f1(pairs: Sequence[Pair], label: str) -> float:
    right = sum(gold == said == label for gold, said in pairs)
    claimed = sum(said == label for _, said in pairs)
    there = sum(gold == label for gold, _ in pairs)
    return 2 * right / (claimed + there) if claimed + there else 0.0
