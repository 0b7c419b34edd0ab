"""The commands that build, change and move an index.

index, update, info, export, import, copy and migrate.
"""

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from llama_index_medqa._common.counts import counted, sized
from llama_index_medqa._common.writable import require_writable
from llama_index_medqa.cli.option_groups import with_groups
from llama_index_medqa.cli.options import (
    EXIT_INCOMPLETE,
    ChunkOverlapOption,
    ChunkSizeOption,
    EmbedderOption,
    IndexOption,
    JsonOption,
    ProfileOption,
    QuietOption,
    VerboseOption,
    WaitOption,
    chosen_profile,
    print_json,
    require_index,
    terminal_for,
)
from llama_index_medqa.errors import EmptyCorpusError, UsageError
from llama_index_medqa.profiles import EMBEDDED, Profile
from llama_index_medqa.redaction import redacted

if TYPE_CHECKING:
    from llama_index_medqa.cli.display.terminal import Terminal
    from llama_index_medqa.indexing.index import PubMedIndex
    from llama_index_medqa.indexing.ingestion import IngestReport
    from llama_index_medqa.pubmed.crawl.request import CrawlRequest
    from llama_index_medqa.pubmed.entrez.client import EntrezClient

_Item = TypeVar("_Item")

EmailOption = Annotated[
    str | None, typer.Option(envvar="MEDQA_EMAIL", help="Where NCBI can reach you; NCBI asks for it.")
]
EntrezOption = Annotated[
    str | None, typer.Option("--base-url", envvar="MEDQA_ENTREZ_URL", help="Address of the E-utilities.")
]
RayOption = Annotated[
    str | None,
    typer.Option(
        help="Work on a Ray cluster; --index is then a Chroma server. HOST:PORT of its head, local (start one on this "
        "machine), or auto (RAY_ADDRESS, the cluster that this machine belongs to, else local)."
    ),
]

KEY_VARIABLE = "NCBI_API_KEY"
# So many chunks of an index are looked at after every run of `medqa index`; `medqa doctor` looks at all.
_VECTORS_CHECKED = 1_000


@dataclass(frozen=True)
class QueryOptions:
    """A query of PubMed, and which of its records are meant."""

    query: Annotated[str | None, typer.Option(help="Instead of files: a query in PubMed's own syntax.")] = None
    first: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day of publication (--query).")
    ] = None
    last: Annotated[
        datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day of publication (--query).")
    ] = None
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only what changed since that day (--query).")
    ] = None
    maximum: Annotated[int | None, typer.Option("--max", help="Records at most (--query).")] = None
    email: EmailOption = None
    base_url: EntrezOption = None

    def as_request(self) -> "CrawlRequest":
        """Return the request of PubMed."""
        from llama_index_medqa.pubmed.crawl.request import CrawlRequest
        from llama_index_medqa.pubmed.crawl.search_slices import date_range

        return CrawlRequest(
            query=self.query,
            dates=date_range("publication", self.first and self.first.date(), self.last and self.last.date()),
            since=self.since.date() if self.since else None,
            maximum=self.maximum,
        )


@dataclass(frozen=True)
class BuildOptions:
    """With what an index is built, and by how many machines."""

    profile: ProfileOption = EMBEDDED.name
    embedder: EmbedderOption = None
    chunk_size: ChunkSizeOption = None
    chunk_overlap: ChunkOverlapOption = None
    ray: RayOption = None
    wait: WaitOption = True

    def as_profile(self) -> Profile:
        """Return the profile with these values in place of its own."""
        return chosen_profile(
            self.profile, embedder=self.embedder, chunk_size=self.chunk_size, chunk_overlap=self.chunk_overlap
        )


