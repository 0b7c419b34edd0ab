"""Means from a judge's labels on all and people's labels on a part, with the judge's error in the interval."""

import math
from collections.abc import Hashable, Sequence
from functools import lru_cache
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from llama_index_medqa.errors import InputError
from llama_index_medqa.evaluation.statistics.intervals import Estimate, group_sums, require_scipy

Floats = npt.NDArray[np.float64]


class PredictionPowered(NamedTuple):
    """A mean of people's labels, estimated with a judge's help.

    By prediction-powered inference (Angelopoulos et al. 2023, Science 382:669), with the weight of PPI++ (Angelopoulos,
    Duchi and Zrnic 2023).

    Attributes:
        mean: the estimate.
        low: lower end of the interval.
        high: upper end of the interval.
        cases: number of cases, read or not.
        read: number of cases that were read.
        judged: the judge's own mean over all cases, with its error in it.
        weight: how far the judge is followed, 0 to 1; 1 is prediction-powered inference as first written, 0 is the
            mean of the labels alone.
    """

    mean: float
    low: float
    high: float
    cases: int
    read: int
    judged: float
    weight: float


def prediction_powered_mean(
    judged: Sequence[float],
    read: Sequence[float | None],
    *,
    groups: Sequence[Hashable] | None = None,
    weight: float | None = None,
    confidence: float = 0.95,
) -> PredictionPowered:
    """Estimate the mean of people's labels over all cases.

    The judge's mean over unread cases is corrected by its mean error on the read ones, drawn at random (Angelopoulos et
    al. 2023, Science 382:669). The best weight makes the interval narrowest (PPI++). Few cases need Student's t.

    Args:
        judged: the judge's label of each case, such as 0 or 1, or a chance.
        read: the label by reading of each case; None where it was not read.
        groups: of cases that depend on one another, such as one answer's sentences; None takes each by itself.
        weight: of the judge, 0 to 1; None takes the best one.
        confidence: share of such intervals that hold the true mean.

    Raises:
        InputError: lengths differ, fewer than three cases were read or two not read, or a number is not finite.
        MissingExtraError: scipy is not installed.
    """
    all_judged, labels, is_read = _usable(judged, read)
    predicted, rest = all_judged[is_read], all_judged[~is_read]
    taken = _best_weight(labels, predicted, rest) if weight is None else weight
    if not 0.0 <= taken <= 1.0:
        raise InputError(f"The weight of the judge must lie between 0 and 1, got {taken}.")
    errors = labels - taken * predicted
    mean = float(taken * rest.mean() + errors.mean())
    fitted = 1 if weight is None else 0
    # What each case moves the estimate by: its sums over groups scatter as the estimate does.
    moves = np.empty(len(all_judged))
    moves[is_read], moves[~is_read] = _moves(errors, fitted), _moves(taken * rest)
    variance = float((group_sums(moves, groups) ** 2).sum())
    spread = _t_quantile(confidence, len(labels) - 1 - fitted) * math.sqrt(variance)
    return PredictionPowered(
        mean, mean - spread, mean + spread, len(all_judged), len(labels), float(all_judged.mean()), taken
    )


def _best_weight(labels: Floats, predicted: Floats, rest: Floats) -> float:
    variance = float(np.concatenate([predicted, rest]).var(ddof=1))
    if variance == 0.0:
        return 0.0
    covariance = float(np.cov(labels, predicted, ddof=1)[0, 1])
    return min(1.0, max(0.0, covariance / ((1.0 + len(labels) / len(rest)) * variance)))


def _moves(values: Floats, fitted: int = 0) -> Floats:
    """Return by how much each value moves the mean; their squares add up to the variance of the mean."""
    count = len(values)
    return np.asarray((values - values.mean()) / count * math.sqrt(count / (count - 1 - fitted)), dtype=np.float64)


@lru_cache
def _t_quantile(confidence: float, freedom: int) -> float:
    if not 0.0 < confidence < 1.0:
        raise InputError(f"confidence must lie between 0 and 1, got {confidence}.")
    return float(require_scipy("prediction_powered_mean").t.ppf(0.5 + confidence / 2.0, freedom))


