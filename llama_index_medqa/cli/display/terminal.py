"""What the command shows people: lines, stages and bars; what is larger has a module beside this one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

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
from rich.text import Text

from llama_index_medqa.cli.display.console import SafeConsole

if TYPE_CHECKING:
    from llama_index_medqa.answering.query_engine import MedQAQueryEngine
    from llama_index_medqa.answering.response import MedQAResponse
    from llama_index_medqa.diagnostics import Finding
    from llama_index_medqa.evaluation.gate.comparison import GateReport
    from llama_index_medqa.evaluation.judges.calibration import Quality
    from llama_index_medqa.evaluation.results import Results
    from llama_index_medqa.evaluation.runs.runner import Progress as Asked
    from llama_index_medqa.indexing.info import IndexInfo
    from llama_index_medqa.indexing.ingestion import IngestReport
    from llama_index_medqa.indexing.updating import UpdateReport
    from llama_index_medqa.pubmed.crawl.crawler import CrawlProgress, CrawlSummary
    from llama_index_medqa.retrieval.paper_filter import PaperFilter

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
        self._out.write_line(text, style)

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
        from llama_index_medqa.cli.display.indexing import print_report

        print_report(report, folder, self._out)

    def show_info(self, folder: str, info: IndexInfo) -> None:
        """What an index holds."""
        from llama_index_medqa.cli.display.indexing import print_info

        print_info(info, folder, self._out)

    def show_update(self, report: UpdateReport) -> None:
        """What an update found, with the papers that a reader must know of."""
        from llama_index_medqa.cli.display.indexing import print_update

        print_update(report, self._out)

    @contextmanager
    def crawl_progress(self) -> Iterator[Callable[[CrawlProgress], None]]:
        """A bar for searching and one for fetching."""
        from llama_index_medqa.cli.display.crawl import crawl_progress

        with crawl_progress(self._progress) as show:
            yield show

    def show_crawl(self, folder: Path, summary: CrawlSummary) -> None:
        """What became of every hit of a query."""
        from llama_index_medqa.cli.display.crawl import print_summary

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
        from llama_index_medqa.cli.display.evaluation import asking_progress

        with asking_progress(self._progress) as show:
            yield show

    @contextmanager
    def judging_progress(self) -> Iterator[Callable[[int, int], None]]:
        """A bar of the cases that are scored."""
        from llama_index_medqa.cli.display.evaluation import judging_progress

        with judging_progress(self._progress) as show:
            yield show

    def show_evaluation(self, results: Results) -> None:
        """What an evaluation found, a row a measure."""
        from llama_index_medqa.cli.display.evaluation import print_results

        print_results(results, self._out)

    def show_judge_quality(self, found: Mapping[str, Mapping[str, Quality]]) -> None:
        """How well a judge agrees with people, a row a set and a score."""
        from llama_index_medqa.cli.display.evaluation import print_judge_quality

        print_judge_quality(found, self._out)

    def show_gate(self, report: GateReport) -> None:
        """What the gate found, a row a measure."""
        from llama_index_medqa.cli.display.evaluation import print_gate

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
        """Streams an answer sentence by sentence, then shows what supports it; see ``print_answer``."""
        from llama_index_medqa.cli.display.answers import print_answer

        return print_answer(self._out, self._progress, engine, question, papers, with_reasons=with_reasons)
