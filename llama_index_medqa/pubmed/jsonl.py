"""Records as JSON lines: everything that a record holds, one record or deletion a line."""

import dataclasses
import json
import types
import typing
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

from llama_index_medqa.errors import SourceFormatError
from llama_index_medqa.pubmed.dates import make_date
from llama_index_medqa.pubmed.files import Source, open_source
from llama_index_medqa.pubmed.medical_data import json_text, parse_json
from llama_index_medqa.pubmed.record import (
    AbstractSection,
    Deletion,
    LazyDetails,
    PubMedRecord,
    RecordDetails,
    known_details,
)

_DETAILS = "lazy_details"
_IDENTITY_KEYS = ("pmid", "title", "abstract", "sections", "deleted")


def write_jsonl(items: Iterable[PubMedRecord | Deletion], stream: TextIO) -> int:
    """Write records and deletions, one a line; what is empty is left out.

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
    """Read what :func:`write_jsonl` wrote, or simple records of other sources.

    A simple record has a ``title`` and an ``abstract`` (a string), and may have a ``pmid``, ``journal``, ``doi`` and
    ``year``. Keys that are not known are an error, so that nothing is lost unnoticed.

    Args:
        source: a path, an open binary stream, or an input that is open already.
        name: what to call it in messages; by default its path.

    Raises:
        InputError: there is no such file.
        SourceFormatError: a line is no JSON, or no record; the message names the line, from 1.
    """
    pieces = open_source(source, name)
    number = 0
    for number, line in enumerate(_lines(iter(pieces)), start=1):
        if line.strip():
            place = f"{pieces.name}, line {number}"
            try:
                item = from_data(parse_json(line, place))
            except (TypeError, ValueError) as error:
                if isinstance(error, SourceFormatError):
                    raise
                raise SourceFormatError(f"{place} is no record: {error}. Correct or remove the line.") from None
            yield item


def as_data(item: PubMedRecord | Deletion) -> dict[str, Any]:
    """A record or deletion as JSON values; read back by :func:`from_data`."""
    if isinstance(item, Deletion):
        return {"deleted": item.pmid, "version": item.version}
    data: dict[str, Any] = _plain(item)
    return data | {"details": _plain(item.details)}


def from_data(data: object) -> PubMedRecord | Deletion:
    """A record or deletion from JSON values.

    Raises:
        TypeError: a value is of the wrong type.
        ValueError: a key is missing or not known.
    """
    if not isinstance(data, dict):
        raise TypeError(f"it is a {type(data).__name__}, not an object")
    if not any(key in data for key in _IDENTITY_KEYS):
        raise ValueError(f"it has none of {', '.join(_IDENTITY_KEYS)}")
    if "deleted" in data:
        return Deletion(json_text(data["deleted"], "deleted"), _typed(data.get("version", 1), int, "version"))
    data = dict(data)
    data.setdefault("title", "")
    if "abstract" in data:
        text = json_text(data.pop("abstract"), "abstract")
        data["sections"] = [AbstractSection(text)._asdict()] if text else []
    if "year" in data:
        date = make_date(str(data.pop("year")))
        data["date"] = dataclasses.asdict(date) if date else None
    details = _typed(data.pop("details", {}), RecordDetails, "details")
    record: PubMedRecord = _object(data, PubMedRecord, "", lazy_details=known_details(details))
    return record


def _lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole
    if rest:
        yield rest


def _plain(value: Any) -> Any:
    """A value of a record as JSON values; what equals its default is left out."""
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


def _typed(value: object, kind: Any, place: str) -> Any:
    """The value as the type that a record's field has."""
    if isinstance(kind, types.UnionType):
        return None if value is None else _typed(value, typing.get_args(kind)[0], place)
    if typing.get_origin(kind) is tuple:
        return _tuple(value, typing.get_args(kind), place)
    if kind is str:
        return json_text(value, place)
    if typing.get_origin(kind) is typing.Literal:
        if value not in typing.get_args(kind):
            raise ValueError(f"'{place}' is {str(value)[:40]!r}, not one of {', '.join(typing.get_args(kind))}")
        return value
    if kind in (int, bool):
        if type(value) is not kind:
            raise TypeError(f"'{place}' is a {type(value).__name__}, not {kind.__name__}")
        return value
    if not isinstance(value, dict):
        raise TypeError(f"'{place}' is a {type(value).__name__}, not an object")
    return _object(value, kind, place)


def _tuple(value: object, kinds: tuple[Any, ...], place: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise TypeError(f"'{place}' is a {type(value).__name__}, not a list")
    if kinds[-1] is Ellipsis:
        return tuple(_typed(item, kinds[0], place) for item in value)
    if len(value) != len(kinds):
        raise ValueError(f"'{place}' has {len(value)} items, not {len(kinds)}")
    return tuple(_typed(item, kind, place) for item, kind in zip(value, kinds, strict=True))


def _object(data: dict[str, Any], kind: Any, place: str, **known: LazyDetails) -> Any:
    hints = {name: hint for name, hint in typing.get_type_hints(kind).items() if name not in known}
    if strange := sorted(set(data) - set(hints)):
        raise ValueError(f"{place or 'it'} has the unknown keys {', '.join(repr(key[:40]) for key in strange[:5])}")
    values = {name: _typed(value, hints[name], name) for name, value in data.items()}
    return kind(**values, **known)
