"""Whether what was retrieved speaks of what was asked, told before any model is asked."""

from collections.abc import Sequence

from llama_index.core.schema import NodeWithScore

from llama_index_medqa.evidence import Passage, content_words, passages_of
from llama_index_medqa.question_words import question_weights


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


class AnswerabilityGate:
    """Tells how well retrieved chunks meet a question.

    Args:
        threshold: confidence from which on a question is tried, 0 to 1.
    """

    def __init__(self, threshold: float = 0.5) -> None:
        self.threshold = threshold

    def confidence(self, question: str, nodes: Sequence[NodeWithScore]) -> float | None:
        """How well chunks meet a question, 0 to 1; None without chunks."""
        passages = passages_of(nodes)
        return question_coverage(question, passages) if passages else None
