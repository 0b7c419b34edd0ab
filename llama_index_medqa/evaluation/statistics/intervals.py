"""Bootstrap intervals of means and differences, and the variance of judging."""

from collections.abc import Callable, Hashable, Sequence
from types import ModuleType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from llama_index_medqa.errors import InputError, MissingExtraError

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

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
        """Return whether 0 lies outside the interval.

        Chance alone seldom brings such a difference.
        """
        return self.low > 0 or self.high < 0


def bootstrap_mean(
    values: Sequence[float],
    *,
    groups: Sequence[Hashable] | None = None,
    confidence: float = 0.95,
    resamples: int = DEFAULT_RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """Estimate a mean with a percentile bootstrap interval.

    See Efron and Tibshirani 1993, chapter 13.

    Args:
        values: one for each case, all finite; an unscored case is to be counted, not averaged.
        groups: of each case; then whole groups are drawn (Field and Welsh 2007), because cases of one group, such as
            questions on one abstract, weigh less than as many of different ones. None draws each case by itself.
        confidence: share of intervals that hold the true mean, between 0 and 1.
        resamples: times that as many cases, or groups, are drawn with replacement.
        seed: of the random numbers; the same seed gives the same interval.

    Raises:
        InputError: there are no values, one is not finite, ``groups`` is of another length, or ``confidence`` is not
            between 0 and 1.
    """
    data = np.asarray(values, dtype=np.float64)
    _require_usable(data, confidence)
    sums, sizes = group_sums(data, groups), group_sums(np.ones(len(data)), groups)
    random = np.random.default_rng(seed)
    means = np.concatenate(
        [
            _drawn_means(sums, sizes, random.integers(0, len(sums), (min(_BLOCK, resamples - start), len(sums))))
            for start in range(0, resamples, _BLOCK)
        ]
    )
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(means, [tail, 1.0 - tail])
    return Estimate(float(data.mean()), float(low), float(high), len(data))


def _drawn_means(sums: Floats, sizes: Floats, positions: npt.NDArray[np.int64]) -> Floats:
    return np.asarray(sums[positions].sum(axis=1) / sizes[positions].sum(axis=1), dtype=np.float64)


def bootstrap_statistic(
    statistic: Callable[[Indices], float],
    groups: Sequence[Hashable],
    *,
    confidence: float = 0.95,
    resamples: int = 1_000,
    seed: int = 0,
) -> Estimate:
    """Estimate what is no mean with a percentile bootstrap interval.

    Args:
        statistic: of the cases at some positions, of which some may come more than once.
        groups: of each case; whole groups are drawn.
        confidence: see :func:`bootstrap_mean`.
        resamples: see :func:`bootstrap_mean`.
        seed: see :func:`bootstrap_mean`.

    Raises:
        InputError: there is no case, or ``confidence`` is not between 0 and 1.
    """
    _require_usable(np.zeros(len(groups)), confidence)
    members: dict[Hashable, list[int]] = {}
    for position, group in enumerate(groups):
        members.setdefault(group, []).append(position)
    sets = [np.asarray(positions) for positions in members.values()]
    random = np.random.default_rng(seed)
    numbers = (random.integers(0, len(sets), len(sets)) for _ in range(resamples))
    if len(sets) < len(groups):
        numbers = (np.concatenate([sets[one] for one in drawn]) for drawn in numbers)
    values = [statistic(positions) for positions in numbers]
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(values, [tail, 1.0 - tail])
    return Estimate(statistic(np.arange(len(groups))), float(low), float(high), len(groups))


def group_sums(values: Floats, groups: Sequence[Hashable] | None) -> Floats:
    """Sum the values of each group.

    Groups are in the order of their first value. Without groups the values are returned.

    Raises:
        InputError: the two are of different lengths.
    """
    if groups is None:
        return values
    if len(groups) != len(values):
        raise InputError(f"Each value needs its group: got {len(values)} values and {len(groups)} groups.")
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    return np.asarray(np.bincount([numbers[group] for group in groups], weights=values), dtype=np.float64)


def paired_bootstrap(
    first: Sequence[float],
    second: Sequence[float],
    *,
    groups: Sequence[Hashable] | None = None,
    confidence: float = 0.95,
    resamples: int = DEFAULT_RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """Estimate the mean of ``first - second`` by case.

    Both were measured on the same cases.

    Args:
        first: one value for each case.
        second: one value for each case, in the same order.
        groups: see :func:`bootstrap_mean`.
        confidence: see :func:`bootstrap_mean`.
        resamples: see :func:`bootstrap_mean`.
        seed: see :func:`bootstrap_mean`.

    Raises:
        InputError: the two are of different lengths, or as in :func:`bootstrap_mean`.
    """
    if len(first) != len(second):
        raise InputError(f"Paired values must be of the same cases: got {len(first)} and {len(second)}.")
    differences = np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)
    return bootstrap_mean(differences.tolist(), groups=groups, confidence=confidence, resamples=resamples, seed=seed)


class RepeatedScores(NamedTuple):
    """Sources of variance in repeatedly judged scores.

    Attributes:
        between: variance of the cases' true scores.
        within: variance of one case's scores from one judging to the next.
        reliability: share of a single judging's variance that is the cases' own, 0 to 1; nan where nothing varies.
        standard_error: of the mean over all cases, with this number of repeats.
        from_judging: the part of ``standard_error`` squared that judging brings, 0 to 1; more repeats make it smaller,
            more cases do not make its share smaller.
    """

    between: float
    within: float
    reliability: float
    standard_error: float
    from_judging: float


def repeated_scores(scores: Sequence[Sequence[float]]) -> RepeatedScores:
    """Split the variance of repeatedly judged scores.

    One-way analysis, ICC(1) (Shrout and Fleiss 1979).

    Args:
        scores: of each case, as many repeats for each, at least two of both.

    Raises:
        InputError: there are too few, or cases have different numbers of repeats.
    """
    repeats = {len(row) for row in scores}
    if len(scores) < 2 or len(repeats) != 1 or min(repeats) < 2:
        raise InputError("Repeated scores need two or more cases with the same number, two or more, of repeats.")
    data = np.asarray(scores, dtype=np.float64)
    _require_usable(data.ravel(), 0.5)
    count, times = data.shape
    within = float(data.var(axis=1, ddof=1).mean())
    of_means = float(data.mean(axis=1).var(ddof=1))
    between = max(0.0, of_means - within / times)
    total = between + within
    return RepeatedScores(
        between,
        within,
        between / total if total else float("nan"),
        float(np.sqrt(of_means / count)),
        min(1.0, within / times / of_means) if of_means else 0.0,
    )


def require_scipy(feature: str) -> ModuleType:
    """Import ``scipy.stats``, which the base install lacks.

    Args:
        feature: what needs it, for the message.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        from scipy import stats
    except ImportError as error:
        raise MissingExtraError(feature, "eval") from error
    module: ModuleType = stats
    return module


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
