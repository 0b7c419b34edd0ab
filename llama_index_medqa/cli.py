"""The command ``medqa``."""

import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, replace
from datetime import datetime
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast, get_args

import typer

from llama_index_medqa import evaluation_commands, serving_commands
from llama_index_medqa.errors import EmptyCorpusError, InputError, MedQAError
from llama_index_medqa.profiles import EMBEDDED, PROFILES, LlmKind, Policy, Profile, RetrievalMode

if TYPE_CHECKING:
    from llama_index_medqa.pubmed.crawl_request import CrawlRequest
    from llama_index_medqa.pubmed.entrez import EntrezClient
    from llama_index_medqa.terminal import Terminal

_Item = TypeVar("_Item")

app = typer.Typer(
    help="Medical question answering over PubMed: every sentence points at the abstract that supports it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

IndexOption = Annotated[
    str,
    typer.Option("--index", envvar="MEDQA_INDEX", help="Folder of the index, or http://HOST:PORT of a Chroma server."),
]
ProfileOption = Annotated[str, typer.Option("--profile", envvar="MEDQA_PROFILE", help=f"{' or '.join(PROFILES)}.")]
EmbedderOption = Annotated[
    str | None, typer.Option(help="E5 model: packaged weights, a model folder or a hub id, in place of the profile's.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object to standard output.")]
LlmOption = Annotated[
    str | None,
    typer.Option(help="local (llama.cpp), server (see --api-base) or extractive (quotes, no model)."),
]
WeightsOption = Annotated[str | None, typer.Option(help="GGUF file for --llm local, in place of the packaged weights.")]
WeightsHashOption = Annotated[
    str | None, typer.Option("--weights-sha256", help="Expected SHA-256 of --weights, when it is another model.")
]

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

# Some records could not be fetched or read; all others were.
EXIT_INCOMPLETE = 3
KEY_VARIABLE = "NCBI_API_KEY"


@app.command()
def index(
    files: Annotated[
        list[str] | None,
        typer.Argument(help="PubMed XML (.xml, .xml.gz), .nbib, medical_data.json, JSON lines; folders; - for stdin."),
    ] = None,
    folder: IndexOption = "medqa_index",
    query: Annotated[str | None, typer.Option(help="Instead of files: a query in PubMed's own syntax.")] = None,
    first: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day of publication (--query).")
    ] = None,
    last: Annotated[
        datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day of publication (--query).")
    ] = None,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only what changed since that day (--query).")
    ] = None,
    maximum: Annotated[int | None, typer.Option("--max", help="Records at most (--query).")] = None,
    email: EmailOption = None,
    base_url: EntrezOption = None,
    profile: ProfileOption = EMBEDDED.name,
    embedder: EmbedderOption = None,
    chunk_size: Annotated[int | None, typer.Option(help="Most tokens in a chunk (of a new index).")] = None,
    chunk_overlap: Annotated[int | None, typer.Option(help="Tokens shared by neighbouring chunks.")] = None,
    ray: RayOption = None,
    as_json: JsonOption = False,
) -> None:
    """Index PubMed records of files or of a query. Run it again to add more or to finish an interrupted run."""
    if (query is None) == (not files):
        raise InputError("Give either files or --query.")
    if ray is not None and query is not None:
        raise InputError("--ray reads files: crawl the query without it, or give its files.")
    terminal = _terminal(as_json)
    chosen = _profile(profile, embedder=embedder, chunk_size=chunk_size, chunk_overlap=chunk_overlap)
    if ray is not None:
        result = _index_by_ray(terminal, chosen, folder, files or [], ray)
    elif query is None:
        result = _index_files(terminal, chosen, folder, files or [])
    else:
        request = _crawl_request(query, first, last, since, maximum)
        with _entrez(email, base_url) as client:
            result = _index_query(terminal, chosen, folder, client, request)
    if as_json:
        _print_json({"index": folder, **result})
    if result.get("failed") or result.get("crawl", {}).get("failed"):
        sys.exit(EXIT_INCOMPLETE)


def _index_files(terminal: "Terminal", profile: Profile, folder: str, files: list[str]) -> dict[str, Any]:
    from llama_index_medqa.assembly import open_embedder, open_index
    from llama_index_medqa.reader import PubMedReader
    from llama_index_medqa.updating import ingest_files

    # Broken input is told before a model is loaded or a folder made.
    documents = _first_read(PubMedReader().lazy_load_changes(files))
    with terminal.weights_progress() as progress:
        embedder = open_embedder(profile, progress)
    index = open_index(profile, folder, embedder, create=True)
    terminal.line(f"Embedding with {embedder.describe()}.", "dim")
    with terminal.ingest_progress() as progress:
        report = ingest_files(index, documents, progress=progress)
    terminal.show_report(folder, report)
    return asdict(report)


