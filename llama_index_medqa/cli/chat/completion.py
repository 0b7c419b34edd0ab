"""Completion of commands, their options and known values."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from llama_index_medqa.cli.chat.typed_lines import CITED_AS, COMMANDS, FILTER_KEYS, SAVED_AS

# PubMed's names of those that are filtered by most.
_PUBLICATION_TYPES: Final = (
    "Randomized Controlled Trial",
    "Meta-Analysis",
    "Systematic Review",
    "Review",
    "Clinical Trial",
    "Practice Guideline",
    "Observational Study",
    "Case Reports",
)


class Candidate(NamedTuple):
    """A possible completion.

    Attributes:
        text: what would stand there.
        replaced: characters before the cursor that it takes the place of.
        help: what it is, for people.
    """

    text: str
    replaced: int
    help: str = ""


def candidates(typed: str) -> list[Candidate]:
    """Return the completions before the cursor; none in a question."""
    if not typed.startswith("/"):
        return []
    name, space, rest = typed[1:].partition(" ")
    if not space:
        return [
            Candidate(f"/{known}", len(typed), help_)
            for known, (_, help_) in COMMANDS.items()
            if known.startswith(name.lower())
        ]
    if name.lower() == "filter":
        return _of_filter(rest.lstrip())
    options = {"cite": CITED_AS, "save": tuple(f"answer{suffix}" for suffix in SAVED_AS)}.get(name.lower(), ())
    return [Candidate(option, len(rest)) for option in options if option.startswith(rest)]


def _of_filter(rest: str) -> list[Candidate]:
    start = _start_of_last(rest)
    last = rest[start:]
    key, equals, value = last.partition("=")
    if equals:
        wanted = value.strip('"').lower()
        types = _PUBLICATION_TYPES if key.lower() == "type" else ()
        return [Candidate(f'type="{known}"', len(last)) for known in types if known.lower().startswith(wanted)]
    options = [f"{known}=" for known in FILTER_KEYS] + (["clear"] if start == 0 else [])
    return [Candidate(option, len(last)) for option in options if option.startswith(last.lower())]


def _start_of_last(text: str) -> int:
    """Return where the last word begins.

    A space between quotation marks ends no word.
    """
    start, is_quoted = 0, False
    for position, character in enumerate(text):
        if character == '"':
            is_quoted = not is_quoted
        elif character == " " and not is_quoted:
            start = position + 1
    return start


class ChatCompleter(Completer):
    """Completes commands and their options on the typed line."""

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """Return the completions at the cursor."""
        for candidate in candidates(document.text_before_cursor):
            yield Completion(candidate.text, -candidate.replaced, display_meta=candidate.help)