@with_groups
def index(
    *,
    files: Annotated[
        list[str] | None,
        typer.Argument(help="PubMed XML, .nbib, CSV, RIS, EndNote, Ovid, JSON (also .gz); folders; - for stdin."),
    ] = None,
    folder: IndexOption = "medqa_index",
    crawled: QueryOptions,
    built: BuildOptions,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Index PubMed records of files or of a query. Run it again to add more or to finish an interrupted run."""
    if (crawled.query is None) == (not files):
        raise UsageError("Give either files or --query.")
    if built.ray is not None and crawled.query is not None:
        raise UsageError("--ray reads files: crawl the query without it, or give its files.")
    terminal = terminal_for(as_json)
    chosen = built.as_profile()
    if built.ray is not None:
        result = _index_by_ray(terminal, chosen, folder, files or [], built.ray, wait=built.wait)
    elif crawled.query is None:
        result = _index_files(terminal, chosen, folder, files or [], wait=built.wait)
    else:
        request = crawled.as_request()
        with _entrez(crawled.email, crawled.base_url) as client:
            result = _index_query(terminal, chosen, folder, client, request, wait=built.wait)
    if as_json:
        print_json({"index": folder, **result})
    if result.get("failed") or result.get("crawl", {}).get("failed"):
        sys.exit(EXIT_INCOMPLETE)


def _index_files(
    terminal: "Terminal", profile: Profile, folder: str, files: list[str], *, wait: bool
) -> dict[str, Any]:
    from llama_index_medqa.indexing.reader import PubMedReader
    from llama_index_medqa.indexing.updating import ingest_files

    # Broken input is told before a model is loaded or a folder made.
    documents = _first_read(PubMedReader().lazy_load_changes(files))
    return run_ingestion(terminal, profile, folder, partial(ingest_files, changes=documents), wait=wait)


def run_ingestion(
    terminal: "Terminal", profile: Profile, folder: str, ingest: Callable[..., "IngestReport"], *, wait: bool
) -> dict[str, Any]:
    """Run an ingestion and return its result as data.

    As the only writer, with the report shown and lost vectors made again.

    Args:
        terminal: shows all that.
        profile: names the embedder.
        folder: of the index.
        ingest: takes the index and ``progress``, and writes.
        wait: whether to wait for another process that writes.
    """
    from llama_index_medqa.components import open_embedder, open_index
    from llama_index_medqa.indexing.node_parser import require_overlap_below_size

    require_overlap_below_size(profile.chunk_size, profile.chunk_overlap)
    with alone(terminal, folder, wait=wait):
        with terminal.weights_progress() as progress:
            embedder = open_embedder(profile, progress, folder)
        # Only now may a folder be made.
        with alone(terminal, folder, create=True, wait=wait):
            index = open_index(profile, folder, embedder, create=True)
            terminal.line(f"Embedding with {embedder.describe()}.", "dim")
            with index.store.sole_writer(wait=wait), terminal.ingest_progress() as shown:
                report = ingest(index, progress=shown)
            terminal.show_report(folder, report)
            return {**asdict(report), "vectors_repaired": _repaired(terminal, folder, index)}


def _index_by_ray(
    terminal: "Terminal", profile: Profile, location: str, files: list[str], address: str, *, wait: bool
) -> dict[str, Any]:
    from llama_index_medqa.components import open_embedder, open_index
    from llama_index_medqa.indexing.ray_ingestion import ingest_with_ray, ray_cluster
    from llama_index_medqa.pubmed.formats.reading import expand_sources
    from llama_index_medqa.vector_store.client import is_chroma_server

    if not is_chroma_server(location):
        raise UsageError(
            f"--ray needs a Chroma server: many processes write, and the folder {location} takes one only. Start a "
            f"server with `chroma run --path {location} --host 0.0.0.0 --port 8000`, and give --index http://HOST:8000."
        )
    paths = [str(path) for path in expand_sources(files)]
    with terminal.weights_progress() as progress:
        embedder = open_embedder(profile, progress, location)
    index = open_index(profile, location, embedder, create=True)
    with ray_cluster(address) as cluster:
        terminal.line(str(cluster))
        with terminal.ingest_progress() as progress:
            report = ingest_with_ray(index, paths, wait=wait, progress=progress)
    terminal.show_report(location, report.ingested)
    repaired = _repaired(terminal, location, index)
    for file, reason in report.failed.items():
        terminal.line(f"not indexed: {file}: {reason}", "red")
    return {**asdict(report.ingested), "failed": report.failed, "vectors_repaired": repaired}


def _index_query(
    terminal: "Terminal", profile: Profile, folder: str, client: "EntrezClient", request: "CrawlRequest", *, wait: bool
) -> dict[str, Any]:
    from llama_index_medqa.indexing.updating import crawl_folder, ingest_crawl
    from llama_index_medqa.pubmed.crawl.crawler import crawl

    crawled = crawl_folder(_crawls(folder), request)
    with terminal.crawl_progress() as progress:
        summary = crawl(client, request, crawled, progress=progress)
    terminal.show_crawl(crawled, summary)
    result = run_ingestion(terminal, profile, folder, partial(ingest_crawl, summary=summary), wait=wait)
    return {**result, "crawl": summary.as_json()}


@contextmanager
def alone(terminal: "Terminal", location: str, *, create: bool = False, wait: bool) -> Iterator[None]:
    """Hold an index as its only writer.

    Where there is an index; damaged vectors are moved aside first.
    """
    from llama_index_medqa.vector_store.database import sole_writer

    with sole_writer(location, create=create, wait=wait) as set_aside:
        for folder in set_aside:
            terminal.line(f"Damaged vectors were moved to {folder}; they are made again from the texts.", "yellow")
        yield


def _repaired(terminal: "Terminal", location: str, index: "PubMedIndex") -> int:
    """Make lost vectors again if a sample of chunks lacks any."""
    with terminal.chunk_progress("Repairing") as progress:
        made = index.repair(sample=_VECTORS_CHECKED, progress=progress)
    if made:
        terminal.line(f"Made the lost vectors of {counted(made, 'chunk')} of {location} again.", "yellow")
    return made


def update(
    folder: IndexOption = "medqa_index",
    profile: ProfileOption = EMBEDDED.name,
    embedder: EmbedderOption = None,
    email: EmailOption = None,
    base_url: EntrezOption = None,
    wait: WaitOption = True,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Ask PubMed for every record of an index again; apply revisions, deletions and retractions, and list them."""
    from llama_index_medqa.components import open_embedder, open_index
    from llama_index_medqa.indexing.updating import apply_recheck, recheck

    terminal = terminal_for(as_json)
    chosen = chosen_profile(profile, embedder=embedder)
    require_index(folder)
    with terminal.weights_progress() as progress:
        opened = open_index(chosen, folder, open_embedder(chosen, progress, folder))
    with _entrez(email, base_url) as client, terminal.crawl_progress() as progress:
        checked = recheck(opened, client, _crawls(folder), progress=progress)
    with opened.store.sole_writer(wait=wait), terminal.ingest_progress() as progress:
        report = apply_recheck(opened, checked, progress=progress)
    if as_json:
        print_json({"index": folder, **asdict(report), "as_of": report.as_of.isoformat() if report.as_of else None})
    else:
        terminal.show_update(report)
    if report.failed:
        sys.exit(EXIT_INCOMPLETE)


def info(folder: IndexOption = "medqa_index", as_json: JsonOption = False) -> None:
    """Show what an index holds, and with which identity it was built."""
    from llama_index_medqa.indexing.info import describe
    from llama_index_medqa.vector_store.addresses import open_store

    found = describe(open_store(folder, create=False))
    if as_json:
        print_json({"index": folder, **asdict(found), "as_of": found.as_of.isoformat() if found.as_of else None})
    else:
        terminal_for(as_json).show_info(folder, found)


def export_(
    file: Annotated[Path, typer.Argument(help="File to write; an existing one is replaced.")],
    folder: IndexOption = "medqa_index",
    as_json: JsonOption = False,
) -> None:
    """Write a whole index to one file to share: texts, metadata, vectors, and with what it was built."""
    require_writable(file)
    from llama_index_medqa.indexing.archive import export_index
    from llama_index_medqa.vector_store.addresses import open_store

    terminal = terminal_for(as_json)
    with terminal.chunk_progress("Exporting") as progress:
        written = export_index(open_store(folder, create=False), file, progress=progress)
    if as_json:
        print_json({"index": folder, "file": str(file), "chunks": written.chunks, "bytes": file.stat().st_size})
    else:
        exported = f"{counted(written.chunks, 'chunk')} of {redacted(folder)} to {file}"
        terminal.line(f"Exported {exported} ({sized(file.stat().st_size)}).")


def import_(
    file: Annotated[Path, typer.Argument(help="File that `medqa export` wrote.")],
    folder: IndexOption = "medqa_index",
    wait: WaitOption = True,
    as_json: JsonOption = False,
) -> None:
    """Read an exported index into a new folder or a server, after verifying all of it."""
    from llama_index_medqa.indexing.archive import import_index

    terminal = terminal_for(as_json)
    with terminal.chunk_progress("Importing") as progress:
        read = import_index(file, folder, wait=wait, progress=progress)
    if as_json:
        print_json({"index": folder, "file": str(file), "chunks": read.chunks})
    else:
        terminal.line(f"Imported {counted(read.chunks, 'chunk')} of {file} into {redacted(folder)}.")


def copy(
    source: Annotated[str, typer.Option("--from", help="Folder or address of the index.")],
    target: Annotated[str, typer.Option("--to", help="Folder or address to copy it to, where there is no index yet.")],
    wait: WaitOption = True,
    as_json: JsonOption = False,
) -> None:
    """Copy an index to another folder, server or engine, and verify every row. Run it again to go on."""
    from llama_index_medqa.indexing.copying import copy_index
    from llama_index_medqa.vector_store.addresses import open_store

    terminal = terminal_for(as_json)
    one, other = open_store(source, create=False), open_store(target)
    with terminal.chunk_progress("Copying") as progress:
        report = copy_index(one, other, wait=wait, progress=progress)
    if as_json:
        print_json({"from": source, "to": target, **asdict(report)})
    else:
        copied = f"{counted(report.chunks, 'chunk')} of {redacted(source)} to {redacted(target)}"
        terminal.line(f"Copied {copied}; each was read back and is the same.")


def migrate(folder: IndexOption = "medqa_index", wait: WaitOption = True, as_json: JsonOption = False) -> None:
    """Bring an index of an earlier version up to date, in place. Run it again to finish an interrupted run."""
    from llama_index_medqa.indexing.migration import migrate as migrate_store
    from llama_index_medqa.vector_store.addresses import open_store

    terminal = terminal_for(as_json)
    store = open_store(folder, create=False)
    with store.sole_writer(wait=wait), terminal.chunk_progress("Migrating") as progress:
        rewritten = migrate_store(store, progress=progress)
    if as_json:
        print_json({"index": folder, "chunks_rewritten": rewritten})
    else:
        terminal.line(f"Rewrote {counted(rewritten, 'chunk')} of {redacted(folder)}; the index is up to date.")


def _first_read(items: Iterator[_Item]) -> Iterator[_Item]:
    """Read the first item at once, so that empty input is an error before more is done."""
    first = list(islice(items, 1))
    if not first:
        raise EmptyCorpusError("No record with text in the input: give files that hold some.")
    return chain(first, items)


def _crawls(folder: str) -> Path:
    """Return the folder of an index's crawls, beside it: its own belongs to the database."""
    from llama_index_medqa.vector_store.client import is_folder

    path = Path(folder if is_folder(folder) else re.sub(r"\W+", "_", folder))
    return path.with_name(f"{path.name}.crawls")


def _entrez(email: str | None, base_url: str | None) -> "EntrezClient":
    from llama_index_medqa.pubmed.entrez.client import BASE_URL, EntrezClient, EntrezSettings

    key = os.environ.get(KEY_VARIABLE) or None
    return EntrezClient(EntrezSettings(email=email, api_key=key, base_url=base_url or BASE_URL))
