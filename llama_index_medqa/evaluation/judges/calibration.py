"""Agreement of a judge with people, on labelled pairs of claim and text."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from llama_index_medqa._common.jsonl import read_rows
from llama_index_medqa.errors import InputError
from llama_index_medqa.evaluation.judges import GivesChances, Judge
from llama_index_medqa.evaluation.score import Score
from llama_index_medqa.text.sentences import split_sentences
from llama_index_medqa.text.words import content_words

LABELS = ("supported", "refuted", "neutral", "hallucinated")
THRESHOLD = 0.5
_BINS = 10

_Floats = npt.NDArray[np.float64]
_Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class LabelledPair:
    """A claim, a text and the label that people gave.

    Attributes:
        claim: one sentence or several.
        evidence: the text.
        label: one of :data:`LABELS`.
        group: pairs of one group, such as those on one question, are taken as one draw.
    """

    claim: str
    evidence: str
    label: str
    group: str

    @property
    def supported(self) -> bool:
        """Return whether people labelled the claim supported.

        All other labels (refuted, neutral, hallucinated) count as not supported.
        """
        return self.label == "supported"


def load_pairs(path: str | Path) -> list[LabelledPair]:
    """Read labelled pairs from JSON lines.

    Each line has ``claim``, ``evidence`` (a text or a list of them), ``label`` and ``group``.

    Raises:
        InputError: the file cannot be read, is empty, or a line is no labelled pair.
    """
    pairs = [_pair(row, location) for location, row in read_rows(path)]
    if not pairs:
        raise InputError(f"{path} holds no labelled pair: write one a line.")
    return pairs


def _pair(row: Any, location: str) -> LabelledPair:
    try:
        evidence = row["evidence"]
        texts = [evidence] if isinstance(evidence, str) else list(evidence)
        pair = LabelledPair(str(row["claim"]), "\n".join(texts), str(row["label"]), str(row.get("group", location)))
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{location} is no labelled pair ({error!r}): give claim, evidence and label.") from error
    if pair.label not in LABELS:
        raise InputError(f"{location} has the label {pair.label!r}: use {', '.join(LABELS)}.")
    return pair


async def judge_pairs(
    judge: Judge, pairs: Sequence[LabelledPair], progress: Callable[[int, int], None] | None = None
) -> list[Score]:
    """Score every pair with a judge.

    Chances are used where a judge gives them beside verdicts.

    The score of a claim of several sentences is their mean.

    Args:
        judge: any judge.
        pairs: those with the same evidence that follow one another are judged together.
        progress: called with the pairs that are judged and the pairs in all.
    """
    ask = judge.chances if isinstance(judge, GivesChances) else judge.score_all
    scores: list[Score] = []
    for evidence, some in groupby(pairs, key=lambda pair: pair.evidence):
        claims = [sentences_of(pair.claim) for pair in some]
        judged = iter(await ask([sentence for claim in claims for sentence in claim], [evidence]))
        scores.extend(mean_of([next(judged) for _ in claim]) for claim in claims)
        if progress:
            progress(len(scores), len(pairs))
    return scores


def sentences_of(claim: str) -> list[str]:
    """Split a claim into sentences that are judged alone."""
    return [claim[start:end] for start, end in split_sentences(claim)] or [claim]


def mean_of(scores: Sequence[Score]) -> Score:
    """Return the mean of scores.

    If some are missing, the first missing one is returned.
    """
    missing = next((score for score in scores if score.value is None), None)
    return missing or Score.of(sum(score.value or 0.0 for score in scores) / len(scores))


def word_overlap(pair: LabelledPair) -> float:
    """Return the share of the claim's words in the evidence.

    Only meaningful words count. Any judge has to beat this baseline.
    """
    words = content_words(pair.claim)
    return len(words & content_words(pair.evidence)) / max(len(words), 1)


def length(pair: LabelledPair) -> float:
    """Return the number of words of the claim.

    A set whose labels go with it rewards length.
    """
    return float(len(pair.claim.split()))


class Interval(NamedTuple):
    """A figure with its 95 % interval, bootstrapped over groups."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Quality:
    """How well scores agree with people's labels.

    Attributes:
        pairs: scored pairs by label.
        groups: number of groups.
        unscored: pairs without a score, by reason; they are in none of the figures.
        auroc: chance that a supported claim scores higher than another one, 0 to 1; None without both kinds.
        supported_against_refuted: the same without the neutral claims.
        balanced_accuracy: mean of the shares of both kinds on the right side of 0.5; None for scores that are no
            probabilities.
        calibration_error: expected difference of score and share of supported claims, 0 to 1, in 10 bins of equal
            width (Guo et al. 2017); None for scores that are no probabilities.
    """

    pairs: Mapping[str, int]
    groups: int
    unscored: Mapping[str, int]
    auroc: Interval | None
    supported_against_refuted: Interval | None
    balanced_accuracy: Interval | None
    calibration_error: Interval | None

    def as_data(self) -> dict[str, Any]:
        """Return the figures as JSON values with four decimals."""
        figures = ("auroc", "supported_against_refuted", "balanced_accuracy", "calibration_error")
        intervals: dict[str, Interval | None] = {name: getattr(self, name) for name in figures}
        return {
            "pairs": dict(self.pairs),
            "groups": self.groups,
            "unscored": dict(self.unscored),
            **{name: one and [round(number, 4) for number in one] for name, one in intervals.items()},
        }


