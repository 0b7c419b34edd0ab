"""The command ``medqa config``: the settings in force, and their origin."""

from pathlib import Path
from typing import Any

import typer

from llama_index_medqa.cli.configuration.settings import (
    FILE_NAME,
    KEYS,
    UNTOUCHED_COMMANDS,
    key_of,
    misspelt_variables,
    read_settings,
    user_file,
    variable_of,
)
from llama_index_medqa.cli.options import JsonOption, print_json, terminal_for
from llama_index_medqa.redaction import redacted


def config(context: typer.Context, as_json: JsonOption = False) -> None:
    """Show the settings that hold where no option is given, and where each comes from."""
    settings = read_settings()
    defaults = _defaults(context)
    rows = {
        key: {"value": settings[key].value, "from": settings[key].origin}
        if key in settings
        else {"value": defaults.get(key), "from": "default"}
        for key in KEYS
    }
    files = {str(path): path.is_file() for path in (Path(FILE_NAME), user_file())}
    misspelt = misspelt_variables()
    if as_json:
        shown = {key: {**row, "value": _without_keys(row["value"])} for key, row in rows.items()}
        print_json({"settings": shown, "files": files, "misspelt": misspelt})
        return
    terminal = terminal_for(as_json)
    terminal.show_table(
        ("key", "value", "from", "or variable"),
        [(key, _shown(row["value"]), str(row["from"]), variable_of(key)) for key, row in rows.items()],
    )
    for path, is_there in files.items():
        terminal.line(f"{path}: {'read' if is_there else 'not there'}")
    for name, meant in misspelt.items():
        terminal.line(f"{name} is set and is none of these variables: did you mean {meant}?", "yellow")


def _defaults(context: typer.Context) -> dict[str, Any]:
    """Return the default values of the options, by key."""
    commands: dict[str, Any] = getattr(context.find_root().command, "commands", {})
    found: dict[str, Any] = {}
    for name, command in commands.items():
        if name not in UNTOUCHED_COMMANDS:
            for parameter in command.params:
                found.setdefault(key_of(parameter), parameter.default)
    return found


def _without_keys(value: Any) -> Any:
    return redacted(value) if isinstance(value, str) else value


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return redacted("; ".join(value) if isinstance(value, list) else str("" if value is None else value))