def _index_by_ray(terminal: "Terminal", profile: Profile, place: str, files: list[str], address: str) -> dict[str, Any]:
    from llama_index_medqa.assembly import open_embedder, open_index
    from llama_index_medqa.chroma_client import place_arguments
    from llama_index_medqa.pubmed.formats import expand_sources
    from llama_index_medqa.scale_out import ingest_with_ray, ray_cluster

    if "persist_dir" in place_arguments(place):
        raise InputError(
            f"--ray needs a Chroma server: many processes write, and the folder {place} takes one only. Start a "
            f"server with `chroma run --path {place} --host 0.0.0.0 --port 8000`, and give --index http://HOST:8000."
        )
    paths = [str(path) for path in expand_sources(files)]
    with terminal.weights_progress() as progress:
        embedder = open_embedder(profile, progress)
    index = open_index(profile, place, embedder, create=True)
    with ray_cluster(address) as cluster:
        terminal.line(str(cluster))
        with terminal.ingest_progress() as progress:
            report = ingest_with_ray(index, paths, progress=progress)
    terminal.show_report(place, report.ingested)
    for file, reason in report.failed.items():
        terminal.line(f"not indexed: {file}: {reason}", "red")
    return {**asdict(report.ingested), "failed": report.failed}


def _index_query(
    terminal: "Terminal", profile: Profile, folder: str, client: "EntrezClient", request: "CrawlRequest"
) -> dict[str, Any]:
    from llama_index_medqa.assembly import open_embedder, open_index
    from llama_index_medqa.pubmed.crawl import crawl
    from llama_index_medqa.updating import crawl_folder, ingest_crawl

    place = crawl_folder(_crawls(folder), request)
    with terminal.crawl_progress() as progress:
        summary = crawl(client, request, place, progress=progress)
    terminal.show_crawl(place, summary)
    with terminal.weights_progress() as progress:
        embedder = open_embedder(profile, progress)
    index = open_index(profile, folder, embedder, create=True)
    terminal.line(f"Embedding with {embedder.describe()}.", "dim")
    with terminal.ingest_progress() as progress:
        report = ingest_crawl(index, summary, progress=progress)
    terminal.show_report(folder, report)
    return {**asdict(report), "crawl": summary.as_json()}


