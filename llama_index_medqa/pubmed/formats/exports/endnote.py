"""EndNote's tagged exports (``.enw``) to records.

Also called "EndNote Export" or "Refer": ``%T Title``.
"""

import re
from collections.abc import Iterator

from llama_index_medqa.errors import SourceFormatError
from llama_index_medqa.pubmed.byte_streams import Source, reading
from llama_index_medqa.pubmed.dates import parse_written_date
from llama_index_medqa.pubmed.formats.exports.exported_fields import (
    ExportedFields,
    abstract_sections,
    pmid_of_accession,
    stated_doi,
    stated_pmid,
)
from llama_index_medqa.pubmed.formats.exports.text_lines import read_lines
from llama_index_medqa.pubmed.formats.record_schema import record_from_values
from llama_index_medqa.pubmed.formats.tagged_records import Field, Layout, read_tagged
from llama_index_medqa.pubmed.record import Deletion, PublicationDate, PubMedRecord
from llama_index_medqa.pubmed.remarks import Remarks

_LAYOUT = Layout(
    field=re.compile(r"%([0-9A-Za-z@!#$&()*+^>~<\[\]:;=?]) (.*)"),
    continued=re.compile(r".*\S"),
    first=frozenset({"0"}),
    first_is_once=False,
    single=frozenset("T X M R D V P".split()),
)


def read_endnote(source: Source, name: str | None = None) -> Iterator[PubMedRecord | Deletion]:
    """Read an EndNote export, one record at a time.

    What holds for :func:`read_ris` holds here.
    """
    with reading(source, name) as pieces:
        lines = read_lines(pieces, pieces.name)
        for fields in read_tagged(lines, _LAYOUT, pieces.name, pieces.remarks):
            yield _record(fields, pieces.name, pieces.remarks)


def _record(fields: list[Field], name: str, remarks: Remarks) -> PubMedRecord | Deletion:
    found = ExportedFields(fields)
    values = {
        "title": found.first("T"),
        "sections": abstract_sections(found.all("X")),
        "pmid": stated_pmid(found.all("M", "U", "Z", "1", "2"))
        or pmid_of_accession(found.first("M"), found.all("~", "W")),
        "journal": found.first("J", "B"),
        "date": _date(found.first("D"), found.first("8")),
        "doi": stated_doi(found.all("R", "U")),
        "authors": found.all("A"),
        "keywords": found.all("K"),
        "languages": found.all("G"),
        "publication_types": found.all("9"),
        "links": found.notices(),
        "volume": found.first("V"),
        "issue": found.first("N"),
        "pages": found.first("P"),
        "issn": found.first("@"),
    }
    try:
        return record_from_values(values, remarks, f"line {fields[0].line}")
    except (TypeError, ValueError) as error:
        raise SourceFormatError(f"{name}: the record that begins in line {fields[0].line}: {error}.") from None


def _date(year: str, date: str) -> PublicationDate | None:
    """Return the year of ``%D`` with month and day of ``%8``.

    The latter often lacks the year.
    """
    of_year = parse_written_date(year)
    of_date = parse_written_date(date)
    if of_date is None and of_year is not None and date:
        of_date = parse_written_date(f"{of_year.year} {date}") or parse_written_date(f"{date} {of_year.year}")
    return of_date if of_date and (of_year is None or of_date.year == of_year.year) else of_year
