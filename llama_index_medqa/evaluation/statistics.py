"""Intervals for means and for differences of means, by the bootstrap over cases."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from llama_index_medqa.errors import InputError

DEFAULT_RESAMPLES = 10_000
# Resamples drawn at once: bounds the memory, and decides no value.
_BLOCK = 500


class Estimate(NamedTuple):
    """A mean with its interval.

    Attributes:
        mean: the mean over the cases.
        low: lower end of the interval.
        high: upper end of the interval.
        cases: number of cases.
    """

    mean: float
    low: float
    high: float
    cases: int

    @property
    def excludes_zero(self) -> bool:
        """Whether 0 lies outside the interval: a difference that chance alone would seldom bring."""
        return self.low > 0 or self.high < 0


def bootstrap_mean(
    values: Sequence[float], *, confidence: float = 0.95, resamples: int = DEFAULT_RESAMPLES, seed: int = 0
) -> Estimate:
    """The mean of per-case values with a percentile bootstrap interval (Efron and Tibshirani 1993, chapter 13).

    Args:
        values: one for each case, all finite; an unscored case is to be counted, not averaged.
        confidence: share of intervals that hold the true mean, between 0 and 1.
        resamples: times that as many cases are drawn with replacement.
        seed: of the random numbers; the same seed gives the same interval.

    Raises:
        InputError: there are no values, one is not finite, or ``confidence`` is not between 0 and 1.
    """
    data = np.asarray(values, dtype=np.float64)
    _require_usable(data, confidence)
    random = np.random.default_rng(seed)
    means = np.concatenate(
        [
            data[random.integers(0, len(data), (min(_BLOCK, resamples - start), len(data)))].mean(axis=1)
            for start in range(0, resamples, _BLOCK)
        ]
    )
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(means, [tail, 1.0 - tail])
    return Estimate(float(data.mean()), float(low), float(high), len(data))


def paired_bootstrap(
    first: Sequence[float],
    second: Sequence[float],
    *,
    confidence: float = 0.95,
    resamples: int = DEFAULT_RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """The mean of ``first - second``, case by case, with its interval: both were measured on the same cases.

    Args:
        first: one value for each case.
        second: one value for each case, in the same order.
        confidence: see :func:`bootstrap_mean`.
        resamples: see :func:`bootstrap_mean`.
        seed: see :func:`bootstrap_mean`.

    Raises:
        InputError: the two are of different lengths, or as in :func:`bootstrap_mean`.
    """
    if len(first) != len(second):
        raise InputError(f"Paired values must be of the same cases: got {len(first)} and {len(second)}.")
    differences = np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)
    return bootstrap_mean(differences.tolist(), confidence=confidence, resamples=resamples, seed=seed)


def _require_usable(data: npt.NDArray[np.float64], confidence: float) -> None:
    if not 0.0 < confidence < 1.0:
        raise InputError(f"confidence must lie between 0 and 1, got {confidence}.")
    if not len(data):
        raise InputError("There are no values: an interval needs at least one case.")
    unusable = int(np.count_nonzero(~np.isfinite(data)))
    if unusable:
        raise InputError(
            f"{unusable} of {len(data)} values are not finite: count unscored cases apart, leave them out."
        )
