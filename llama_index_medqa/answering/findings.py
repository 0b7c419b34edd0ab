"""The findings that come nearest to a question, quoted from the papers: for when no answer could be verified."""

from collections.abc import Sequence
from typing import NamedTuple

from llama_index_medqa.answering.questions.keywords import held_share, named_share, question_weights, spelled_out
from llama_index_medqa.text.anaphora import leans_back
from llama_index_medqa.text.injection.directives import is_directive
from llama_index_medqa.text.term_weights import shared_part, terms
from llama_index_medqa.verification.model_citations import cite
from llama_index_medqa.verification.passages import EvidenceSentence, Passage
from llama_index_medqa.verification.rhetorical_roles import describes_method, draws_conclusion
from llama_index_medqa.verification.verdicts import Citation

MOST_PAPERS = 5
MOST_QUOTES_OF_A_PAPER = 2
# Chosen by judgement, and looked at on SciFact's rationales.
_RANK_SHARE = 0.2
_METHOD_FACTOR = 0.5
_CONCLUSION_FACTOR = 1.2
# What is quoted must hold this share of the question, and its record this share of the question's rare names.
_LEAST_SHARE = 0.45
_LEAST_NAMED = 0.5
# And it must be at least so relevant, beside the best; a second quote of a paper more so.
_LEAST_OF_BEST = 0.5
_LEAST_OF_BEST_FOR_SECOND = 0.75
# Sentences that share this part of their words say the same.
_SAME = 0.75
_LEAST_WORDS = 4


class _Quote(NamedTuple):
    """What may be quoted: a sentence, with the one before it where it leans on that."""

    passage: Passage
    sentences: tuple[EvidenceSentence, ...]
    relevance: float

    @property
    def text(self) -> str:
        return " ".join(sentence.text for sentence in self.sentences)


def relevant_findings(
    question: str,
    passages: Sequence[Passage],
    *,
    most_papers: int = MOST_PAPERS,
    most_quotes: int = MOST_QUOTES_OF_A_PAPER,
) -> list[Citation]:
    """Return quotes that speak of a question: the most relevant paper first, its quotes in the order of the paper.

    A sentence counts by the share of the question's words that it holds, each by its rarity, those of its title by
    half; the earlier its paper was found, the more. Conclusions count more than others, methods less; titles,
    questions, aims and orders to the reader are never quoted, nor is anything of a paper that lacks most rare names of
    the question. Of sentences that say the same one is quoted.

    Args:
        question: what was asked.
        passages: what was retrieved, the best paper first.
        most_papers: that are quoted.
        most_quotes: of one paper.
    """
    candidates = sorted(_candidates(question, passages), key=lambda quote: -quote.relevance)
    best = candidates[0].relevance if candidates else 0.0
    chosen: dict[str, list[_Quote]] = {}
    for quote in candidates:
        own = chosen.get(quote.passage.document_id, [])
        if len(own) >= most_quotes or (not own and len(chosen) >= most_papers):
            continue
        least = _LEAST_OF_BEST_FOR_SECOND if own else _LEAST_OF_BEST
        if quote.relevance < least * best or any(_same(quote, other) for some in chosen.values() for other in some):
            continue
        chosen.setdefault(quote.passage.document_id, []).append(quote)
    return [
        cite(quote.passage, quote.sentences[0].start, quote.sentences[-1].end)
        for quotes in chosen.values()
        for quote in sorted(quotes, key=lambda quote: quote.sentences[0].start)
    ]


def _candidates(question: str, passages: Sequence[Passage]) -> list[_Quote]:
    weights = question_weights(question)
    documents = list(dict.fromkeys(passage.document_id for passage in passages))
    quotes = []
    for passage in passages:
        record = passage.with_title
        named = named_share(question, record)
        if named is not None and named < _LEAST_NAMED:
            continue
        rank = 1 - documents.index(passage.document_id) / len(documents)
        for position, sentence in enumerate(passage.sentences):
            sentences = _understandable(passage.sentences, position)
            words = spelled_out(sentence.text, record)
            if not sentences or weights.keys().isdisjoint(terms(words)):
                continue
            share = held_share(weights, words, passage.title)
            if share >= _LEAST_SHARE:
                relevance = (share + _RANK_SHARE * rank) * _role_factor(sentence.text)
                quotes.append(_Quote(passage, sentences, relevance))
    return quotes


def _understandable(sentences: Sequence[EvidenceSentence], position: int) -> tuple[EvidenceSentence, ...]:
    """Return a sentence, with the one before it where it leans on that; nothing where it cannot be quoted."""
    sentence = sentences[position]
    if not _is_quotable(sentence):
        return ()
    if not leans_back(sentence.text):
        return (sentence,)
    before = sentences[position - 1] if position else None
    if before is None or not _is_quotable(before) or leans_back(before.text):
        return ()
    return (before, sentence)


def _is_quotable(sentence: EvidenceSentence) -> bool:
    return (
        sentence.complete
        and sentence.states_something
        and len(sentence.text.split()) >= _LEAST_WORDS
        and not is_directive(sentence.text)
    )


def _role_factor(text: str) -> float:
    if draws_conclusion(text):
        return _CONCLUSION_FACTOR
    return _METHOD_FACTOR if describes_method(text) else 1.0


def _same(one: _Quote, other: _Quote) -> bool:
    if one.passage == other.passage and set(one.sentences) & set(other.sentences):
        return True
    return shared_part(terms(one.text), terms(other.text)) >= _SAME