@app.command()
def update(
    folder: IndexOption = "medqa_index",
    profile: ProfileOption = EMBEDDED.name,
    embedder: EmbedderOption = None,
    email: EmailOption = None,
    base_url: EntrezOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask PubMed for every record of an index again; apply revisions, deletions and retractions, and list them."""
    from llama_index_medqa.assembly import open_embedder, open_index
    from llama_index_medqa.updating import apply_recheck, recheck

    terminal = _terminal(as_json)
    chosen = _profile(profile, embedder=embedder)
    _require_index(folder)
    with terminal.weights_progress() as progress:
        opened = open_index(chosen, folder, open_embedder(chosen, progress))
    with _entrez(email, base_url) as client, terminal.crawl_progress() as progress:
        checked = recheck(opened, client, _crawls(folder), progress=progress)
    with terminal.ingest_progress() as progress:
        report = apply_recheck(opened, checked, progress=progress)
    if as_json:
        _print_json({"index": folder, **asdict(report), "as_of": report.as_of.isoformat() if report.as_of else None})
    else:
        terminal.show_update(report)
    if report.failed:
        sys.exit(EXIT_INCOMPLETE)


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="A question in English.")],
    folder: IndexOption = "medqa_index",
    profile: ProfileOption = EMBEDDED.name,
    embedder: EmbedderOption = None,
    llm: LlmOption = None,
    weights: WeightsOption = None,
    weights_sha256: WeightsHashOption = None,
    api_base: Annotated[str | None, typer.Option(help="Address of an OpenAI-compatible server, with /v1.")] = None,
    model: Annotated[str | None, typer.Option(help="Name under which that server lists the model.")] = None,
    adapter: Annotated[str | None, typer.Option(help="Name under which it lists the LoRA adapter.")] = None,
    manifest: serving_commands.ManifestOption = None,
    top_k: Annotated[int | None, typer.Option(min=1, help="Chunks to retrieve.")] = None,
    retrieval: Annotated[
        str | None, typer.Option(help="hybrid (by meaning and words), dense (by meaning) or lexical (by words).")
    ] = None,
    include_retracted: Annotated[bool, typer.Option("--include-retracted", help="Use retracted papers too.")] = False,
    policy: Annotated[
        str,
        typer.Option(help="Sentences that nothing supports: strict (left out), mark (marked) or report (kept)."),
    ] = "strict",
    first_year: Annotated[int | None, typer.Option("--from-year", help="Papers of this year or later.")] = None,
    last_year: Annotated[int | None, typer.Option("--to-year", help="Papers of this year or earlier.")] = None,
    publication_type: Annotated[
        list[str] | None, typer.Option("--type", help="Papers of this publication type, or of one of several.")
    ] = None,
    journal: Annotated[list[str] | None, typer.Option(help="Papers of this journal, or of one of several.")] = None,
    html: Annotated[
        Path | None, typer.Option(help="Also write the answer to this HTML file, abstracts beside.")
    ] = None,
    markdown: Annotated[Path | None, typer.Option(help="Also write it to this Markdown file.")] = None,
    bibtex: Annotated[Path | None, typer.Option(help="Also write the cited papers to this BibTeX file.")] = None,
    ris: Annotated[Path | None, typer.Option(help="Also write the cited papers to this RIS file.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Answer a question from an index, or say that it cannot be answered from it."""
    from llama_index_medqa.assembly import open_drafter, open_embedder, open_engine, open_index, start_answer
    from llama_index_medqa.query_filters import PaperFilter
    from llama_index_medqa.rendering import as_data
    from llama_index_medqa.saving import save_answer

    terminal = _terminal(as_json)
    papers = PaperFilter(first_year, last_year, publication_type or (), journal or ())
    if policy not in get_args(Policy):
        raise InputError(f"--policy cannot be {policy!r}: choose {', '.join(get_args(Policy))}.")
    chosen = _profile(
        profile,
        embedder=embedder,
        llm=llm or ("server" if api_base else None),
        api_base=api_base,
        base_model=model,
        adapter=adapter,
        manifest=manifest,
        similarity_top_k=top_k,
        retrieval=retrieval,
    )
    _require_index(folder)
    with ExitStack() as stack:
        with terminal.weights_progress() as progress:
            opened = open_index(chosen, folder, open_embedder(chosen, progress))
            drafter = stack.enter_context(
                open_drafter(chosen, weights=weights, weights_sha256=weights_sha256, progress=progress)
            )
        engine = open_engine(
            chosen, opened, drafter, include_retracted=include_retracted, policy=cast("Policy", policy)
        )
        if as_json:
            response = start_answer(engine, question, papers).get_response()
            _print_json(as_data(question, response))
        else:
            response = terminal.show_answer(engine, question, papers)
    save_answer(question, response, html=html, markdown=markdown, bibtex=bibtex, ris=ris)


@app.command()
def info(folder: IndexOption = "medqa_index", as_json: JsonOption = False) -> None:
    """Show what an index holds, and with which identity it was built."""
    from llama_index_medqa.index import describe
    from llama_index_medqa.vector_store import PubMedVectorStore

    found = describe(PubMedVectorStore.at(folder, create=False))
    if as_json:
        _print_json({"index": folder, **asdict(found), "as_of": found.as_of.isoformat() if found.as_of else None})
    else:
        _terminal(as_json).show_info(folder, found)


@app.command("export")
def export_(
    file: Annotated[Path, typer.Argument(help="File to write; an existing one is replaced.")],
    folder: IndexOption = "medqa_index",
    as_json: JsonOption = False,
) -> None:
    """Write a whole index to one file to share: texts, metadata, vectors, and with what it was built."""
    from llama_index_medqa.index_archive import export_index
    from llama_index_medqa.vector_store import PubMedVectorStore

    terminal = _terminal(as_json)
    with terminal.chunk_progress("Exporting") as progress:
        written = export_index(PubMedVectorStore.at(folder, create=False), file, progress=progress)
    if as_json:
        _print_json({"index": folder, "file": str(file), "chunks": written.chunks, "bytes": file.stat().st_size})
    else:
        terminal.line(f"{written.chunks} chunks of {folder} are in {file} ({file.stat().st_size / 1e6:.1f} MB).")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="File that `medqa export` wrote.")],
    folder: IndexOption = "medqa_index",
    as_json: JsonOption = False,
) -> None:
    """Read an exported index into a new folder or a server, after verifying all of it."""
    from llama_index_medqa.index_archive import import_index

    terminal = _terminal(as_json)
    with terminal.chunk_progress("Importing") as progress:
        read = import_index(file, folder, progress=progress)
    if as_json:
        _print_json({"index": folder, "file": str(file), "chunks": read.chunks})
    else:
        terminal.line(f"{read.chunks} chunks of {file} are in {folder}.")


