"""Reading of records from any input, one at a time."""

import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import BinaryIO, TypeVar, cast

from llama_index_medqa.errors import EmptyCorpusError, InputError, SourceFormatError
from llama_index_medqa.pubmed.byte_streams import Pieces, Source, open_source
from llama_index_medqa.pubmed.formats.format_detection import SUPPORTED_FORMATS, Foreign, Reader, find_format
from llama_index_medqa.pubmed.formats.xml import read_identities, read_xml
from llama_index_medqa.pubmed.limits import require_sound
from llama_index_medqa.pubmed.record import Deletion, Identity, PubMedRecord, identity_of
from llama_index_medqa.redaction import logger_of

Position = TypeVar("Position")

_logger = logger_of(__name__)

STANDARD_INPUT = "-"
_CHECKSUM_SUFFIX = ".md5"
_NAMED_AT_MOST = 5


def read_records(source: str | Source) -> Iterator[PubMedRecord | Deletion]:
    """Read the records of one file, whatever its format.

    The format is recognised by content, not by name. Gzip is decompressed.

    Args:
        source: a path, ``-`` for standard input, or an open binary stream, which is left open.

    Yields:
        Records and deletions in the order of the file, every version of them. An empty set yields none.

    Raises:
        InputError: there is no such file.
        EmptyCorpusError: the file has no content at all.
        SourceFormatError: the format is not supported, or the file is broken.
    """
    pieces = open_source(_source(source))
    for item in _reader(pieces)(pieces):
        require_sound(item, pieces.name)
        yield item
    pieces.tell_remarks()


def read_identities_of(source: str | Source) -> Iterator[Identity]:
    """Read only which records a file holds.

    Arguments, order and errors are those of :func:`read_records`.
    """
    pieces = open_source(_source(source))
    reader = _reader(pieces)
    if reader is read_xml:
        yield from read_identities(pieces)
    else:
        # The pass that reads the records logs the remarks.
        yield from map(identity_of, reader(pieces))


def read_newest(sources: Iterable[str | Path]) -> Iterator[PubMedRecord | Deletion]:
    """Read files as one corpus, the newest of each record.

    Of records with one identity the highest version is kept, and of equal versions the later one; a deletion
    removes what came before it. Every source is read twice: first for the identities only, which cost about
    150 bytes of memory each, then for the records. Standard input is copied to a temporary file for that.

    Args:
        sources: as for :func:`expand_sources`; their order counts.

    Yields:
        One item for each identity, in the order of the files.

    Raises:
        InputError, SourceFormatError: as for :func:`read_records`.
    """
    with ExitStack() as stack:
        files = [_rereadable(source, stack) for source in expand_sources(sources)]
        identities = chain.from_iterable(read_identities_of(_rewound(file)) for file in files)
        wanted = newest_positions(enumerate(identities))
        position = 0
        for file in files:
            for item in read_records(_rewound(file)):
                if wanted[item.document_id] == position:
                    yield item
                position += 1


def expand_sources(sources: Iterable[str | Path]) -> list[str | Path]:
    """Replace folders and glob patterns by their files.

    Of a folder all files that look like a supported format are taken, sub-folders included, sorted by path;
    others are named in a warning. Of a glob pattern all matches are taken, sorted.

    Args:
        sources: paths of files or folders, glob patterns, or ``-`` for standard input.

    Raises:
        InputError: a source matches nothing.
    """
    expanded: list[str | Path] = []
    for source in sources:
        path = Path(source)
        if source == STANDARD_INPUT or path.is_file():
            expanded.append(source)
        elif path.is_dir():
            expanded.extend(_files_of_folder(path))
        else:
            expanded.extend(_matches(path))
    return expanded


def _files_of_folder(folder: Path) -> list[Path]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    files = [path for path in files if path.suffix != _CHECKSUM_SUFFIX]
    formats = {path: find_format(open_source(path).peek()) for path in files}
    known = [path for path, found in formats.items() if callable(found)]
    if not known:
        raise InputError(f"The folder {folder} holds no file of a supported format: {SUPPORTED_FORMATS}.")
    ignored = [
        f"{path.name} ({found.kind})" if isinstance(found, Foreign) else path.name
        for path, found in formats.items()
        if not callable(found)
    ]
    if ignored:
        _logger.warning(
            "Left out of %s because of no supported format: %s",
            folder,
            ", ".join(ignored[:_NAMED_AT_MOST]) + (", …" if len(ignored) > _NAMED_AT_MOST else ""),
        )
    return known


def _matches(pattern: Path) -> list[Path]:
    base = Path(pattern.anchor) if pattern.anchor else Path()
    parts = pattern.relative_to(base)
    found = sorted(path for path in base.glob(str(parts)) if path.is_file()) if str(parts) != "." else []
    if not found:
        raise InputError(f"There is no file {pattern}. Check the path.")
    return found


def _source(source: str | Source) -> Source:
    if source == STANDARD_INPUT:
        return Pieces("standard input", iter(open_source(cast(BinaryIO, sys.stdin.buffer))))
    return Path(source) if isinstance(source, str) else source


def _reader(pieces: Pieces) -> Reader:
    found = find_format(pieces.peek())
    if isinstance(found, Foreign):
        raise SourceFormatError(f"{pieces.name} is {found.kind}, which is no supported format. {found.advice}.")
    if found is not None:
        return found
    if not pieces.peek().strip():
        raise EmptyCorpusError(f"{pieces.name} is empty. Give a file with records: {SUPPORTED_FORMATS}.")
    raise SourceFormatError(f"{pieces.name} is of no supported format. Supported are {SUPPORTED_FORMATS}.")


def _rereadable(source: str | Path, stack: ExitStack) -> Path | BinaryIO:
    if source != STANDARD_INPUT:
        return Path(source)
    copy = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 (the stack closes it)
    for piece in open_source(_source(source)):
        copy.write(piece)
    return cast(BinaryIO, copy)


def _rewound(file: Path | BinaryIO) -> Path | Pieces:
    if isinstance(file, Path):
        return file
    file.seek(0)
    return open_source(file, "standard input")


def newest_positions(identities: Iterable[tuple[Position, Identity]]) -> dict[str, Position]:
    """Return the position of each record's newest version.

    The rule of :func:`read_newest`.

    Args:
        identities: what was found and where, in the order of the corpus.

    Returns:
        The position of the kept version, by document id.
    """
    newest: dict[str, tuple[Position, Identity]] = {}
    for position, identity in identities:
        known = newest.get(identity.document_id)
        if known is None or _supersedes(identity, known[1]):
            newest[identity.document_id] = position, identity
    return {document_id: position for document_id, (position, _) in newest.items()}


def _supersedes(later: Identity, earlier: Identity) -> bool:
    return later.deleted or earlier.deleted or later.version >= earlier.version
