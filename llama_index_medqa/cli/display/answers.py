"""An answer on a terminal: its sentences as they come, then what supports them, or what came nearest."""

from datetime import UTC, datetime
from itertools import chain

from rich.table import Table
from rich.text import Text

from llama_index_medqa.answering.query_engine import MedQAQueryEngine
from llama_index_medqa.answering.response import MedQAResponse
from llama_index_medqa.cli.display.console import SafeConsole
from llama_index_medqa.components import start_answer
from llama_index_medqa.pubmed.data_date import freshness
from llama_index_medqa.rendering.text import HEADINGS, made_by, notes, reasons, short_answer, sources
from llama_index_medqa.retrieval.paper_filter import PaperFilter

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
    """Stream an answer sentence by sentence, then show what supports it; or quotes, or what was searched.

    Args:
        out: the answer goes there.
        progress: shows what is done before the first sentence.
        engine: a streaming one.
        question: what is asked.
        papers: which papers may answer; None for all.
        with_reasons: whether to show what was drafted, and why each sentence of it was left out.
    """
    out.write_line(f"Question: {question}", "bold")
    with progress.status(f"  {engine.answered_by} reads the evidence"):
        stream = start_answer(engine, question, papers)
        first = next(iter(stream.response_gen))
    caution = stream.caution
    if caution and first.startswith(caution):
        out.write_line(caution, "bold red")
        first = first.removeprefix(caution).lstrip()
    out.print(f"{HEADINGS[stream.outcome]}: ", end="", style="bold")
    for text in chain([first], stream.response_gen):
        out.print(text, end="", soft_wrap=True)
    out.write_line()
    response = stream.get_response()
    _print_support(out, response)
    if with_reasons:
        for reason in reasons(response):
            out.write_line(reason)
    return response


def _print_support(out: SafeConsole, response: MedQAResponse) -> None:
    if short := short_answer(response):
        out.write_line(short, "bold")
    out.write_line(made_by(response), "dim")
    for note in notes(response):
        out.write_line(note, "red" if response.retracted else "dim")
    if response.outcome == "nothing_found":
        _print_nearest(out, response)
    else:
        _print_citations(out, response)
    out.write_line(freshness(response.as_of, datetime.now(UTC).date(), response.source), "dim")
    if response.notice:
        out.write_line(response.notice, "dim")


def _print_citations(out: SafeConsole, response: MedQAResponse) -> None:
    years = {source.document_id: source.year for source in sources(response)}
    # The quotes of findings stand above already.
    is_answer = response.outcome == "answer"
    table = Table("source", "characters", "title and supporting text" if is_answer else "title", show_lines=True)
    for citation in (*response.citations, *response.findings):
        heading = Text(f"{citation.title} ({years.get(citation.document_id) or 'year unknown'})", "italic")
        shown = Text.assemble(heading, "\n", _shortened(citation.quote)) if is_answer else heading
        table.add_row(citation.document_id, f"{citation.start}-{citation.end}", shown)
    out.print(table)


def _print_nearest(out: SafeConsole, response: MedQAResponse) -> None:
    if not response.source_nodes:
        return
    table = Table("nearest records", "year", "title", "similarity")
    for source in sources(response):
        score = "" if source.score is None else f"{source.score:.2f}"
        table.add_row(source.document_id, str(source.year or ""), Text(source.title), score)
    out.print(table)


def _shortened(text: str) -> str:
    return text if len(text) <= _QUOTE_CHARACTERS else text[: _QUOTE_CHARACTERS - 1].rstrip() + "…"
