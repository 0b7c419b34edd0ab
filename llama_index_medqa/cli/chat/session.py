"""A conversation: questions, and commands about the last answer."""

import sys
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from llama_index_medqa._common.counts import counted
from llama_index_medqa.answering.response import MedQAResponse
from llama_index_medqa.cli.chat.line_reading import ReadLine
from llama_index_medqa.cli.chat.typed_lines import (
    COMMANDS,
    Command,
    parse_citing,
    parse_file,
    parse_filter,
    parse_line,
    parse_number,
)
from llama_index_medqa.cli.display.sources import listed_sources
from llama_index_medqa.errors import InputError, MedQAError, UsageError
from llama_index_medqa.redaction import redacted
from llama_index_medqa.rendering.export import save_answer
from llama_index_medqa.rendering.references import as_bibtex, as_ris, references
from llama_index_medqa.rendering.text import as_data
from llama_index_medqa.retrieval.paper_filter import PaperFilter, written
from llama_index_medqa.text.printable import printable, printable_json

if TYPE_CHECKING:
    from llama_index_medqa.cli.asking import AnsweredWith, Opened
    from llama_index_medqa.cli.display.terminal import Terminal


class ChatSession:
    """Takes lines and shows what comes of them.

    Args:
        answering: the engine, the model and the index.
        chosen: what they were opened with.
        terminal: where to show it.
        papers: which papers may answer at first.
        is_interactive: whether a person types: then Ctrl-C stops an answer, and no question is repeated.
    """

    def __init__(
        self,
        answering: "Opened",
        chosen: "AnsweredWith",
        terminal: "Terminal",
        papers: PaperFilter,
        *,
        is_interactive: bool,
    ) -> None:
        self._answering = answering
        self._chosen = chosen
        self._terminal = terminal
        self._is_interactive = is_interactive
        self._conversation = answering.engine.as_chat_engine(papers=papers)
        self._last: tuple[str, MedQAResponse] | None = None
        self._written: set[Path] = set()
        self._commands: dict[str, Callable[[str], None]] = {
            "sources": lambda _: terminal.show_sources(listed_sources(self._answer())),
            "open": self._open,
            "why": lambda _: terminal.show_reasons(self._answer()),
            "filter": self._filter,
            "save": self._save,
            "cite": self._cite,
            "model": lambda _: self._show_model(),
            "new": lambda _: self._begin_anew(),
            "help": lambda _: self._show_commands(),
        }

    def run(self, read: ReadLine) -> bool:
        """Take lines until they end or ``/quit`` is typed.

        Args:
            read: returns the next line.

        Returns:
            Whether each was carried out.
        """
        is_whole = True
        while True:
            try:
                line = read()
            except EOFError:
                return is_whole
            except KeyboardInterrupt:
                if not self._is_interactive:
                    raise
                continue
            try:
                if not self.take(line):
                    return is_whole
            except MedQAError as error:
                is_whole = False
                sys.stderr.write(f"Error: {' '.join(printable(str(error)).split())}\n")
                sys.stderr.flush()

    def take(self, line: str) -> bool:
        """Answer a question or carry out a command.

        Args:
            line: as it was typed.

        Returns:
            Whether the conversation goes on.

        Raises:
            MedQAError: it cannot be answered or carried out.
        """
        parsed = parse_line(line)
        if isinstance(parsed, str):
            self._ask(" ".join(parsed.split()))
        elif parsed is not None:
            if parsed.name == "quit":
                return False
            _require_nothing_behind(parsed)
            self._commands[parsed.name](parsed.rest)
        return True

    def _ask(self, message: str) -> None:
        # What was shown of an answer that is stopped, or fails, is not the last answer.
        self._last = None
        try:
            self._last = self._terminal.show_reply(
                self._conversation, message, repeats_question=not self._is_interactive
            )
        except KeyboardInterrupt:
            if not self._is_interactive:
                raise
            self._terminal.line()
            self._terminal.line("Stopped.", "yellow")

    def _answered(self) -> tuple[str, MedQAResponse]:
        """Return the last question, as it was understood, and its answer."""
        if self._last is None:
            raise InputError("There is no answer yet, or the last one was not finished: ask a question first.")
        return self._last

    def _answer(self) -> MedQAResponse:
        return self._answered()[1]

    def _open(self, text: str) -> None:
        listed, number = listed_sources(self._answer()), parse_number(text)
        if number > len(listed):
            raise UsageError(
                f"The answer has {counted(len(listed), 'source')}, and none has the number {number}: see /sources."
            )
        reference = listed[number - 1].reference
        if reference.link is None:
            raise InputError(f"{reference.document_id} is not in PubMed and has no DOI, so it has no address.")
        opened = webbrowser.open(reference.link)
        self._terminal.line(reference.link if opened else f"There is no browser here to open {reference.link}")

    def _filter(self, text: str) -> None:
        if text:
            self._conversation.papers = parse_filter(text, self._conversation.papers)
        papers = self._conversation.papers
        self._terminal.line("All papers may answer." if papers.is_empty else f"Only papers with {written(papers)}.")

    def _save(self, text: str) -> None:
        path = parse_file(text)
        question, response = self._answered()
        self._require_free(path)
        if path.suffix.lower() == ".json":
            _write(path, printable_json(as_data(question, response)) + "\n")
        else:
            save_answer(question, response, **{"html" if path.suffix.lower() == ".html" else "markdown": path})
        self._note_written(path)

    def _cite(self, text: str) -> None:
        name, path = parse_citing(text)
        cited = references(self._answer())
        content = (as_bibtex if name == "bibtex" else as_ris)(cited)
        if path is None:
            self._terminal.line(content.rstrip("\r\n") or "The last answer rests on no paper.")
            return
        self._require_free(path)
        _write(path, content)
        self._note_written(path)

    def _require_free(self, path: Path) -> None:
        if path.exists() and path.resolve() not in self._written:
            raise InputError(f"{path} is there already: choose another name, or remove it.")

    def _note_written(self, path: Path) -> None:
        self._written.add(path.resolve())
        self._terminal.line(f"Written to {path}.")

    def _show_model(self) -> None:
        profile, index = self._chosen.profile, self._answering.index
        server = f" at {redacted(profile.api_base)}" if profile.llm == "server" else ""
        embedder = index.identity.get("embedder", "unknown")
        lines = (
            f"Drafts: {self._answering.engine.answered_by} ({profile.llm}{server}, profile {profile.name})",
            f"Verifies: the packaged verifier, {self._chosen.strictness}; policy {self._chosen.policy}",
            f"Searches: {redacted(self._chosen.folder)}, {profile.retrieval}, {profile.similarity_top_k} chunks, "
            f"embedded by {embedder}",
        )
        for line in lines:
            self._terminal.line(line)
        if index.as_of:
            self._terminal.line(f"PubMed as of {index.as_of.isoformat()}")

    def _begin_anew(self) -> None:
        self._conversation.reset()
        self._last = None
        self._terminal.line("A new conversation begins.")

    def _show_commands(self) -> None:
        self._terminal.line("Ask a question; a follow-up may lean on the one before. Ctrl-C stops an answer.")
        self._terminal.show_table(
            ("command", "what it does"), [(f"/{name} {rest}".rstrip(), what) for name, (rest, what) in COMMANDS.items()]
        )


def _require_nothing_behind(command: Command) -> None:
    takes_something = bool(COMMANDS[command.name][0])
    if command.rest and not takes_something:
        raise UsageError(f"/{command.name} takes nothing behind it: leave the rest out.")


def _write(path: Path, content: str) -> None:
    try:
        path.write_text(content, encoding="utf-8", newline="")
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}. Choose another name.") from error
