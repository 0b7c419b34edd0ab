"""Lines of a text file, of bounded length, in the encoding of its mark."""

import codecs
from collections.abc import Callable, Iterable, Iterator

from llama_index_medqa.errors import SourceFormatError
from llama_index_medqa.pubmed.limits import LONGEST_RECORD

_WIDE_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_lines(pieces: Iterable[bytes], name: str) -> Iterator[str]:
    """Yield the lines of a text without their ends.

    It is in UTF-8, or in UTF-16 with a byte order mark.

    Lines end with a line feed, with or without a carriage return before it; where the first piece has none, with a
    carriage return, as on old Macintoshes.

    Args:
        pieces: the text's bytes.
        name: what to call it in messages.

    Raises:
        SourceFormatError: another encoding, or a line that does not end.
    """
    decode, end = None, "\n"
    waiting: list[str] = []
    length = 0
    for piece in _with_end(pieces):
        if decode is None:
            encoding = "utf-16" if piece.startswith(_WIDE_MARKS) else "utf-8-sig"
            decode = codecs.getincrementaldecoder(encoding)().decode
        text = _decoded(decode, piece, name)
        if not waiting and "\n" not in text and "\r" in text:
            end = "\r"
        first, *others = text.split(end)
        waiting.append(first)
        length += len(first)
        if length > LONGEST_RECORD:
            raise SourceFormatError(
                f"{name} has a line of more than {LONGEST_RECORD:,} characters. It is damaged or no file of records: "
                "get it again."
            )
        if others:
            yield "".join(waiting).strip("\r\n")
            *whole, last = others
            yield from (line.strip("\r\n") for line in whole)
            waiting, length = [last], len(last)
    if rest := "".join(waiting):
        yield rest.strip("\r\n")


def _decoded(decode: Callable[..., str], piece: bytes, name: str) -> str:
    """Return a piece as text; an empty piece is the end."""
    try:
        return decode(piece, final=not piece)
    except UnicodeDecodeError as error:
        raise SourceFormatError(
            f"{name} is not UTF-8 text ({error.reason}). Export it again, or save it, as UTF-8."
        ) from None


def _with_end(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the pieces that are not empty, then an empty one."""
    yield from filter(None, pieces)
    yield b""
