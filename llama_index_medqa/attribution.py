"""Ties every sentence of an answer to the words of a record that support it, checked by code."""

import asyncio
import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

from llama_index.core.base.embeddings.base import BaseEmbedding

from llama_index_medqa.conduct import sets_out
from llama_index_medqa.sentence_vectors import SentenceVectors
from llama_index_medqa.support_checks import ALL_CHECKS, CONTRARY, Claim, Place, check
from llama_index_medqa.text.term_weights import idf as weight
from llama_index_medqa.text.term_weights import terms
from llama_index_medqa.verification.citation_marks import MarkedSentence, find_quote, take_apart
from llama_index_medqa.verification.passages import EvidenceSentence, Passage
from llama_index_medqa.verification.verdicts import AnswerSentence, Citation, Finding, FindingKind, Verdict

__all__ = ["AnswerSentence", "Attributor", "Citation", "Finding", "Verdict"]

_MOST_CITATIONS = 3
# A sentence may lean on the title for what the text calls "it" or by an abbreviation, but not stand on it.
_TITLE_WEIGHT = 0.5
# Two sentences must say this much more of the words than one, to be worth reading more.
_COST_OF_ANOTHER_SENTENCE = 0.1
# Another paper is cited beside the best one when it supports the sentence nearly as well.
_NEARLY = 0.1
# A text that agrees counts for nothing where another of the same record is nearer by this much and says the contrary.
_NEARER = 0.05
# An answer in the question's own words is near to whatever was found by those words: its text must be nearer, and tell
# what was found. Chosen on questions of BioASQ and PubMedQA apart from those that answers are measured on
# (``benchmarks/yes_answers.py``).
_RESTATED_THRESHOLD = 0.75
# Share of a sentence's words, each weighed by its rarity, that may be its own in such an answer.
_OWN_WORDS = 0.1
# The parts of a record that agree best in words and meaning; only these are checked.
_CHECKED = 6


class _Scale(NamedTuple):
    """A logistic regression of "supported" on words, meaning and findings, and where its two lines are drawn.

    Fitted on SciFact's training claims by ``python -m benchmarks.attribution_labels --fit``.
    """

    bias: float
    words: float
    meaning: float
    threshold: float
    contrary_threshold: float


_BY_WORDS = _Scale(bias=-2.1, words=4.2, meaning=0.0, threshold=0.55, contrary_threshold=0.55)
_BY_WORDS_AND_MEANING = _Scale(bias=-11.4, words=3.3, meaning=11.1, threshold=0.55, contrary_threshold=0.55)
# What a finding takes from the logit; of the same regression. Doubt in a text told labels nothing.
_COSTS: dict[FindingKind, float] = {
    "number": 0.65,
    "unit": 0.65,
    "negation": 4.8,
    "direction": 2.8,
    "certainty": 0.0,
    "entity": 0.4,
    "conduct": 1.0,
}


def _share(logit: float) -> float:
    return 1.0 / (1.0 + math.exp(-logit))


@dataclass(frozen=True)
class Alignment:
    """How near a text of one or two sentences is to a claim, and what the checks found.

    Attributes:
        passage: where the text stands.
        part: its sentences.
        words: share of the claim's words that it holds, each weighed by its rarity, 0 to 1.
        meaning: cosine of the two; 0 without an embedder.
        logit: both on the scale of the regression.
        findings: what keeps the text from supporting the claim.
    """

    passage: Passage
    part: tuple[EvidenceSentence, ...]
    words: float
    meaning: float
    logit: float
    findings: tuple[Finding, ...] = ()

    @property
    def nearness(self) -> float:
        """How near the text is, 0 to 1, whatever the checks say."""
        return _share(self.logit)

    @property
    def support(self) -> float:
        """Nearness, less what the findings take from it, 0 to 1."""
        return _share(self.logit - sum(_COSTS[kind] for kind in {finding.kind for finding in self.findings}))

    @property
    def contrary(self) -> bool:
        """Whether the text says the contrary."""
        return any(finding.kind in CONTRARY for finding in self.findings)

    @property
    def citation(self) -> Citation:
        """The text, to be cited."""
        return _citation(self.passage, self.part[0].start, self.part[-1].end)


