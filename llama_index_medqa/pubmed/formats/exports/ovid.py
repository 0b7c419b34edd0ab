"""Ovid's exports, with tags or with names of fields, to records.

The tags are those of Ovid's field guides, https://ospguides.ovid.com/OSPguides/medline.htm.
"""

import re
from collections.abc import Iterator

from llama_index_medqa.errors import SourceFormatError
from llama_index_medqa.pubmed.byte_streams import Source, reading
from llama_index_medqa.pubmed.dates import parse_written_date
from llama_index_medqa.pubmed.formats.citation_line import parse_citation
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

DIVIDER = re.compile(r"<\d+(?:\. ?)?>\s*")
_TAGS = {
    "AB": ("Abstract",),
    "AN": ("Accession Number",),
    "AU": ("Author", "Authors"),
    "CM": ("Comments",),
    "DB": ("Database",),
    "DI": ("DOI", "DOI Number", "Digital Object Identifier"),
    "DP": ("Date of Publication", "Publication Date"),
    "FA": ("Authors Full Name", "Author Full Name"),
    "IP": ("Issue", "Issue/Part", "Issue Number"),
    "IS": ("ISSN", "ISSN Print", "International Standard Serial Number"),
    "JN": ("Journal", "Journal Name", "NLM Journal Name"),
    "KW": ("Author Keywords", "Keyword Heading", "Keywords"),
    "LG": ("Language", "Languages"),
    "MH": ("MeSH Subject Headings", "Subject Headings"),
    "PG": ("Page", "Pages", "Pagination"),
    "PM": ("PMID", "PubMed ID"),
    "PT": ("Document Type", "Publication Type"),
    "SO": ("Source",),
    "TI": ("Title",),
    "UI": ("Unique Identifier",),
    "VI": ("Volume",),
    "YR": ("Publication Year", "Year", "Year of Publication"),
}
_TAG_OF_NAME = {name.lower(): tag for tag, names in _TAGS.items() for name in names}
_SINGLE = frozenset("UI TI AB AN SO YR DI DO VI PG".split())
_NAMING = frozenset("UI AN VN TI".split())
_TAGGED = Layout(
    field=re.compile(r"([A-Z][A-Z0-9]) {1,2}-(?: (.*)|)"),
    continued=re.compile(r".*\S"),
    first=frozenset({"UI", "VN"}),
    single=_SINGLE,
    naming=_NAMING,
    divider=DIVIDER,
    skipped=re.compile("Link to the Ovid Full Text"),
)
_NAMED = Layout(
    field=re.compile(r"([A-Z][A-Za-z/&()' -]{1,60})()"),
    continued=re.compile(r"\s+\S|https?://"),
    first=frozenset({"Unique Identifier"}),
    single=frozenset(name for tag in _SINGLE for name in _TAGS.get(tag, ())),
    divider=DIVIDER,
)
# What Ovid adds to the title, and to an author.
_KIND_AFTER_TITLE = re.compile(r"\s*\[(?:Article|Miscellaneous|Report|Review|Editorial|Letter)\]$")
_MARKS_AFTER_NAME = re.compile(r"(?:,? (?:MD|PhD|Ph\.D\.|MSc|MPH|[*+]|\d[\d,]*))+[*+,\d]*$|\s*\[.*\]$")


def read_ovid(source: Source, name: str | None = None) -> Iterator[PubMedRecord | Deletion]:
    """Read an Ovid export with tags (``UI  - 123``).

    What holds for :func:`read_ris` holds here.
    """
    return _read(source, name, _TAGGED)


def read_ovid_names(source: Source, name: str | None = None) -> Iterator[PubMedRecord | Deletion]:
    """Read an Ovid export with names of fields.

    Such as ``Unique Identifier``, with the values below.
    """
    return _read(source, name, _NAMED)


def _read(source: Source, name: str | None, layout: Layout) -> Iterator[PubMedRecord | Deletion]:
    with reading(source, name) as pieces:
        lines = read_lines(pieces, pieces.name)
        for fields in read_tagged(lines, layout, pieces.name, pieces.remarks):
            line = fields[0].line
            tagged = [Field(_TAG_OF_NAME.get(field.tag.lower(), field.tag), *field[1:]) for field in fields]
            try:
                yield _record(ExportedFields(tagged), pieces.remarks, f"line {line}")
            except (TypeError, ValueError) as error:
                raise SourceFormatError(f"{pieces.name}: the record that begins in line {line}: {error}.") from None


def _record(found: ExportedFields, remarks: Remarks, location: str) -> PubMedRecord | Deletion:
    source = parse_citation(found.first("SO"))
    databases = found.all("DB")
    values = {
        "title": _KIND_AFTER_TITLE.sub("", found.first("TI")),
        "sections": abstract_sections(found.all("AB")),
        "pmid": stated_pmid([f"PMID {value}" for value in found.all("PM")])
        or pmid_of_accession(found.first("UI", "AN"), databases),
        "journal": found.first("JN", "JT", "NJ", "AS", "TA") or source.journal,
        "date": _date(found, source.date),
        "doi": stated_doi(value.removesuffix(" [doi]") for value in found.all("DI", "DO", "LI")),
        "authors": [_MARKS_AFTER_NAME.sub("", name) for name in _listed(found.all("FA") or found.all("AU"))],
        "mesh": [heading.partition("/")[0].lstrip("*").strip() for heading in _listed(found.all("MH", "SH"))],
        "keywords": _listed(found.all("KW")),
        "languages": [value.rstrip(".") for value in found.all("LG")],
        "publication_types": found.all("PT", "DT"),
        "links": found.notices(),
        "volume": found.first("VI") or source.volume,
        "issue": found.first("IP") or source.issue,
        "pages": found.first("PG") or source.pages,
        "issn": found.first("IS").partition(" ")[0],
    }
    return record_from_values(values, remarks, location)


def _listed(values: list[str]) -> list[str]:
    return [item.strip() for value in values for item in value.split(";") if item.strip()]


def _date(found: ExportedFields, of_source: PublicationDate | None) -> PublicationDate | None:
    year = parse_written_date(found.first("YR"))
    dates = [date for date in (parse_written_date(found.first("DP")), of_source) if date is not None]
    return next((date for date in dates if year is None or date.year == year.year), year)
