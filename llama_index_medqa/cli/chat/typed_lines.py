"""Typed lines of a conversation: a question, or a command with a slash."""

import difflib
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

from llama_index_medqa.errors import UsageError
from llama_index_medqa.retrieval.paper_filter import PaperFilter

CitationFormat = Literal["bibtex", "ris"]

COMMANDS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "sources": ("", "list the records that were found for the last answer"),
        "open": ("NUMBER", "open one of them in the browser, by its number in /sources"),
        "why": ("", "say what was drafted, and why each sentence of it was left out"),
        "filter": (
            '[from=YEAR] [to=YEAR] [type="Review"] [journal=…] | clear',
            "ask only some papers; without anything, say which",
        ),
        "save": ("FILE.html | .md | .json", "write the last answer to a file"),
        "cite": ("bibtex | ris [FILE]", "give the cited papers to a reference manager"),
        "model": ("", "say what drafts, what verifies and what is searched"),
        "new": ("", "begin a new conversation; the filter stays"),
        "help": ("", "list the commands"),
        "quit": ("", "end; so does Ctrl-D"),
    }
)
"""What follows each command, and what it does."""

SAVED_AS: Final = (".html", ".md", ".json")
CITED_AS: Final[tuple[CitationFormat, ...]] = ("bibtex", "ris")
FILTER_KEYS: Final = ("from", "to", "type", "journal")

_END_WORDS = ("quit", "exit", "/exit")
_YEAR = re.compile(r"[1-9][0-9]{3}", re.ASCII)


@dataclass(frozen=True)
class Command:
    """A typed command.

    Attributes:
        name: one of :data:`COMMANDS`.
        rest: what stands behind it.
    """

    name: str
    rest: str = ""


def parse_line(line: str) -> Command | str | None:
    """Return the command or question of a line; None for an empty line.

    Raises:
        UsageError: there is no such command.
    """
    text = line.strip()
    if not text:
        return None
    if text.lower() in _END_WORDS:
        return Command("quit")
    if not text.startswith("/"):
        return text
    name, _, rest = text[1:].partition(" ")
    if name.lower() in COMMANDS:
        return Command(name.lower(), rest.strip())
    near = difflib.get_close_matches(name.lower(), COMMANDS, n=1)
    meant = f"did you mean /{near[0]}?" if near else "/help lists them."
    raise UsageError(f"There is no command /{name}: {meant}")


def parse_filter(text: str, current: PaperFilter) -> PaperFilter:
    """Return the filter that ``/filter`` asks for.

    Args:
        text: what stands behind the command: ``clear``, or pairs such as ``from=2019``. A name is given again for each
            of several values; an empty value takes it away. Names that are not given stay as they are.
        current: the filter so far.

    Raises:
        UsageError: it is none of these, a year is none, or the first year is after the last.
    """
    if text.strip().lower() == "clear":
        return PaperFilter()
    given: dict[str, list[str]] = {}
    for part in _parts(text):
        name, equals, value = part.partition("=")
        if not equals or name.lower() not in FILTER_KEYS:
            raise UsageError(f'/filter takes {", ".join(f"{key}=…" for key in FILTER_KEYS)} or clear, not "{part}".')
        given.setdefault(name.lower(), []).append(value.strip())
    first_year = _year(given["from"], "from") if "from" in given else current.first_year
    last_year = _year(given["to"], "to") if "to" in given else current.last_year
    if first_year and last_year and first_year > last_year:
        raise UsageError(f"No year lies between {first_year} and {last_year}: give another from= or to=.")
    return PaperFilter(
        first_year,
        last_year,
        given.get("type", current.publication_types),
        given.get("journal", current.journals),
    )


def parse_number(text: str) -> int:
    """Return the number of a source.

    Raises:
        UsageError: it is no number from 1.
    """
    if not re.fullmatch(r"[1-9][0-9]{0,5}", text, re.ASCII):
        raise UsageError(f'/open takes the number of a source, such as /open 2, not "{text}": /sources lists them.')
    return int(text)


def parse_file(text: str) -> Path:
    """Return the file that ``/save`` writes.

    Raises:
        UsageError: none is given, or its name does not say the format.
    """
    path = Path(_unquoted(text)).expanduser()
    if not text or path.suffix.lower() not in SAVED_AS:
        raise UsageError(f"/save takes a file that ends in {', '.join(SAVED_AS)}, such as /save answer.html.")
    return path


def parse_citing(text: str) -> tuple[CitationFormat, Path | None]:
    """Return the format of ``/cite``, and the file where one is given.

    Raises:
        UsageError: there is no such format.
    """
    name, _, file = text.partition(" ")
    chosen = next((known for known in CITED_AS if known == name.lower()), None)
    if chosen is None:
        raise UsageError(f"/cite takes {' or '.join(CITED_AS)}, such as /cite bibtex papers.bib.")
    return chosen, Path(_unquoted(file.strip())).expanduser() if file.strip() else None


def _parts(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise UsageError(
            f'/filter has a quotation mark too few: write journal="Crohn\'s Disease" ({error}).'
        ) from error


def _year(values: list[str], name: str) -> int | None:
    if values[-1] == "":
        return None
    if not _YEAR.fullmatch(values[-1]):
        raise UsageError(f'/filter {name}= takes a year such as 2019, not "{values[-1]}".')
    return int(values[-1])


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text