def _citation(passage: Passage, start: int, end: int) -> Citation:
    quote = passage.text[start - passage.start : end - passage.start]
    return Citation(passage.document_id, passage.pmid, passage.title, start, end, quote)


class Attributor:
    """Ties sentences to the texts that support them.

    A text is one sentence of a passage, or two that follow one another; titles, questions, statements of purpose
    and orders to the reader are none. How near it is to a sentence is told by its words, each weighed by how rare
    it is in PubMed, and by the cosine of the two where there is an embedder. It supports the sentence when it is
    near enough and no check finds anything: every number is there with its unit, nothing is denied or turned round,
    no doubt is left out, no name (drug, disease, gene) is missing near it, and it does not merely tell what was
    measured. What the model itself cites or quotes is checked like everything else.

    Args:
        embed_model: compares sentences by meaning beside words, such as the index's own; None compares words alone.
        threshold: least nearness of a supporting text, 0 to 1. None takes what was chosen on labelled claims.
        checks: kinds of findings to look for.
    """

    def __init__(
        self,
        embed_model: BaseEmbedding | None = None,
        threshold: float | None = None,
        checks: Collection[FindingKind] = ALL_CHECKS,
    ) -> None:
        self._vectors = SentenceVectors(embed_model) if embed_model else None
        self._scale = _BY_WORDS_AND_MEANING if embed_model else _BY_WORDS
        self.threshold = self._scale.threshold if threshold is None else threshold
        self._checks = checks

    def attribute(self, sentence: str, passages: Sequence[Passage], question: str = "") -> AnswerSentence:
        """Judges one sentence of an answer; its citation marks and list marker are taken off.

        Args:
            sentence: as the model wrote it.
            passages: the evidence.
            question: what was asked. A sentence that only says it again, such as "Yes, A prevents B.", needs a nearer
                text than others, and none that stands before the aim of a study.
        """
        return self.attribute_all([sentence], passages, question)[0]

    def attribute_all(
        self, sentences: Sequence[str], passages: Sequence[Passage], question: str = ""
    ) -> list[AnswerSentence]:
        """Judges the sentences of an answer, in order; all are embedded at once."""
        marked = [take_apart(sentence) for sentence in sentences]
        self._embed([sentence.text for sentence in marked], passages)
        return [self._judge(sentence, passages, question) for sentence in marked]

    async def aattribute_all(
        self, sentences: Sequence[str], passages: Sequence[Passage], question: str = ""
    ) -> list[AnswerSentence]:
        """As :meth:`attribute_all`, without blocking the event loop."""
        return await asyncio.to_thread(self.attribute_all, sentences, passages, question)

    def align(self, sentence: str, passages: Sequence[Passage]) -> list[Alignment]:
        """The texts that are nearest to a sentence, checked.

        Of each record the one that supports it best, the best of those against which nothing was found, and the best
        of those that say the contrary; the best of all first.

        Args:
            sentence: without citation marks.
            passages: the evidence.
        """
        by_document: dict[str, list[Alignment]] = {}
        for item in self.candidates(sentence, passages):
            by_document.setdefault(item.passage.document_id, []).append(item)
        chosen: dict[Alignment, None] = {}
        for found in by_document.values():
            clean = [item for item in found if not item.findings]
            contrary = [item for item in found if item.contrary]
            for group in (found, clean, contrary):
                if group:
                    chosen[max(group, key=lambda item: item.support)] = None
        return sorted(chosen, key=lambda item: -item.support)

    def candidates(self, sentence: str, passages: Sequence[Passage]) -> list[Alignment]:
        """The texts of each passage that are nearest to a sentence, checked, in no order.

        Args:
            sentence: without citation marks.
            passages: the evidence.
        """
        claim = Claim.of(sentence)
        return [item for passage in passages for item in self._checked(claim, passage)]

    def candidates_of_all(self, sentences: Sequence[str], passages: Sequence[Passage]) -> list[list[Alignment]]:
        """As :meth:`candidates` for several sentences; all are embedded at once."""
        self._embed(sentences, passages)
        return [self.candidates(sentence, passages) for sentence in sentences]

    def _embed(self, texts: Sequence[str], passages: Sequence[Passage]) -> None:
        if self._vectors:
            stating = [item.text for passage in passages for item in passage.sentences if item.states_something]
            self._vectors.of([*texts, *stating])

    def _checked(self, claim: Claim, passage: Passage) -> Iterator[Alignment]:
        """The parts of a passage that are nearest to a claim."""
        aligned = sorted(self._aligned(claim, passage), key=lambda item: -item.nearness)
        for item in aligned[:_CHECKED]:
            yield replace(item, findings=check(claim, _place(claim, item), self._checks))

    def _aligned(self, claim: Claim, passage: Passage) -> Iterator[Alignment]:
        total = sum(map(weight, claim.terms))
        if not total:
            return
        in_title = claim.terms & terms(passage.title)
        cosines = self._cosines(claim.text, passage)
        for part in _parts(passage.sentences):
            there = frozenset[str]().union(*(terms(item.text) for item in part))
            found = sum(map(weight, claim.terms & there))
            found += min(found, _TITLE_WEIGHT * sum(map(weight, in_title - there)))
            words = found / total - (_COST_OF_ANOTHER_SENTENCE if len(part) > 1 else 0.0)
            meaning = max(cosines.get(item.text, 0.0) for item in part)
            logit = self._scale.bias + self._scale.words * words + self._scale.meaning * meaning
            yield Alignment(passage, part, words, meaning, logit)

    def _cosines(self, text: str, passage: Passage) -> dict[str, float]:
        stating = [item.text for item in passage.sentences if item.states_something]
        if not (self._vectors and stating):
            return {}
        vectors = self._vectors.of([text, *stating])
        return dict(zip(stating, map(float, vectors[1:] @ vectors[0]), strict=True))

    def _judge(self, sentence: MarkedSentence, passages: Sequence[Passage], question: str) -> AnswerSentence:
        restated = bool(question) and _restates(sentence.text, question)
        needed = max(self.threshold, _RESTATED_THRESHOLD) if restated else self.threshold
        aligned = self.align(sentence.text, passages)
        if restated:
            aligned = [item for item in aligned if not _told_before_the_aim(item)]
        quoted = {passage.document_id: _quotations(sentence, passage.document_id, passages) for passage in passages}
        supporting = [
            item for item in self._supporting(aligned, needed) if quoted[item.passage.document_id] is not None
        ]
        documents = {item.passage.document_id for item in supporting}
        opposing = tuple(
            item.citation
            for item in sorted(aligned, key=lambda item: -item.nearness)
            if item.contrary
            and item.nearness >= self._scale.contrary_threshold
            and item.passage.document_id not in documents
        )
        marks = tuple(_mark_findings(sentence, documents, {passage.document_id for passage in passages}))
        support = aligned[0].support if aligned else 0.0
        if supporting:
            chosen = _to_cite(supporting, sentence.claimed)
            citations = [item.citation for item in chosen]
            quotations = [extra for item in chosen for extra in quoted[item.passage.document_id] or ()]
            citations += [extra for extra in quotations if not any(_holds(citation, extra) for citation in citations)]
            return AnswerSentence(sentence.text, "supported", support, tuple(citations), opposing, marks)
        reasons = tuple(_reasons(sentence, aligned, quoted, needed))
        verdict: Verdict = "contradicted" if opposing else "unsupported"
        return AnswerSentence(sentence.text, verdict, support, (), opposing, (*reasons, *marks))

    def _supporting(self, aligned: Sequence[Alignment], needed: float) -> list[Alignment]:
        nearest_contrary: dict[str, float] = {}
        for item in aligned:
            if item.contrary:
                nearest_contrary[item.passage.document_id] = item.nearness
        return [
            item
            for item in aligned
            if not item.findings
            and item.nearness >= needed
            and item.nearness >= nearest_contrary.get(item.passage.document_id, 0.0) - _NEARER
        ]


