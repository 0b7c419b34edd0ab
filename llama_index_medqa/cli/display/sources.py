"""The numbered list of an answer's records, cited ones first."""

from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from llama_index_medqa.answering.response import MedQAResponse
from llama_index_medqa.cli.display.console import SafeConsole
from llama_index_medqa.cli.display.links import can_link, checked_pmids, linked
from llama_index_medqa.rendering.references import Reference, references
from llama_index_medqa.rendering.text import sources


@dataclass(frozen=True)
class ListedSource:
    """A record of the list.

    Attributes:
        reference: the record.
        use: ``cited``, ``quoted``, or empty where the answer does not rest on it.
    """

    reference: Reference
    use: str = ""


def listed_sources(response: MedQAResponse) -> list[ListedSource]:
    """Return an answer's records, each once, cited ones first."""
    use = "cited" if response.outcome == "answer" else "quoted"
    listed = {reference.document_id: ListedSource(reference, use) for reference in references(response)}
    for source in sources(response):
        pmid = source.document_id.removeprefix("PMID:") if source.document_id.startswith("PMID:") else None
        known = Reference(source.document_id, source.title, pmid, source.journal, source.year)
        listed.setdefault(source.document_id, ListedSource(known))
    return list(listed.values())


def print_sources(listed: list[ListedSource], out: SafeConsole) -> None:
    """Print the list; PMIDs are links where the terminal shows them."""
    table = Table()
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("source", no_wrap=True)
    for heading in ("year", "journal", "title", "used"):
        table.add_column(heading)
    for number, item in enumerate(listed, start=1):
        known = item.reference
        pmids = checked_pmids([known.pmid]) if can_link(out) else ()
        used = item.use if known.status == "current" else f"{item.use} ({known.status})".strip()
        cells = (str(known.year or ""), known.journal, known.title, used)
        table.add_row(str(number), linked(known.document_id, pmids), *map(Text, cells))
    out.print(table)
