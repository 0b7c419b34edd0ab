"""Reading of PubMed/MEDLINE XML, record by record."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from lxml import etree

from llama_index_medqa._common.counts import counted
from llama_index_medqa.errors import SourceFormatError
from llama_index_medqa.pubmed.byte_streams import Pieces, Source, reading
from llama_index_medqa.pubmed.formats.xml.escaped import Unusual
from llama_index_medqa.pubmed.formats.xml.fast import record_from_match
from llama_index_medqa.pubmed.formats.xml.slices import DELETION_ELEMENTS, RECORD_ELEMENTS, XmlSlice, read_slices
from llama_index_medqa.pubmed.formats.xml.tree import deletions_from_tree, record_from_tree
from llama_index_medqa.pubmed.record import Deletion, Identity, PubMedRecord, identity_of
from llama_index_medqa.pubmed.text import fold

_KNOWN_ELEMENTS = RECORD_ELEMENTS | DELETION_ELEMENTS
_Item = TypeVar("_Item")


def read_xml(source: Source, name: str | None = None) -> Iterator[PubMedRecord | Deletion]:
    """Read PubMed/MEDLINE XML, plain or gzip.

    Memory does not grow with the file.

    Known roots are ``PubmedArticleSet``, ``PubmedBookArticleSet``, the older ``MedlineCitationSet``, and a
    single record. Entity declarations are refused, external entities and DTDs never loaded.

    Args:
        source: a path; an open binary stream, which is left open; or an input that is open already.
        name: what to call the input in messages; by default its path.

    Yields:
        Records and deletions in the order of the document, every version of them.

    Raises:
        InputError: there is no such file.
        SourceFormatError: not PubMed's XML, malformed, or truncated; raised after the records before that
            point were yielded. They are no more than a part of the document.
    """
    return _read(source, name, _read_slice)


def read_identities(source: Source, name: str | None = None) -> Iterator[Identity]:
    """Read which records and deletions a document holds.

    The rest is not read: a cheap first pass.

    Arguments and errors are those of :func:`read_xml`; items come in the same order and number.
    """
    return _read(source, name, _identify_slice)


def _read(source: Source, name: str | None, read_slice: Callable[[XmlSlice], list[_Item]]) -> Iterator[_Item]:
    with reading(source, name) as pieces:
        number = 0
        try:
            for items in _items(pieces, read_slice):
                yield from items
                number += len(items)
        except SourceFormatError as error:
            if not number:
                raise
            raise SourceFormatError(
                f"{error} Before that point, {counted(number, 'record')} could be read: the file holds more."
            ) from error


def _items(pieces: Pieces, read_slice: Callable[[XmlSlice], list[_Item]]) -> Iterator[list[_Item]]:
    for piece in read_slices(iter(pieces), pieces.name):
        if piece.element not in _KNOWN_ELEMENTS:
            pieces.remarks.note(f"<{piece.element}> elements, which are not read", f"byte {piece.offset}")
        try:
            yield read_slice(piece)
        except (etree.XMLSyntaxError, SourceFormatError) as error:
            raise _malformed(piece, pieces.name, error) from error


def _malformed(piece: XmlSlice, name: str, error: Exception) -> SourceFormatError:
    reason = fold(str(error).removesuffix(" (<string>)"))
    return SourceFormatError(
        f"{name} has malformed XML in the <{piece.element}> at byte {piece.offset} ({reason}). Get the file again."
    )


def _read_slice(piece: XmlSlice) -> list[PubMedRecord | Deletion]:
    if piece.match is not None:
        try:
            return [record_from_match(piece.match)]
        except Unusual:
            return [record_from_tree(piece.source)]
    if piece.element in RECORD_ELEMENTS:
        return [record_from_tree(piece.source, piece.namespaces)]
    return list(deletions_from_tree(piece)) if piece.element in DELETION_ELEMENTS else []


def _identify_slice(piece: XmlSlice) -> list[Identity]:
    if piece.match is not None:
        return [Identity(f"PMID:{piece.match['pmid'].decode()}", int(piece.match["version"]))]
    return [identity_of(item) for item in _read_slice(piece)]
