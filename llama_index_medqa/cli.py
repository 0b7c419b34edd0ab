"""The command ``medqa``."""

import os
import sys
from contextlib import ExitStack
from typing import Annotated

import typer

from llama_index_medqa import index_commands, serving_commands
from llama_index_medqa.command_options import (
    EmbedderOption,
    IndexOption,
    JsonOption,
    LlmOption,
    ProfileOption,
    WeightsHashOption,
    WeightsOption,
)
from llama_index_medqa.command_options import chosen_profile as _profile
from llama_index_medqa.command_options import print_json as _print_json
from llama_index_medqa.command_options import require_index as _require_index
from llama_index_medqa.command_options import terminal_for as _terminal
from llama_index_medqa.errors import MedQAError
from llama_index_medqa.profiles import EMBEDDED

app = typer.Typer(
    help="Medical question answering over PubMed: every sentence points at the abstract that supports it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.command()(index_commands.index)
app.command()(index_commands.update)


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
        engine = open_engine(chosen, opened, drafter, include_retracted=include_retracted)
        if as_json:
            _print_json(as_data(question, start_answer(engine, question).get_response()))
        else:
            terminal.show_answer(engine, question)


app.command()(index_commands.info)
app.command("export")(index_commands.export_)
app.command("import")(index_commands.import_)
app.command()(index_commands.migrate)


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
