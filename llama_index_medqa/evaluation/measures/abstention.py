"""Whether what cannot be answered is left unanswered, and what that costs: risk against coverage."""

from collections.abc import Sequence
from typing import NamedTuple

from llama_index_medqa.errors import InputError


class RiskPoint(NamedTuple):
    """What a threshold gives.

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
    """The risk-coverage curve (El-Yaniv and Wiener 2010): a point for each confidence as the threshold.

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


def auroc(confidences: Sequence[float], answerable: Sequence[bool]) -> float:
    """Chance that an answerable question has more confidence than an unanswerable one; a tie counts half.

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
        raise InputError("Both answerable and unanswerable questions are needed.")
