"""Records as JSON lines: all of a record or deletion in a line."""

import dataclasses
import json
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

from llama_index_medqa.errors import SourceFormatError
from llama_index_medqa.pubmed.byte_streams import Source, reading
from llama_index_medqa.pubmed.formats.exports.text_lines import read_lines
from llama_index_medqa.pubmed.formats.json_values import parse_json
from llama_index_medqa.pubmed.formats.record_schema import record_from_values
from llama_index_medqa.pubmed.record import Deletion, PubMedRecord

_DETAILS = "lazy_details"


def write_jsonl(items: Iterable[PubMedRecord | Deletion], stream: TextIO) -> int:
    """Write records and deletions, one a line.

    What is empty is left out.

    Args:
        items: what to write.
        stream: a text file that is open for writing in UTF-8.

    Returns:
        The number of lines written.
    """
    number = 0
    for item in items:
        stream.write(json.dumps(as_data(item), ensure_ascii=False) + "\n")
        number += 1
    return number


def read_jsonl(source: Source, name: str | None = None) -> Iterator[PubMedRecord | Deletion]:
    """Read records and deletions from JSON lines.

    Those that :func:`write_jsonl` wrote, or records of other sources by the schema of ``docs/formats.md``.

    Args:
        source: a path, an open binary stream, or an input that is open already.
        name: what to call it in messages; by default its path.

    Raises:
        InputError: there is no such file.
        SourceFormatError: a line is no JSON, or no record; the message names the line, from 1.
    """
    with reading(source, name) as pieces:
        for number, line in enumerate(read_lines(pieces, pieces.name), start=1):
            if line.strip():
                location = f"{pieces.name}, line {number}"
                values = parse_json(line, location)
                try:
                    item = record_from_values(values, pieces.remarks, f"line {number}")
                except (TypeError, ValueError) as error:
                    raise SourceFormatError(f"{location} is no record: {error}. Correct or remove the line.") from None
                yield item


def as_data(item: PubMedRecord | Deletion) -> dict[str, Any]:
    """Convert a record or deletion to JSON values.

    :func:`read_jsonl` reads them back.
    """
    if isinstance(item, Deletion):
        return {"deleted": item.pmid, "version": item.version}
    data: dict[str, Any] = _plain(item)
    return data | {"details": _plain(item.details)}


def _plain(value: Any) -> Any:
    """Convert a value of a record to JSON values.

    What equals its default is left out.
    """
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return [_plain(item) for item in value]
    if dataclasses.is_dataclass(value):
        defaults = {field.name: field.default for field in dataclasses.fields(value)}
    elif hasattr(value, "_field_defaults"):
        defaults = {name: value._field_defaults.get(name, dataclasses.MISSING) for name in value._fields}
    else:
        return value
    found = ((name, getattr(value, name), default) for name, default in defaults.items() if name != _DETAILS)
    return {name: _plain(item) for name, item, default in found if item != default}
