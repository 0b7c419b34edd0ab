"""The command ``medqa``."""

import logging
import os
import sys
from typing import Annotated

import typer

from llama_index_medqa.cli import (
    app_commands,
    ask_command,
    chat_command,
    evaluation_commands,
    index_commands,
    judge_commands,
    mcp_command,
    serving_commands,
    verify_command,
)
from llama_index_medqa.cli.baseline import baseline_command
from llama_index_medqa.cli.configuration import config_command
from llama_index_medqa.cli.configuration.settings import defaults_of_commands, read_settings
from llama_index_medqa.cli.options import (
    EXIT_FAILED,
    EXIT_MISUSED,
    ORIGINS,
    LlmOption,
    ProfileOption,
    WeightsHashOption,
    WeightsOption,
    chosen_profile,
    terminal_for,
)
from llama_index_medqa.errors import MedQAError, UsageError
from llama_index_medqa.profiles import EMBEDDED
from llama_index_medqa.redaction import keep_environment_secret, redacted
from llama_index_medqa.text.printable import PrintableFormatter, printable

app = typer.Typer(
    help="Medical question answering over PubMed: every sentence points at the abstract that supports it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(value: bool) -> None:
    if value:
        from importlib.metadata import version

        sys.stdout.write(f"medqa {version('llama-index-medqa')}\n")
        raise typer.Exit


@app.callback()
def configured(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Medical question answering over PubMed: every sentence points at the abstract that supports it."""
    settings = read_settings()
    context.default_map = dict(defaults_of_commands(settings, getattr(context.command, "commands", {})))
    context.meta[ORIGINS] = [f"{key} = {setting.value!r} ({setting.origin})" for key, setting in settings.items()]


app.command()(index_commands.index)
app.command()(baseline_command.baseline)
app.command()(index_commands.update)


app.command()(ask_command.ask)
app.command()(chat_command.chat)
app.command()(app_commands.app)
app.command()(verify_command.verify)
app.command()(mcp_command.mcp)
app.command()(index_commands.info)
app.command("export")(index_commands.export_)
app.command("import")(index_commands.import_)
app.command()(index_commands.copy)
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


app.command()(config_command.config)
app.command()(evaluation_commands.evaluate)
app.command()(evaluation_commands.gate)
app.command()(evaluation_commands.leaderboard)
app.command()(serving_commands.serve)
app.command()(serving_commands.doctor)
app.add_typer(serving_commands.adapter_app, name="adapter")
app.add_typer(judge_commands.judge_app, name="judge")


def main() -> None:
    """Run the command, and exit with its code.

    Every error of ours becomes one line, and exit code 1, or 2 where the command was misused.
    """
    # Models are loaded without their libraries' progress bars and notices: the command has its own.
    os.environ.setdefault("TQDM_DISABLE", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(PrintableFormatter())
    keep_environment_secret()
    try:
        app()
    except MedQAError as error:
        _tell(str(error))
        sys.exit(EXIT_MISUSED if isinstance(error, UsageError) else EXIT_FAILED)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        _tell(f"{place}{error.strerror or error}. Check the path, the disk and its permissions.")
        sys.exit(EXIT_FAILED)


def _tell(message: str) -> None:
    sys.stderr.write(f"Error: {' '.join(printable(redacted(message)).split())}\n")
