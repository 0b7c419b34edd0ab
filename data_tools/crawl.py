"""``python -m data_tools crawl``: the records of a PubMed query, or of a list of PMIDs, into a folder."""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from llama_index_medqa.errors import InputError, MedQAError
from llama_index_medqa.pubmed.crawl import CrawlProgress, CrawlSummary, crawl
from llama_index_medqa.pubmed.crawl_request import CrawlRequest
from llama_index_medqa.pubmed.entrez import BASE_URL, EntrezClient, EntrezSettings
from llama_index_medqa.pubmed.slices import DateRange

KEY_VARIABLE = "NCBI_API_KEY"
EXIT_ERROR = 1
EXIT_INCOMPLETE = 3
_FAILURES_SHOWN = 20


class DateType(StrEnum):
    """Which date of a record counts."""

    PUBLICATION = "publication"
    ENTRY = "entry"
    MODIFICATION = "modification"


class SortOrder(StrEnum):
    """Order of the records."""

    ADDED = "added"
    PUB_DATE = "pub_date"
    RELEVANCE = "relevance"


def crawl_command(  # noqa: PLR0913 - one parameter an option
    *,
    out: Annotated[Path, typer.Option(help="Folder for the records; run again to go on with it.")],
    query: Annotated[str | None, typer.Option(help="PubMed query, in PubMed's own syntax.")] = None,
    pmids: Annotated[Path | None, typer.Option(help="Instead of a query: a file of PMIDs, a line each.")] = None,
    first: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day.")] = None,
    last: Annotated[
        datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day; none if left out.")
    ] = None,
    date_type: Annotated[DateType, typer.Option(help="Date that --from and --to mean.")] = (DateType.PUBLICATION),
    since: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Only what is new or was changed on that day or later."),
    ] = None,
    maximum: Annotated[int | None, typer.Option("--max", help="Records at most.")] = None,
    sort: Annotated[SortOrder, typer.Option(help="Order of the records.")] = SortOrder.ADDED,
    batch_size: Annotated[int, typer.Option(help="Records per request and file.")] = 200,
    email: Annotated[str | None, typer.Option(help="Where NCBI can reach you; NCBI asks for it.")] = None,
    base_url: Annotated[str, typer.Option(help="Address of the E-utilities.")] = BASE_URL,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Fetch PubMed records as XML; interrupt at any time and run again to go on.

    An NCBI API key in the environment variable NCBI_API_KEY raises the pace from 3 to 10 requests per second.
    Exit status: 0 all fetched, 1 error, 3 some records could not be fetched.
    """
    errors = Console(stderr=True)
    try:
        request = CrawlRequest(
            query=query,
            pmids=_read_pmids(pmids) if pmids else (),
            dates=_date_range(date_type, first, last),
            since=since.date() if since else None,
            maximum=maximum,
            sort=sort.value,
            batch_size=batch_size,
        )
        settings = EntrezSettings(email=email, api_key=os.environ.get(KEY_VARIABLE) or None, base_url=base_url)
        with EntrezClient(settings) as client, _progress_bar(errors) as show:
            summary = crawl(client, request, out, progress=show)
    except MedQAError as error:
        errors.print(f"Error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(EXIT_ERROR) from error
    if as_json:
        typer.echo(json.dumps(summary.as_json(), ensure_ascii=False))
    else:
        _print_summary(summary, out, Console())
    if summary.failed:
        raise typer.Exit(EXIT_INCOMPLETE)


def _read_pmids(path: Path) -> tuple[str, ...]:
    try:
        return tuple(path.read_text(encoding="utf-8").split())
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error}). Give a text file of PMIDs, a line each.") from error


def _date_range(kind: DateType, first: datetime | None, last: datetime | None) -> DateRange | None:
    if first is None:
        if last is not None:
            raise InputError("--to needs --from. Give both, or neither.")
        return None
    return DateRange(kind.value, first.date(), last.date()) if last else DateRange(kind.value, first.date())


@contextmanager
def _progress_bar(console: Console) -> Iterator[Callable[[CrawlProgress], None]]:
    """A progress bar for each stage, and the function that moves them."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
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


def _print_summary(summary: CrawlSummary, out: Path, console: Console) -> None:
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
    console.print(f"Records: {out} ({len(summary.files)} files). Later changes: --since {summary.as_of}")
