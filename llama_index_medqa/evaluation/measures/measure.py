"""A measure: a name, and a function that scores one case."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from llama_index.core.async_utils import asyncio_run

from llama_index_medqa.evaluation.answers import Answer
from llama_index_medqa.evaluation.cases import EvaluationCase
from llama_index_medqa.evaluation.score import Score, Unit


def without_text(answer: Answer) -> Score | None:
    """Return the score of an answer without text.

    None where there is a text to measure.
    """
    if answer.abstained:
        return Score.not_applicable("abstained")
    return Score.unscored("empty answer") if answer.is_empty else None


@dataclass(frozen=True)
class Measure:
    """A measure of answers.

    Attributes:
        name: such as ``nDCG@10``.
        function: the score of one case, or what gives it when it is awaited, as with a judge behind a server.
        unit: ``share`` is a number from 0 to 1.
        higher_is_better: whether more is better.
        repeatable: whether two runs of the same system give the same; times do not.
        judge: identity of the judge that gives the scores; None where no judge is asked.
    """

    name: str
    function: Callable[[EvaluationCase, Answer], Score | Awaitable[Score]]
    unit: Unit = "share"
    higher_is_better: bool = True
    repeatable: bool = True
    judge: Mapping[str, Any] | None = field(default=None, hash=False)

    def __str__(self) -> str:
        return self.name

    async def ascore(self, case: EvaluationCase, answer: Answer) -> Score:
        """Score one case; several may be awaited at a time."""
        scored = self.function(case, answer)
        return scored if isinstance(scored, Score) else await scored

    def score(self, case: EvaluationCase, answer: Answer) -> Score:
        """Score one case and wait for it, as :meth:`ascore`."""
        score: Score = asyncio_run(self.ascore(case, answer))
        return score
