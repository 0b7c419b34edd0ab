"""Writes commands.md from the command line's own help.

python docs/make_reference.py
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from llama_index_medqa.cli.command import app

PAGE = Path(__file__).with_name("commands.md")
INTRODUCTION = """# Commands

Written by `python docs/make_reference.py` from the help of `medqa`; change that, not this page.

Exit codes: 0 done (also when the answer is that there is none), 1 an error, shown as one line, or a gate that failed, 2
wrong usage, 3 something could not be fetched or answered, and is named.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([INTRODUCTION, *_sections("medqa", get_command(app))])


def _sections(name: str, command: Any) -> Iterator[str]:
    if hasattr(command, "commands"):
        for word, child in sorted(command.commands.items()):
            yield from _sections(f"{name} {word}", child)
        return
    options = [item for item in command.params if item.param_type_name == "option" and not item.hidden]
    arguments = [item for item in command.params if item.param_type_name == "argument"]
    words = " ".join([name, *(str(item.name).upper() for item in arguments)])
    yield f"## {name}\n`{words}`: {_plain(command.help)}\n"
    rows = [(f"`{str(item.name).upper()}`", item) for item in arguments]
    rows += [(", ".join(f"`{option}`" for option in item.opts), item) for item in options]
    if rows:
        yield "| option | default | |\n|---|---|---|"
        yield from (f"| {shown} | {_default(item)} | {_help(item)} |" for shown, item in rows)
        yield ""


def _default(item: Any) -> str:
    if item.required and item.default is None:
        return "must be given"
    return "" if item.default is None or item.default is False or callable(item.default) else f"`{item.default}`"


def _help(item: Any) -> str:
    variable = f" (or `{item.envvar}`)" if item.envvar else ""
    return _plain(getattr(item, "help", None)).rstrip(".") + variable


def _plain(text: str | None) -> str:
    return re.sub(r"\s+", " ", text or "").replace("|", "\\|").strip()


if __name__ == "__main__":
    PAGE.write_text(page())
