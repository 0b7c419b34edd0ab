"""Measures of abstention: risk against coverage."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from llama_index_medqa.errors import InputError

Floats = npt.NDArray[np.float64]


class RiskPoint(NamedTuple):
    """Risk and coverage at one threshold.

    Attributes:
        threshold: questions with at least this confidence are answered.
        coverage: share of all questions that are answered.
        risk: share of the answered questions that cannot be answered; 0 where none is answered.
        answered: share of the answerable questions that are answered.
        refused: share of the unanswerable questions that are refused.
    """

    threshold: float
    coverage: float
    risk: float
    answered: float
    refused: float


def risk_coverage(confidences: Sequence[float], answerable: Sequence[bool]) -> list[RiskPoint]:
    """Return the risk-coverage curve.

    It has a point for each confidence as the threshold (El-Yaniv and Wiener 2010).

    Args:
        confidences: of the questions, in any order.
        answerable: whether each can be answered.

    Returns:
        The points from the highest threshold to the lowest.

    Raises:
        InputError: lengths differ, or the questions are all answerable or all not.
    """
    _require_both(confidences, answerable)
    can, cannot = sum(answerable), len(answerable) - sum(answerable)
    points = []
    for threshold in sorted(set(confidences), reverse=True):
        taken = [able for confidence, able in zip(confidences, answerable, strict=True) if confidence >= threshold]
        right = sum(taken)
        wrong = len(taken) - right
        points.append(
            RiskPoint(threshold, len(taken) / len(answerable), wrong / len(taken), right / can, 1 - wrong / cannot)
        )
    return points


def selective_risk(confidences: Floats, losses: Floats) -> tuple[Floats, Floats]:
    """Return coverage and risk where only the surest answers are given.

    Answers of the same confidence are given together, or not at all.

    Args:
        confidences: of the answers, in any order.
        losses: of each, 0 for a right one and 1 for a wrong one.

    Returns:
        Coverage and the mean loss of the answers given, from the fewest answers to all.

    Raises:
        InputError: lengths differ, or there is no answer.
    """
    if len(confidences) != len(losses) or not len(losses):
        raise InputError(f"Each answer needs a confidence: got {len(confidences)} for {len(losses)} answers.")
    order = np.argsort(-confidences, kind="stable")
    sure, counts = confidences[order], np.arange(1, len(losses) + 1)
    lasts = np.append(sure[1:] != sure[:-1], True)
    return counts[lasts] / len(losses), (np.cumsum(losses[order]) / counts)[lasts]


def area_under_risk_coverage(confidences: Floats, losses: Floats) -> float:
    """Return the mean risk over all coverages (AURC, Geifman and El-Yaniv 2017).

    An answer counts at the coverage at which it is given. Where all answers are equally sure, it is the mean loss.

    Raises:
        InputError: as :func:`selective_risk`.
    """
    coverage, risk = selective_risk(confidences, losses)
    return float(np.sum(np.diff(coverage, prepend=0.0) * risk))


def auroc(confidences: Sequence[float], answerable: Sequence[bool]) -> float:
    """Return the AUROC of confidence for answerability.

    It is the chance that an answerable question has more confidence than an unanswerable one; a tie counts half.

    Raises:
        InputError: as :func:`risk_coverage`.
    """
    _require_both(confidences, answerable)
    pairs = list(zip(confidences, answerable, strict=True))
    can = [confidence for confidence, able in pairs if able]
    cannot = [confidence for confidence, able in pairs if not able]
    wins = sum((one > other) + 0.5 * (one == other) for one in can for other in cannot)
    return wins / (len(can) * len(cannot))


def _require_both(confidences: Sequence[float], answerable: Sequence[bool]) -> None:
    if len(confidences) != len(answerable):
        raise InputError(f"Each question needs a confidence: got {len(confidences)} for {len(answerable)} questions.")
    if not 0 < sum(answerable) < len(answerable):
        raise InputError("Both answerable and unanswerable questions are needed: add the kind that is missing.")
