"""An answer as one HTML file: every sentence beside its highlighted abstract."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from llama_index_medqa.answering.response import FINDINGS_LEAD, MedQAResponse
from llama_index_medqa.answering.translation.notices import NOTICES
from llama_index_medqa.pubmed.data_date import freshness
from llama_index_medqa.rendering.page_templates import render_page
from llama_index_medqa.rendering.references import Reference, references
from llama_index_medqa.rendering.text import HEADINGS, made_by, notes, reason, short_answer, sources
from llama_index_medqa.text.printable import printable
from llama_index_medqa.verification.passages import Passage, passages_of
from llama_index_medqa.verification.verdicts import Citation

if TYPE_CHECKING:
    from markupsafe import Markup

_LEFT_OUT = "[left out: it may be an order to its reader]"


@dataclass(frozen=True, slots=True)
class _Piece:
    """A stretch of a passage.

    Attributes:
        text: as it is shown.
        kind: ``left_out``, ``opposing`` or nothing.
        anchor: the name of a highlighted span; empty for other text.
    """

    text: str
    kind: str = ""
    anchor: str = ""


@dataclass(frozen=True, slots=True)
class _Paper:
    """A paper as the page shows it."""

    document_id: str
    heading: str
    link: str | None
    about: str
    passages: Sequence[Sequence[_Piece]]


def as_html(question: str, response: MedQAResponse, today: date) -> str:
    """Return the answer as a self-contained page.

    It has no script and loads nothing from an address.

    Args:
        question: what was asked.
        response: the answer; its ``source_nodes`` hold the abstracts.
        today: the day from which the age of the records is counted.
    """
    ends = [response.notice or "", freshness(response.as_of, today, response.source), _made_with(response)]
    translation = response.translation
    return printable(
        render_page(
            "answer",
            {"anchor": _anchor, "line_breaks": _line_breaks, "one_line": _one_line, "reason": reason},
            question=question,
            response=response,
            heading=HEADINGS[response.outcome],
            short_answer=short_answer(response),
            findings_lead=FINDINGS_LEAD,
            translation_code=NOTICES[translation.question.language].code if translation else "",
            translated=list(_translated(response)),
            notes=notes(response),
            papers=list(_papers(response)),
            nearest=sources(response) if response.outcome == "nothing_found" else [],
            ends=[line for line in ends if line],
        )
    )


def _line_breaks(text: str) -> "Markup":
    from markupsafe import Markup

    return Markup("<br>").join(text.split("\n"))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _anchor(citation: Citation) -> str:
    return f"{citation.document_id}-{citation.start}-{citation.end}".replace(":", "-")


def _translated(response: MedQAResponse) -> Iterator[tuple[str, Sequence[Citation]]]:
    """Yield the translated sentences with the English sentences' citations."""
    translation = response.translation
    if translation is None:
        return
    cited = [sentence.citations for sentence in response.sentences] or [(finding,) for finding in response.findings]
    for sentence, citations in zip(translation.sentences, cited, strict=True):
        shown = sentence.shown(translation.question.language)
        yield shown.removesuffix(sentence.marks).rstrip() if citations else shown, citations


def _papers(response: MedQAResponse) -> Iterator[_Paper]:
    opposing = [citation for sentence in response.sentences for citation in sentence.opposing]
    cited = references(response)
    known = {reference.document_id for reference in cited}
    others = {citation.document_id: citation for citation in opposing if citation.document_id not in known}
    cited += [Reference(citation.document_id, citation.title, citation.pmid) for citation in others.values()]
    passages = passages_of(response.source_nodes)
    spans = [(citation, "") for citation in (*response.citations, *response.findings)]
    spans += [(citation, "opposing") for citation in opposing]
    for reference in cited:
        own = [(citation, kind) for citation, kind in spans if citation.document_id == reference.document_id]
        about = (reference.document_id, reference.journal, str(reference.year or ""))
        yield _Paper(
            reference.document_id,
            reference.title or reference.document_id,
            reference.link,
            " · ".join(filter(None, about)),
            [_highlighted(passage, own) for passage in passages if passage.document_id == reference.document_id],
        )


def _highlighted(passage: Passage, spans: Sequence[tuple[Citation, str]]) -> list[_Piece]:
    """Return a passage with its spans marked, without the title.

    Where two spans overlap, the later one is cut.
    """
    position = len(passage.title) if passage.start == 0 and passage.text.startswith(passage.title) else 0
    pieces: list[_Piece] = []
    for citation, kind in sorted(spans, key=lambda span: (span[0].start, -span[0].end)):
        start, end = max(citation.start - passage.start, position), citation.end - passage.start
        if not position <= start < end <= len(passage.text):
            continue
        pieces += _without_orders(passage, position, start)
        pieces.append(_Piece(passage.text[start:end], kind, _anchor(citation)))
        position = end
    pieces += _without_orders(passage, position, len(passage.text))
    return (
        [_Piece(pieces[0].text.lstrip()), *pieces[1:-1], _Piece(pieces[-1].text.rstrip())]
        if pieces[1:]
        else [_Piece(pieces[0].text.strip())]
    )


def _without_orders(passage: Passage, first: int, last: int) -> Iterator[_Piece]:
    """Yield the text between two positions without orders to the reader."""
    position = first
    for sentence in passage.sentences:
        start, end = sentence.start - passage.start, sentence.end - passage.start
        if sentence.steered and first <= start < end <= last:
            yield _Piece(passage.text[position:start])
            yield _Piece(_LEFT_OUT, "left_out")
            position = end
    yield _Piece(passage.text[position:last])


def _made_with(response: MedQAResponse) -> str:
    index = response.identity.index.get("embedder", "") if response.identity else ""
    return made_by(response) + (f" Index: {index}." if index else "")
