"""Answers on a terminal, sentence by sentence, with their support."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import chain

from rich.table import Table
from rich.text import Text

from llama_index_medqa.answering.chat_engine import MedQAChatEngine
from llama_index_medqa.answering.query_engine import MedQAQueryEngine
from llama_index_medqa.answering.response import MedQAResponse, MedQAStreamingResponse
from llama_index_medqa.cli.display.console import SafeConsole
from llama_index_medqa.cli.display.excerpts import excerpt
from llama_index_medqa.cli.display.links import can_link, checked_pmids, linked
from llama_index_medqa.cli.display.progress import working
from llama_index_medqa.cli.display.text_flow import TextFlow
from llama_index_medqa.components import start_answer
from llama_index_medqa.pubmed.data_date import freshness
from llama_index_medqa.rendering.text import HEADINGS, made_by, notes, reasons, short_answer, sources
from llama_index_medqa.retrieval.paper_filter import PaperFilter
from llama_index_medqa.verification.verdicts import Citation

_QUOTE_CHARACTERS = 240


def print_answer(
    out: SafeConsole,
    progress: SafeConsole,
    engine: MedQAQueryEngine,
    question: str,
    papers: PaperFilter | None = None,
    *,
    with_reasons: bool = False,
) -> MedQAResponse:
    """Stream an answer, then show its support.

    Or quotes, or what was searched.

    Args:
        out: the answer goes there.
        progress: shows what is done before the first sentence.
        engine: a streaming one.
        question: what is asked.
        papers: which papers may answer; None for all.
        with_reasons: whether to show what was drafted, and why each sentence of it was left out.
    """
    out.write_line(f"Question: {question}", "bold")
    with working(progress, f"{engine.answered_by} reads the evidence"):
        stream = start_answer(engine, question, papers)
        first = next(iter(stream.response_gen))
    return print_stream(out, stream, chain([first], stream.response_gen), with_reasons=with_reasons)


def print_reply(
    out: SafeConsole,
    progress: SafeConsole,
    conversation: MedQAChatEngine,
    message: str,
    *,
    repeats_question: bool,
) -> tuple[str, MedQAResponse]:
    """Answer a message of a conversation; see :func:`print_answer`.

    Args:
        out: the answer goes there.
        progress: shows what is done before the first sentence.
        conversation: knows what was asked before.
        message: what is asked.
        repeats_question: whether to write the message first.

    Returns:
        The question that was answered, which stands alone, and the whole answer.
    """
    if repeats_question:
        out.write_line(f"Question: {message}", "bold")
    with working(progress, "Reading the evidence"):
        reply = conversation.stream_chat(message)
        texts = reply.response_gen
        first = next(texts)
    source = reply.sources[0]
    question = str(source.raw_input["query"])
    if question != message:
        _write_paragraph(out, f"Understood as: {question}", "dim")
    with closing(texts):
        return question, print_stream(out, source.raw_output, chain([first], texts))


def print_stream(
    out: SafeConsole, stream: MedQAStreamingResponse, texts: Iterable[str], *, with_reasons: bool = False
) -> MedQAResponse:
    """Write a stream whose first text is there, then its support.

    Args:
        out: the answer goes there.
        stream: the answer in the making.
        texts: its texts, as they come.
        with_reasons: whether to show what was drafted, and why each sentence of it was left out.

    Returns:
        The whole answer.
    """
    pieces: Iterator[str] = iter(texts)
    first = next(pieces)
    caution = stream.caution
    if caution and first.startswith(caution):
        _write_paragraph(out, caution, "bold red")
        first = first.removeprefix(caution).lstrip()
    flow = TextFlow(out, _known_pmids(stream))
    flow.write(f"{HEADINGS[stream.outcome]}: ", "bold")
    for text in chain([first], pieces):
        flow.write(text)
    flow.end()
    response = stream.get_response()
    _print_support(out, response)
    if with_reasons:
        print_reasons(out, response)
    return response


def print_reasons(out: SafeConsole, response: MedQAResponse) -> None:
    """Write what was drafted, and why each sentence was left out."""
    for reason in reasons(response):
        _write_paragraph(out, reason)


def _print_support(out: SafeConsole, response: MedQAResponse) -> None:
    if short := short_answer(response):
        _write_paragraph(out, short, "bold")
    _write_paragraph(out, made_by(response), "dim")
    for note in notes(response):
        _write_paragraph(out, note, "red" if response.retracted else "dim")
    if response.outcome == "nothing_found":
        _print_nearest(out, response)
    else:
        _print_citations(out, response)
    _write_paragraph(out, freshness(response.as_of, datetime.now(UTC).date(), response.source), "dim")
    if response.notice:
        _write_paragraph(out, response.notice, "dim")


def _print_citations(out: SafeConsole, response: MedQAResponse) -> None:
    years = {source.document_id: source.year for source in sources(response)}
    # The quotes of findings stand above already.
    is_answer = response.outcome == "answer"
    table = Table(show_lines=True)
    table.add_column("source", no_wrap=True)
    table.add_column("characters", no_wrap=True)
    table.add_column("title and supporting text" if is_answer else "title")
    claims = _claims(response)
    for citation in (*response.citations, *response.findings):
        heading = Text(f"{citation.title} ({years.get(citation.document_id) or 'year unknown'})", "italic")
        quote = excerpt(citation.quote, claims.get(citation, ""), _QUOTE_CHARACTERS)
        shown = Text.assemble(heading, "\n", quote) if is_answer else heading
        source = _source(out, citation.document_id)
        table.add_row(source, f"{citation.start}-{citation.end}", shown)
    out.print(table)


def _print_nearest(out: SafeConsole, response: MedQAResponse) -> None:
    if not response.source_nodes:
        return
    table = Table("nearest records", "year", "title", "similarity")
    for source in sources(response):
        score = "" if source.score is None else f"{source.score:.2f}"
        table.add_row(_source(out, source.document_id), str(source.year or ""), Text(source.title), score)
    out.print(table)


def _claims(response: MedQAResponse) -> dict[Citation, str]:
    """Return the sentences that each citation supports."""
    found: dict[Citation, str] = {}
    for sentence in response.sentences:
        for citation in sentence.citations:
            found[citation] = f"{found.get(citation, '')} {sentence.text}".strip()
    return found


def _known_pmids(stream: MedQAStreamingResponse) -> frozenset[str]:
    return checked_pmids(item.node.metadata.get("pmid") for item in stream.source_nodes)


def _source(out: SafeConsole, document_id: str) -> Text:
    pmid = document_id.removeprefix("PMID:")
    return linked(document_id, checked_pmids([pmid]) if can_link(out) else ())


def _write_paragraph(out: SafeConsole, text: str, style: str = "") -> None:
    """Write a line of text, wrapped between words on a terminal."""
    out.print(Text(text, style=style), soft_wrap=not out.is_terminal)
