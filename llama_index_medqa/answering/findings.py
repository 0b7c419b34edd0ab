"""Quotes of the papers nearest to a question.

They stand in for an answer of which nothing could be verified.
"""

from collections.abc import Sequence
from typing import NamedTuple

from llama_index_medqa.answering.questions.focus import asks_for_results
from llama_index_medqa.answering.questions.keywords import held_share, named_share, question_weights, spelled_out
from llama_index_medqa.answering.quoting import quotable, same
from llama_index_medqa.text.term_weights import terms
from llama_index_medqa.verification.model_citations import cite
from llama_index_medqa.verification.passages import EvidenceSentence, Passage
from llama_index_medqa.verification.rhetorical_roles import (
    describes_method,
    draws_conclusion,
    reports_finding,
    tells_of_study,
)
from llama_index_medqa.verification.role_chances import role_chances
from llama_index_medqa.verification.verdicts import Citation

MOST_PAPERS = 5
MOST_QUOTES_OF_A_PAPER = 2
# Of the nearest paper, where only what a study found can answer.
MOST_RESULTS_OF_A_PAPER = 3
# What is quoted must hold this share of the question.
_LEAST_SHARE = 0.45
# A result seldom repeats what it answers: of a record that holds most of the question, sentences that hold less are
# quoted for a question of yes or no, or a comparison, where they report a finding. Chosen on calibration questions: of
# PubMedQA's that were tried .62 got a quote of their results, where .31 did by words alone.
_LEAST_SHARE_OF_RESULT = 0.1
_LEAST_SHARE_OF_RECORD = 0.6
_FINDING_WEIGHT = 0.8
# Results stand late in an abstract: how much its end counts beside the chance of a finding and the question's words.
# Chosen on training questions of PubMedQA.
_LATE = 0.5
# Chosen by judgement, and looked at on SciFact's rationales.
_RANK_SHARE = 0.2
_METHOD_FACTOR = 0.5
_CONCLUSION_FACTOR = 1.2
# And it must be at least so relevant, beside the best; a second quote of a paper more so.
_LEAST_OF_BEST = 0.5
_LEAST_OF_BEST_FOR_SECOND = 0.75


class _Quote(NamedTuple):
    """A sentence that may be quoted, after the one that it refers to."""

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
    least_share: float | None = None,
) -> list[Citation]:
    """Return quotes on a question, the most relevant paper first.

    The quotes of a paper are in its order. A sentence counts by the share of the question's words that it holds,
    weighted by rarity, those of its title by half; earlier papers and conclusions count more, methods less. Where a
    question asks for yes or no, or compares, the chance counts that a sentence reports a finding, and up to three
    results of the nearest paper come first. Titles, questions, aims and orders to the reader are never quoted, nor
    papers that lack most rare names of the question. Of sentences that say the same one is quoted.

    Args:
        question: what was asked.
        passages: what was retrieved, the best paper first.
        most_papers: that are quoted.
        most_quotes: of one paper.
        least_share: of the question that every quote must hold, 0 to 1; None takes .45, and less of results.
    """
    candidates = sorted(_candidates(question, passages, least_share), key=lambda quote: -quote.relevance)
    best = candidates[0].relevance if candidates else 0.0
    results = _results(question, passages) if least_share is None and asks_for_results(question) else []
    chosen = {results[0].passage.document_id: results} if results else dict[str, list[_Quote]]()
    for quote in candidates:
        own = chosen.get(quote.passage.document_id, [])
        if len(own) >= most_quotes or (not own and len(chosen) >= most_papers):
            continue
        least = _LEAST_OF_BEST_FOR_SECOND if own else _LEAST_OF_BEST
        if quote.relevance < least * best or any(_overlap(quote, other) for some in chosen.values() for other in some):
            continue
        chosen.setdefault(quote.passage.document_id, []).append(quote)
    return [
        cite(quote.passage, quote.sentences[0].start, quote.sentences[-1].end)
        for quotes in chosen.values()
        for quote in sorted(quotes, key=lambda quote: quote.sentences[0].start)
    ]


def _results(question: str, passages: Sequence[Passage]) -> list[_Quote]:
    """Return what the nearest paper on a question most likely found, the likeliest first."""
    weights = question_weights(question)
    on_the_question = _records_on(question, weights, passages)
    ends = {passage.document_id: passage.start + len(passage.text) for passage in passages}
    found: dict[str, list[_Quote]] = {}
    for passage, sentences in quotable(question, passages):
        text = sentences[-1].text
        if passage.document_id not in on_the_question or tells_of_study(text):
            continue
        place = sentences[-1].start / max(ends[passage.document_id], sentences[-1].end)
        share = held_share(weights, spelled_out(text, passage.with_title))
        relevance = role_chances(text).finding + share + _LATE * place
        found.setdefault(passage.document_id, []).append(_Quote(passage, sentences, relevance))
    nearest = next((found[passage.document_id] for passage in passages if passage.document_id in found), [])
    chosen: list[_Quote] = []
    for quote in sorted(nearest, key=lambda quote: -quote.relevance):
        if len(chosen) < MOST_RESULTS_OF_A_PAPER and not any(_overlap(quote, other) for other in chosen):
            chosen.append(quote)
    return chosen


def _candidates(question: str, passages: Sequence[Passage], least_share: float | None) -> list[_Quote]:
    weights = question_weights(question)
    documents = list(dict.fromkeys(passage.document_id for passage in passages))
    wants_results = asks_for_results(question)
    on_the_question = _records_on(question, weights, passages) if wants_results else frozenset[str]()
    quotes = []
    for passage, sentences in quotable(question, passages):
        text = sentences[-1].text
        words = spelled_out(text, passage.with_title)
        if weights.keys().isdisjoint(terms(words)):
            continue
        share = held_share(weights, words, passage.title)
        least = _least_share(passage, text, on_the_question) if least_share is None else least_share
        if share >= least:
            rank = 1 - documents.index(passage.document_id) / len(documents)
            factor = _role_factor(text) * (_finding_factor(text) if wants_results else 1.0)
            quotes.append(_Quote(passage, sentences, (share + _RANK_SHARE * rank) * factor))
    return quotes


def _least_share(passage: Passage, text: str, on_the_question: frozenset[str]) -> float:
    """Return the least share of the question that a quote must hold."""
    answers = passage.document_id in on_the_question and reports_finding(text)
    return _LEAST_SHARE_OF_RESULT if answers else _LEAST_SHARE


def _records_on(question: str, weights: dict[str, float], passages: Sequence[Passage]) -> frozenset[str]:
    """Return the records that hold most of a question, or all its rare names."""
    texts: dict[str, list[str]] = {}
    for passage in passages:
        texts.setdefault(passage.document_id, [passage.title]).append(spelled_out(passage.text, passage.with_title))
    return frozenset(name for name, parts in texts.items() if _is_on(question, weights, " ".join(parts)))


def _is_on(question: str, weights: dict[str, float], text: str) -> bool:
    return held_share(weights, text) >= _LEAST_SHARE_OF_RECORD or named_share(question, text) == 1.0


def _finding_factor(text: str) -> float:
    return 1 + _FINDING_WEIGHT * (2 * role_chances(text).finding - 1)


def _role_factor(text: str) -> float:
    if draws_conclusion(text):
        return _CONCLUSION_FACTOR
    return _METHOD_FACTOR if describes_method(text) else 1.0


def _overlap(one: _Quote, other: _Quote) -> bool:
    if one.passage == other.passage and set(one.sentences) & set(other.sentences):
        return True
    return same(one.text, other.text)
