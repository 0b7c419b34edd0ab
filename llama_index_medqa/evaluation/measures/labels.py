"""Accuracy and macro F1 of one-word labels, some of which may be missing."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

NO_LABEL = "none"

Codes = npt.NDArray[np.int64]
Pair = tuple[str, str | None]
"""A question's gold label and the one that was said; None where none was."""


def accuracy(pairs: Sequence[Pair]) -> float | None:
    """Return the share of right labels; None without questions.

    A question without a label is wrong.
    """
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


def codes_of(pairs: Sequence[Pair], labels: Sequence[str]) -> Codes:
    """Return pairs as numbers of labels, gold and said, for :func:`macro_f1_of_codes`; what is no label is the last."""
    number = {label: index for index, label in enumerate(labels)}
    return np.asarray([[number.get(one or NO_LABEL, len(labels)) for one in pair] for pair in pairs], dtype=np.int64)


def macro_f1_of_codes(codes: Codes, labels: int) -> float:
    """Return :func:`macro_f1` of many pairs at once, fast enough for a bootstrap.

    Args:
        codes: shape (pairs, 2), of :func:`codes_of`.
        labels: number of labels.
    """
    counts = np.bincount(codes[:, 0] * (labels + 1) + codes[:, 1], minlength=(labels + 1) ** 2)
    table = counts.reshape(labels + 1, labels + 1)
    both = (table.sum(axis=0) + table.sum(axis=1))[:labels]
    right = 2.0 * table.diagonal()[:labels]
    return float(np.divide(right, both, out=np.zeros(labels), where=both > 0).mean())


def confusion(pairs: Sequence[Pair]) -> dict[str, dict[str, int]]:
    """Return how often each label was said, by gold label.

    ``none`` where none was.
    """
    table: dict[str, Counter[str]] = {}
    for gold, said in pairs:
        table.setdefault(gold, Counter())[said or NO_LABEL] += 1
    return {gold: dict(sorted(row.items())) for gold, row in sorted(table.items())}


def _f1(pairs: Sequence[Pair], label: str) -> float:
    right = sum(gold == said == label for gold, said in pairs)
    claimed = sum(said == label for _, said in pairs)
    there = sum(gold == label for gold, _ in pairs)
    return 2 * right / (claimed + there) if claimed + there else 0.0
