"""Files of JSON lines: errors that name the line, and files that grow."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock, Timeout

from llama_index_medqa._common.writable import unwritable
from llama_index_medqa.errors import InputError


def read_rows(path: str | Path) -> Iterator[tuple[str, Any]]:
    """Read the JSON values of a file, a line at a time.

    Blank lines are left out.

    Args:
        path: the file, in UTF-8.

    Yields:
        The file and line for messages, such as ``cases.jsonl, line 3``, and the value.

    Raises:
        InputError: the file cannot be read, or a line is not JSON. The lines before it were given.
    """
    try:
        # Binary, because only a line feed ends a line of JSON lines.
        with Path(path).open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    location = f"{path}, line {number}"
                    yield location, _value(line, location)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error}. Give a file that exists and that you may read.") from error


def read_objects(path: str | Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Read the JSON objects of a file, as :func:`read_rows`.

    Raises:
        InputError: as :func:`read_rows`, or a line is JSON but no object.
    """
    for location, row in read_rows(path):
        if not isinstance(row, dict):
            raise InputError(
                f"{location}: must be a JSON object, got {type(row).__name__}. Correct or remove the line."
            )
        yield location, row


def _value(line: bytes, location: str) -> Any:
    try:
        return json.loads(line.decode("utf-8-sig"))
    except ValueError as error:
        raise InputError(f"{location}: not JSON ({error}). Correct or remove the line.") from error


def not_locked(file: Path, lock: FileLock) -> InputError:
    """Return the error for a file whose lock cannot be had at once.

    Args:
        file: the file.
        lock: that of the file; it was asked for.
    """
    # Where no file can be made, as in /proc, asking for the lock ends as if another held it.
    if not Path(lock.lock_file).exists():
        return unwritable(file, f"no file can be made in {file.parent}")
    return InputError(f"{file} is being written by another run: wait for it, or give another file.")


class LineFile:
    """A file of JSON lines to add to; use :meth:`open`.

    A line that was added is there after any crash.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    @classmethod
    @contextmanager
    def open(cls, path: str | Path) -> Iterator["LineFile"]:
        """Open or make a file for this process alone.

        A last line without its end is removed: a crash cut it.

        Args:
            path: the file. Its lock is the file of that name with ``.lock`` added.

        Raises:
            InputError: another process writes it, or no file can be made there.
        """
        file_path = Path(path)
        file_path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(file_path.with_name(f"{file_path.name}.lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise not_locked(file_path, lock) from error
        try:
            with file_path.open("ab+") as file:
                file.seek(0)
                file.truncate(file.read().rfind(b"\n") + 1)
                yield cls(file)
        finally:
            lock.release()

    def add(self, row: Mapping[str, Any]) -> None:
        """Add a line and wait until it is on the disk.

        Args:
            row: what ``json`` can write.
        """
        # One write: a crash leaves all of the line, or none, or a part that is removed on opening.
        self._file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