def _usable(judged: Sequence[float], read: Sequence[float | None]) -> tuple[Floats, Floats, npt.NDArray[np.bool_]]:
    if len(judged) != len(read):
        raise InputError(
            f"Judged and read labels must be of the same cases: got {len(judged)} judged and {len(read)} read."
        )
    all_judged = np.asarray(judged, dtype=np.float64)
    labels = np.asarray([label for label in read if label is not None], dtype=np.float64)
    if len(labels) < 3 or len(read) - len(labels) < 2:
        raise InputError(f"Three cases must be read and two not, got {len(labels)} and {len(read) - len(labels)}.")
    if not (np.isfinite(all_judged).all() and np.isfinite(labels).all()):
        raise InputError("All labels must be finite: leave cases that the judge could not score out, and count them.")
    return all_judged, labels, np.asarray([label is not None for label in read])


def _quantile(confidence: float) -> float:
    if not 0.0 < confidence < 1.0:
        raise InputError(f"confidence must lie between 0 and 1, got {confidence}.")
    return NormalDist().inv_cdf(0.5 + confidence / 2.0)


class JudgeRates(NamedTuple):
    """How a judge errs on cases that were read.

    Attributes:
        sensitivity: of the cases that are positive by reading, the share that the judge calls so, with Wilson's
            interval; None where there is none.
        specificity: of those that are negative, the share that the judge calls so; None where there is none.
    """

    sensitivity: Estimate | None
    specificity: Estimate | None


def judge_errors(
    judged: Sequence[bool], read: Sequence[bool | None], conditions: Sequence[str] | None = None
) -> dict[str, JudgeRates]:
    """Return a judge's sensitivity and specificity by condition.

    A judge that errs more in one condition than in another makes a difference between them.

    Args:
        judged: what the judge says of each case.
        read: what reading says of it; None where it was not read.
        conditions: of each case; None takes all as one, called ``all``.

    Raises:
        InputError: lengths differ.
    """
    names = ["all"] * len(judged) if conditions is None else list(conditions)
    if not len(judged) == len(read) == len(names):
        raise InputError(f"Each case needs all: got {len(judged)} judged, {len(read)} read, {len(names)} conditions.")
    rows = [(name, bool(said), right) for name, said, right in zip(names, judged, read, strict=True)]
    return {
        name: JudgeRates(
            wilson_interval([said for one, said, right in rows if one == name and right]),
            wilson_interval([not said for one, said, right in rows if one == name and right is not None and not right]),
        )
        for name in dict.fromkeys(names)
    }


def wilson_interval(outcomes: Sequence[bool], *, confidence: float = 0.95) -> Estimate | None:
    """Return a share with Wilson's interval (1927); None of nothing."""
    count = len(outcomes)
    if not count:
        return None
    z, share = _quantile(confidence), sum(outcomes) / count
    scale = 1.0 + z**2 / count
    middle = (share + z**2 / (2 * count)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    return Estimate(share, max(0.0, middle - half), min(1.0, middle + half), count)


def rogan_gladen(judged: Sequence[bool], read: Sequence[bool | None], *, confidence: float = 0.95) -> Estimate | None:
    """Estimate the share of positive cases from a judge's share and its errors.

    By Rogan and Gladen (1978), with one success and one failure added to sensitivity and specificity, as Lang and
    Reiczigel (2014) do; the interval is the delta method's. The read ones must be drawn at random.

    Args:
        judged: what the judge says of each case.
        read: what reading says of it; None where it was not read.
        confidence: share of such intervals that hold the true share.

    Returns:
        The estimate, cut to 0 and 1; None where the judge is no better than chance on what was read.

    Raises:
        InputError: lengths differ.
    """
    if len(judged) != len(read):
        raise InputError(
            f"Judged and read labels must be of the same cases: got {len(judged)} judged and {len(read)} read."
        )
    pairs = [(bool(said), bool(right)) for said, right in zip(judged, read, strict=True) if right is not None]
    positive = [said for said, right in pairs if right]
    negative = [not said for said, right in pairs if not right]
    sensitivity, specificity = ((sum(some) + 1) / (len(some) + 2) for some in (positive, negative))
    youden = sensitivity + specificity - 1.0
    if youden <= 0.0 or not judged:
        return None
    apparent = sum(map(bool, judged)) / len(judged)
    share = (apparent + specificity - 1.0) / youden
    inside = min(1.0, max(0.0, share))
    variance = (
        apparent * (1 - apparent) / len(judged)
        + inside**2 * sensitivity * (1 - sensitivity) / (len(positive) + 2)
        + (1 - inside) ** 2 * specificity * (1 - specificity) / (len(negative) + 2)
    ) / youden**2
    half = _quantile(confidence) * math.sqrt(variance)
    return Estimate(inside, max(0.0, share - half), min(1.0, share + half), len(judged))
