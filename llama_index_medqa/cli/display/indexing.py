"""Ingestion, index and update on a terminal."""

from datetime import UTC, datetime

from rich.table import Table
from rich.text import Text

from llama_index_medqa._common.counts import counted
from llama_index_medqa.cli.display.console import SafeConsole
from llama_index_medqa.indexing.info import IndexInfo
from llama_index_medqa.indexing.ingestion import IngestReport
from llama_index_medqa.indexing.updating import UpdateReport
from llama_index_medqa.pubmed.data_date import freshness
from llama_index_medqa.redaction import redacted


def print_report(report: IngestReport, folder: str, out: SafeConsole) -> None:
    """Print what an ingestion did."""
    counts = (
        f"{counted(report.added, 'record')} added",
        f"{report.updated} updated",
        f"{report.unchanged} unchanged",
        f"{report.outdated} older than what is there",
        f"{report.deleted} deleted",
        f"{report.empty} without text",
        f"{counted(report.chunks_written, 'chunk')} written",
        f"{counted(report.chunks_removed, 'chunk')} removed",
    )
    out.write_line(f"{redacted(folder)}: {', '.join(counts)}.")


def print_info(info: IndexInfo, folder: str, out: SafeConsole) -> None:
    """Print what an index holds."""
    table = Table(show_header=False, title=redacted(folder), title_justify="left")
    table.add_row("records", str(info.documents))
    table.add_row("chunks", str(info.chunks))
    table.add_row("status", ", ".join(f"{count} {status}" for status, count in sorted(info.statuses.items())))
    table.add_row("years", f"{info.years[0]} to {info.years[1]}" if info.years else "unknown")
    if info.baseline:
        table.add_row("baseline", info.baseline)
    for key, value in info.identity.items():
        table.add_row(key.replace("_", " "), Text(repr(value) if key.endswith("prefix") else str(value)))
    out.print(table)
    out.write_line(freshness(info.as_of, datetime.now(UTC).date()), "dim")


def print_update(report: UpdateReport, out: SafeConsole) -> None:
    """Print what an update found, with the papers that matter to readers."""
    out.write_line(
        f"{counted(report.checked, 'record')} checked: {len(report.revised)} revised, {len(report.deleted)} deleted, "
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
            out.write_line(f"{name}: {', '.join(ids)}")
