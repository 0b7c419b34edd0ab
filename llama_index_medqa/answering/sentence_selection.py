"""Selects the sentences that a model is shown: the most relevant within a budget."""

import math
from collections import Counter
from collections.abc import Collection, Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.utils import get_tokenizer

from llama_index_medqa.answering.questions.focus import aspects_of, tells_of
from llama_index_medqa.answering.questions.keywords import held_shares, question_weights, spelled_out
from llama_index_medqa.text.anaphora import leans_back
from llama_index_medqa.text.term_weights import shared_part, terms
from llama_index_medqa.verification.passages import EvidenceSentence, Passage
from llama_index_medqa.verification.rhetorical_roles import describes_method, draws_conclusion

# What a sentence gains, beside the share of the question that it holds (0 to 1): where its record was found first;
# where it tells of what is asked about the subject; where it concludes; and what it loses where it tells what was done.
# What was said before counts less each time it is said again. Chosen on BioASQ's training questions;
# benchmarks/answering/gold_evidence.py tells what comes of them.
_FIRST_RECORD = 1.0
_HALVED_AFTER_RECORDS = 2
_ASPECT = 0.4
_CONCLUSION = 0.1
_METHOD = 0.2
_SAID_AGAIN = 0.7
_TITLE_SHARE = 0.5
# Two sentences that share this part of their words say the same.
_SAME = 0.8
# Comparing by meaning is what choosing costs: so many of the best by words are compared.
_MOST_COMPARED = 30


class _Unit(NamedTuple):
    """A sentence that may be shown, with the one before it if needed.

    Attributes:
        passage: which one it is of.
        sentences: itself, and before it the one that it needs.
        weights: what of the question it tells, words and aspects, and how much that is worth.
        fixed: what else it is worth, whatever was said before.
    """

    passage: int
    sentences: tuple[EvidenceSentence, ...]
    weights: dict[str, float]
    fixed: float

    @property
    def text(self) -> str:
        return self.sentences[-1].text

    def worth(self, said: Counter[str]) -> float:
        """Return the worth of the unit, given how often its words were said."""
        return self.fixed + math.fsum(value * _SAID_AGAIN ** said[part] for part, value in self.weights.items())


class EvidenceSelector:
    """Selects sentences of passages for a question.

    A sentence counts by the share of the question's words that it holds, each by its rarity, those of its title by
    half; by the rank of its record; by whether it tells of what is asked about the subject (its treatment, its
    symptoms, …); and, where there is an embedder, by its similarity to the question among the others. What was said
    before counts less, so that six definitions do not push out the symptoms that were asked for, and of sentences that
    say the same one is chosen. Conclusions gain, methods lose. A sentence that leans on the one before ("It also …")
    brings that one along.

    Args:
        embed_model: measures similarity of meaning; None goes by words alone.
    """

    def __init__(self, embed_model: BaseEmbedding | None = None) -> None:
        self._embed_model = embed_model

    def select(self, question: str, passages: Sequence[Passage], most_tokens: int) -> list[Passage]:
        """Return the best sentences that fit, in the order of their records.

        Args:
            question: what is asked.
            passages: the evidence, the best record first.
            most_tokens: of what :func:`as_context` makes of the result, counted with LlamaIndex's global tokenizer.
        """
        chosen = _Chosen(passages, most_tokens)
        units = self._with_meaning(question, _units(question, passages))
        while units:
            best = max(range(len(units)), key=lambda number: units[number].worth(chosen.said))
            chosen.take(units.pop(best))
        return [
            part for number, passage in enumerate(passages) for part in stretches(passage, chosen.kept.get(number, ()))
        ]

    def _with_meaning(self, question: str, units: list[_Unit]) -> list[_Unit]:
        """Add the similarity to the question, up to 1, to the best units.

        The others gain nothing.
        """
        units = sorted(units, key=lambda unit: -unit.worth(Counter()))
        if self._embed_model is None or not units:
            return units
        compared = units[:_MOST_COMPARED]
        asked = np.asarray(self._embed_model.get_query_embedding(question))
        vectors = self._embed_model.get_text_embedding_batch([unit.text for unit in compared])
        cosines = np.asarray(vectors) @ asked
        # Cosines of one embedder lie close together; what tells is which are high among them.
        similarity = (cosines - cosines.min()) / (float(np.ptp(cosines)) or 1.0)
        nearer = [
            unit._replace(fixed=unit.fixed + float(gain)) for unit, gain in zip(compared, similarity, strict=True)
        ]
        return [*nearer, *units[_MOST_COMPARED:]]


