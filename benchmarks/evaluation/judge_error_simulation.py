"""How often intervals that carry a judge's error hold the truth, and how wide they are beside those of labels alone.

Each population has a known share of supported sentences and a judge that errs at known rates; a random part of the
sentences is read. Of each, REPETITIONS samples are drawn. An interval at 95 % should hold the true share in 95 % of
them within simulation error (at 2,000 samples 94 to 96 %); less than 93 % is too few.

    python -m benchmarks.evaluation.judge_error_simulation [REPETITIONS]    # by default 2,000: a minute or two
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.common.provenance import provenance, write_results
from llama_index_medqa.evaluation.statistics.prediction_powered import prediction_powered_mean, rogan_gladen

Random = np.random.Generator
Values = npt.NDArray[np.float64]
Interval = tuple[float, float]


@dataclass(frozen=True)
class Population:
    """Sentences and their judge.

    Attributes:
        description: what they are.
        share: of the sentences that are supported.
        sensitivity: of the judge.
        specificity: of the judge.
        cases: sentences in all.
        read: sentences that are read.
        group: sentences of an answer, which share their fate in part.
        is_graded: whether the judge gives chances in place of 0 and 1.
    """

    description: str
    share: float
    sensitivity: float
    specificity: float
    cases: int = 1200
    read: int = 300
    group: int = 1
    is_graded: bool = False


POPULATIONS = (
    Population("a good judge", 0.7, 0.9, 0.9),
    Population("a judge that misses paraphrase", 0.7, 0.57, 0.95),
    Population("a judge no better than chance", 0.7, 0.5, 0.5),
    Population("nearly all supported", 0.95, 0.85, 0.8),
    Population("few read", 0.7, 0.85, 0.9, read=60),
    Population("half read", 0.6, 0.85, 0.9, cases=600, read=300),
    Population("answers of four sentences that move together", 0.7, 0.85, 0.9, group=4),
    Population("a judge that gives chances", 0.7, 0.85, 0.9, is_graded=True),
)


def draw(population: Population, random: Random) -> tuple[Values, list[float | None], Sequence[int]]:
    """What the judge says, what reading says (None where it was not read), and the answers."""
    answers = np.arange(population.cases) // population.group
    fate = np.repeat(random.random(population.cases // population.group), population.group)
    own = random.random(population.cases)
    # Half of the sentences of a group share its fate; the share of supported ones stays what it is.
    luck = np.where(random.random(population.cases) < 0.5, fate, own) if population.group > 1 else own
    truth = luck < population.share
    said = np.where(
        truth, random.random(len(truth)) < population.sensitivity, random.random(len(truth)) >= population.specificity
    )
    judged = said.astype(np.float64)
    if population.is_graded:
        judged = np.clip(0.5 + (judged - 0.5) * random.random(len(truth)), 0.0, 1.0)
    read = np.zeros(len(truth), dtype=bool)
    read[random.permutation(len(truth))[: population.read]] = True
    return (
        judged,
        [float(right) if is_read else None for right, is_read in zip(truth, read, strict=True)],
        answers.tolist(),
    )


def ways(population: Population) -> dict[str, Callable[[Values, list[float | None], Sequence[int]], Interval | None]]:
    """The ways to an interval, by name."""

    def powered(weight: float | None) -> Callable[[Values, list[float | None], Sequence[int]], Interval]:
        def interval(judged: Values, read: list[float | None], groups: Sequence[int]) -> Interval:
            found = prediction_powered_mean(judged.tolist(), read, groups=groups, weight=weight)
            return found.low, found.high

        return interval

    def naive(judged: Values, read: list[float | None], groups: Sequence[int]) -> Interval:
        half = 1.959964 * float(judged.std(ddof=1)) / len(judged) ** 0.5
        return float(judged.mean()) - half, float(judged.mean()) + half

    def corrected(judged: Values, read: list[float | None], groups: Sequence[int]) -> Interval | None:
        found = rogan_gladen((judged >= 0.5).tolist(), [None if one is None else bool(one) for one in read])
        return (found.low, found.high) if found else None

    known: dict[str, Callable[[Values, list[float | None], Sequence[int]], Interval | None]] = {
        "labels alone": powered(0.0),
        "prediction-powered, best weight": powered(None),
        "prediction-powered, weight 1": powered(1.0),
        "judge alone": naive,
    }
    return known if population.group > 1 else {**known, "Rogan-Gladen": corrected}


def simulate(population: Population, repetitions: int) -> dict[str, Any]:
    """Coverage and mean width of each way."""
    random = np.random.default_rng(2023)
    intervals: dict[str, list[Interval | None]] = {name: [] for name in ways(population)}
    for _ in range(repetitions):
        sample = draw(population, random)
        for name, way in ways(population).items():
            intervals[name].append(way(*sample))
    return {
        "population": population.description,
        "share": population.share,
        "cases": population.cases,
        "read": population.read,
        **{name: _summary(found, population.share) for name, found in intervals.items()},
    }


def _summary(found: Sequence[Interval | None], share: float) -> dict[str, float]:
    known = [one for one in found if one is not None]
    return {
        "coverage": round(float(np.mean([low <= share <= high for low, high in known])), 4),
        "width": round(float(np.mean([high - low for low, high in known])), 4),
        "without an interval": len(found) - len(known),
    }


def main() -> None:
    """Simulates all populations and writes ``results/judge_error_simulation.json``."""
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    found = [simulate(population, repetitions) for population in POPULATIONS]
    results = {"repetitions": repetitions, "runs": found, "provenance": provenance([], ["numpy"])}
    print(write_results("judge_error_simulation", results).read_text())


if __name__ == "__main__":
    main()
