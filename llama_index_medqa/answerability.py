"""Whether what was retrieved speaks of what was asked, told before any model is asked."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from llama_index.core.schema import NodeWithScore

from llama_index_medqa.errors import InputError
from llama_index_medqa.question_words import question_weights
from llama_index_medqa.retriever import RetrievedChunk
from llama_index_medqa.text.words import content_words
from llama_index_medqa.verification.passages import Passage, passages_of


@dataclass(frozen=True, slots=True)
class Signals:
    """What is known of how retrieved chunks meet a question.

    Attributes:
        coverage: share of the question's meaningful words that the best record holds, 0 to 1.
        likeness: the greatest cosine of question and chunk; None where the retriever does not tell it.
    """

    coverage: float
    likeness: float | None


@dataclass(frozen=True, slots=True)
class Calibration:
    """A logistic regression from signals to the chance that a question can be answered.

    Attributes:
        constant: its constant.
        coverage: weight of the coverage.
        likeness: weight of the likeness; 0 goes by words alone.
        threshold: the chance from which on a question is tried.
    """

    constant: float
    coverage: float
    likeness: float
    threshold: float


# From benchmarks/results/abstention.json.
BY_WORDS = Calibration(-5.215, 8.31, 0.0, 0.47)
BY_WORDS_AND_E5_SMALL = Calibration(-58.082, 4.374, 62.322, 0.42)
_E5_SMALL = "multilingual-e5-small"


class AnswerabilityGate:
    """Tells how likely it is that a question can be answered from retrieved chunks.

    Args:
        calibration: from signals to a chance. Cosines of one embedder mean nothing for another: without a calibration
            for yours, words alone decide.
        threshold: the chance from which on a question is tried, 0 to 1; None takes the calibration's.

    Raises:
        InputError: the threshold is outside its range.
    """

    def __init__(self, calibration: Calibration = BY_WORDS, threshold: float | None = None) -> None:
        self._calibration = calibration
        self.threshold = calibration.threshold if threshold is None else threshold
        if not 0 <= self.threshold <= 1:
            raise InputError(f"The threshold must lie between 0 and 1, got {threshold}.")

    @classmethod
    def for_embedder(cls, name: str) -> "AnswerabilityGate":
        """The gate that was calibrated for an embedder, by its name; by words alone for an unknown one."""
        return cls(BY_WORDS_AND_E5_SMALL if is_calibrated(name) else BY_WORDS)

    def confidence(self, question: str, nodes: Sequence[NodeWithScore]) -> float | None:
        """The chance that chunks answer a question, 0 to 1; None without chunks."""
        signals = signals_of(question, nodes)
        if signals is None:
            return None
        calibration = BY_WORDS if signals.likeness is None else self._calibration
        likeness = signals.likeness or 0.0
        sum_of = calibration.constant + calibration.coverage * signals.coverage + calibration.likeness * likeness
        return 1 / (1 + math.exp(-sum_of))


def is_calibrated(embedder: str) -> bool:
    """Whether it is known what the cosines of an embedder mean; the weights of the judgements are for this one."""
    return embedder.startswith(_E5_SMALL)


def signals_of(question: str, nodes: Sequence[NodeWithScore]) -> Signals | None:
    """What chunks tell of a question; None without chunks."""
    passages = passages_of(nodes)
    if not passages:
        return None
    cosines = [item.cosine for item in nodes if isinstance(item, RetrievedChunk) and item.cosine is not None]
    return Signals(question_coverage(question, passages), max(cosines, default=None))


def question_coverage(question: str, passages: Sequence[Passage]) -> float:
    """The share of a question that the best retrieved record speaks of, 0 to 1, in meaningful words."""
    weights = question_weights(question)
    total = sum(weights.values())
    by_document: dict[str, set[str]] = {}
    for passage in passages:
        found = by_document.setdefault(passage.document_id, set())
        found |= content_words(passage.title) | content_words(passage.text)
    shares = (
        sum(weight for word, weight in weights.items() if word in found) / total
        for found in by_document.values()
        if total
    )
    return max(shares, default=0.0)
