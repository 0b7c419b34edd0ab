"""Cutting a PubMed XML document into the bytes of its records."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from lxml import etree

from llama_index_medqa.errors import SourceFormatError
from llama_index_medqa.pubmed.formats.xml.grammar import RECORD
from llama_index_medqa.pubmed.formats.xml.prolog import Prolog, as_utf8, read_prolog
from llama_index_medqa.pubmed.limits import LONGEST_RECORD
from llama_index_medqa.pubmed.text import fold

RECORD_ELEMENTS = frozenset({"PubmedArticle", "PubmedBookArticle", "MedlineCitation"})
DELETION_ELEMENTS = frozenset({"DeleteCitation", "DeleteDocument"})
SET_ELEMENTS = frozenset({"PubmedArticleSet", "PubmedBookArticleSet", "MedlineCitationSet"})

_ORDINARY = "PubmedArticle"
_ORDINARY_TAG, _ORDINARY_END = b"<PubmedArticle>", b"</PubmedArticle>"
_SPACE = re.compile(rb"\s*")
_NAME = re.compile(rb"<([A-Za-z_][\w:.-]*)(?=[\s/>])")
_EMPTY_ELEMENT = re.compile(rb"""<[^\s<>/]+(?:\s+[^\s=<>]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*\s*/>""")
_LONGEST_NAME = 128
# What can hold an end tag that is none, and how each of them ends.
_ENDS = {b"<!--": b"-->", b"<![CDATA[": b"]]>", b"<?": b"?>"}


class XmlSlice(NamedTuple):
    """The bytes of one element below the root.

    Attributes:
        element: its name.
        source: from its start tag to its end tag, in UTF-8.
        offset: of its first byte in the (decompressed) document.
        namespaces: the root's namespace declarations, needed to parse it by itself.
        match: how it matches the shape of an ordinary record; None where it does not.
    """

    element: str
    source: bytes
    offset: int
    namespaces: str = ""
    match: re.Match[bytes] | None = None


class _Window:
    """The part of a document in memory.

    It grows at its end and is dropped at its beginning.
    """

    def __init__(self, pieces: Iterator[bytes], data: bytes, position: int, name: str) -> None:
        self._pieces = pieces
        self._dropped = 0
        self.data = data
        self.position = position
        self.name = name

    @property
    def offset(self) -> int:
        return self._dropped + self.position

    def grow(self) -> bool:
        """Append more of the document; False at its end.

        The next piece, or as many as double what is there.
        """
        pieces = [self.data[self.position :]]
        missing = len(pieces[0])
        while (piece := next(self._pieces, None)) is not None:
            pieces.append(piece)
            missing -= len(piece)
            if missing <= 0:
                break
        if len(pieces) == 1:
            return False
        self._dropped += self.position
        self.data = b"".join(pieces)
        self.position = 0
        return True

    def need(self, length: int) -> bool:
        """Make ``length`` bytes available; False if too few."""
        while len(self.data) - self.position < length:
            if not self.grow():
                return False
        return True

    def find(self, mark: bytes, start: int) -> int:
        """Return the distance to the end of the next ``mark``.

        It begins ``start`` bytes ahead or later.
        """
        return self.search(re.compile(re.escape(mark)), start, mark).end() - self.position

    def search(self, pattern: re.Pattern[bytes], start: int, expected: bytes) -> re.Match[bytes]:
        """Return the next match; matches are short.

        It begins ``start`` bytes ahead or later.

        Args:
            pattern: what to look for.
            start: in bytes from the position.
            expected: what is missing where there is no match.
        """
        overlap = max(_LONGEST_NAME, len(expected))
        while (found := pattern.search(self.data, self.position + start)) is None and start <= LONGEST_RECORD:
            start = max(start, len(self.data) - self.position - overlap)
            if not self.grow():
                raise SourceFormatError(
                    f"{self.name} is cut off: no {expected.decode()} after byte {self.offset}. "
                    "Download or copy it again."
                )
        if found is None or found.end() - self.position > LONGEST_RECORD:
            raise SourceFormatError(
                f"{self.name} has a record of more than {LONGEST_RECORD:,} bytes at byte {self.offset}, or one without "
                f"{expected.decode()}. It is damaged or no file of PubMed's: get it again."
            )
        return found

    def skip_space(self) -> bool:
        """Move behind white space; False at the end."""
        while True:
            self.position = _after_space(self.data, self.position)
            if self.position < len(self.data):
                return True
            if not self.grow():
                return False


def _after_space(data: bytes, position: int) -> int:
    match = _SPACE.match(data, position)
    assert match is not None  # noqa: S101  (the pattern matches the empty string)
    return match.end()


def read_slices(pieces: Iterator[bytes], name: str) -> Iterator[XmlSlice]:
    """Cut a document into its records and deletions.

    Args:
        pieces: the document's bytes.
        name: what to call it in messages.

    Yields:
        The elements below the root in order, or the root itself where it is a single record.

    Raises:
        SourceFormatError: not XML, not PubMed's XML, entity declarations, text between the records, or the
            end is missing. The slices themselves have not been checked yet.
    """
    pieces = as_utf8(pieces, name)
    prolog, seen = read_prolog(pieces, name)
    if prolog.root in RECORD_ELEMENTS:
        window = _Window(pieces, seen, prolog.start, name)
        yield _cut(window, prolog)
    elif prolog.root in SET_ELEMENTS:
        window = _Window(pieces, seen, prolog.content, name)
        if not seen[: prolog.content].endswith(b"/>"):
            yield from _children(window, prolog)
    else:
        raise SourceFormatError(_not_pubmed(name, prolog.root, seen[prolog.content : prolog.content + 300]))
    _expect_end(window)


def _not_pubmed(name: str, root: str, content: bytes) -> str:
    said = re.search(rb"<ERROR>([^<]*)", content)
    server = f" The server said: {fold(said[1].decode(errors='replace'))}." if said else ""
    return (
        f"{name} is XML, but not PubMed's: its root element is <{root}>.{server} "
        f"Expected one of {', '.join(sorted(SET_ELEMENTS | RECORD_ELEMENTS))}."
    )


def _children(window: _Window, prolog: Prolog) -> Iterator[XmlSlice]:
    closing = f"</{prolog.root}".encode()
    while True:
        if not window.skip_space():
            raise SourceFormatError(
                f"{window.name} is cut off: it ends at byte {window.offset} without </{prolog.root}>. "
                "Download or copy it again."
            )
        window.need(_LONGEST_NAME)
        before = window.offset
        if not prolog.namespaces and window.data.startswith(_ORDINARY_TAG, window.position):
            window.find(_ORDINARY_END, len(_ORDINARY_TAG))
            yield from _ordinary_records(window)
        if window.offset > before:
            continue
        if window.data.startswith(closing, window.position):
            window.position += window.find(b">", len(closing))
            return
        elif not _skip_markup(window):
            yield _cut(window, prolog)


def _skip_markup(window: _Window) -> bool:
    """Step over a comment or processing instruction.

    False where something else stands here.
    """
    for opening, closing in ((b"<!--", b"-->"), (b"<?", b"?>")):
        if window.data.startswith(opening, window.position):
            window.position += window.find(closing, len(opening))
            return True
    return False


def _cut(window: _Window, prolog: Prolog) -> XmlSlice:
    """Return the element at the position and move behind it."""
    window.need(_LONGEST_NAME)
    found = _NAME.match(window.data, window.position)
    if found is None:
        shown = window.data[window.position : window.position + 30].decode(errors="replace")
        raise SourceFormatError(
            f"{window.name} has malformed XML at byte {window.offset}: {shown!r} where a record should "
            "begin. Get the file again."
        )
    element, offset = found[1].decode(), window.offset
    if empty := _EMPTY_ELEMENT.match(window.data, window.position):
        length = empty.end() - window.position
    else:
        length = _element_length(window, f"</{element}>".encode())
    source = window.data[window.position : window.position + length]
    window.position += length
    return XmlSlice(element, source, offset, prolog.namespaces)


def _ordinary_records(window: _Window) -> Iterator[XmlSlice]:
    """Yield the records of the usual shape in the window.

    From its position on, moving behind each of them.
    """
    data, start = window.data, window.position
    dropped = window.offset - start
    while data.startswith(_ORDINARY_TAG, start) and (end := data.find(_ORDINARY_END, start)) >= 0:
        end += len(_ORDINARY_END)
        source = data[start:end]
        match = RECORD.fullmatch(source)
        if match is None:
            return
        window.position = end
        yield XmlSlice(_ORDINARY, source, dropped + start, "", match)
        start = window.position = _after_space(data, end)


def _element_length(window: _Window, closing: bytes) -> int:
    """Return the distance to the end of the element.

    Comments, CDATA sections and instructions hold no end tag.
    """
    landmark = re.compile(b"|".join(map(re.escape, (*_ENDS, closing))))
    start = 0
    while True:
        found = window.search(landmark, start, closing)
        after = found.end() - window.position
        if found[0] == closing:
            return after
        start = window.find(_ENDS[found[0]], after)


def parse_slice(source: bytes, namespaces: str) -> etree._Element:
    """Parse one slice to a tree.

    Entities are not replaced, nothing is loaded.

    Raises:
        lxml.etree.XMLSyntaxError: the slice is not well-formed.
        SourceFormatError: the slice is more than one element.
    """
    parser = etree.XMLParser(encoding="utf-8", resolve_entities=False, no_network=True, load_dtd=False)
    wrapper = etree.fromstring(f"<root{namespaces}>".encode() + source + b"</root>", parser)
    if len(wrapper) != 1:
        raise SourceFormatError("an end tag has white space in it, which PubMed's have not")
    return wrapper[0]


def _expect_end(window: _Window) -> None:
    while window.skip_space():
        window.need(_LONGEST_NAME)
        if not _skip_markup(window):
            raise SourceFormatError(
                f"{window.name} has more after its root element, at byte {window.offset}. "
                "Put each XML document into a file of its own."
            )
