"""Checks of a model's own citations and quotations against the records."""

from collections.abc import Collection, Iterator, Sequence

from llama_index_medqa.verification.citation_marks import MarkedSentence, find_quote
from llama_index_medqa.verification.passages import Passage
from llama_index_medqa.verification.verdicts import Citation, Finding


def cite(passage: Passage, start: int, end: int) -> Citation:
    """Return a span of a passage as a citation, by the record's positions."""
    quote = passage.text[start - passage.start : end - passage.start]
    return Citation(passage.document_id, passage.pmid, passage.title, start, end, quote)


def quotations(sentence: MarkedSentence, document_id: str, passages: Sequence[Passage]) -> list[Citation] | None:
    """Return where a record holds a sentence's quotations.

    Word for word; None where it lacks one.
    """
    found = []
    for quote in sentence.quotes:
        held = (
            (passage, span)
            for passage in passages
            if passage.document_id == document_id and (span := find_quote(quote, passage.text))
        )
        first = next(held, None)
        if first is None:
            return None
        passage, (start, end) = first
        found.append(cite(passage, passage.start + start, passage.start + end))
    return found


def mark_findings(
    sentence: MarkedSentence, supporting: Collection[str], retrieved: Collection[str]
) -> Iterator[Finding]:
    """Yield the errors in the citation marks of a model.

    Args:
        sentence: with the documents that it cites.
        supporting: documents that support it.
        retrieved: documents that were retrieved.
    """
    for mark in sentence.claimed:
        if mark not in retrieved:
            yield Finding("unknown_mark", f"{mark} was not retrieved")
        elif mark not in supporting:
            yield Finding("wrong_mark", f"{mark} does not say this")


def with_quotations(citations: Sequence[Citation], quoted: Sequence[Citation]) -> tuple[Citation, ...]:
    """Add those quotations that no citation holds yet."""
    return (*citations, *(extra for extra in quoted if not any(_holds(citation, extra) for citation in citations)))


def _holds(citation: Citation, quotation: Citation) -> bool:
    return (
        citation.document_id == quotation.document_id
        and citation.start <= quotation.start
        and quotation.end <= citation.end
    )
