"""PubMed's text export (``.nbib``, MEDLINE format) to records.

The tags are described at https://www.nlm.nih.gov/bsd/mms/medlineelements.html. The format holds less than the XML:
a structured abstract is one text in which the headings stand as words.
"""

import re
from collections.abc import Iterator

from llama_index_medqa.pubmed.byte_streams import Source, reading
from llama_index_medqa.pubmed.dates import make_date, parse_free_date
from llama_index_medqa.pubmed.formats.abstract_headings import divided_at_headings
from llama_index_medqa.pubmed.formats.exports.text_lines import read_lines
from llama_index_medqa.pubmed.formats.tagged_records import Field, Layout, read_tagged
from llama_index_medqa.pubmed.record import (
    AbstractSection,
    Author,
    Link,
    MeshHeading,
    MeshQualifier,
    OtherAbstract,
    PublicationDate,
    PubMedRecord,
    RecordDetails,
    known_details,
    status_of,
)
from llama_index_medqa.pubmed.text import main_title

_IDENTIFIER = re.compile(r"(.*\S) \[(\w+)\]")
_LINKED_PMID = re.compile(r"PMID: ?(\d+)")
_REVISED = re.compile(r"(\d{4})(\d\d)(\d\d)")
LINK_KINDS = {
    "CIN": "CommentIn",
    "CON": "CommentOn",
    "EIN": "ErratumIn",
    "EFR": "ErratumFor",
    "ECI": "ExpressionOfConcernIn",
    "ECF": "ExpressionOfConcernFor",
    "RIN": "RetractionIn",
    "ROF": "RetractionOf",
    "PRIN": "PartialRetractionIn",
    "PROF": "PartialRetractionOf",
    "RRI": "RetractedandRepublishedIn",
    "RRF": "RetractedandRepublishedFrom",
    "CRI": "CorrectedandRepublishedIn",
    "CRF": "CorrectedandRepublishedFrom",
    "RPI": "RepublishedIn",
    "RPF": "RepublishedFrom",
    "UIN": "UpdateIn",
    "UOF": "UpdateOf",
    "SPIN": "SummaryForPatientsIn",
    "ORI": "OriginalReportIn",
    "DDIN": "AssociatedDataset",
    "DRIN": "AssociatedPublication",
}
_LAYOUT = Layout(
    field=re.compile(r"([A-Z][A-Z0-9]{1,3}) {0,2}- ?(.*)"),
    continued=re.compile(r"[ \t]+\S"),
    first=frozenset({"PMID"}),
    first_is_once=False,
    single=frozenset("TI AB DP TA JT JID PG VI IP OWN STAT SO".split()),
    naming=frozenset({"PMID", "PMCR", "TI", "BTI"}),
)


def read_nbib(source: Source, name: str | None = None) -> Iterator[PubMedRecord]:
    """Read a text export of PubMed, one record at a time.

    An abstract that begins with a common heading in capitals is divided at such headings.

    Args:
        source: a path, an open binary stream, or an input that is open already.
        name: what to call it in messages; by default its path.

    Raises:
        InputError: there is no such file.
        SourceFormatError: not UTF-8, or the line that begins a record is missing. Lines that are no fields are counted
            in a warning and left out.
    """
    with reading(source, name) as pieces:
        lines = read_lines(pieces, pieces.name)
        yield from map(_record, read_tagged(lines, _LAYOUT, pieces.name, pieces.remarks))


def _record(fields: list[Field]) -> PubMedRecord:
    types = _all(fields, "PT")
    links = tuple(_link(LINK_KINDS[field.tag], field.value) for field in fields if field.tag in LINK_KINDS)
    headings = tuple(_mesh(value) for value in _all(fields, "MH"))
    ids = _ids(fields)
    book = _first(fields, "BTI")
    title = main_title(" ".join(_all(fields, "TI")), _first(fields, "TT"))
    return PubMedRecord(
        title=title or book,
        sections=_sections(_all(fields, "AB")),
        pmid=_first(fields, "PMID") or None,
        journal=_first(fields, "JT") or (book if title else ""),
        date=parse_free_date(_first(fields, "DP")) or parse_free_date(_first(fields, "DEP")),
        mesh=tuple(heading.name for heading in headings),
        publication_types=types,
        doi=next((value for kind, value in ids if kind == "doi"), None),
        status=status_of(types, links),
        links=links,
        revised=_revised(_first(fields, "LR")),
        lazy_details=known_details(_details(fields, headings, ids, book)),
    )


