"""The locks of an index folder, freed by the system when a process ends."""

import json
import os
import platform
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from llama_index_medqa.errors import IndexBusyError
from llama_index_medqa.redaction import logger_of

_logger = logger_of(__name__)

_FOREVER = -1.0


def _nothing() -> None:
    pass


class FolderLock:
    """A lock file for one process with all of its threads.

    Args:
        path: the lock file, which is made where it is missing.
        taken: called whenever the process has taken the lock.
    """

    def __init__(self, path: Path, taken: Callable[[], None] = _nothing) -> None:
        self._file = FileLock(str(path), thread_local=False)
        self._taken = taken
        self._guard = threading.Lock()
        self._holders = 0

    @contextmanager
    def held(
        self, *, timeout: float | None = None, patience: float = 0.0, waiting: Callable[[], None] = _nothing
    ) -> Iterator[None]:
        """Hold the lock for a ``with`` block.

        It may be nested, and entered by several threads.

        Args:
            timeout: how long to wait for another process, seconds; None for as long as it takes.
            patience: how long to wait before ``waiting`` is called, seconds.
            waiting: called once where another process keeps the lock longer.

        Raises:
            TimeoutError: another process held it for all that time.
            OSError: the lock file cannot be written.
        """
        with self._guard:
            if self._holders == 0:
                self._take(timeout, patience, waiting)
            self._holders += 1
        try:
            yield
        finally:
            with self._guard:
                self._holders -= 1
                if self._holders == 0:
                    self._file.release()

    def _take(self, timeout: float | None, patience: float, waiting: Callable[[], None]) -> None:
        try:
            self._file.acquire(timeout=patience if timeout is None else min(patience, timeout))
        except Timeout:
            if timeout is not None and timeout <= patience:
                raise
            waiting()
            self._file.acquire(timeout=_FOREVER if timeout is None else timeout - patience)
        try:
            self._taken()
        except BaseException:
            self._file.release()
            raise


class WriterLock:
    """A lock for one writing process, with a note of which.

    Args:
        folder: of the index.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = FolderLock(folder / "medqa.writer.lock", self._note_holder)
        # Beside the lock file, which the next one in the queue empties.
        self._note = folder / "medqa.writer.json"

    @contextmanager
    def held(self, *, wait: bool = True) -> Iterator[None]:
        """Hold the lock for a ``with`` block.

        It may be nested, and entered by several threads.

        Args:
            wait: whether to wait for another process that writes; the log says for which.

        Raises:
            IndexBusyError: another process writes, and ``wait`` is False.
            OSError: the folder cannot be written.
        """
        with ExitStack() as stack:
            try:
                stack.enter_context(self._lock.held(timeout=None if wait else 0.0, waiting=self.tell_of_waiting))
            except TimeoutError as error:
                raise IndexBusyError(
                    f"The index in {self._folder} is being written by {self.holder()}: wait until it is done, or run "
                    "the command without --no-wait."
                ) from error
            yield

    def holder(self) -> str:
        """Return the process that holds the lock, or held it last."""
        try:
            return described(json.loads(self._note.read_text("utf-8")))
        except (OSError, ValueError):
            # It is about to write its note.
            return described({})

    def discard(self) -> None:
        """Remove the files of the lock, which nobody holds."""
        for name in ("medqa.writer.lock", self._note.name):
            (self._folder / name).unlink(missing_ok=True)

    def tell_of_waiting(self) -> None:
        """Log for whom this process waits."""
        _logger.warning("Waiting for %s, which writes to the index in %s.", self.holder(), self._folder)

    def _note_holder(self) -> None:
        self._note.write_text(json.dumps(about_this_process()), "utf-8")


def about_this_process() -> dict[str, str | int]:
    """Return what identifies this process to others.

    And since when it holds the lock.
    """
    return {
        "command": _command(),
        "pid": os.getpid(),
        "host": platform.node(),
        "since": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
    }


def described(process: Any) -> str:
    """Describe the process of :func:`about_this_process`.

    Or that nothing is known of it.
    """
    try:
        return f"{process['command']} (process {process['pid']} on {process['host']}, since {process['since']})"
    except (KeyError, TypeError):
        return "another process"


def _command() -> str:
    """Return the program and its command: ``medqa index``.

    Without arguments, which may hold keys.
    """
    program = Path(sys.argv[0] or sys.executable).name
    return " ".join([program, *(word for word in sys.argv[1:2] if word.isalpha())])
