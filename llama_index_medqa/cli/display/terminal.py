"""What the command shows people: progress, reports, answers and their sources."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from itertools import chain
from pathlib import Path

from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from llama_index_medqa.answering.query_engine import MedQAQueryEngine
from llama_index_medqa.answering.response import MedQAResponse
from llama_index_medqa.cli.display.console import SafeConsole
from llama_index_medqa.cli.display.crawl import crawl_progress, print_summary
from llama_index_medqa.cli.display.evaluation import (
    asking_progress,
    judging_progress,
    print_gate,
    print_judge_quality,
    print_results,
)
from llama_index_medqa.components import start_answer
from llama_index_medqa.diagnostics import Finding
from llama_index_medqa.evaluation.gate.comparison import GateReport
from llama_index_medqa.evaluation.judges.calibration import Quality
from llama_index_medqa.evaluation.results import Results
from llama_index_medqa.evaluation.runs.runner import Progress as Asked
from llama_index_medqa.indexing.index import IndexInfo
from llama_index_medqa.indexing.ingestion import IngestReport
from llama_index_medqa.indexing.updating import UpdateReport
from llama_index_medqa.pubmed.crawl.crawler import CrawlProgress, CrawlSummary
from llama_index_medqa.pubmed.data_date import freshness
from llama_index_medqa.redaction import redacted
from llama_index_medqa.rendering.text import HEADINGS, made_by, notes, reasons, short_answer, sources
from llama_index_medqa.retrieval.paper_filter import PaperFilter

_QUOTE_CHARACTERS = 240
_DOING_CHARACTERS = 90
_NAME_WIDTH = 24
_MARKS = {"ok": ("✓", ""), "note": ("•", "yellow"), "wrong": ("✗", "red")}


class Terminal:
    """Writes to the terminal; progress goes to standard error, so that standard output can be piped.

    Args:
        quiet: whether to show nothing at all.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._out = SafeConsole(quiet=quiet)
        self._progress = SafeConsole(quiet=quiet, stderr=True)

    def line(self, text: str = "", style: str = "") -> None:
        """One line of text, as it is."""
        self._out.print(Text(text, style=style), soft_wrap=True)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Announces a stage and says afterwards how long it took."""
        start = time.perf_counter()
        self.line(f"▸ {name}", "bold")
        yield
        self.line(f"  {name}: {time.perf_counter() - start:.1f} s", "green")

    def _bars(self, *columns: ProgressColumn) -> Progress:
        # In a log there is nothing to redraw, and the bars would leave blank lines.
        shown = self._progress.is_terminal and not self._progress.quiet
        return Progress(*columns, console=self._progress, transient=True, disable=not shown)

    @contextmanager
    def weights_progress(self) -> Iterator[Callable[[str, int, int | None], None]]:
        """A bar a file for fetching, verifying and converting weights."""
        columns = (TextColumn("  {task.description}", markup=False), BarColumn(), DownloadColumn(), TimeElapsedColumn())
        with self._bars(*columns) as bars:
            tasks = {}

            def report(description: str, done: int, total: int | None) -> None:
                if description not in tasks:
                    tasks[description] = bars.add_task(description, total=total)
                bars.update(tasks[description], completed=done, total=total)

            yield report

    @contextmanager
    def ingest_progress(self) -> Iterator[Callable[[IngestReport], None]]:
        """A running count of documents."""
        columns = (SpinnerColumn(), TextColumn("  {task.description}", markup=False), TimeElapsedColumn())
        with self._bars(*columns) as bars:
            task = bars.add_task("Loading the embedding model", total=None)
            start = time.perf_counter()

            def report(ingested: IngestReport) -> None:
                rate = ingested.chunks_written / (time.perf_counter() - start)
                bars.update(
                    task,
                    description=f"{ingested.documents} records read, {ingested.chunks_written} chunks embedded "
                    f"({rate:.0f} a second)",
                )

            yield report

    @contextmanager
    def chunk_progress(self, name: str) -> Iterator[Callable[[int, int], None]]:
        """A bar over the chunks of an index."""
        columns = (TextColumn(f"  {name}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with self._bars(*columns) as bars:
            task = bars.add_task(name, total=None)
            yield lambda done, total: bars.update(task, completed=done, total=total)

    def show_report(self, folder: str, report: IngestReport) -> None:
        """What an ingestion did."""
        counts = {
            "records added": report.added,
            "updated": report.updated,
            "unchanged": report.unchanged,
            "older than what is there": report.outdated,
            "deleted": report.deleted,
            "without text": report.empty,
            "chunks written": report.chunks_written,
            "chunks removed": report.chunks_removed,
        }
        self.line(f"{redacted(folder)}: {', '.join(f'{count} {name}' for name, count in counts.items())}.")

    def show_info(self, folder: str, info: IndexInfo) -> None:
        """What an index holds."""
        table = Table(show_header=False, title=redacted(folder), title_justify="left")
        table.add_row("records", str(info.documents))
        table.add_row("chunks", str(info.chunks))
        table.add_row("status", ", ".join(f"{count} {status}" for status, count in sorted(info.statuses.items())))
        table.add_row("years", f"{info.years[0]} to {info.years[1]}" if info.years else "unknown")
        for key, value in info.identity.items():
            table.add_row(key.replace("_", " "), Text(repr(value) if key.endswith("prefix") else str(value)))
        self._out.print(table)
        self.line(freshness(info.as_of, _today()), "dim")

    def show_update(self, report: UpdateReport) -> None:
        """What an update found, with the papers that a reader must know of."""
        self.line(
            f"{report.checked} records checked: {len(report.revised)} revised, {len(report.deleted)} deleted, "
            f"{len(report.newly_retracted)} newly retracted, {len(report.newly_of_concern)} newly of concern; "
            f"{len(report.failed)} could not be checked, {report.without_pmid} have no PMID."
        )
        for name, ids in (
            ("newly retracted", report.newly_retracted),
            ("newly of concern", report.newly_of_concern),
            ("deleted", report.deleted),
            ("revised", report.revised),
            ("not checked", [f"PMID:{pmid} ({reason})" for pmid, reason in report.failed.items()]),
        ):
            if ids:
                self.line(f"{name}: {', '.join(ids)}")

    @contextmanager
    def crawl_progress(self) -> Iterator[Callable[[CrawlProgress], None]]:
        """A bar for searching and one for fetching."""
        with crawl_progress(self._progress) as show:
            yield show

    def show_crawl(self, folder: Path, summary: CrawlSummary) -> None:
        """What became of every hit of a query."""
        print_summary(summary, folder, self._out)

    @contextmanager
    def waiting(self) -> Iterator[Callable[[str, float], None]]:
        """A line that says what a starting server does, and for how long it has been starting."""
        with self._progress.status("  starting") as status:

            def show(doing: str, seconds: float) -> None:
                status.update(Text(f"  {seconds:.0f} s  {doing[:_DOING_CHARACTERS]}"))

            yield show

    @contextmanager
    def asking_progress(self) -> Iterator[Callable[[Asked], None]]:
        """A bar of the questions of an evaluation."""
        with asking_progress(self._progress) as show:
            yield show

    @contextmanager
    def judging_progress(self) -> Iterator[Callable[[int, int], None]]:
        """A bar of the cases that are scored."""
        with judging_progress(self._progress) as show:
            yield show

    def show_evaluation(self, results: Results) -> None:
        """What an evaluation found, a row a measure."""
        print_results(results, self._out)

    def show_judge_quality(self, found: Mapping[str, Mapping[str, Quality]]) -> None:
        """How well a judge agrees with people, a row a set and a score."""
        print_judge_quality(found, self._out)

    def show_gate(self, report: GateReport) -> None:
        """What the gate found, a row a measure."""
        print_gate(report, self._out)

    def show_findings(self, findings: Iterable[Finding]) -> None:
        """What the doctor found: a line each, and below it what to do."""
        for finding in findings:
            mark, style = _MARKS[finding.state]
            self.line(f"{mark} {finding.name:<{_NAME_WIDTH}} {finding.value}", style)
            if finding.fix:
                self.line(f"  {'':<{_NAME_WIDTH}} → {finding.fix}", style)

    def show_answer(
        self,
        engine: MedQAQueryEngine,
        question: str,
        papers: PaperFilter | None = None,
        *,
        with_reasons: bool = False,
    ) -> MedQAResponse:
        """Streams an answer sentence by sentence, then shows what supports it; or quotes, or what was searched.

        Args:
            engine: a streaming one.
            question: what is asked.
            papers: which papers may answer; None for all.
            with_reasons: whether to show what was drafted, and why each sentence of it was left out.
        """
        self.line(f"Question: {question}", "bold")
        with self._progress.status(f"  {engine.answered_by} reads the evidence"):
            stream = start_answer(engine, question, papers)
            first = next(iter(stream.response_gen))
        caution = stream.caution
        if caution and first.startswith(caution):
            self.line(caution, "bold red")
            first = first.removeprefix(caution).lstrip()
        self._out.print(f"{HEADINGS[stream.outcome]}: ", end="", style="bold")
        for text in chain([first], stream.response_gen):
            self._out.print(text, end="", soft_wrap=True)
        self.line()
        response = stream.get_response()
        self._show_support(response)
        if with_reasons:
            for reason in reasons(response):
                self.line(reason)
        return response

    def _show_support(self, response: MedQAResponse) -> None:
        if short := short_answer(response):
            self.line(short, "bold")
        self.line(made_by(response), "dim")
        for note in notes(response):
            self.line(note, "red" if response.retracted else "dim")
        if response.outcome == "nothing_found":
            self._show_nearest(response)
        else:
            self._show_citations(response)
        self.line(freshness(response.as_of, _today(), response.source), "dim")
        if response.notice:
            self.line(response.notice, "dim")

    def _show_citations(self, response: MedQAResponse) -> None:
        years = {source.document_id: source.year for source in sources(response)}
        # The quotes of findings stand above already.
        is_answer = response.outcome == "answer"
        table = Table("source", "characters", "title and supporting text" if is_answer else "title", show_lines=True)
        for citation in (*response.citations, *response.findings):
            heading = Text(f"{citation.title} ({years.get(citation.document_id) or 'year unknown'})", "italic")
            shown = Text.assemble(heading, "\n", _shortened(citation.quote)) if is_answer else heading
            table.add_row(citation.document_id, f"{citation.start}-{citation.end}", shown)
        self._out.print(table)

    def _show_nearest(self, response: MedQAResponse) -> None:
        if not response.source_nodes:
            return
        table = Table("nearest records", "year", "title", "similarity")
        for source in sources(response):
            score = "" if source.score is None else f"{source.score:.2f}"
            table.add_row(source.document_id, str(source.year or ""), Text(source.title), score)
        self._out.print(table)


def _today() -> date:
    return datetime.now(UTC).date()


def _shortened(text: str) -> str:
    return text if len(text) <= _QUOTE_CHARACTERS else text[: _QUOTE_CHARACTERS - 1].rstrip() + "…"
