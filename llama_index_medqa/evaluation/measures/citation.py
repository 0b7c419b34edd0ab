"""Measures of citations and of verified sentences."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from llama_index_medqa.errors import InputError


@dataclass(frozen=True)
class CitationMeasure:
    """A measure of cited documents against gold documents.

    Attributes:
        name: such as ``citation precision``.
    """

    name: str
    _formula: Callable[[Collection[str], Collection[str]], float | None]

    def __str__(self) -> str:
        return self.name

    def score(self, cited: Collection[str], gold: Collection[str]) -> float | None:
        """Score one answer from 0 to 1.

        None where it has no score; count those, do not average them.

        Args:
            cited: ids of the papers that the answer cites.
            gold: ids of the papers that hold the answer.

        Raises:
            InputError: no paper holds the answer: such a question has no citations to find.
        """
        if not gold:
            raise InputError(f"{self} needs at least one right paper: leave the question out and count it.")
        return self._formula(set(cited), set(gold))


@dataclass(frozen=True)
class VerdictShare:
    """The share of drafted sentences with one verdict.

    Attributes:
        verdict: ``supported``, ``unsupported`` or ``contradicted``.
    """

    verdict: str

    def __str__(self) -> str:
        return f"{self.verdict} sentences"

    def score(self, verdicts: Sequence[str]) -> float | None:
        """Score one answer from 0 to 1.

        None where no sentence was drafted.
        """
        return sum(verdict == self.verdict for verdict in verdicts) / len(verdicts) if verdicts else None


def _precision(cited: Collection[str], gold: Collection[str]) -> float | None:
    return len(set(cited) & set(gold)) / len(cited) if cited else None


def _recall(cited: Collection[str], gold: Collection[str]) -> float | None:
    return len(set(cited) & set(gold)) / len(gold)


CitationPrecision = CitationMeasure("citation precision", _precision)
"""Share of the cited papers that are right ones; an answer without citations has none."""

CitationRecall = CitationMeasure("citation recall", _recall)
"""Share of the right papers that are cited."""
