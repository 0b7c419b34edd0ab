"""The command ``medqa``."""

import json
import os
import sys
from contextlib import ExitStack
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from llama_index_medqa.errors import InputError, MedQAError
from llama_index_medqa.profiles import EMBEDDED, PROFILES, LlmKind, Profile

if TYPE_CHECKING:
    from llama_index_medqa.terminal import Terminal

app = typer.Typer(
    help="Medical question answering over PubMed: every sentence points at the abstract that supports it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

IndexOption = Annotated[str, typer.Option("--index", envvar="MEDQA_INDEX", help="Folder of the index.")]
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


@app.command()
def index(
    files: Annotated[list[str], typer.Argument(help="PubMed XML (.xml, .xml.gz) or medical_data.json.")],
    folder: IndexOption = "medqa_index",
    profile: ProfileOption = EMBEDDED.name,
    embedder: EmbedderOption = None,
    chunk_size: Annotated[int | None, typer.Option(help="Most tokens in a chunk (of a new index).")] = None,
    chunk_overlap: Annotated[int | None, typer.Option(help="Tokens shared by neighbouring chunks.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Index files of PubMed records. Run it again to add files or to finish an interrupted run."""
    from llama_index_medqa.assembly import open_embedder, open_index
    from llama_index_medqa.reader import PubMedReader

    terminal = _terminal(as_json)
    chosen = _profile(profile, embedder=embedder, chunk_size=chunk_size, chunk_overlap=chunk_overlap)
    # Broken input is told before a model is loaded or a folder made.
    documents = terminal.first_read(PubMedReader().lazy_load_data(files))
    with terminal.weights_progress() as progress:
        model = open_embedder(chosen, progress)
    with terminal.ingest_progress() as progress:
        report = open_index(chosen, folder, model, create=True).ingest(documents, progress=progress)
    if as_json:
        _print_json({"index": folder, **asdict(report)})
    else:
        terminal.show_report(folder, report)


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
    top_k: Annotated[int | None, typer.Option(min=1, help="Chunks to retrieve.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Answer a question from an index, or say that it cannot be answered from it."""
    from llama_index_medqa.assembly import open_drafter, open_embedder, open_engine, open_index, start_answer
    from llama_index_medqa.rendering import as_data

    terminal = _terminal(as_json)
    chosen = _profile(
        profile,
        embedder=embedder,
        llm=llm or ("server" if api_base else None),
        api_base=api_base,
        base_model=model,
        adapter=adapter,
        similarity_top_k=top_k,
    )
    _require_index(folder)
    with ExitStack() as stack:
        with terminal.weights_progress() as progress:
            opened = open_index(chosen, folder, open_embedder(chosen, progress))
            drafter = stack.enter_context(
                open_drafter(chosen, weights=weights, weights_sha256=weights_sha256, progress=progress)
            )
        engine = open_engine(chosen, opened, drafter)
        if as_json:
            _print_json(as_data(question, start_answer(engine, question).get_response()))
        else:
            terminal.show_answer(engine, question)


@app.command()
def info(folder: IndexOption = "medqa_index", as_json: JsonOption = False) -> None:
    """Show what an index holds, and with which identity it was built."""
    from llama_index_medqa.index import describe
    from llama_index_medqa.vector_store import PubMedVectorStore

    found = describe(PubMedVectorStore(persist_dir=folder, create=False))
    if as_json:
        _print_json({"index": folder, **asdict(found)})
    else:
        _terminal(as_json).show_info(folder, found)


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
    kinds = get_args(LlmKind)
    if overrides.get("llm") not in (None, *kinds):
        raise InputError(f"--llm cannot be {overrides['llm']!r}: choose {', '.join(kinds)}.")
    return replace(PROFILES[name], **{key: value for key, value in overrides.items() if value is not None})


def _require_index(folder: str) -> None:
    """Tells of a missing index before a model is loaded."""
    from llama_index_medqa.vector_store import PubMedVectorStore

    PubMedVectorStore(persist_dir=folder, create=False)


def _print_json(data: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(data, ensure_ascii=False, indent=2) + "\n")
