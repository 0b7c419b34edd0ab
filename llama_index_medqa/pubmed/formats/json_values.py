"""Values of JSON and of tables as values of a record.

They are converted where nothing is lost, else refused by name.
"""

import json
import math
import re
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from llama_index_medqa.errors import SourceFormatError
from llama_index_medqa.pubmed.dates import make_date, parse_written_date
from llama_index_medqa.pubmed.pmids import is_pmid, pmid_of
from llama_index_medqa.pubmed.record import PublicationDate
from llama_index_medqa.pubmed.remarks import Remarks

# How tables write that a cell is empty.
_EMPTY_WORDS = frozenset({"", "nan", "none", "null", "nat", "n/a", "na", "<na>"})
_WHOLE = re.compile(r"(-?\d{1,15})\.0+")
# How programs write a list into one cell of a table: Python's lists and tuples, NumPy's arrays, JSON.
_LIST_CELL = re.compile(r"\s*(?:array\()?[\[({](?P<items>.*)[\])}]\)?\s*", re.DOTALL)
_LISTED_TEXT = re.compile(r""" '((?:[^'\\]|\\.)*)' | "((?:[^"\\]|\\.)*)" """, re.VERBOSE | re.DOTALL)
_BETWEEN_LISTED = re.compile(r"(?:[\s,:\[\]]|nan|None|null|dtype=\w+)*")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_NAMES_OF_ITEMS = ("name", "descriptor", "text", "#text", "term", "value", "label")
_DOI_ADDRESS = re.compile(r"(?:https?://(?:dx\.)?doi\.org/|doi ?: ?)", re.IGNORECASE)
_SHOWN = 40


def parse_json(content: bytes | str, name: str) -> Any:
    """Parse a JSON text.

    Raises:
        SourceFormatError: it is not JSON; the message names the position.
    """
    try:
        return json.loads(content)
    except json.JSONDecodeError as error:
        raise SourceFormatError(
            f"{name} is not valid JSON: {error.msg} at line {error.lineno}, column {error.colno}. Write the file again."
        ) from None
    except (ValueError, RecursionError) as error:
        raise SourceFormatError(f"{name} is not valid JSON: {error}. Write the file again.") from None


def is_missing(value: object) -> bool:
    """Return whether a value is missing.

    It is null, or the NaN of data frames.
    """
    return value is None or (isinstance(value, float) and math.isnan(value))


def json_text(value: object, key: str) -> str:
    """Return a text with its white space folded.

    A missing one is empty.

    Raises:
        TypeError: no text.
        ValueError: half of a surrogate pair, which no text can hold.
    """
    if is_missing(value):
        return ""
    if not isinstance(value, str):
        raise TypeError(f"'{key}' is a {type(value).__name__}, not a string")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"'{key}' holds half of a surrogate pair") from None
    return " ".join(value.split())


def json_number_text(value: object, key: str) -> str:
    """Return a text, or a number as people write it.

    7, 7.0 and "7.0" are ``7``.

    Raises:
        TypeError, ValueError: neither, or a number with a fraction.
    """
    if isinstance(value, float) and not is_missing(value):
        if not value.is_integer():
            raise ValueError(f"'{key}' is {value}, not a whole number")
        return str(int(value))
    if isinstance(value, int) and not isinstance(value, bool):
        return _digits(value, key)
    text = json_text(value, key)
    if text.lower() in _EMPTY_WORDS:
        return ""
    whole = _WHOLE.fullmatch(text)
    return whole[1] if whole else text


def json_pmid(value: object, key: str) -> str | None:
    """Return a PMID; None where it is missing or empty.

    It may be a number, ``PMID: 123`` or an address in PubMed.

    Raises:
        TypeError, ValueError: anything else.
    """
    text = json_number_text(value, key)
    pmid = pmid_of(text)
    if text and not (pmid and is_pmid(pmid)):
        raise ValueError(
            f"'{key}' is {text[:_SHOWN]!r}, which is no PMID: that is a number. Leave it out of a record that PubMed "
            "does not have"
        )
    return pmid


def json_doi(value: object, key: str) -> str | None:
    """Return a DOI; None where it is missing or empty.

    A resolver's address is removed.
    """
    text = json_text(value, key)
    return None if text.lower() in _EMPTY_WORDS else _DOI_ADDRESS.sub("", text, count=1) or None


def json_texts(value: object, key: str) -> tuple[str, ...]:
    """Return a list of texts without empty ones.

    One text is divided at semicolons, bars and line ends, or is a list as programs write it into a cell.

    Raises:
        TypeError: neither, or an item without a name.
    """
    return tuple(filter(None, (json_text(item, key) for item in _items(value, key))))


def _items(value: object, key: str) -> Iterator[object]:
    if isinstance(value, str):
        yield from listed_texts(value) or re.split(r"[;|\r\n]", value)
        return
    if isinstance(value, Mapping) and all(isinstance(item, str) for item in value.values()):
        # By their identifiers: {"D016428": "Journal Article"}.
        value = list(value.values())
    if not isinstance(value, (list, tuple)):
        raise TypeError(f"'{key}' is a {type(value).__name__}, not a list")
    for item in value:
        if isinstance(item, Mapping):
            name = next((item[name] for name in _NAMES_OF_ITEMS if name in item), None)
            if name is None:
                raise TypeError(f"an item of '{key}' has no name: expected one of {', '.join(_NAMES_OF_ITEMS)}")
            yield name
        elif isinstance(item, (list, tuple)):
            yield from _items(item, key)
        else:
            yield item