def quality(
    scores: Sequence[Score], pairs: Sequence[LabelledPair], *, probabilities: bool = True, resamples: int = 1000
) -> Quality:
    """Measure how well scores agree with labels.

    Args:
        scores: one for each pair.
        pairs: the pairs.
        probabilities: whether scores mean the chance of "supported"; else only their order is measured.
        resamples: times that as many groups are drawn with replacement.

    Raises:
        InputError: scores and pairs are of different numbers, or nothing is scored.
    """
    if len(scores) != len(pairs):
        raise InputError(f"Each pair needs its score: got {len(scores)} scores and {len(pairs)} pairs.")
    kept = [(score.value, pair) for score, pair in zip(scores, pairs, strict=True) if score.value is not None]
    if not kept:
        raise InputError(
            "No pair was scored, so there is nothing to measure: look up the reasons in the journal, and judge again."
        )
    values = np.array([value for value, _ in kept], dtype=np.float64)
    truth = np.array([pair.supported for _, pair in kept])
    groups = [pair.group for _, pair in kept]
    decided = np.array([pair.label != "neutral" for _, pair in kept])

    def figure(of: Callable[[_Floats, _Flags, _Floats], float], chosen: _Flags) -> Interval | None:
        some = [group for group, take in zip(groups, chosen, strict=True) if take]
        return bootstrapped(of, values[chosen], truth[chosen], some, resamples)

    everything = np.ones(len(kept), dtype=bool)
    return Quality(
        pairs=Counter(pair.label for _, pair in kept),
        groups=len(set(groups)),
        unscored=Counter(score.reason for score in scores if score.value is None),
        auroc=figure(auroc, everything),
        supported_against_refuted=figure(auroc, decided),
        balanced_accuracy=figure(balanced_accuracy, everything) if probabilities else None,
        calibration_error=figure(calibration_error, everything) if probabilities else None,
    )


def bootstrapped(
    of: Callable[[_Floats, _Flags, _Floats], float],
    scores: _Floats,
    supported: _Flags,
    groups: Sequence[str],
    resamples: int = 1000,
) -> Interval | None:
    """Return a figure with its bootstrap interval.

    Groups are drawn with replacement. None where the figure has no value.

    Args:
        of: the figure of scores, truths and weights.
        scores: (n,).
        supported: (n,).
        groups: of each of the n.
        resamples: number of draws; always the same ones.
    """
    value = of(scores, supported, np.ones(len(scores)))
    if np.isnan(value):
        return None
    names, group = np.unique(np.asarray(groups), return_inverse=True)
    random = np.random.default_rng(0)
    drawn = (np.bincount(random.integers(0, len(names), len(names)), minlength=len(names)) for _ in range(resamples))
    low, high = np.nanquantile([of(scores, supported, counts[group].astype(float)) for counts in drawn], [0.025, 0.975])
    return Interval(value, float(low), float(high))


def auroc(scores: _Floats, positive: _Flags, weights: _Floats) -> float:
    """Return the area under the ROC curve.

    It is the share of pairs of a positive and a negative in which the positive scores higher; a tie counts half.

    Nan where there are not both.
    """
    _, tie = np.unique(scores, return_inverse=True)
    up, down = np.bincount(tie, weights * positive), np.bincount(tie, weights * ~positive)
    if not (up.sum() and down.sum()):
        return float("nan")
    below = np.cumsum(down) - down
    return float((up * (below + 0.5 * down)).sum() / (up.sum() * down.sum()))


def balanced_accuracy(scores: _Floats, positive: _Flags, weights: _Floats) -> float:
    """Return the balanced accuracy at a threshold of 0.5.

    It is nan where there are not both positives and negatives.
    """
    called = scores >= THRESHOLD
    yes, no = weights * positive, weights * ~positive
    if not (yes.sum() and no.sum()):
        return float("nan")
    return float(((yes * called).sum() / yes.sum() + (no * ~called).sum() / no.sum()) / 2)


def calibration_error(scores: _Floats, positive: _Flags, weights: _Floats) -> float:
    """Return the expected calibration error.

    It is the mean distance between a bin's mean score and its share of positives.
    """
    bins = np.minimum((scores * _BINS).astype(int), _BINS - 1)
    difference = np.bincount(bins, weights * (scores - positive), minlength=_BINS)
    return float(np.abs(difference).sum() / weights.sum())