def _details(
    fields: list[Field], headings: tuple[MeshHeading, ...], ids: tuple[tuple[str, str], ...], book: str
) -> RecordDetails:
    substances = [value.partition(" (")[2].removesuffix(")") for value in _all(fields, "RN")]
    return RecordDetails(
        authors=_authors(fields),
        mesh_headings=headings,
        keywords=tuple(value.lstrip("*") for value in _all(fields, "OT")),
        languages=_all(fields, "LA"),
        vernacular_title=_first(fields, "TT"),
        other_abstracts=_other_abstracts(fields),
        copyright=_first(fields, "CI"),
        article_ids=ids,
        chemicals=tuple(filter(None, (*_all(fields, "NM"), *substances))),
        volume=_first(fields, "VI"),
        issue=_first(fields, "IP"),
        pages=_first(fields, "PG"),
        issn=_first(fields, "IS").partition(" ")[0],
        journal_abbreviation=_first(fields, "TA"),
        journal_id=_first(fields, "JID"),
        country=_first(fields, "PL"),
        printed_date=_first(fields, "DP"),
        conflict_of_interest=_first(fields, "COIS"),
        book_title=book,
    )


def _all(fields: list[Field], tag: str) -> tuple[str, ...]:
    return tuple(field.value for field in fields if field.tag == tag and field.value)


def _first(fields: list[Field], tag: str) -> str:
    return next(iter(_all(fields, tag)), "")


def _revised(text: str) -> PublicationDate | None:
    found = _REVISED.match(text)
    return make_date(*found.groups()) if found else None


def _sections(abstracts: tuple[str, ...]) -> tuple[AbstractSection, ...]:
    return tuple(section for abstract in abstracts for section in divided_at_headings(abstract))


def _ids(fields: list[Field]) -> tuple[tuple[str, str], ...]:
    pairs = [("pubmed", value) for value in _all(fields, "PMID")]
    pairs += [("pmc", value) for value in _all(fields, "PMC")]
    for value in (*_all(fields, "LID"), *_all(fields, "AID")):
        if found := _IDENTIFIER.fullmatch(value):
            pairs.append((found[2], found[1]))
        elif value.startswith("doi:"):
            pairs.append(("doi", value.removeprefix("doi:").strip()))
    return tuple(dict.fromkeys(pairs))


def _mesh(value: str) -> MeshHeading:
    name, *qualifiers = value.split("/")
    return MeshHeading(
        name.lstrip("*"),
        name.startswith("*"),
        tuple(MeshQualifier(text.lstrip("*"), text.startswith("*")) for text in qualifiers),
    )


def _link(kind: str, value: str) -> Link:
    found = _LINKED_PMID.search(value)
    return Link(kind, found[1] if found else None, value[: found.start()].rstrip() if found else value)


def _authors(fields: list[Field]) -> tuple[Author, ...]:
    """Return the authors in order.

    A full name comes first, then its short form and what belongs to it.
    """
    authors: list[Author] = []
    full_names = any(field.tag == "FAU" for field in fields)
    for tag, value, _ in fields:
        if not value:
            continue
        if tag == ("FAU" if full_names else "AU"):
            authors.append(_full_name(value) if full_names else _short_name(value))
        elif tag == "CN":
            authors.append(Author(collective_name=value))
        elif authors and tag in {"AU", "AD", "AUID"}:
            authors[-1] = _completed(authors[-1], tag, value)
    return tuple(authors)


def _full_name(value: str) -> Author:
    last_name, _, fore_name = value.partition(", ")
    return Author(last_name, fore_name)


def _short_name(value: str) -> Author:
    last_name, _, initials = value.rpartition(" ")
    return Author(last_name, "", initials) if last_name else Author(value)


def _completed(author: Author, tag: str, value: str) -> Author:
    if tag == "AD":
        return author._replace(affiliations=(*author.affiliations, value))
    if tag == "AUID":
        return author._replace(orcid=value.removeprefix("ORCID: ")) if value.startswith("ORCID: ") else author
    return author._replace(initials=value.removeprefix(author.last_name).strip())


def _other_abstracts(fields: list[Field]) -> tuple[OtherAbstract, ...]:
    languages = iter(_all(fields, "OABL"))
    found = []
    for value in _all(fields, "OAB"):
        kind, separator, text = value.partition(": ")
        kind, text = (kind, text) if separator and " " not in kind else ("", value)
        found.append(OtherAbstract(kind, next(languages, ""), divided_at_headings(text)))
    return tuple(found)
