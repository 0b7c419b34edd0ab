"""Reads files of records, and JSON lines with further keys."""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from llama_index_medqa.errors import InputError
from llama_index_medqa.pubmed.formats.reading import STANDARD_INPUT, expand_sources, read_newest
from llama_index_medqa.pubmed.record import Deletion, PubMedRecord


def source_files(sources: Iterable[str]) -> list[Path]:
    """Return the files of paths, folders and glob patterns.

    Raises:
        InputError: a source matches nothing, or is the standard input.
    """
    names = list(sources)
    if STANDARD_INPUT in names:
        raise InputError("The standard input cannot be hashed for the manifest: give a file in place of '-'.")
    return [Path(source) for source in expand_sources(names)]


def read_sources(
    files: Sequence[Path], ignored_fields: Sequence[str], folder: Path
) -> Iterator[PubMedRecord | Deletion]:
    """Yield the newest version of each record.

    Args:
        files: of any format that the package reads.
        ignored_fields: keys of JSON lines that are not part of a record and are passed over.
        folder: where copies without them go.

    Raises:
        InputError, SourceFormatError: as for :func:`llama_index_medqa.pubmed.formats.reading.read_newest`.
    """
    if ignored_fields:
        files = [
            _without(file, frozenset(ignored_fields), folder / f"{number}.jsonl") for number, file in enumerate(files)
        ]
    yield from read_newest(files)


def _without(file: Path, fields: frozenset[str], copy: Path) -> Path:
    """Copy JSON lines without some keys.

    A file of another format stays as it is.
    """
    with file.open("rb") as source:
        if not source.read(1 << 12).lstrip().startswith(b"{"):
            return file
        source.seek(0)
        with copy.open("wb") as target:
            for line in source:
                target.write(_line_without(line, fields))
    return copy


def _line_without(line: bytes, fields: frozenset[str]) -> bytes:
    try:
        item = json.loads(line)
    except ValueError:
        return line  # the reader says what is wrong with it, and in which line
    if not isinstance(item, dict):
        return line
    return json.dumps({key: value for key, value in item.items() if key not in fields}).encode() + b"\n"
