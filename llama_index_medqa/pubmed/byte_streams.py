"""Bytes of an input in pieces: files, open files, standard input; gzip too."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from llama_index_medqa.errors import InputError, SourceFormatError
from llama_index_medqa.pubmed.limits import EXPANSION_ALLOWED, LARGEST_EXPANSION
from llama_index_medqa.pubmed.remarks import Remarks
from llama_index_medqa.redaction import logger_of

_logger = logger_of(__name__)

PIECE = 1 << 16
# What is not inflated at once is copied, so that small pieces of compressed data take less time.
_READ = 1 << 15
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WINDOW = 31

try:  # Intel's library does the same work in a third of the time; it is used where it happens to be.
    from isal import igzip_lib
    from isal.isal_zlib import decompressobj as _decompressor

    _DAMAGED: tuple[type[Exception], ...] = (cast(type[Exception], igzip_lib.IsalError),)
except ImportError:
    from zlib import decompressobj as _decompressor  # type: ignore[assignment]
    from zlib import error

    _DAMAGED = (error,)


class Pieces:
    """An input in pieces of bounded size.

    The first piece can be looked at beforehand.

    Args:
        name: what to call the input in messages.
        pieces: its bytes, in order.

    Attributes:
        remarks: remarks of a reader on the input.
    """

    def __init__(self, name: str, pieces: Iterator[bytes]) -> None:
        self.name = name
        self.remarks = Remarks()
        self._pieces = pieces
        self._first: bytes | None = None

    def __iter__(self) -> Iterator[bytes]:
        yield self.peek()
        self._first = b""
        yield from self._pieces

    def peek(self) -> bytes:
        """Return the first piece and keep it.

        It is empty for an empty input.
        """
        if self._first is None:
            self._first = next(self._pieces, b"")
        return self._first

    def tell_remarks(self) -> None:
        """Log a warning for each kind of remark of readers."""
        for line in self.remarks.lines():
            _logger.warning("%s: %s.", self.name, line)


Source = Path | BinaryIO | Pieces


def open_source(source: Source, name: str | None = None) -> Pieces:
    """Open an input and decompress gzip.

    Gzip is recognised by content, whatever the file is called.

    Args:
        source: a file's path; a binary stream, read from where it stands and left open; or an input that is
            open.
        name: what to call it in messages; by default its path.

    Raises:
        InputError: there is no such file, or it cannot be opened.
        SourceFormatError: (while reading) the compressed data are truncated or damaged, or become so many bytes that
            they were made to fill a disk or a memory.
    """
    if isinstance(source, Pieces):
        return source
    name = name or str(source if isinstance(source, Path) else getattr(source, "name", "the input"))
    raw = _file_pieces(source) if isinstance(source, Path) else _stream_pieces(source)
    return Pieces(name, _decompressed(raw, name))


@contextmanager
def reading(source: Source, name: str | None = None) -> Iterator[Pieces]:
    """Open an input for a reader, as :func:`open_source`.

    The remarks are logged at the end, unless the input was open before: then they are for whoever opened it.
    """
    pieces = open_source(source, name)
    yield pieces
    if pieces is not source:
        pieces.tell_remarks()


def _file_pieces(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as stream:
            yield from _stream_pieces(stream)
    except FileNotFoundError:
        raise InputError(f"There is no file {path}. Check the path.") from None
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror}. Give a file that exists and that you may read."
        ) from error


def _stream_pieces(stream: BinaryIO) -> Iterator[bytes]:
    while piece := stream.read(_READ):
        yield piece


def _decompressed(pieces: Iterator[bytes], name: str) -> Iterator[bytes]:
    first = next(pieces, b"")
    while 0 < len(first) < len(_GZIP_MAGIC) and (more := next(pieces, b"")):
        first += more
    if not first.startswith(_GZIP_MAGIC):
        yield first
        yield from pieces
        return
    try:
        yield from _bounded(first, pieces, name)
    except EOFError:
        raise SourceFormatError(
            f"{name} ends in the middle of its compressed data. Download or copy it again."
        ) from None
    except _DAMAGED as damage:
        raise SourceFormatError(
            f"{name} has damaged compressed data ({damage}). Download or copy it again."
        ) from damage


def _bounded(first: bytes, pieces: Iterator[bytes], name: str) -> Iterator[bytes]:
    """Yield inflated bytes up to a limit.

    Records cannot be compressed more than that.
    """
    read = len(first)
    written = 0

    def counted() -> Iterator[bytes]:
        nonlocal read
        for piece in pieces:
            read += len(piece)
            yield piece

    for output in _inflated(first, counted()):
        written += len(output)
        if written > EXPANSION_ALLOWED + LARGEST_EXPANSION * read:
            raise SourceFormatError(
                f"{name} becomes more than {LARGEST_EXPANSION} times its size when it is decompressed, which no "
                "file of records does. If you trust it, decompress it first and give the plain file."
            )
        yield output


def _inflated(first: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Inflate the members of a gzip stream in bounded pieces.

    Also those of a decompression bomb.
    """
    waiting = first
    while waiting:
        member = _decompressor(_GZIP_WINDOW)
        while not member.eof:
            if not waiting:
                waiting = next(pieces, b"")
                if not waiting:
                    yield member.flush()
                    if not member.eof:
                        raise EOFError
                    break
            if output := member.decompress(waiting, PIECE):
                yield output
            waiting = member.unconsumed_tail
        # Padding with zeros after the last member is allowed.
        waiting = member.unused_data.lstrip(b"\0")
        while not waiting and (more := next(pieces, b"")):
            waiting = more.lstrip(b"\0")
