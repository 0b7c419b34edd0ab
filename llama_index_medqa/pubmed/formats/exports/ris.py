"""RIS exports (EndNote, Zotero, Mendeley, Embase, Ovid and others) to records.

The tags are those of https://en.wikipedia.org/wiki/RIS_(file_format); programs differ in which
of several tags they use.
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
from llama_index_medqa.pubmed.formats.notices import status_of_word
from llama_index_medqa.pubmed.formats.record_schema import record_from_values
from llama_index_medqa.pubmed.formats.tagged_records import Field, Layout, read_tagged
from llama_index_medqa.pubmed.record import GRAVEST_FIRST, Deletion, PublicationDate, PubMedRecord
from llama_index_medqa.pubmed.remarks import Remarks

_TAGS = (
    "A1|A2|A3|A4|AB|AD|AN|AU|AV|BT|C[1-8]|CA|CN|CP|CR|CT|CY|DA|DB|DI|DO|DP|ED|EP|ER|ET|ID|IS|J1|J2|JA|JF|JO|KW|L[1-4]|LA|"
    "LB|LK|M[1-3]|N1|N2|NV|OP|PB|PM|PP|PT|PY|RI|RN|RP|SE|SN|SP|ST|T[1-3]|TA|TI|TT|TY|U[1-8]|UR|UT|VL|VO|Y1|Y2"
)
_LAYOUT = Layout(
    # With one space, only what is known is a tag: an abstract can have a line that begins with "OR - ".
    field=re.compile(rf"((?:{_TAGS})(?= {{1,2}}-)|[A-Z][A-Z0-9](?=  -)) {{1,2}}-(?: (.*)|)"),
    continued=re.compile(r".*\S"),
    first=frozenset({"TY"}),
    first_is_once=False,
    last=frozenset({"ER"}),
    single=frozenset("TI T1 AB N2 AN DO PY Y1 DA VL SP ID".split()),
    # Ovid writes this into its RIS without a tag.
    skipped=re.compile("Link to the Ovid Full Text"),
)
_KNOWN_TAG = re.compile(_TAGS)
_BOOKS = frozenset({"BOOK", "EBOOK", "EDBOOK"})
_NOTES = ("N1", "M1", "M2", "ID", "AN", *(f"{letter}{number}" for letter in "CU" for number in range(1, 9)))
_PMCID = re.compile(r"(PMC\d+)(?: ?\[pmcid\])?")


def read_ris(source: Source, name: str | None = None) -> Iterator[PubMedRecord | Deletion]:
    """Read a RIS export, one record at a time.

    The accession number (``AN``) is taken for the PMID unless the record names a database that is not NLM's. An
    abstract that begins with a common heading in capitals is divided at such headings.

    Args:
        source: a path, an open binary stream, or an input that is open already.
        name: what to call it in messages; by default its path.

    Raises:
        InputError: there is no such file.
        SourceFormatError: no UTF-8, or a line that divides two records is missing.
    """
    with reading(source, name) as pieces:
        lines = read_lines(pieces, pieces.name)
        for fields in read_tagged(lines, _LAYOUT, pieces.name, pieces.remarks):
            if fields[0].tag == "TY":
                yield _record(fields, pieces.name, pieces.remarks)
            elif any(field.tag not in _LAYOUT.last for field in fields):
                raise SourceFormatError(
                    f"{pieces.name}: line {fields[0].line} belongs to no record: a line 'TY  - ' is missing before it, "
                    "or there is a line 'ER  - ' too many. Export the file again."
                )


def _record(fields: list[Field], name: str, remarks: Remarks) -> PubMedRecord | Deletion:
    for field in fields:
        if not _KNOWN_TAG.fullmatch(field.tag):
            remarks.note(f"unknown tag {field.tag}, left out", f"line {field.line}")
    found = ExportedFields(fields)
    is_book = found.first("TY") in _BOOKS
    kinds = [kind for kind in found.all("M3", "PT") if not stated_doi([kind])]
    notes = [status_of_word(note) for note in found.all("N1")]
    values = {
        "title": found.first("TI", "T1", *(("T2", "BT") if is_book else ("CT", "BT"))),
        "sections": _abstract(found, fields[0].line, remarks),
        "pmid": _pmid(found),
        "journal": "" if is_book else found.first("JF", "T2", "JO", "JA", "J2", "J1"),
        "date": _date(found),
        "doi": stated_doi(found.all("DO", "M3", "L3", "UR", "C7")),
        "authors": found.all("AU", "A1"),
        "keywords": found.all("KW"),
        "languages": found.all("LA"),
        "publication_types": kinds,
        "links": found.notices(),
        "volume": found.first("VL"),
        "issue": found.first("IS", "CP"),
        "pages": _pages(found),
        "issn": found.first("SN"),
        "pmcid": next((match[1] for match in map(_PMCID.fullmatch, found.all(*_NOTES)) if match), ""),
        "status": min(notes, key=GRAVEST_FIRST.index, default=None),
    }
    try:
        return record_from_values(values, remarks, f"line {fields[0].line}")
    except (TypeError, ValueError) as error:
        raise SourceFormatError(f"{name}: the record that begins in line {fields[0].line}: {error}.") from None


def _abstract(found: ExportedFields, line: int, remarks: Remarks) -> tuple[object, ...]:
    abstracts = found.all("AB") or found.all("N2")
    if set(found.all("N2")) - set(abstracts):
        remarks.note("field N2 beside AB, left out", f"line {line}")
    return abstract_sections(abstracts)


def _pmid(found: ExportedFields) -> str | None:
    return stated_pmid(found.all(*_NOTES, "UR", "L1", "L2", "LK")) or pmid_of_accession(
        found.first("AN"), found.all("DB", "DP")
    )


def _date(found: ExportedFields) -> PublicationDate | None:
    """Return the most precise date of publication."""
    dates = [parse_written_date(text.rstrip("/").replace("//", "/")) for text in found.all("PY", "Y1", "DA")]
    known = [date for date in dates if date is not None]
    same = [date for date in known if date.year == known[0].year]
    return max(same, key=lambda date: (date.month is not None) + (date.day is not None), default=None)


def _pages(found: ExportedFields) -> str:
    first, last = found.first("SP"), found.first("EP")
    return first if not last or "-" in first or first == last else f"{first}-{last}"
