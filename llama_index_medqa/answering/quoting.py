"""Quotes of records in place of drafted sentences that could not be verified."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from llama_index_medqa.answering.questions.keywords import held_share, lacks_names, question_weights, spelled_out
from llama_index_medqa.text.anaphora import leans_back
from llama_index_medqa.text.injection.directives import is_directive
from llama_index_medqa.text.term_weights import idf_sum, shared_part, terms
from llama_index_medqa.verification.model_citations import cite
from llama_index_medqa.verification.passages import EvidenceSentence, Passage
from llama_index_medqa.verification.verdicts import AnswerSentence, Citation

# What is quoted must hold this share of the question and of the drafted sentence, each word by its rarity.
_LEAST_OF_QUESTION = 0.45
_LEAST_OF_DRAFT = 0.5
_LEAST_WORDS = 4
# Sentences that share this part of their words say the same.
_SAME = 0.75
# A sentence that begins so lost its beginning.
_BROKEN_OFF = re.compile(r"\W*[a-z]+(?![\w-])")


class _QuoteCandidate(NamedTuple):
    """A quote, and the share of the drafted sentence that it holds."""

    passage: Passage
    sentences: tuple[EvidenceSentence, ...]
    share: float


def quoted_instead(question: str, drafted: str, passages: Sequence[Passage]) -> AnswerSentence | None:
    """Return the quote that says most of a drafted sentence.

    It must speak of what is asked and of what was drafted, and be understood by itself, or with the sentence before it.

    Args:
        question: what was asked.
        drafted: a sentence that is not supported.
        passages: the evidence, the best record first.

    Returns:
        A supported sentence in quotation marks; None where no sentence of a record can stand for the drafted one.
    """
    weights, candidates = question_weights(question), list[_QuoteCandidate]()
    for passage, sentences in quotable(question, passages):
        words = spelled_out(" ".join(sentence.text for sentence in sentences), passage.with_title)
        if held_share(weights, words, passage.title) >= _LEAST_OF_QUESTION:
            candidates.append(_QuoteCandidate(passage, sentences, _share_of(drafted, words, passage.title)))
    best = max(candidates, key=lambda candidate: candidate.share, default=None)
    if best is None or best.share < _LEAST_OF_DRAFT:
        return None
    return as_quote(cite(best.passage, best.sentences[0].start, best.sentences[-1].end))


def as_quote(citation: Citation) -> AnswerSentence:
    """Return a span of a record as a sentence in quotation marks."""
    text = f"“{' '.join(citation.quote.split())}”"
    return AnswerSentence(text, "supported", 1.0, (citation,), is_quote=True)


def quotable(question: str, passages: Sequence[Passage]) -> Iterator[tuple[Passage, tuple[EvidenceSentence, ...]]]:
    """Yield the sentences that can be quoted.

    Each follows the one that it refers to. Papers on something else have none.

    Args:
        question: what was asked; a paper that lacks most of its rare names is on something else.
        passages: the evidence.
    """
    for passage in passages:
        if lacks_names(question, passage.with_title):
            continue
        for position in range(len(passage.sentences)):
            if sentences := _understandable(passage.sentences, position):
                yield passage, sentences


def _understandable(sentences: Sequence[EvidenceSentence], position: int) -> tuple[EvidenceSentence, ...]:
    """Return a sentence with the context that it needs.

    The one before it where it refers back; nothing where it cannot be quoted.
    """
    sentence = sentences[position]
    if not _is_quotable(sentence):
        return ()
    if not leans_back(sentence.text):
        return (sentence,)
    before = sentences[position - 1] if position else None
    if before is None or not _is_quotable(before) or leans_back(before.text):
        return ()
    return (before, sentence)


def same(one: str, other: str) -> bool:
    """Return whether two sentences say the same, by their words."""
    return shared_part(terms(one), terms(other)) >= _SAME


def _is_quotable(sentence: EvidenceSentence) -> bool:
    return (
        sentence.complete
        and sentence.states_something
        and len(sentence.text.split()) >= _LEAST_WORDS
        and not _BROKEN_OFF.match(sentence.text)
        and not is_directive(sentence.text)
    )


def _share_of(claim: str, text: str, title: str) -> float:
    """Return the share of a claim's words in a text or its title.

    Each word counts by its rarity.
    """
    wanted, held = terms(claim), terms(text) | terms(title)
    total = idf_sum(wanted)
    return idf_sum(wanted & held) / total if total else 0.0
