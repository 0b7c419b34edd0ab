"""What a measure is: a name, and a function that scores one case."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from llama_index_medqa.evaluation.answers import Answer
from llama_index_medqa.evaluation.cases import EvaluationCase
from llama_index_medqa.evaluation.score import Score

Unit = Literal["share", "seconds", "tokens"]


@dataclass(frozen=True)
class Measure:
    """A measure of answers.

    Attributes:
        name: such as ``nDCG@10``.
        function: the score of one case.
        unit: ``share`` is a number from 0 to 1.
        higher_is_better: whether more is better.
        repeatable: whether two runs of the same system give the same; times do not.
    """

    name: str
    function: Callable[[EvaluationCase, Answer], Score]
    unit: Unit = "share"
    higher_is_better: bool = True
    repeatable: bool = True

    def __str__(self) -> str:
        return self.name

    def score(self, case: EvaluationCase, answer: Answer) -> Score:
        """The score of one case."""
        return self.function(case, answer)
