"""Ties every sentence of an answer to the words of a record that support it, checked by code."""

import asyncio
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from llama_index.core.base.embeddings.base import BaseEmbedding

from llama_index_medqa.answer_sentences import AnswerSentence, Citation, Finding, Verdict
from llama_index_medqa.evidence import EvidenceSentence, Passage, content_words, numbers

__all__ = ["AnswerSentence", "Attributor", "Citation", "Finding", "Verdict", "attribute"]

# What a model writes as its own citation. It is removed and never trusted.
_MARK = re.compile(r"\s*[\[(]\s*PMID:?\s*\d+(?:\s*[,;]\s*(?:PMID:?\s*)?\d+)*\s*[\])]", re.IGNORECASE)
_LIST_MARKER = re.compile(r"^\s*(?:[-*•]|\d{1,2}[.)])\s+")
_MOST_CITATIONS = 3
_NEGATION = re.compile(
    r"\b(?:no|not|nor|none|never|neither|without|cannot|lack(?:s|ed|ing)?|fail(?:s|ed|ing)?)\b|n't\b"
)
_UPWARDS = re.compile(
    r"\b(?:increas|higher|greater|more|rais|rise|rose|elevat|improv|gain|longer|better)", re.IGNORECASE
)
_DOWNWARDS = re.compile(
    r"\b(?:decreas|lower|fewer|less|reduc|declin|fell|drop|worsen|loss|shorter|worse)", re.IGNORECASE
)
_HEDGE = re.compile(
    r"\b(?:may|might|could|possibl[ey]|potential(?:ly)?|suggest(?:s|ed|ing)?|appear(?:s|ed)?|seem(?:s|ed)?|likely|unclear"
    r"|unknown|hypothesi[sz]\w*)\b",
    re.IGNORECASE,
)
# A sentence may lean on the title for what the text calls "it" or by an abbreviation, but not stand on it.
_TITLE_WEIGHT = 0.5
_WORTH_ANOTHER_SENTENCE = 0.15
# Another paper is cited beside the best one when it supports the sentence nearly as well.
_NEARLY = 0.1


class Attributor:
    """Ties sentences to the texts that support them.

    Args:
        embed_model: compares sentences by meaning beside words; None compares words alone.
        threshold: least support of a supported sentence, 0 to 1.
    """

    def __init__(self, embed_model: BaseEmbedding | None = None, threshold: float = 0.7) -> None:
        self._embed_model = embed_model
        self.threshold = threshold

    def attribute(self, sentence: str, passages: Sequence[Passage]) -> AnswerSentence:
        """Judges one sentence of an answer; its citation marks and list marker are taken off.

        Args:
            sentence: as the model wrote it.
            passages: the evidence.
        """
        return self.attribute_all([sentence], passages)[0]

    def attribute_all(self, sentences: Sequence[str], passages: Sequence[Passage]) -> list[AnswerSentence]:
        """Judges the sentences of an answer, in order."""
        return [attribute(sentence, passages, self.threshold) for sentence in sentences]

    async def aattribute_all(self, sentences: Sequence[str], passages: Sequence[Passage]) -> list[AnswerSentence]:
        """As :meth:`attribute_all`, without blocking the event loop."""
        return await asyncio.to_thread(self.attribute_all, sentences, passages)


def attribute(sentence: str, passages: Sequence[Passage], threshold: float) -> AnswerSentence:
    """Finds the text that supports a sentence.

    A text is one sentence of a passage, or two that follow one another; titles, questions and statements of purpose
    are none. It supports the sentence when it holds at least the share ``threshold`` of its meaningful words (a word
    that only the paper's title holds counts half) and all of its numbers, agrees with it on whether something is
    negated, does not say "lower" where the sentence says "higher", and does not say "may" where it is certain.

    Args:
        sentence: one sentence of an answer; citation marks and list markers are taken off.
        passages: the evidence.
        threshold: least support, 0 to 1.
    """
    text = _LIST_MARKER.sub("", _MARK.sub("", sentence)).strip()
    words, figures = content_words(text), numbers(text)
    best: dict[str, tuple[float, Citation]] = {}
    for passage in passages:
        title_words = content_words(passage.title)
        for part in _candidates(passage.sentences):
            quote = passage.text[part[0].start - passage.start : part[-1].end - passage.start]
            nearest = max(part, key=lambda sentence: len(words & content_words(sentence.text)))
            if not figures <= numbers(quote) or _opposed(text, nearest.text):
                continue
            in_quote = words & content_words(quote)
            in_title = (words - in_quote) & title_words
            support = (len(in_quote) + _TITLE_WEIGHT * len(in_title)) / max(len(words), 1)
            # One sentence is yielded before two, and two must be worth reading more.
            needed = best.get(passage.document_id, (0.0,))[0] + (_WORTH_ANOTHER_SENTENCE if len(part) > 1 else 0.0)
            if support > needed:
                citation = Citation(
                    passage.document_id, passage.pmid, passage.title, part[0].start, part[-1].end, quote
                )
                best[passage.document_id] = (support, citation)
    ranked = sorted(best.values(), key=lambda found: -found[0])
    top = ranked[0][0] if ranked else 0.0
    citations = [citation for support, citation in ranked if support >= max(threshold, top - _NEARLY)]
    if not citations:
        return AnswerSentence(text, "unsupported", top, findings=(Finding("word_overlap", "no text says it"),))
    return AnswerSentence(text, "supported", top, tuple(citations[:_MOST_CITATIONS]))


def _candidates(sentences: Sequence[EvidenceSentence]) -> Iterator[tuple[EvidenceSentence, ...]]:
    stating = [sentence for sentence in sentences if sentence.states_something]
    yield from ((sentence,) for sentence in stating)
    yield from ((first, second) for first, second in pairwise(sentences) if first in stating and second in stating)


def _opposed(sentence: str, quote: str) -> bool:
    """Whether a text says the contrary, as far as single words tell, or says less surely what a sentence says."""
    if bool(_NEGATION.search(sentence.lower())) != bool(_NEGATION.search(quote.lower())):
        return True
    if _HEDGE.search(quote) and not _HEDGE.search(sentence):
        return True
    up, down = bool(_UPWARDS.search(sentence)), bool(_DOWNWARDS.search(sentence))
    quote_up, quote_down = bool(_UPWARDS.search(quote)), bool(_DOWNWARDS.search(quote))
    return (up and not down and quote_down and not quote_up) or (down and not up and quote_up and not quote_down)
