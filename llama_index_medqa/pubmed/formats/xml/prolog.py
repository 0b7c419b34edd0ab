"""The prolog of a document: encoding, document type and root element."""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from xml.parsers import expat

from llama_index_medqa.errors import SourceFormatError
from llama_index_medqa.pubmed.limits import LONGEST_PROLOG

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DECLARED_ENCODING = re.compile(rb"""<\?xml[^>]*?\sencoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_START_TAG = re.compile(rb"""<[^\s/>]+(?:\s+[^\s=>]+\s*=\s*(?:"[^"]*"|'[^']*'))*\s*/?>""")


@dataclass(frozen=True, slots=True)
class Prolog:
    """Where the content begins and what the root is.

    Attributes:
        root: name of the root element.
        namespaces: the root's namespace declarations as they are written in a start tag.
        start: offset of the root's start tag, in bytes.
        content: offset of the first byte after that tag.
    """

    root: str
    namespaces: str
    start: int
    content: int


def as_utf8(pieces: Iterator[bytes], name: str) -> Iterator[bytes]:
    """Return a document in UTF-8, whatever its encoding was.

    Without a byte order mark.
    """
    first = next(pieces, b"")
    encoding = _encoding(first)
    if encoding == "utf-8":
        yield first
        yield from pieces
        return
    try:
        decode = codecs.getincrementaldecoder(encoding)().decode
        yield decode(first).encode()
        for piece in pieces:
            yield decode(piece).encode()
        yield decode(b"", final=True).encode()
    except LookupError:
        raise SourceFormatError(f"{name} declares the unknown encoding {encoding!r}. Save it as UTF-8.") from None
    except UnicodeError as error:
        raise SourceFormatError(f"{name} is not in the encoding it declares: {error}. Save it as UTF-8.") from None


def _encoding(first: bytes) -> str:
    for mark, encoding in _BYTE_ORDER_MARKS:
        if first.startswith(mark):
            return encoding
    declared = _DECLARED_ENCODING.match(first.lstrip())
    encoding = declared[1].decode().lower() if declared else "utf-8"
    return "utf-8" if encoding in {"utf8", "us-ascii", "ascii"} else encoding


class _PrologParser:
    """An expat parser up to the root element.

    It refuses entity declarations.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self.found: tuple[str, str, int] | None = None
        self._parser = expat.ParserCreate("utf-8")
        self._parser.ordered_attributes = True
        self._parser.EntityDeclHandler = self._refuse_entity
        self._parser.StartElementHandler = self._note_root

    def feed(self, piece: bytes, final: bool) -> None:
        try:
            self._parser.Parse(piece, final)
        except expat.ExpatError as error:
            # What comes after the root's start tag is judged record by record.
            if self.found is None:
                raise SourceFormatError(_no_xml(self._name, error)) from None

    def _refuse_entity(self, entity: str, *_: object) -> None:
        raise SourceFormatError(
            f"{self._name} declares the XML entity {entity!r}. PubMed's files declare none, and such "
            "declarations can be used to attack a reader: get the file from NLM."
        )

    def _note_root(self, root: str, attributes: list[str]) -> None:
        namespaces = "".join(
            f' {key}="{value}"'
            for key, value in zip(attributes[::2], attributes[1::2], strict=True)
            if key == "xmlns" or key.startswith("xmlns:")
        )
        self.found = root, namespaces, self._parser.CurrentByteIndex
        self._parser.StartElementHandler = None


def _no_xml(name: str, error: expat.ExpatError) -> str:
    return (
        f"{name} is not XML: {expat.ErrorString(error.code)} at line {error.lineno}, column {error.offset}. "
        "Give a PubMed/MEDLINE XML file."
    )


def read_prolog(pieces: Iterator[bytes], name: str) -> tuple[Prolog, bytes]:
    """Read a document up to the root's start tag.

    Returns:
        The prolog, and all bytes read so far, from the document's beginning.

    Raises:
        SourceFormatError: the document is empty, no XML, declares entities, or its root element does not come.
    """
    parser, seen = _PrologParser(name), b""
    for piece in pieces:
        parser.feed(piece, final=False)
        seen += piece
        if parser.found is not None and (tag := _START_TAG.match(seen, parser.found[2])):
            root, namespaces, start = parser.found
            return Prolog(root, namespaces, start, tag.end()), seen
        if len(seen) > LONGEST_PROLOG:
            raise SourceFormatError(
                f"{name} has no complete root element in its first {LONGEST_PROLOG:,} bytes. Give a PubMed/MEDLINE XML "
                "file."
            )
    if not seen.strip():
        raise SourceFormatError(f"{name} is empty. Give a PubMed/MEDLINE XML file.")
    parser.feed(b"", final=True)
    raise SourceFormatError(f"{name} ends before its root element is complete. Download or copy it again.")
