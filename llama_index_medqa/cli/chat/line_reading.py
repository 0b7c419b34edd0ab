"""Lines of a conversation, from a terminal or a pipe."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import platformdirs

from llama_index_medqa.errors import InputError, MissingExtraError

ReadLine = Callable[[], str]
"""Returns the next line; raises EOFError at the end, and KeyboardInterrupt where a terminal's line is given up."""

PROMPT = "medqa> "


def is_interactive() -> bool:
    """Return whether standard input and output are terminals."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def require_line_editing() -> None:
    """Raise if a terminal's lines cannot be edited.

    Asked before models are loaded.

    Raises:
        MissingExtraError: prompt_toolkit is not installed.
    """
    if importlib.util.find_spec("prompt_toolkit") is None:
        raise MissingExtraError("medqa chat on a terminal", "chat")


def history_file() -> Path:
    """Return the file of typed lines, in the user's state folder."""
    return Path(platformdirs.user_state_dir("llama-index-medqa")) / "chat_history"


def lines_of_terminal(history: Path | None, **settings: Any) -> ReadLine:
    """Return what reads lines from a terminal.

    Args:
        history: file in which they are kept; None keeps them for this conversation only.
        settings: of prompt_toolkit's ``PromptSession``.

    Raises:
        InputError: the file cannot be written.
    """
    from prompt_toolkit import PromptSession
    from prompt_toolkit.history import FileHistory, InMemoryHistory

    from llama_index_medqa.cli.chat.completion import ChatCompleter

    kept = InMemoryHistory() if history is None else FileHistory(str(_private(history)))
    session: PromptSession[str] = PromptSession(PROMPT, history=kept, completer=ChatCompleter(), **settings)
    return session.prompt


def lines_of_pipe() -> ReadLine:
    """Return what reads lines from standard input."""

    def read() -> str:
        line = sys.stdin.readline()
        if not line:
            raise EOFError
        return line

    return read


def _private(path: Path) -> Path:
    """Make a file private: questions about health are."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        path.chmod(0o600)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}. Run medqa chat --no-history.") from error
    return path
