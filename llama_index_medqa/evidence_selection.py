"""Which sentences of the retrieved records a model is shown: those that speak of the question, within a budget."""

import re
from collections.abc import Collection, Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.utils import get_tokenizer

from llama_index_medqa.question_words import question_weights
from llama_index_medqa.text.words import content_words
from llama_index_medqa.verification.passages import EvidenceSentence, Passage

# How much a sentence gains that ends its record, where the conclusions are, and that stands in the best record. Chosen
# by judgement, not fitted; benchmarks/evidence_selection.py tells what comes of them.
_CONCLUSION = 0.15
_BEST_RECORD = 0.3
# A sentence that only follows from the one before is shown with it.
_LEANS_BACK = re.compile(
    r"(?:it|its|they|their|these|this|those|that|both|however|moreover|furthermore|similarly|conversely|in contrast|"
    r"in addition|the (?:former|latter))\b",
    re.IGNORECASE,
)


class _Unit(NamedTuple):
    """A sentence that may be shown, with the one before it that it needs."""

    passage: int
    sentences: tuple[EvidenceSentence, ...]
    score: float


class EvidenceSelector:
    """Chooses sentences of passages for a question.

    A sentence counts by the share of the question's meaningful words that it holds and, where there is an embedder, by
    its likeness to the question among the retrieved sentences. What ends a record and what stands in the records that
    were found first gains. A sentence that leans on the one before ("It also …") brings that one along.

    Args:
        embed_model: measures likeness of meaning; None goes by words alone.
    """

    def __init__(self, embed_model: BaseEmbedding | None = None) -> None:
        self._embed_model = embed_model

    def select(self, question: str, passages: Sequence[Passage], most_tokens: int) -> list[Passage]:
        """The best sentences that fit, as stretches of their records in the order of the records.

        Args:
            question: what is asked.
            passages: the evidence, the best record first.
            most_tokens: of what :func:`as_context` makes of the result, counted with LlamaIndex's global tokenizer.
        """
        kept: dict[int, set[EvidenceSentence]] = {}
        headed: set[str] = set()
        left = most_tokens
        for unit in self._units(question, passages):
            passage = passages[unit.passage]
            new = [sentence for sentence in unit.sentences if sentence not in kept.get(unit.passage, ())]
            heading = [] if passage.document_id in headed else [f"[{passage.document_id}] {passage.title}\n\n"]
            cost = token_count(" ".join([*heading, *(sentence.text for sentence in new)]))
            if cost <= left:
                left -= cost
                headed.add(passage.document_id)
                kept.setdefault(unit.passage, set()).update(new)
        return [part for number, passage in enumerate(passages) for part in stretches(passage, kept.get(number, ()))]

    def _units(self, question: str, passages: Sequence[Passage]) -> list[_Unit]:
        """What may be shown, the best first."""
        candidates = [
            (number, position) for number, passage in enumerate(passages) for position in _showable(passage.sentences)
        ]
        texts = [passages[number].sentences[position].text for number, position in candidates]
        scores = self._relevance(question, texts)
        documents = list(dict.fromkeys(passage.document_id for passage in passages))
        units = []
        for (number, position), score in zip(candidates, scores, strict=True):
            passage = passages[number]
            share = 1 - documents.index(passage.document_id) / len(documents)
            is_last = position == len(passage.sentences) - 1
            gain = _BEST_RECORD * share + (_CONCLUSION if is_last else 0.0)
            units.append(_Unit(number, _with_context(passage.sentences, position), score + gain))
        return sorted(units, key=lambda unit: -unit.score)

    def _relevance(self, question: str, texts: Sequence[str]) -> list[float]:
        """Of each sentence, 0 to 1 by words, and 0 to 1 more by meaning."""
        weights = question_weights(question)
        total = sum(weights.values()) or 1.0
        by_words = [sum(weights.get(word, 0.0) for word in content_words(text)) / total for text in texts]
        if self._embed_model is None or not texts:
            return by_words
        asked = np.asarray(self._embed_model.get_query_embedding(question))
        cosines = np.asarray(self._embed_model.get_text_embedding_batch(list(texts))) @ asked
        # Cosines of one embedder lie close together; what tells is which are high among them.
        spread = float(np.ptp(cosines)) or 1.0
        return [
            words + float(likeness)
            for words, likeness in zip(by_words, (cosines - cosines.min()) / spread, strict=True)
        ]


def stretches(passage: Passage, kept: Collection[EvidenceSentence]) -> list[Passage]:
    """The parts of a passage that consist of the kept sentences, in order; each a stretch of the record itself."""
    runs = groupby(passage.sentences, key=lambda sentence: sentence in kept)
    parts = []
    for is_kept, run in runs:
        sentences = tuple(run)
        if is_kept:
            start, end = sentences[0].start, sentences[-1].end
            text = passage.text[start - passage.start : end - passage.start]
            parts.append(Passage(passage.document_id, passage.title, text, start, sentences))
    return parts


def as_context(passages: Sequence[Passage]) -> str:
    """The evidence as a model is shown it: a block a record, headed by its identifier and title, gaps as "…"."""
    blocks = []
    for (document_id, title), parts in groupby(passages, key=lambda passage: (passage.document_id, passage.title)):
        lines = [" ".join(part.text.split()) for part in parts]
        blocks.append(f"[{document_id}] {title}\n{' … '.join(lines)}".rstrip())
    return "\n\n".join(blocks)


def token_count(text: str) -> int:
    """Tokens of a text by LlamaIndex's global tokenizer."""
    return len(get_tokenizer()(text))


def _showable(sentences: Sequence[EvidenceSentence]) -> list[int]:
    """Positions of the sentences worth showing: whole ones that state something, where there are any."""
    body = [position for position, sentence in enumerate(sentences) if not sentence.in_title]
    whole = [position for position in body if sentences[position].complete]
    return [position for position in whole if sentences[position].states_something] or whole or body


def _with_context(sentences: Sequence[EvidenceSentence], position: int) -> tuple[EvidenceSentence, ...]:
    sentence = sentences[position]
    before = sentences[position - 1] if position else None
    if before is not None and not before.in_title and _LEANS_BACK.match(sentence.text):
        return (before, sentence)
    return (sentence,)
