"""``python -m data_tools crawl``: downloads the records of a query or list of PMIDs."""

import json
import os
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from llama_index_medqa.cli.display.console import SafeConsole
from llama_index_medqa.cli.display.crawl import crawl_progress, print_summary
from llama_index_medqa.cli.option_groups import with_groups
from llama_index_medqa.cli.options import EXIT_FAILED, EXIT_INCOMPLETE
from llama_index_medqa.errors import InputError, MedQAError
from llama_index_medqa.pubmed.crawl.crawler import crawl
from llama_index_medqa.pubmed.crawl.request import CrawlRequest
from llama_index_medqa.pubmed.crawl.search_slices import date_range
from llama_index_medqa.pubmed.entrez.client import BASE_URL, EntrezClient, EntrezSettings

KEY_VARIABLE = "NCBI_API_KEY"


class DateType(StrEnum):
    """The date of a record that counts."""

    PUBLICATION = "publication"
    ENTRY = "entry"
    MODIFICATION = "modification"


class SortOrder(StrEnum):
    """The order of the records."""

    ADDED = "added"
    PUB_DATE = "pub_date"
    RELEVANCE = "relevance"


@dataclass(frozen=True)
class SearchOptions:
    """Which records are wanted."""

    query: Annotated[str | None, typer.Option(help="PubMed query, in PubMed's own syntax.")] = None
    pmids: Annotated[Path | None, typer.Option(help="Instead of a query: a file of PMIDs, a line each.")] = None
    first: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day.")] = None
    last: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day; none if left out.")] = (
        None
    )
    date_type: Annotated[DateType, typer.Option(help="Date that --from and --to mean.")] = DateType.PUBLICATION
    since: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Only what is new or was changed on that day or later."),
    ] = None
    maximum: Annotated[int | None, typer.Option("--max", help="Records at most.")] = None
    sort: Annotated[SortOrder, typer.Option(help="Order of the records.")] = SortOrder.ADDED
    batch_size: Annotated[int, typer.Option(help="Records per request and file.")] = 200

    def as_request(self) -> CrawlRequest:
        """Return the request of PubMed."""
        return CrawlRequest(
            query=self.query,
            pmids=_read_pmids(self.pmids) if self.pmids else (),
            dates=date_range(self.date_type.value, self.first and self.first.date(), self.last and self.last.date()),
            since=self.since.date() if self.since else None,
            maximum=self.maximum,
            sort=self.sort.value,
            batch_size=self.batch_size,
        )


@with_groups
def crawl_command(
    *,
    out: Annotated[Path, typer.Option(help="Folder for the records; run again to go on with it.")],
    search: SearchOptions,
    email: Annotated[str | None, typer.Option(help="Where NCBI can reach you; NCBI asks for it.")] = None,
    base_url: Annotated[str, typer.Option(help="Address of the E-utilities.")] = BASE_URL,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Fetch PubMed records as XML; run again to go on after an interruption.

    An NCBI API key in the environment variable NCBI_API_KEY raises the pace from 3 to 10 requests per second.
    Exit status: 0 all fetched, 1 error, 3 some records could not be fetched.
    """
    errors = SafeConsole(stderr=True)
    try:
        request = search.as_request()
        settings = EntrezSettings(email=email, api_key=os.environ.get(KEY_VARIABLE) or None, base_url=base_url)
        with EntrezClient(settings) as client, crawl_progress(errors) as show:
            summary = crawl(client, request, out, progress=show)
    except MedQAError as error:
        errors.print(f"Error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(EXIT_FAILED) from error
    if as_json:
        typer.echo(json.dumps(summary.as_json(), ensure_ascii=False))
    else:
        print_summary(summary, out, SafeConsole())
    if summary.failed:
        raise typer.Exit(EXIT_INCOMPLETE)


def _read_pmids(path: Path) -> tuple[str, ...]:
    try:
        return tuple(path.read_text(encoding="utf-8").split())
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error}). Give a text file of PMIDs, a line each.") from error
