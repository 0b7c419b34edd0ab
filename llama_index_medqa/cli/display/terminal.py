"""The command's output: lines, stages and bars.

Larger output has a module beside this one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from llama_index_medqa._common.counts import counted
from llama_index_medqa.cli.display.console import SafeConsole
from llama_index_medqa.cli.display.progress import Describe, megabytes, progress_bars, working

if TYPE_CHECKING:
    from llama_index_medqa.answering.chat_engine import MedQAChatEngine
    from llama_index_medqa.answering.query_engine import MedQAQueryEngine
    from llama_index_medqa.answering.response import MedQAResponse
    from llama_index_medqa.cli.display.sources import ListedSource
    from llama_index_medqa.cli.display.verification import Verification
    from llama_index_medqa.diagnostics import Diagnosis
    from llama_index_medqa.evaluation.gate.comparison import GateReport
    from llama_index_medqa.evaluation.gate.leaderboard import Leaderboard
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
    """Writes to the terminal.

    Progress goes to standard error, so that standard output can be piped.

    Args:
        quiet: whether to show nothing at all.
        with_progress: whether to show progress.
    """

    def __init__(self, *, quiet: bool = False, with_progress: bool = True) -> None:
        self._out = SafeConsole(quiet=quiet)
        self._progress = SafeConsole(quiet=quiet or not with_progress, stderr=True)

    def line(self, text: str = "", style: str = "") -> None:
        """Write one line of text, as it is."""
        self._out.write_line(text, style)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Announce a stage, and say afterwards how long it took."""
        start = time.perf_counter()
        self.line(f"▸ {name}", "bold")
        yield
        self.line(f"  {name}: {time.perf_counter() - start:.1f} s", "green")

    @contextmanager
    def working(self, doing: str, *, in_pipes: bool = True) -> Iterator[None]:
        """Show what is being done, and for how long.

        A spinner, or in a pipe a line every few seconds.
        """
        with working(self._progress, doing, in_pipes=in_pipes):
            yield

    def _bars(self, *columns: ProgressColumn, describe: Describe | None = None) -> Progress:
        return progress_bars(self._progress, *columns, describe=describe)

    @contextmanager
    def weights_progress(self) -> Iterator[Callable[[str, int, int | None], None]]:
        """Show a bar for each file of weights."""
        columns = (TextColumn("  {task.description}", markup=False), BarColumn(), DownloadColumn(), TimeElapsedColumn())
        with self._bars(*columns, describe=megabytes) as bars:
            tasks = {}

            def report(description: str, done: int, total: int | None) -> None:
                if description not in tasks:
                    tasks[description] = bars.add_task(description, total=total)
                bars.update(tasks[description], completed=done, total=total)

            yield report

    @contextmanager
    def ingest_progress(self) -> Iterator[Callable[[IngestReport], None]]:
        """Show a running count of documents."""
        columns = (SpinnerColumn(), TextColumn("  {task.description}", markup=False), TimeElapsedColumn())
        with self._bars(*columns) as bars:
            task = bars.add_task("Loading the embedding model", total=None)
            start = time.perf_counter()

            def report(ingested: IngestReport) -> None:
                rate = ingested.chunks_written / (time.perf_counter() - start)
                bars.update(
                    task,
                    description=f"{counted(ingested.documents, 'record')} read, "
                    f"{counted(ingested.chunks_written, 'chunk')} embedded ({rate:.0f} a second)",
                )

            yield report

    @contextmanager
    def chunk_progress(self, name: str) -> Iterator[Callable[[int, int], None]]:
        """Show a bar over the chunks of an index."""
        counts = (MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
        with self._bars(TextColumn(f"  {name}", markup=False), BarColumn(), *counts) as bars:
            task = bars.add_task(name, total=None)
            yield lambda done, total: bars.update(task, completed=done, total=total)

    def show_report(self, folder: str, report: IngestReport) -> None:
        """Show what an ingestion did."""
        from llama_index_medqa.cli.display.indexing import print_report

        print_report(report, folder, self._out)

    def show_info(self, folder: str, info: IndexInfo) -> None:
        """Show what an index holds."""
        from llama_index_medqa.cli.display.indexing import print_info

        print_info(info, folder, self._out)

    def show_update(self, report: UpdateReport) -> None:
        """Show what an update found, with the papers that matter to readers."""
        from llama_index_medqa.cli.display.indexing import print_update

        print_update(report, self._out)

    @contextmanager
    def crawl_progress(self) -> Iterator[Callable[[CrawlProgress], None]]:
        """Show a bar for searching and one for fetching."""
        from llama_index_medqa.cli.display.crawl import crawl_progress

        with crawl_progress(self._progress) as show:
            yield show

    def show_crawl(self, folder: Path, summary: CrawlSummary) -> None:
        """Show the outcome of every hit of a query."""
        from llama_index_medqa.cli.display.crawl import print_summary

        print_summary(summary, folder, self._out)

    @contextmanager
    def waiting(self) -> Iterator[Callable[[str, float], None]]:
        """Show what a starting server does, and for how long."""
        with self._progress.status("  starting") as status:

            def show(doing: str, seconds: float) -> None:
                status.update(Text(f"  {seconds:.0f} s  {doing[:_DOING_CHARACTERS]}"))

            yield show

    @contextmanager
    def asking_progress(self) -> Iterator[Callable[[Asked], None]]:
        """Show a bar of the questions of an evaluation."""
        from llama_index_medqa.cli.display.evaluation import asking_progress

        with asking_progress(self._progress) as show:
            yield show

    @contextmanager
    def judging_progress(self) -> Iterator[Callable[[int, int], None]]:
        """Show a bar of the scored cases."""
        from llama_index_medqa.cli.display.evaluation import judging_progress

        with judging_progress(self._progress) as show:
            yield show

    def show_evaluation(self, results: Results) -> None:
        """Show the results of an evaluation, a row for each measure."""
        from llama_index_medqa.cli.display.evaluation import print_results

        print_results(results, self._out)

    def show_judge_quality(self, found: Mapping[str, Mapping[str, Quality]]) -> None:
        """Show how well a judge agrees with people.

        A row for each set and score.
        """
        from llama_index_medqa.cli.display.evaluation import print_judge_quality

        print_judge_quality(found, self._out)

    def show_leaderboard(self, table: Leaderboard) -> None:
        """Systems side by side, a row each."""
        from llama_index_medqa.cli.display.evaluation import print_leaderboard

        print_leaderboard(table, self._out)

    def show_gate(self, report: GateReport) -> None:
        """Show the gate's verdicts, a row for each measure."""
        from llama_index_medqa.cli.display.evaluation import print_gate

        print_gate(report, self._out)

    def show_verification(self, found: Verification) -> None:
        """Show a verdict for each sentence, with the deciding words."""
        from llama_index_medqa.cli.display.verification import print_verification

        print_verification(found, self._out)

    def show_diagnoses(self, diagnoses: Iterable[Diagnosis]) -> None:
        """Show the doctor's diagnoses, each with what to do."""
        for diagnosis in diagnoses:
            mark, style = _MARKS[diagnosis.state]
            self.line(f"{mark} {diagnosis.name:<{_NAME_WIDTH}} {diagnosis.value}", style)
            if diagnosis.fix:
                self.line(f"  {'':<{_NAME_WIDTH}} → {diagnosis.fix}", style)

    def show_answer(
        self,
        engine: MedQAQueryEngine,
        question: str,
        papers: PaperFilter | None = None,
        *,
        with_reasons: bool = False,
    ) -> MedQAResponse:
        """Stream an answer, then show its support; see ``print_answer``."""
        from llama_index_medqa.cli.display.answers import print_answer

        return print_answer(self._out, self._progress, engine, question, papers, with_reasons=with_reasons)

    def show_reply(
        self, conversation: MedQAChatEngine, message: str, *, repeats_question: bool
    ) -> tuple[str, MedQAResponse]:
        """Stream the answer to a chat message; see ``print_reply``."""
        from llama_index_medqa.cli.display.answers import print_reply

        return print_reply(self._out, self._progress, conversation, message, repeats_question=repeats_question)

    def show_reasons(self, response: MedQAResponse) -> None:
        """Show what was drafted, and why each sentence was left out."""
        from llama_index_medqa.cli.display.answers import print_reasons

        print_reasons(self._out, response)

    def show_sources(self, listed: list[ListedSource]) -> None:
        """Show the numbered records of an answer."""
        from llama_index_medqa.cli.display.sources import print_sources

        print_sources(listed, self._out)

    def show_table(self, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Show rows of texts under headings, as they are."""
        table = Table(*headings)
        for row in rows:
            table.add_row(*map(Text, row))
        self._out.print(table)