class _Chosen:
    """The units chosen so far, and the remaining budget.

    Args:
        passages: what is chosen from.
        most_tokens: the room.
    """

    def __init__(self, passages: Sequence[Passage], most_tokens: int) -> None:
        self.kept: dict[int, set[EvidenceSentence]] = {}
        self.said: Counter[str] = Counter()
        self._passages = passages
        self._left = most_tokens
        self._headed: set[str] = set()
        self._words: list[frozenset[str]] = []

    def take(self, unit: _Unit) -> None:
        """Add a unit if it fits and does not repeat another one."""
        passage = self._passages[unit.passage]
        new = [sentence for sentence in unit.sentences if sentence not in self.kept.get(unit.passage, ())]
        if not new or self._says_the_same(terms(unit.text)):
            return
        heading = [] if passage.document_id in self._headed else [f"[{passage.document_id}] {passage.title}\n\n"]
        cost = token_count(" ".join([*heading, *(sentence.text for sentence in new)]))
        if cost > self._left:
            return
        self._left -= cost
        self._headed.add(passage.document_id)
        self.kept.setdefault(unit.passage, set()).update(new)
        self.said.update(unit.weights.keys())
        self._words += [terms(sentence.text) for sentence in new]

    def _says_the_same(self, words: frozenset[str]) -> bool:
        return any(shared_part(words, other) >= _SAME for other in self._words)


def _units(question: str, passages: Sequence[Passage]) -> list[_Unit]:
    """Return the sentences that may be shown."""
    weights, aspects = question_weights(question), aspects_of(question)
    documents = list(dict.fromkeys(passage.document_id for passage in passages))
    units = []
    for number, passage in enumerate(passages):
        from_rank = _FIRST_RECORD / (1 + documents.index(passage.document_id) / _HALVED_AFTER_RECORDS)
        record = passage.with_title
        for position in showable(passage.sentences):
            text = passage.sentences[position].text
            unit_weights = held_shares(weights, spelled_out(text, record), passage.title, _TITLE_SHARE)
            unit_weights |= {f"{aspect} told": _ASPECT / len(aspects) for aspect in aspects if tells_of(text, aspect)}
            sentences = with_context(passage.sentences, position)
            units.append(_Unit(number, sentences, unit_weights, from_rank + _from_role(text)))
    return units


def _from_role(text: str) -> float:
    """Return the gain of a conclusion, or the loss of a method."""
    if draws_conclusion(text):
        return _CONCLUSION
    return -_METHOD if describes_method(text) else 0.0


def merit(question: str, sentence: str) -> float:
    """Return what a sentence gains apart from shared words, -0.2 to 0.5.

    It gains by telling of what is asked about the subject, and by concluding; it loses by telling what was done.
    """
    aspects = aspects_of(question)
    share = sum(tells_of(sentence, aspect) for aspect in aspects) / len(aspects) if aspects else 0.0
    return _ASPECT * share + _from_role(sentence)


def stretches(passage: Passage, kept: Collection[EvidenceSentence]) -> list[Passage]:
    """Return the stretches of a passage that the kept sentences form."""
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
    """Return the evidence as text for a model.

    A block for each record under its identifier and title, gaps as "…".
    """
    blocks = []
    for (document_id, title), parts in groupby(passages, key=lambda passage: (passage.document_id, passage.title)):
        lines = [" ".join(part.text.split()) for part in parts]
        blocks.append(f"[{document_id}] {title}\n{' … '.join(lines)}".rstrip())
    return "\n\n".join(blocks)


def token_count(text: str) -> int:
    """Count the tokens of a text by LlamaIndex's global tokenizer."""
    return len(get_tokenizer()(text))


def showable(sentences: Sequence[EvidenceSentence]) -> list[int]:
    """Return the positions of the sentences worth showing.

    Whole ones that state something, where there are any.

    A sentence that may give orders is never shown.
    """
    body = [position for position, sentence in enumerate(sentences) if not (sentence.in_title or sentence.steered)]
    whole = [position for position in body if sentences[position].complete]
    return [position for position in whole if sentences[position].states_something] or whole or body


def with_context(sentences: Sequence[EvidenceSentence], position: int) -> tuple[EvidenceSentence, ...]:
    """Return a sentence, after the one that it refers to."""
    sentence = sentences[position]
    before = sentences[position - 1] if position else None
    if before is not None and not (before.in_title or before.steered) and leans_back(sentence.text):
        return (before, sentence)
    return (sentence,)
