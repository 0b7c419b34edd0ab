"""Files that are written whole or not at all, and the hash of one."""

import contextlib
import hashlib
import os
import platform
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

CHUNK = 1 << 20
"""Bytes that are read at a time."""

# A file that is being written changes all the time; one untouched for so long was left by a process that was killed,
# as is one whose process is no more on this machine.
_ABANDONED_SECONDS = 3600.0


@contextmanager
def write_atomically(path: str | Path) -> Iterator[Path]:
    """Write a file whole or not at all.

    The block gets another path to write; at the end that file is renamed to ``path``.

    An existing file is replaced. Where the block fails, it stays as it was. Each thread of each process writes a file
    of its own, so the last one to end wins.

    Args:
        path: where the file appears.

    Yields:
        A path in the same folder. Write the file there, and close it.
    """
    target = Path(path)
    _remove_abandoned(target)
    partial = target.with_name(f".{target.name}.{_machine()}-{os.getpid()}-{threading.get_ident()}.partial")
    try:
        yield partial
        sync_file(partial)
        partial.replace(target)
    except OSError as error:
        # A message names the file that the user knows.
        if error.filename == str(partial):
            error.filename = str(target)
        raise
    finally:
        partial.unlink(missing_ok=True)
    # Not all file systems can; the file itself is whole.
    with contextlib.suppress(OSError):
        _sync_folder(target.parent)


def sync_file(path: Path) -> None:
    """Wait until a file is on the disk.

    A rename after that leaves no file of zeros.
    """
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())


def file_sha256(path: str | Path, on_chunk: Callable[[int], None] = lambda _: None) -> str:
    """Return the SHA-256 of a file in hexadecimal.

    Args:
        path: the file.
        on_chunk: called with the number of bytes read so far.
    """
    digest, done = hashlib.sha256(), 0
    with Path(path).open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
            done += len(chunk)
            on_chunk(done)
    return digest.hexdigest()


def _remove_abandoned(target: Path) -> None:
    start = f".{target.name}."
    for path in target.parent.glob("*.partial"):
        if path.name.startswith(start):
            with contextlib.suppress(FileNotFoundError):
                is_old = time.time() - path.stat().st_mtime > _ABANDONED_SECONDS
                if is_old or _writer_is_gone(path.name.removeprefix(start)):
                    path.unlink()


def _writer_is_gone(writer: str) -> bool:
    """Return whether a process of this machine that wrote a file has ended.

    Args:
        writer: the machine, the process and the thread, and an ending.
    """
    machine, _, process = writer.removesuffix(".partial").rpartition("-")[0].rpartition("-")
    # Windows has no signal that only asks.
    if machine != _machine() or not process.isdecimal() or os.name != "posix":
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        return False
    return False


def _machine() -> str:
    return platform.node() or "localhost"


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