def _restates(text: str, question: str) -> bool:
    """Whether a sentence says in the question's words what was asked: "Yes, A prevents B."."""
    own = sum(map(weight, terms(text) - terms(question)))
    return own <= _OWN_WORDS * sum(map(weight, terms(text)))


def _told_before_the_aim(item: Alignment) -> bool:
    """Whether a text stands before what the study set out to find, and so does not tell what it found."""
    sentences = item.passage.sentences
    return any(sets_out(sentence.text) for sentence in sentences[sentences.index(item.part[-1]) + 1 :])


def _parts(sentences: Sequence[EvidenceSentence]) -> Iterator[tuple[EvidenceSentence, ...]]:
    stating = {sentence for sentence in sentences if sentence.states_something}
    yield from ((sentence,) for sentence in sentences if sentence in stating)
    yield from ((first, second) for first, second in pairwise(sentences) if first in stating and second in stating)


def _place(claim: Claim, item: Alignment) -> Place:
    sentences = item.passage.sentences
    first, last = sentences.index(item.part[0]), sentences.index(item.part[-1])
    near = sentences[max(0, first - 1) : last + 2]
    around = " ".join(sentence.text for sentence in near if not sentence.steered)
    return Place(
        text=" ".join(sentence.text for sentence in item.part),
        nearest=max(item.part, key=lambda sentence: len(claim.terms & terms(sentence.text))).text,
        around=f"{item.passage.title} {around}",
        record=item.passage.text,
    )


