"""The chance that retrieved chunks can answer a question."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from llama_index.core.schema import NodeWithScore

from llama_index_medqa._common.late_imports import renamed
from llama_index_medqa.answering.questions.keywords import held_share, named_share, question_weights
from llama_index_medqa.errors import InputError
from llama_index_medqa.retrieval.retriever import RetrievedChunk
from llama_index_medqa.verification.passages import Passage, passages_of


@dataclass(frozen=True, slots=True)
class AnswerabilitySignals:
    """Figures on how well retrieved chunks match a question.

    Attributes:
        coverage: share of the question's meaningful words that one record holds, each by its rarity, 0 to 1.
        named: whether the question has rare names and one record has all of them.
        unnamed: share of the question's rare names that the record lacks which has most of them; 0 where the question
            has none.
        cosine: the greatest cosine of question and chunk; None where the retriever does not tell it.
    """

    coverage: float
    named: bool
    unnamed: float
    cosine: float | None


@dataclass(frozen=True, slots=True)
class Calibration:
    """A logistic regression from signals to the chance of an answer.

    Attributes:
        constant: its constant.
        coverage: weight of the coverage.
        unnamed: weight of rare names that no record has.
        cosine: weight of the cosine; 0 goes by words alone.
        threshold: the chance from which on a question is tried; one whose rare names a record has all is always tried.
    """

    constant: float
    coverage: float
    unnamed: float
    cosine: float
    threshold: float


# From benchmarks/results/abstention.json.
BY_WORDS = Calibration(-6.09, 9.844, -1.937, 0.0, 0.5)


class AnswerabilityGate:
    """Estimates the chance that retrieved chunks answer a question.

    Args:
        calibration: from signals to a chance. The default goes by words and names, whatever the embedder; cosines of
            one embedder mean nothing for another, so only a calibration made for yours may weigh them
            (``benchmarks.answering.abstention --meaning``).
        threshold: the chance from which on a question is tried, 0 to 1; None takes the calibration's.

    Raises:
        InputError: the threshold is outside its range.
    """

    def __init__(self, calibration: Calibration = BY_WORDS, threshold: float | None = None) -> None:
        self._calibration = calibration
        self.threshold = calibration.threshold if threshold is None else threshold
        if not 0 <= self.threshold <= 1:
            raise InputError(f"The threshold must lie between 0 and 1, got {threshold}.")

    def confidence(self, question: str, nodes: Sequence[NodeWithScore]) -> float | None:
        """Return the chance that chunks answer a question, 0 to 1.

        It is at least the threshold where they have all rare names of the question.

        None without chunks.
        """
        signals = signals_of(question, nodes)
        if signals is None:
            return None
        calibration = BY_WORDS if signals.cosine is None else self._calibration
        log_odds = (
            calibration.constant
            + calibration.coverage * signals.coverage
            + calibration.unnamed * signals.unnamed
            + calibration.cosine * (signals.cosine or 0.0)
        )
        chance = 1 / (1 + math.exp(-log_odds))
        # Whatever else it asks, a record that names what it is about is worth a try.
        return max(chance, self.threshold) if signals.named else chance


def signals_of(question: str, nodes: Sequence[NodeWithScore]) -> AnswerabilitySignals | None:
    """Return the signals of chunks for a question; None without chunks."""
    passages = passages_of(nodes)
    if not passages:
        return None
    cosines = [item.cosine for item in nodes if isinstance(item, RetrievedChunk) and item.cosine is not None]
    named = [share for text in _records(passages) if (share := named_share(question, text)) is not None]
    best = max(named, default=None)
    return AnswerabilitySignals(
        coverage=question_coverage(question, passages),
        named=best == 1.0,
        unnamed=0.0 if best is None else 1 - best,
        cosine=max(cosines, default=None),
    )


def question_coverage(question: str, passages: Sequence[Passage]) -> float:
    """Return the share of a question that the best record covers, 0 to 1.

    Each word counts by its rarity.
    """
    weights = question_weights(question)
    return max((held_share(weights, text) for text in _records(passages)), default=0.0)


def _records(passages: Sequence[Passage]) -> list[str]:
    """Return the text of each record, its title included."""
    texts: dict[str, list[str]] = {}
    for passage in passages:
        texts.setdefault(passage.document_id, [passage.title]).append(passage.text)
    return ["\n".join(parts) for parts in texts.values()]


__getattr__ = renamed(__name__, {"Signals": "AnswerabilitySignals"})
