"""Scores, means with intervals and tested differences of the experiment."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from benchmarks.experiment.design import ANSWER, BASE, CLOSED, GROUNDED, RAG, REFERENCE, SEED, UNKNOWN, Cell, Condition
from llama_index_medqa.evaluation.answers import Answer, Evidence
from llama_index_medqa.evaluation.cases import EvaluationCase
from llama_index_medqa.evaluation.judges import Judge
from llama_index_medqa.evaluation.judges.ragas import RagasJudge
from llama_index_medqa.evaluation.measures.accuracy import Accuracy, Answered
from llama_index_medqa.evaluation.measures.faithfulness import faithfulness, gold_support
from llama_index_medqa.evaluation.measures.measure import Measure
from llama_index_medqa.evaluation.measures.ragas import ragas_measure
from llama_index_medqa.evaluation.score import Score
from llama_index_medqa.evaluation.statistics.intervals import Estimate, bootstrap_mean
from llama_index_medqa.evaluation.statistics.significance import McNemar, holm, mcnemar, sign_flip_test

FORCED_LABEL: Final = "ForcedLabel"
# The engine's own marks: they tell a judge what another check thought, and no claim.
_MARK = re.compile(r"\s*\[(?:PMID|SHA):\w+\]")
# Small models say it with a dash or a "No" before it.
_DECLINED = re.compile(rf"\W*(?:no,\s+)?{re.escape(UNKNOWN.rstrip('.'))}\b", re.IGNORECASE)


def _right_label(case: EvaluationCase, answer: Answer) -> Score:
    if case.gold_label is None:
        return Score.not_applicable("no gold label")
    return Score.of(Accuracy.function(case, answer) == Score.of(1.0))


RightLabel = Measure("RightLabel", _right_label)
"""Whether the right label is declared: of all questions, so that a wrong label, none, and a refusal are all 0. How many
there are of each is told beside it."""

ForcedLabel = replace(RightLabel, name=FORCED_LABEL)
"""The same where the server lets the model write nothing but a label."""


def measures_of_cell(cell: Cell, judge: Judge) -> list[Measure]:
    """Return the measures for the answers of a cell."""
    if cell.task.name != ANSWER.name:
        return [ForcedLabel if cell.task.choices else RightLabel]
    against_retrieved = [faithfulness(judge)] if cell.condition == RAG else []
    return [gold_support(judge), *against_retrieved, Answered]


def hallucination(answer: Answer, supported: Score) -> Score:
    """Return the share of a said answer that gold evidence does not support.

    Over all questions; a refusal says nothing wrong.

    Beside :data:`Answered`: silence alone brings it to 0.

    Args:
        answer: the answer.
        supported: its score by :func:`gold_support`.
    """
    if answer.abstained:
        return Score.of(0.0)
    return supported if supported.value is None else Score.of(1.0 - supported.value)


def ragas_support(judge: RagasJudge) -> Measure:
    """Return ragas' faithfulness with the gold evidence as contexts.

    In place of what was retrieved, for all cells.
    """
    metric = ragas_measure("Faithfulness(ragas)", judge)

    async def score(case: EvaluationCase, answer: Answer) -> Score:
        gold = tuple(Evidence("", text) for text in case.gold_evidence)
        return await metric.ascore(case, replace(answer, evidence=gold))

    return replace(metric, name="GoldSupport(ragas)", function=score)


@dataclass(frozen=True)
class CaseScore:
    """The score of one case by one measure."""

    case_id: str
    cluster: str
    score: Score


@dataclass(frozen=True)
class CellScores:
    """A cell with its scores.

    Attributes:
        cell: which.
        scores: of every case, by the name of the measure.
        outcomes: what became of the questions: ``answered``, or why there is no answer, or no label.
    """

    cell: Cell
    scores: Mapping[str, Sequence[CaseScore]]
    outcomes: Mapping[str, int]

    def estimate(self, measure: str) -> Estimate | None:
        """Return mean and 95 % interval of a measure.

        Over the cases that have a score; None where none has.
        """
        scored = [one for one in self.scores.get(measure, ()) if one.score.value is not None]
        if not scored:
            return None
        return bootstrap_mean([one.score.value or 0.0 for one in scored], groups=[one.cluster for one in scored])


async def score_cell(
    cell: Cell,
    replies: Sequence[tuple[EvaluationCase, Answer | None]],
    judge: Judge,
    ragas: Measure | None = None,
    ragas_cases: int = 0,
) -> CellScores:
    """Score the answers so far.

    Questions that are still to be asked are left out.

    Args:
        cell: which.
        replies: its cases and their answers.
        judge: says whether the evidence supports a sentence.
        ragas: what :func:`ragas_support` gives; None leaves it out.
        ragas_cases: how many cases it scores, of each cell with answers in sentences: it takes minutes for each.
    """
    answered = [(case, as_scored(answer)) for case, answer in replies if answer is not None]
    scores: dict[str, list[CaseScore]] = {}
    for measure in measures_of_cell(cell, judge):
        scores[measure.name] = rows = await _scored(measure, answered)
        if measure.name == gold_support(judge).name:
            scores[f"Hallucination({judge.name})"] = [
                replace(row, score=hallucination(answer, row.score))
                for (_, answer), row in zip(answered, rows, strict=True)
            ]
    if ragas and cell.task.name == ANSWER.name:
        scores[ragas.name] = await _scored(ragas, _spread(answered, ragas_cases))
    return CellScores(cell, scores, Counter(_outcome(cell, case, answer) for case, answer in answered))


def _spread(answered: Sequence[tuple[EvaluationCase, Answer]], number: int) -> Sequence[tuple[EvaluationCase, Answer]]:
    """Return as many cases, evenly from all sets."""
    return answered[:: max(1, len(answered) // number)][:number]


async def _scored(measure: Measure, answered: Sequence[tuple[EvaluationCase, Answer]]) -> list[CaseScore]:
    # One after the other: a judge on this machine gains nothing from more at a time.
    return [CaseScore(case.case_id, case.cluster, await measure.ascore(case, answer)) for case, answer in answered]


def as_scored(answer: Answer) -> Answer:
    """Return an answer as it is scored.

    Without the engine's marks; declined where the model says that it does not know.
    """
    declined = "model_declined" if _DECLINED.match(answer.text) else None
    return replace(answer, text=_MARK.sub("", answer.text), abstained=answer.abstained or declined)


def _outcome(cell: Cell, case: EvaluationCase, answer: Answer) -> str:
    if answer.abstained:
        return answer.abstained.replace("_", " ")
    if cell.task.name == ANSWER.name:
        return "answered"
    score = Accuracy.function(case, answer)
    assert isinstance(score, Score)
    return "no label" if score.value is None else "right" if score.value else "wrong"


Place = tuple[str, Condition]


@dataclass(frozen=True)
class Effect:
    """A difference between cells, case by case.

    The sum of some less the sum of others.

    Attributes:
        name: as the tables write it.
        plus: cells that are added.
        minus: cells that are subtracted.
    """

    name: str
    plus: tuple[Place, ...]
    minus: tuple[Place, ...]


EFFECTS: Final = (
    *(Effect(f"RAG, {name}", ((name, RAG),), ((name, CLOSED),)) for name in (BASE, SEED, GROUNDED, REFERENCE)),
    *(
        Effect(f"{name}, {condition}", ((name, condition),), ((BASE, condition),))
        for condition in (CLOSED, RAG)
        for name in (SEED, GROUNDED)
    ),
    *(
        Effect(f"interaction of RAG and {name}", ((name, RAG), (BASE, CLOSED)), ((name, CLOSED), (BASE, RAG)))
        for name in (SEED, GROUNDED)
    ),
)


class EffectComparison(NamedTuple):
    """An effect on a measure.

    Attributes:
        measure: its name.
        effect: which.
        difference: mean over the cases that were scored in all its cells, with a 95 % interval.
        p_value: two-sided, of flipped signs; for two cells of right and wrong this is McNemar's exact test.
        corrected: for the number of comparisons of the experiment (Holm).
        changed: cases gained and lost; None where more than two cells or shares are compared.
    """

    measure: str
    effect: Effect
    difference: Estimate
    p_value: float
    corrected: float
    changed: McNemar | None


def comparisons(cells: Sequence[CellScores]) -> list[EffectComparison]:
    """Return all effects on all measures that have cases.

    Corrected for their number.
    """
    found = [
        one
        for measure in dict.fromkeys(name for cell in cells for name in cell.scores if name != Answered.name)
        for effect in EFFECTS
        if (one := compare(effect, measure, cells)) is not None
    ]
    corrected = holm([one.p_value for one in found])
    return [one._replace(corrected=value) for one, value in zip(found, corrected, strict=True)]


def compare(effect: Effect, measure: str, cells: Sequence[CellScores]) -> EffectComparison | None:
    """Return an effect on a measure, uncorrected.

    None where a cell is missing or no case has all scores.
    """
    by_cell = {
        (cell.cell.subject.name, cell.cell.condition): cell.scores[measure] for cell in cells if measure in cell.scores
    }
    if not by_cell.keys() >= {*effect.plus, *effect.minus}:
        return None
    values = {
        key: {one.case_id: one.score.value for one in by_cell[key] if one.score.value is not None}
        for key in (*effect.plus, *effect.minus)
    }
    first = by_cell[effect.plus[0]]
    shared = [one for one in first if all(one.case_id in scores for scores in values.values())]
    if not shared:
        return None
    sums = [[sum(values[key][one.case_id] for key in keys) for one in shared] for keys in (effect.plus, effect.minus)]
    differences = [plus - minus for plus, minus in zip(*sums, strict=True)]
    groups = [one.cluster for one in shared]
    flips = sign_flip_test(differences, groups=groups)
    two_sided = min(1.0, 2 * min(flips))
    binary = len(effect.plus) == 1 and {value for side in sums for value in side} <= {0.0, 1.0}
    changed = mcnemar(sums[1], sums[0]) if binary else None
    p_value = changed.p_value if changed else two_sided
    return EffectComparison(measure, effect, bootstrap_mean(differences, groups=groups), p_value, p_value, changed)