@app.command()
def migrate(folder: IndexOption = "medqa_index", as_json: JsonOption = False) -> None:
    """Bring an index of an earlier version up to date, in place. Run it again to finish an interrupted run."""
    from llama_index_medqa.migration import migrate as migrate_store
    from llama_index_medqa.vector_store import PubMedVectorStore

    terminal = _terminal(as_json)
    with terminal.chunk_progress("Migrating") as progress:
        rewritten = migrate_store(PubMedVectorStore.at(folder, create=False), progress=progress)
    if as_json:
        _print_json({"index": folder, "chunks_rewritten": rewritten})
    else:
        terminal.line(f"{rewritten} chunks of {folder} were rewritten; the index is up to date.")


@app.command()
def demo(
    folder: Annotated[str, typer.Option("--index", help="Folder of the demo's index.")] = ".medqa/demo",
    xml: Annotated[str | None, typer.Option(help="PubMed XML file to use in place of the packaged sample.")] = None,
    profile: ProfileOption = EMBEDDED.name,
    llm: LlmOption = None,
    weights: WeightsOption = None,
    weights_sha256: WeightsHashOption = None,
) -> None:
    """Index about 200 real abstracts on the heart and answer three questions."""
    from llama_index_medqa.demo import run_demo

    chosen = _profile(profile, llm=llm)
    run_demo(_terminal(False), chosen, folder, xml=xml, weights=weights, weights_sha256=weights_sha256)


app.command()(evaluation_commands.evaluate)
app.command()(evaluation_commands.gate)
app.command()(serving_commands.serve)
app.command()(serving_commands.doctor)
app.add_typer(serving_commands.adapter_app, name="adapter")


def main() -> None:
    """Runs the command; every error of ours becomes one line and exit code 1."""
    # Models are loaded without their libraries' progress bars and notices: the command has its own.
    os.environ.setdefault("TQDM_DISABLE", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    try:
        app()
    except MedQAError as error:
        message = " ".join(str(error).split())
        sys.stderr.write(f"Error: {message}\n")
        sys.exit(1)


def _terminal(as_json: bool) -> "Terminal":
    from llama_index_medqa.terminal import Terminal

    return Terminal(quiet=as_json)


def _profile(name: str, **overrides: Any) -> Profile:
    if name not in PROFILES:
        raise InputError(f"There is no profile {name!r}: choose {' or '.join(PROFILES)}.")
    for option, kinds in (("llm", get_args(LlmKind)), ("retrieval", get_args(RetrievalMode))):
        if overrides.get(option) not in (None, *kinds):
            raise InputError(f"--{option} cannot be {overrides[option]!r}: choose {', '.join(kinds)}.")
    return replace(PROFILES[name], **{key: value for key, value in overrides.items() if value is not None})


def _require_index(folder: str) -> None:
    """Tells of a missing index before a model is loaded."""
    from llama_index_medqa.vector_store import PubMedVectorStore

    PubMedVectorStore.at(folder, create=False)


def _first_read(items: Iterator[_Item]) -> Iterator[_Item]:
    """Reads the first item at once, so that input without any is told of before more is done."""
    first = list(islice(items, 1))
    if not first:
        raise EmptyCorpusError("No record with text in the input: give files that hold some.")
    return chain(first, items)


def _crawl_request(
    query: str, first: datetime | None, last: datetime | None, since: datetime | None, maximum: int | None
) -> "CrawlRequest":
    from llama_index_medqa.pubmed.crawl_request import CrawlRequest
    from llama_index_medqa.pubmed.slices import date_range

    return CrawlRequest(
        query=query,
        dates=date_range("publication", first and first.date(), last and last.date()),
        since=since.date() if since else None,
        maximum=maximum,
    )


def _crawls(folder: str) -> Path:
    """Where crawls for an index are kept: beside it, because the index's own folder belongs to its database."""
    place = Path(re.sub(r"\W+", "_", folder) if "://" in folder else folder)
    return place.with_name(f"{place.name}.crawls")


def _entrez(email: str | None, base_url: str | None) -> "EntrezClient":
    from llama_index_medqa.pubmed.entrez import BASE_URL, EntrezClient, EntrezSettings

    key = os.environ.get(KEY_VARIABLE) or None
    return EntrezClient(EntrezSettings(email=email, api_key=key, base_url=base_url or BASE_URL))


def _print_json(data: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(data, ensure_ascii=False, indent=2) + "\n")
