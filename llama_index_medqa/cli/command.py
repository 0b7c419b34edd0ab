"""The command ``medqa``."""

import logging
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, cast, get_args

import typer

from llama_index_medqa.cli import evaluation_commands, index_commands, judge_commands, serving_commands
from llama_index_medqa.cli.options import (
    EmbedderOption,
    IndexOption,
    JsonOption,
    LlmOption,
    ProfileOption,
    StrictnessOption,
    WeightsHashOption,
    WeightsOption,
    chosen_profile,
    chosen_strictness,
    print_json,
    require_index,
    terminal_for,
)
from llama_index_medqa.errors import MedQAError, UsageError
from llama_index_medqa.profiles import EMBEDDED, MOST_CHUNKS, Policy
from llama_index_medqa.text.printable import PrintableFormatter, printable

# As the command's own parser ends, where an option does not exist.
_EXIT_MISUSED = 2

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
    question: Annotated[
        str, typer.Argument(help="A question in English; a model translates it from six other languages.")
    ],
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
    top_k: Annotated[int | None, typer.Option(min=1, max=MOST_CHUNKS, help="Chunks to retrieve.")] = None,
    retrieval: Annotated[
        str | None, typer.Option(help="hybrid (by meaning and words), dense (by meaning) or lexical (by words).")
    ] = None,
    include_retracted: Annotated[bool, typer.Option("--include-retracted", help="Use retracted papers too.")] = False,
    policy: Annotated[
        str,
        typer.Option(help="Sentences that nothing supports: strict (left out), mark (marked) or report (kept)."),
    ] = "strict",
    strictness: StrictnessOption = "balanced",
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
    why: Annotated[
        bool, typer.Option("--why", help="Also tell what was drafted, and why each sentence of it was left out.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Answer a question from an index; else quote the findings that come nearest, or say that there are none."""
    from llama_index_medqa.components import (
        open_drafter,
        open_embedder,
        open_engine,
        open_index,
        require_language,
        require_server,
        start_answer,
    )
    from llama_index_medqa.rendering.export import require_writable, save_answer
    from llama_index_medqa.rendering.text import as_data
    from llama_index_medqa.retrieval.paper_filter import PaperFilter

    terminal = terminal_for(as_json)
    if not question.strip():
        raise UsageError('The question is empty: give one in quotation marks, such as medqa ask "Does tea help?"')
    papers = PaperFilter(first_year, last_year, publication_type or (), journal or ())
    if policy not in get_args(Policy):
        raise UsageError(f"--policy cannot be {policy!r}: choose {', '.join(get_args(Policy))}.")
    sureness = chosen_strictness(strictness)
    chosen = chosen_profile(
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
    require_writable(html, markdown, bibtex, ris)
    require_index(folder)
    require_language(chosen, question)
    require_server(chosen)
    with ExitStack() as stack:
        with terminal.weights_progress() as progress:
            opened = open_index(chosen, folder, open_embedder(chosen, progress, folder))
            drafter = stack.enter_context(
                open_drafter(chosen, weights=weights, weights_sha256=weights_sha256, progress=progress)
            )
        engine = open_engine(
            chosen,
            opened,
            drafter,
            include_retracted=include_retracted,
            policy=cast("Policy", policy),
            strictness=sureness,
        )
        if as_json:
            response = start_answer(engine, question, papers).get_response()
            print_json(as_data(question, response))
        else:
            response = terminal.show_answer(engine, question, papers, with_reasons=why)
    save_answer(question, response, html=html, markdown=markdown, bibtex=bibtex, ris=ris)


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
    from llama_index_medqa.cli.demo import run_demo

    chosen = chosen_profile(profile, llm=llm)
    run_demo(terminal_for(False), chosen, folder, xml=xml, weights=weights, weights_sha256=weights_sha256)


app.command()(evaluation_commands.evaluate)
app.command()(evaluation_commands.gate)
app.command()(serving_commands.serve)
app.command()(serving_commands.doctor)
app.add_typer(serving_commands.adapter_app, name="adapter")
app.add_typer(judge_commands.judge_app, name="judge")


def main() -> None:
    """Runs the command; every error of ours becomes one line, and exit code 1, or 2 where the command was misused."""
    # Models are loaded without their libraries' progress bars and notices: the command has its own.
    os.environ.setdefault("TQDM_DISABLE", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(PrintableFormatter())
    try:
        app()
    except MedQAError as error:
        message = " ".join(printable(str(error)).split())
        sys.stderr.write(f"Error: {message}\n")
        sys.exit(_EXIT_MISUSED if isinstance(error, UsageError) else 1)
