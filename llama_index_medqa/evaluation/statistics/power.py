"""Power of a comparison: the worsening it detects, the cases it needs."""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from llama_index_medqa.errors import InputError
from llama_index_medqa.evaluation.statistics.intervals import group_sums, require_scipy

_HALVINGS = 50


@dataclass(frozen=True)
class Design:
    """The spread of a comparison's differences.

    Attributes:
        cases: number of cases.
        variance: of the mean difference times the number of cases; that of a single difference where cases stand
            alone.
        jump: by how much a case changes that changes: the root mean square of the differences that are not 0.
        bound: the most by which a mean can worsen; infinite for times and the like.
        group_size: cases that stand or fall together, on average as the variance counts them; 1 where they stand
            alone.
        largest_group: cases of the largest group.
    """

    cases: int
    variance: float
    jump: float
    bound: float = math.inf
    group_size: float = 1.0
    largest_group: int = 1


def design_of(differences: Sequence[float], *, share: bool, groups: Sequence[Hashable] | None = None) -> Design:
    """Return the design of a comparison that has been made.

    Args:
        differences: of the cases. Where none differs and scores lie between 0 and 1, a case that changes is taken to
            change by 1.
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
    changes = data[data != 0.0]
    return Design(
        len(data),
        float((sums**2).sum() / len(data)),
        float(np.sqrt((changes**2).mean())) if len(changes) else float(share),
        1.0 if share else math.inf,
        float((sizes**2).sum() / len(data)),
        int(sizes.max()),
    )


def minimum_detectable_effect(design: Design, *, margin: float = 0.0, level: float = 0.05, power: float = 0.8) -> float:
    """Return the least worsening that a test detects.

    The test is one-sided against a margin and detects it with a given probability.

    The test rejects at ``margin + z(1 - level) s``, with ``s`` the standard error of the mean difference, and a true
    worsening must lie ``z(power) s`` beyond (Lehr 1992). Two things are added, so that the figure holds where systems
    hardly differ. A worsening brings scatter of its own: where the mean falls by ``d`` because a share ``d / jump`` of
    the cases falls by ``jump``, a variance of ``d jump - d ** 2`` a case. And means move in steps, for which one jump
    of a case (or of the largest group) is added.

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
    factor = _quantiles(level, power)
    offset = margin + design.jump * design.largest_group / design.cases
    low, high = margin, _needed(design, design.jump / 2.0, factor, offset)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        if _needed(design, middle, factor, offset) > middle:
            low = middle
        else:
            high = middle
    return high if high <= design.bound else math.inf


@lru_cache
def _quantiles(level: float, power: float) -> float:
    norm = require_scipy("minimum_detectable_effect").norm
    return float(norm.ppf(1.0 - level) + norm.ppf(power))


def _needed(design: Design, worsening: float, factor: float, offset: float) -> float:
    """Return the worsening needed at a given spread.

    The spread is widest where the worsening is half a jump.
    """
    own = max(0.0, worsening * design.jump - worsening**2) * design.group_size
    return offset + factor * math.sqrt((design.variance + own) / design.cases)


def cases_needed(
    design: Design, worsening: float, *, margin: float = 0.0, level: float = 0.05, power: float = 0.8
) -> int | None:
    """Return the number of cases that detect a worsening.

    They are of the same kind and detect it with a given probability.

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
    return minimum_detectable_effect(replace(design, cases=cases), margin=margin, level=level, power=power)
