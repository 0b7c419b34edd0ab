"""The seed project's ``medical_data.json``: a list of titles, abstracts and dates without PMIDs."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

from llama_index_medqa.errors import SourceFormatError
from llama_index_medqa.pubmed.dates import make_date
from llama_index_medqa.pubmed.files import Source, open_source
from llama_index_medqa.pubmed.record import AbstractSection, PublicationDate, PubMedRecord

_SHAPE = 'a list of {"article_title", "article_abstract", "pub_date": {"year", "month", "day"}}'


def read_medical_data(source: Source, name: str | None = None) -> Iterator[PubMedRecord]:
    """Read a ``medical_data.json``. The whole file is held in memory, as JSON demands.

    Months may be written ``Jan``, ``01`` or ``1``; month and day may be empty or missing. The abstract
    becomes one unlabelled section.

    Args:
        source: a path, an open binary stream, or an input that is open already.
        name: what to call it in messages; by default its path.

    Raises:
        InputError: there is no such file.
        SourceFormatError: no JSON, or not of that shape; the message names the first bad item, from 0.
    """
    pieces = open_source(source, name)
    items = parse_json(b"".join(pieces), pieces.name)
    if not isinstance(items, list):
        raise SourceFormatError(f"{pieces.name} is JSON, but not {_SHAPE}: it holds a {type(items).__name__}.")
    for index, item in enumerate(items):
        try:
            record = _record(item)
        except (TypeError, ValueError) as error:
            raise SourceFormatError(
                f"{pieces.name}: item {index} is not as expected: {error}. Expected is {_SHAPE}."
            ) from None
        yield record


def write_medical_data(records: Iterable[PubMedRecord], stream: TextIO) -> int:
    """Write records in the seed project's form, which keeps title, abstract and date only.

    Args:
        records: what to write; sections are joined by spaces.
        stream: a text file that is open for writing in UTF-8.

    Returns:
        The number of records written.
    """
    number = 0
    stream.write("[")
    for record in records:
        stream.write(("," if number else "") + "\n" + json.dumps(_item(record), ensure_ascii=False))
        number += 1
    stream.write("\n]\n")
    return number


def _item(record: PubMedRecord) -> dict[str, Any]:
    date = record.date
    numbers = (date.year, date.month, date.day) if date else (None, None, None)
    return {
        "article_title": record.title,
        "article_abstract": " ".join(section.text for section in record.sections),
        "pub_date": {
            key: "" if number is None else str(number)
            for key, number in zip(("year", "month", "day"), numbers, strict=True)
        },
    }


def parse_json(content: bytes, name: str) -> Any:
    """The value of a JSON text in UTF-8, UTF-16 or UTF-32.

    Raises:
        SourceFormatError: it is none; the message says where.
    """
    try:
        return json.loads(content)
    except json.JSONDecodeError as error:
        raise SourceFormatError(
            f"{name} is not valid JSON: {error.msg} at line {error.lineno}, column {error.colno}. Write the file again."
        ) from None
    except (ValueError, RecursionError) as error:
        raise SourceFormatError(f"{name} is not valid JSON: {error}. Write the file again.") from None


def json_text(value: object, key: str) -> str:
    """A JSON string with its white space folded; None counts as empty.

    Raises:
        TypeError: another type.
        ValueError: half of a surrogate pair, which no text can hold.
    """
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError(f"'{key}' is a {type(value).__name__}, not a string")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"'{key}' holds half of a surrogate pair") from None
    return " ".join(value.split())


def _record(item: object) -> PubMedRecord:
    if not isinstance(item, dict):
        raise TypeError(f"it is a {type(item).__name__}, not an object")
    missing = [key for key in ("article_title", "article_abstract") if key not in item]
    if missing:
        raise ValueError(f"it lacks {' and '.join(map(repr, missing))}")
    abstract = json_text(item["article_abstract"], "article_abstract")
    return PubMedRecord(
        title=json_text(item["article_title"], "article_title"),
        sections=(AbstractSection(abstract),) if abstract else (),
        date=_date(item.get("pub_date")),
    )


def _date(value: object) -> PublicationDate | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise TypeError(f"'pub_date' is a {type(value).__name__}, not an object")
    return make_date(*(_number_text(value.get(key), key) for key in ("year", "month", "day")))


def _number_text(value: object, key: str) -> str:
    return str(value) if isinstance(value, int) else json_text(value, key)
