"""``medical_data.json``: a list of records.

The seed project's has titles, abstracts and dates without PMIDs.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

from llama_index_medqa.errors import SourceFormatError
from llama_index_medqa.pubmed.byte_streams import Pieces, Source, reading
from llama_index_medqa.pubmed.formats.json_values import parse_json
from llama_index_medqa.pubmed.formats.record_schema import record_from_values
from llama_index_medqa.pubmed.limits import LARGEST_JSON_LIST
from llama_index_medqa.pubmed.record import Deletion, PubMedRecord

_SHAPE = 'a list of {"article_title", "article_abstract", "pub_date": {"year", "month", "day"}}'


def read_medical_data(source: Source, name: str | None = None) -> Iterator[PubMedRecord | Deletion]:
    """Read a list of records from a JSON file.

    By the schema of ``docs/formats.md``.

    The whole file is held in memory, as JSON demands. An abstract that is a text becomes one unlabelled section.

    Args:
        source: a path, an open binary stream, or an input that is open already.
        name: what to call it in messages; by default its path.

    Raises:
        InputError: there is no such file.
        SourceFormatError: no JSON, too large, or no list of records; the message names the first bad item, from 0.
    """
    with reading(source, name) as pieces:
        items = parse_json(_whole(pieces), pieces.name)
        if not isinstance(items, list):
            raise SourceFormatError(f"{pieces.name} is JSON, but not {_SHAPE}: it holds a {type(items).__name__}.")
        for index, item in enumerate(items):
            try:
                record = record_from_values(item, pieces.remarks, f"item {index}")
            except (TypeError, ValueError) as error:
                raise SourceFormatError(
                    f"{pieces.name}: item {index} is not as expected: {error}. Expected is {_SHAPE}."
                ) from None
            yield record


def write_medical_data(records: Iterable[PubMedRecord], stream: TextIO) -> int:
    """Write records in the seed project's form.

    Title, abstract and date; PMID, journal and DOI where it is known.

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
    known = {"pmid": record.pmid, "journal": record.journal, "doi": record.doi}
    return {
        "article_title": record.title,
        "article_abstract": " ".join(section.text for section in record.sections),
        "pub_date": {
            key: "" if number is None else str(number)
            for key, number in zip(("year", "month", "day"), numbers, strict=True)
        },
    } | {key: value for key, value in known.items() if value}


def _whole(pieces: Pieces) -> bytes:
    found: list[bytes] = []
    length = 0
    for piece in pieces:
        found.append(piece)
        length += len(piece)
        if length > LARGEST_JSON_LIST:
            raise SourceFormatError(
                f"{pieces.name} is a JSON list of more than {LARGEST_JSON_LIST:,} bytes, which would be held in memory "
                "as a whole. Write it as JSON lines, a record a line: they are read one by one."
            )
    return b"".join(found)
