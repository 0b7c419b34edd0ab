"""Paired tests of two systems: sign flips, McNemar, and Holm's correction."""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from llama_index_medqa.errors import InputError
from llama_index_medqa.evaluation.statistics.intervals import group_sums, require_scipy

Floats = npt.NDArray[np.float64]

FLIPS = 10_000
# Up to here all ways to flip are tried, 2 to this power; then FLIPS of them are drawn.
_MOST_ENUMERATED = 13
# Drawn at once: bounds the memory, and decides no value; a multiple of 8.
_BLOCK = 1000
# Sums of the same numbers in another order differ in their last digits.
_TOLERANCE = 1e-9


class SignFlips(NamedTuple):
    """One-sided p-values of a mean difference.

    Attributes:
        below: how often chance alone brings a mean as low as this or lower, where the true mean is that value.
        above: the same for a mean as high or higher.
    """

    below: float
    above: float


def sign_flip_test(
    differences: Sequence[float], *, mean: float = 0.0, groups: Sequence[Hashable] | None = None, seed: int = 0
) -> SignFlips:
    """Test whether a mean difference is a given value.

    The signs of whole groups are flipped.

    Where both systems are equally good, a difference might as well have had the other sign; so for ``mean=0`` the test
    is exact for values of any kind (Pitman 1937), and for differences of right and wrong it is McNemar's exact test.
    For another mean the differences are shifted first, and it is exact for symmetric ones only, else for many cases.
    All flips are tried where there are few groups that differ, else 10,000 are drawn.

    Args:
        differences: one for each case.
        mean: the value.
        groups: of each case; cases of a group are flipped together. None flips each case by itself.
        seed: of the drawn flips.

    Raises:
        InputError: there are no differences, or one is not finite.
    """
    shifted = np.asarray(differences, dtype=np.float64) - mean
    if not len(shifted) or not np.isfinite(shifted).all():
        raise InputError("A test needs at least one difference, and all finite: leave unscored cases out.")
    sums = group_sums(shifted, groups)
    sums = sums[np.abs(sums) > _TOLERANCE]
    observed, slack = float(sums.sum()), _TOLERANCE * max(1.0, float(np.abs(sums).sum()))
    flipped = _all_flips(sums) if len(sums) <= _MOST_ENUMERATED else _drawn_flips(sums, seed)
    # What was observed is one of the ways, and is counted among those that were drawn (Phipson and Smyth 2010).
    extra = 0 if len(sums) <= _MOST_ENUMERATED else 1
    ways = len(flipped) + extra
    below = (np.count_nonzero(flipped <= observed + slack) + extra) / ways
    above = (np.count_nonzero(flipped >= observed - slack) + extra) / ways
    return SignFlips(float(below), float(above))


def _all_flips(sums: Floats) -> Floats:
    ways = np.arange(2 ** len(sums))[:, None] >> np.arange(len(sums)) & 1
    return np.asarray((1.0 - 2.0 * ways) @ sums, dtype=np.float64)


def _drawn_flips(sums: Floats, seed: int) -> Floats:
    random = np.random.default_rng(seed)
    blocks = (
        np.unpackbits(np.frombuffer(random.bytes(_BLOCK * len(sums) // 8), np.uint8)).reshape(_BLOCK, len(sums))
        for _ in range(FLIPS // _BLOCK)
    )
    total = sums.sum()
    return np.concatenate([total - 2.0 * (block.astype(np.float64) @ sums) for block in blocks])


class McNemar(NamedTuple):
    """Counts and p-value of two systems' right and wrong.

    Attributes:
        gained: cases that only the second has right.
        lost: cases that only the first has right.
        p_value: two-sided, exact.
    """

    gained: int
    lost: int
    p_value: float


def mcnemar(first: Sequence[float], second: Sequence[float]) -> McNemar:
    """Run McNemar's exact test (1947).

    Would chance alone share out the changed cases so unevenly?

    Args:
        first: 1 where the first system is right, 0 where it is wrong, one for each case.
        second: the same for the second system, in the same order.

    Raises:
        InputError: the two are of different lengths, or hold something else.
        MissingExtraError: scipy is not installed.
    """
    pairs = list(zip(first, second, strict=False))
    if len(first) != len(second) or not {value for pair in pairs for value in pair} <= {0.0, 1.0}:
        raise InputError("McNemar's test needs a 0 or 1 of both systems for each case.")
    gained, lost = pairs.count((0.0, 1.0)), pairs.count((1.0, 0.0))
    stats = require_scipy("mcnemar")
    p_value = float(stats.binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0
    return McNemar(gained, lost, p_value)


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for their number (Holm 1979).

    The chance of one or more false alarms keeps its bound.

    Args:
        p_values: of the tests, in any order.

    Returns:
        The corrected ones in that order; each is to be compared with the level of a single test.
    """
    corrected, highest = [0.0] * len(p_values), 0.0
    for rank, position in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[position]))
        corrected[position] = highest
    return corrected
