"""How often is the gate wrong: false alarms, and missed regressions?

Each comparison is made by the gate itself, from two simulated results. A false alarm is a *fail* of one or more
measures although none is worse by more than its margin (see ``llama_index_medqa.evaluation.gate.comparison``); 1,000
comparisons of each kind.
Where margins are 0 and nothing changed, the rate should be 5 % within simulation error (at most 6.4 %). To see what is
caught, each A/A comparison prints its minimum detectable effect, then a candidate that is worse by just that is
compared: 80 % should be caught within simulation error (at least 77 %).

    python -m benchmarks.evaluation.gate_simulation [COMPARISONS]    # by default 1,000 of each kind: minutes
"""

import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.common.provenance import provenance, write_results
from llama_index_medqa.evaluation.gate.comparison import compare
from llama_index_medqa.evaluation.gate.margins import Margins
from llama_index_medqa.evaluation.results import CaseResult, MeasureInfo, Results
from llama_index_medqa.evaluation.score import Score

Random = np.random.Generator
Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Population:
    """The cases that simulated systems are drawn for.

    Attributes:
        description: what they are.
        cases: number of cases.
        measures: number of measures, each drawn by itself.
        draw: scores of one system by one measure, which is worse by a number; ``difficulty`` is shared by both systems.
        difficulty: of the cases.
        group: cases of a group.
        is_clustered: whether the gate is told of the groups.
    """

    description: str
    cases: int
    measures: int
    draw: Callable[[Random, Values, float], Values]
    difficulty: Callable[[Random, int], Values]
    group: int = 1
    is_clustered: bool = True


def right_or_wrong(random: Random, difficulty: Values, worse_by: float) -> Values:
    """Return right or wrong values with a chance for each case.

    A worse system gets right ones wrong at random.
    """
    right = random.random(len(difficulty)) < difficulty
    return (right & (random.random(len(difficulty)) >= worse_by / difficulty.mean())).astype(float)


def rarely_changing(random: Random, difficulty: Values, worse_by: float) -> Values:
    """Return values of which one in fifty changes by chance.

    Otherwise two runs are the same, right or wrong.
    """
    right = (difficulty > 0.3) ^ (random.random(len(difficulty)) < 0.02)
    return (right & (random.random(len(difficulty)) >= worse_by / 0.69)).astype(float)


def graded(random: Random, difficulty: Values, worse_by: float) -> Values:
    """Return scores from 0 to 1 around each case's difficulty.

    As nDCG or faithfulness have.
    """
    return np.clip(difficulty + random.normal(0, 0.15, len(difficulty)) - worse_by, -1.0, 2.0)


def graded_in_groups(random: Random, difficulty: Values, worse_by: float) -> Values:
    """As :func:`graded`, but cases of a group of four move together."""
    together = np.repeat(random.normal(0, 0.15, len(difficulty) // 4), 4)
    return difficulty + together + random.normal(0, 0.05, len(difficulty)) - worse_by


def uniform(random: Random, cases: int) -> Values:
    """Difficulties from .3 to .9."""
    return random.uniform(0.3, 0.9, cases)


def anywhere(random: Random, cases: int) -> Values:
    """Difficulties from 0 to 1."""
    return random.random(cases)


ONE = Population("right or wrong, 1 measure, 200 cases", 200, 1, right_or_wrong, uniform)
GRADED = Population("graded, 1 measure, 100 cases", 100, 1, graded, uniform)
FIVE = Population("graded, 5 measures, 100 cases", 100, 5, graded, uniform)
RARE = Population("right or wrong, one in fifty changes, 300 cases", 300, 1, rarely_changing, anywhere)
GROUPED = Population("graded, 50 groups of 4 cases", 200, 1, graded_in_groups, uniform, group=4)
UNTOLD = Population("the same, the gate not told of the groups", 200, 1, graded_in_groups, uniform, 4, False)
POPULATIONS = (ONE, GRADED, FIVE, RARE, GROUPED, UNTOLD)


def results(population: Population, scores: Sequence[Values]) -> Results:
    """Return a file of results with these scores, by measure."""
    names = [f"measure {number}" for number in range(len(scores))]
    cases = [
        CaseResult(
            str(position),
            "",
            str(position // population.group if population.is_clustered else position),
            None,
            "",
            {name: Score.of(float(values[position])) for name, values in zip(names, scores, strict=True)},
        )
        for position in range(population.cases)
    ]
    return Results({}, "", [MeasureInfo(name, "share", True, True) for name in names], cases)


def pair(population: Population, random: Random, worse_by: Sequence[float]) -> tuple[Results, Results]:
    """Return a baseline, and a candidate worse by a number in each measure."""
    before, after = [], []
    for number in worse_by:
        difficulty = population.difficulty(random, population.cases)
        before.append(population.draw(random, difficulty, 0.0))
        after.append(population.draw(random, difficulty, number))
    return results(population, before), results(population, after)


def simulate(population: Population, comparisons: int, margin: float) -> dict[str, Any]:
    """Rates over many comparisons."""
    random = np.random.default_rng(2024)
    margins = Margins({f"measure {number}": margin for number in range(population.measures)})
    same = [0.0] * population.measures
    alarms = at_margin = caught = 0
    detectable = []
    for _ in range(comparisons):
        report = compare(*pair(population, random, same), margins)
        alarms += report.verdict == "fail"
        if margin:
            at_margin += compare(*pair(population, random, [margin] * population.measures), margins).verdict == "fail"
        effect = report.comparisons[0].detectable or 0.0
        detectable.append(effect)
        planted = compare(*pair(population, random, [effect, *same[1:]]), margins)
        caught += planted.comparisons[0].verdict == "worse"
    return {
        "population": population.description,
        "margin": margin,
        "comparisons": comparisons,
        "false_alarms_of_equal_systems": round(alarms / comparisons, 4),
        "false_alarms_at_the_margin": round(at_margin / comparisons, 4) if margin else None,
        "median_minimum_detectable_effect": round(float(np.median(detectable)), 4),
        "caught_at_the_minimum_detectable_effect": round(caught / comparisons, 4),
    }


def main() -> None:
    """Simulate all populations and write ``results/gate_simulation.json``."""
    comparisons = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    runs = [(population, 0.0) for population in POPULATIONS] + [(ONE, 0.05), (GRADED, 0.05), (FIVE, 0.05)]
    with ProcessPoolExecutor(4) as pool:
        started = [pool.submit(simulate, population, comparisons, margin) for population, margin in runs]
        found = [one.result() for one in started]
    path = write_results("gate_simulation", {"runs": found, "provenance": provenance([], ["numpy", "scipy"])})
    print(path.read_text())


if __name__ == "__main__":
    main()