def _quotations(sentence: MarkedSentence, document_id: str, passages: Sequence[Passage]) -> tuple[Citation, ...] | None:
    """Where a record holds a sentence's quotations word for word; None where it lacks one."""
    found = []
    for quote in sentence.quotes:
        places = (
            (passage, span)
            for passage in passages
            if passage.document_id == document_id and (span := find_quote(quote, passage.text))
        )
        place = next(places, None)
        if place is None:
            return None
        passage, (start, end) = place
        found.append(_citation(passage, passage.start + start, passage.start + end))
    return tuple(found)


def _holds(citation: Citation, quotation: Citation) -> bool:
    return (
        citation.document_id == quotation.document_id
        and citation.start <= quotation.start
        and quotation.end <= citation.end
    )


def _to_cite(supporting: Sequence[Alignment], claimed: Sequence[str]) -> list[Alignment]:
    """The best texts, and those nearly as good; one that the model named and that holds comes before others."""
    least = supporting[0].support - _NEARLY
    chosen = [item for item in supporting if item.support >= least or item.passage.document_id in claimed]
    chosen.sort(key=lambda item: item.passage.document_id not in claimed)
    return sorted(chosen[:_MOST_CITATIONS], key=lambda item: -item.support)


def _mark_findings(sentence: MarkedSentence, supporting: set[str], retrieved: set[str]) -> Iterator[Finding]:
    for mark in sentence.claimed:
        if mark not in retrieved:
            yield Finding("unknown_mark", f"{mark} was not retrieved")
        elif mark not in supporting:
            yield Finding("wrong_mark", f"{mark} does not say this")


def _reasons(
    sentence: MarkedSentence,
    aligned: Sequence[Alignment],
    quoted: dict[str, tuple[Citation, ...] | None],
    threshold: float,
) -> Iterator[Finding]:
    """Why nothing supports a sentence."""
    if sentence.quotes and all(found is None for found in quoted.values()):
        yield Finding("quote", "no record holds the words in quotation marks")
    elif sentence.quotes and aligned and quoted[aligned[0].passage.document_id] is None:
        yield Finding("quote", "the nearest record does not hold the words in quotation marks")
    if not aligned or aligned[0].nearness < threshold:
        yield Finding("word_overlap", "no text is near enough")
    if aligned:
        contrary = next((item for item in aligned if item.contrary), aligned[0])
        yield from dict.fromkeys((*aligned[0].findings, *contrary.findings))