def listed_texts(cell: str) -> list[str]:
    """Return the texts of a list that is written in one cell.

    Such as ``['a', 'b']``, NumPy's ``['a' 'b']`` or JSON's ``["a", "b"]``; none where it is no such list.
    """
    found = _LIST_CELL.fullmatch(cell)
    between = _LISTED_TEXT.sub("", found["items"]) if found else "?"
    if found is None or not _BETWEEN_LISTED.fullmatch(between):
        return []
    texts = [_ESCAPED.sub(r"\1", one or other) for one, other in _LISTED_TEXT.findall(found["items"])]
    # A mapping's texts are its values; its keys are identifiers.
    return texts[1::2] if ":" in between else texts


def json_date(value: object, key: str) -> PublicationDate | None:
    """Return a date.

    It may be an object with year, month and day, ``date-parts``, a number or a text.

    Returns:
        None where the text holds no date.

    Raises:
        TypeError, ValueError: another type.
    """
    if isinstance(value, PublicationDate):
        return value
    if isinstance(value, Mapping):
        parts = {str(name).lower().replace("-", "").replace("_", ""): part for name, part in value.items()}
        if "dateparts" in parts:
            return _date_of_parts(parts["dateparts"], key)
        if "raw" in parts:
            return parse_written_date(json_text(parts["raw"], key))
        return make_date(*(json_number_text(parts.get(name), name) for name in ("year", "month", "day")))
    if isinstance(value, (list, tuple)):
        raise TypeError(f"'{key}' is a list, not a date")
    return parse_written_date(json_number_text(value, key))


def _date_of_parts(value: object, key: str) -> PublicationDate | None:
    """Return the first date of CSL's ``date-parts``.

    Such as ``[[2019, 1, 2]]``.
    """
    first = value[0] if isinstance(value, list) and value else None
    if not isinstance(first, list) or not first:
        raise TypeError(f"the date-parts of '{key}' are no list of [year, month, day]")
    return make_date(*([json_number_text(part, key) for part in first[:3]]))


def _digits(number: int, key: str) -> str:
    # Python refuses to write longer ones.
    if number.bit_length() > 1_000:
        raise ValueError(f"'{key}' is a number of more than 300 digits")
    return str(number)


class TypedValues:
    """Converts JSON values to the types of a record.

    Args:
        remarks: where keys that are not known are counted.
        location: the position of the values in the file.
    """

    def __init__(self, remarks: Remarks, location: str) -> None:
        self._remarks = remarks
        self._location = location

    def typed(self, value: object, kind: Any, key: str) -> Any:
        """Convert a value to the type of a record's field.

        Raises:
            TypeError, ValueError: it cannot be that.
        """
        if isinstance(kind, types.UnionType):
            return None if is_missing(value) else self.typed(value, typing.get_args(kind)[0], key)
        origin = typing.get_origin(kind)
        if origin is tuple:
            return self._tuple(value, typing.get_args(kind), key)
        if origin is typing.Literal:
            return _one_of(value, typing.get_args(kind), key)
        if kind in _SCALARS:
            return _SCALARS[kind](value, key)
        return value if isinstance(value, kind) else self._object(value, kind, key)

    def _tuple(self, value: object, kinds: tuple[Any, ...], key: str) -> tuple[Any, ...]:
        if not isinstance(value, (list, tuple)):
            raise TypeError(f"'{key}' is a {type(value).__name__}, not a list")
        if kinds[-1] is Ellipsis:
            return tuple(self.typed(item, kinds[0], key) for item in value)
        if len(value) != len(kinds):
            raise ValueError(f"'{key}' has {len(value)} items, not {len(kinds)}")
        return tuple(self.typed(item, kind, key) for item, kind in zip(value, kinds, strict=True))

    def _object(self, value: object, kind: Any, key: str) -> Any:
        if not isinstance(value, Mapping):
            raise TypeError(f"'{key}' is a {type(value).__name__}, not an object")
        hints = typing.get_type_hints(kind)
        for name in value:
            if name not in hints:
                self._remarks.note(f"unknown key {f'{key}.{name}'[:_SHOWN]!r}, left out", self._location)
        known = {name: self.typed(item, hints[name], name) for name, item in value.items() if name in hints}
        return kind(**known)


def _one_of(value: object, allowed: tuple[str, ...], key: str) -> str:
    word = value.strip().lower().replace(" ", "_") if isinstance(value, str) else value
    if word not in allowed:
        raise ValueError(f"'{key}' is {str(value)[:_SHOWN]!r}, not one of {', '.join(allowed)}")
    return str(word)


def _integer(value: object, key: str) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise TypeError(f"'{key}' is a {type(value).__name__}, not int")
    text = json_number_text(value, key)
    if not re.fullmatch("[0-9]{1,15}", text):
        raise ValueError(f"'{key}' is {text[:_SHOWN]!r}, not a whole number")
    return int(text)


def _string(value: object, key: str) -> str:
    return json_number_text(value, key) if isinstance(value, (int, float)) else json_text(value, key)


def _boolean(value: object, key: str) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"'{key}' is a {type(value).__name__}, not bool")
    return value


_SCALARS: dict[Any, Callable[[object, str], Any]] = {str: _string, int: _integer, bool: _boolean}
