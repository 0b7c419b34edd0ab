"""What a comparison could have seen: the least worsening that it catches, and how many cases it would take."""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from llama_index_medqa.errors import InputError
from llama_index_medqa.evaluation.statistics import group_sums, require_scipy


@dataclass(frozen=True)
class Design:
    """How much the differences of a comparison scatter, as far as its power depends on it.

    Attributes:
        cases: number of cases.
        variance: of the mean difference times the number of cases; that of a single difference where cases stand
            alone.
        share: whether scores lie between 0 and 1.
        group_size: cases that stand or fall together, on average as the variance counts them (1 where they stand
            alone).
        largest_group: cases of the largest group.
    """

    cases: int
    variance: float
    share: bool
    group_size: float = 1.0
    largest_group: int = 1


def design_of(differences: Sequence[float], *, share: bool, groups: Sequence[Hashable] | None = None) -> Design:
    """The design of a comparison that has been made.

    Args:
        differences: of the cases.
        share: whether scores lie between 0 and 1.
        groups: of the cases, see :func:`sign_flip_test`.

    Raises:
        InputError: there are no differences.
    """
    if not len(differences):
        raise InputError("A comparison without a case has no power: give at least one case that both have scored.")
    data = np.asarray(differences, dtype=np.float64)
    sums = group_sums(data - data.mean(), groups)
    sizes = group_sums(np.ones(len(data)), groups)
    return Design(
        len(data),
        float((sums**2).sum() / len(data)),
        share,
        float((sizes**2).sum() / len(data)),
        int(sizes.max()),
    )


def minimum_detectable_effect(design: Design, *, margin: float = 0.0, level: float = 0.05, power: float = 0.8) -> float:
    """The least true worsening that a one-sided test against a margin catches with a given probability.

    The test rejects at ``margin + z(1 - level) s``, with ``s`` the standard error of the mean difference, and a true
    worsening must lie ``z(power) s`` beyond (Lehr 1992). Two things are added, so that the figure holds where systems
    hardly differ: a worsening by ``d`` of scores between 0 and 1 brings scatter of its own, at most ``d (1 - d)`` a
    case when a share ``d`` of the cases falls from 1 to 0; and such scores move in steps, for which one case (or the
    largest group) is added.

    Args:
        design: of the comparison.
        margin: worsening that is allowed.
        level: of the test, one-sided; for several measures divided by their number.
        power: the probability.

    Returns:
        The worsening, in the unit of the scores; infinite where not even the worst possible one would be caught.

    Raises:
        MissingExtraError: scipy is not installed.
    """
    norm = require_scipy("minimum_detectable_effect").norm
    factor = float(norm.ppf(1.0 - level) + norm.ppf(power))
    if not design.share:
        return margin + factor * math.sqrt(design.variance / design.cases)
    step = design.largest_group / design.cases
    low, high = margin, 1.0
    if _needed(design, high, factor, margin + step) > high:
        return math.inf
    for _ in range(50):
        middle = (low + high) / 2.0
        if _needed(design, middle, factor, margin + step) > middle:
            low = middle
        else:
            high = middle
    return high


def _needed(design: Design, worsening: float, factor: float, offset: float) -> float:
    own = worsening * (1.0 - worsening) * design.group_size
    return offset + factor * math.sqrt((design.variance + own) / design.cases)


def cases_needed(
    design: Design, worsening: float, *, margin: float = 0.0, level: float = 0.05, power: float = 0.8
) -> int | None:
    """How many cases of the same kind would catch a worsening with a given probability.

    Args:
        design: of a comparison of such cases.
        worsening: to be caught.
        margin: see :func:`minimum_detectable_effect`.
        level: see :func:`minimum_detectable_effect`.
        power: see :func:`minimum_detectable_effect`.

    Returns:
        The number; None where no number of cases would do, because the margin allows it.
    """
    if worsening <= margin:
        return None
    low, high = 1, 2
    while _effect(design, high, margin, level, power) > worsening:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _effect(design, middle, margin, level, power) > worsening else (low, middle)
    return high


def _effect(design: Design, cases: int, margin: float, level: float, power: float) -> float:
    scaled = Design(cases, design.variance, design.share, design.group_size, design.largest_group)
    return minimum_detectable_effect(scaled, margin=margin, level=level, power=power)
