"""A crawl on a terminal, for every command that crawls."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from llama_index_medqa._common.counts import counted
from llama_index_medqa.cli.display.console import SafeConsole
from llama_index_medqa.cli.display.progress import progress_bars
from llama_index_medqa.pubmed.crawl.crawler import CrawlProgress, CrawlSummary

_FAILURES_SHOWN = 20


@contextmanager
def crawl_progress(console: SafeConsole) -> Iterator[Callable[[CrawlProgress], None]]:
    """Show a progress bar for each stage, and yield what moves them."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}", markup=False),
        TimeElapsedColumn(),
    )
    with progress_bars(console, *columns) as bar:
        searching = bar.add_task("Searching", total=None, rate="")
        fetching = bar.add_task("Fetching", total=None, rate="", start=False)

        def show(step: CrawlProgress) -> None:
            left = "" if step.seconds_left is None else f", {step.seconds_left:.0f} s left"
            failed = f", {step.failed} failed" if step.failed else ""
            task = searching if step.stage == "search" else fetching
            bar.start_task(task)
            bar.update(
                task,
                completed=step.done,
                total=step.total,
                rate=f"{step.per_second:.0f}/s{left}{failed}" if step.per_second else "",
            )

        yield show


def print_summary(summary: CrawlSummary, out: Path, console: Console) -> None:
    """Print the outcome of every hit, with PubMed's remarks and the first failures."""
    table = Table("", "records", show_header=False)
    table.add_row("found", f"{summary.found:,}")
    table.add_row("fetched", f"{summary.fetched:,} ({summary.from_earlier_runs:,} by earlier runs)")
    if summary.deleted:
        table.add_row("deleted by PubMed", f"{len(summary.deleted):,}")
    for reason, count in summary.skipped.items():
        table.add_row(f"skipped: {reason}", f"{count:,}")
    for reason, count in Counter(summary.failed.values()).most_common():
        table.add_row(f"failed: {reason}", f"{count:,}")
    console.print(table)
    for warning in summary.warnings:
        console.print(f"PubMed says: {warning}", markup=False)
    failed = list(summary.failed)
    if failed:
        more = f" and {len(failed) - _FAILURES_SHOWN:,} more" if len(failed) > _FAILURES_SHOWN else ""
        console.print(f"Without record: PMID {', '.join(failed[:_FAILURES_SHOWN])}{more}")
    console.print(f"Records: {out} ({counted(len(summary.files), 'file')}). Later changes: --since {summary.as_of}")
