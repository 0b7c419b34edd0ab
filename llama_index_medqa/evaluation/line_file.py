"""A file of JSON lines that grows by one line at a time, and that no kill can spoil."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock, Timeout

from llama_index_medqa.errors import InputError


class LineFile:
    """What was added to it is there after any kill; use :meth:`open`."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    @classmethod
    @contextmanager
    def open(cls, path: str | Path) -> Iterator["LineFile"]:
        """Opens or makes the file, for this process alone. A line that a kill cut in half is cut off.

        Raises:
            InputError: another process writes it.
        """
        place = Path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(place.with_name(f"{place.name}.lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise InputError(f"{place} is being written by another run: wait for it, or give another file.") from error
        try:
            with place.open("ab+") as file:
                file.seek(0)
                file.truncate(file.read().rfind(b"\n") + 1)
                yield cls(file)
        finally:
            lock.release()

    def add(self, row: Mapping[str, Any]) -> None:
        """Adds a line; when this returns, it is on disk."""
        # One write: a kill leaves all of the line, or none, or a part that is cut off on opening.
        self._file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())


def read_rows(path: str | Path) -> Iterator[tuple[str, Any]]:
    """The lines of a file, each with its place for messages.

    Raises:
        InputError: the file is missing, or a line is not JSON; the message names it.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error}.") from error
    for number, line in enumerate(content.split(b"\n"), start=1):
        if line.strip():
            place = f"{path}, line {number}"
            try:
                yield place, json.loads(line)
            except ValueError as error:
                raise InputError(f"{place}: not JSON ({error}).") from error
