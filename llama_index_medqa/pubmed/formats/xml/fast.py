"""Bytes of an ordinary record to a record, faster than by the tree.

The results are those of :mod:`~llama_index_medqa.pubmed.formats.xml.tree`.

The record's shape has been proven by :data:`~llama_index_medqa.pubmed.formats.xml.grammar.RECORD`. What is left is
to cut out the parts. Whatever is unusual in them is left to the tree.
"""

import re
from functools import lru_cache

from llama_index_medqa.pubmed.dates import make_date, parse_free_date
from llama_index_medqa.pubmed.formats.xml.details import (
    REFERENCE_LINK,
    UnreadDetails,
    article_ids,
    comment_lines,
    leaf,
    other_abstracts,
    sections,
)
from llama_index_medqa.pubmed.formats.xml.escaped import Part, decoded, marked_up, plain, texts
from llama_index_medqa.pubmed.formats.xml.grammar import groups
from llama_index_medqa.pubmed.formats.xml.tree import ENGLISH
from llama_index_medqa.pubmed.record import (
    AbstractSection,
    LazyDetails,
    Link,
    PublicationDate,
    PubMedRecord,
    status_of,
)
from llama_index_medqa.pubmed.text import main_title

_TYPE, _DESCRIPTOR = leaf("PublicationType"), leaf("DescriptorName")
_DOI_LOCATION = re.compile('<ELocationID EIdType="doi"(?: ValidYN="([^"]*+)")?+>([^<]*+)<')
_DATE = re.compile(r"[^<]*<\w+[^<>]*>[^<]*<Year>([^<]*)<(?:/Year>[^<]*<Month>([^<]*)<)?(?:/Month>[^<]*<Day>([^<]*)<)?")

_groups = groups(
    *("pmid", "version", "title", "vernacular_title", "abstract", "journal", "mesh", "types", "comments"),
    *("year", "month", "day", "free_date", "article_date", "revised", "locations", "ids", "other_abstracts"),
)


def record_from_match(match: re.Match[bytes]) -> PubMedRecord:
    """Read a record whose shape is known.

    Every text that is read is checked: broken UTF-8, undefined entities and characters that XML forbids go to the
    tree, which reports them. In the parts that make up :attr:`PubMedRecord.details` that happens on first use.

    Args:
        match: of the whole record with :data:`~llama_index_medqa.pubmed.formats.xml.grammar.RECORD`.

    Raises:
        Unusual: the record must be read from its tree.
    """
    pmid, version, title, vernacular_title, abstract, journal, mesh, types, comments, *others = _groups(match)
    year, month, day, free_date, article_date, revised, locations, ids, abstracts = others
    publication_types = _publication_types(types)
    links = _links(comments) if comments else ()
    return PubMedRecord(
        title=main_title(marked_up(decoded(title)), plain(decoded(vernacular_title)) if vernacular_title else ""),
        sections=_sections(abstract, abstracts),
        pmid=pmid.decode(),
        version=int(version),
        journal=_journal(journal),
        date=_issue_date(year, month, day, free_date) or _date(article_date),
        mesh=texts(_DESCRIPTOR, mesh),
        publication_types=publication_types,
        doi=_doi(locations, ids),
        status=_status(publication_types, links),
        links=links,
        revised=_date(revised),
        lazy_details=LazyDetails(UnreadDetails(match)),
    )


_status = lru_cache(1 << 10)(status_of)


@lru_cache(1 << 12)
def _publication_types(part: Part) -> tuple[str, ...]:
    return texts(_TYPE, part)


@lru_cache(1 << 12)
def _journal(part: Part) -> str:
    return plain(decoded(part))


@lru_cache(1 << 12)
def _issue_date(year: Part, month: Part, day: Part, free_date: Part) -> PublicationDate | None:
    year_text, month_text, day_text, free_text = (plain(decoded(part)) for part in (year, month, day, free_date))
    return make_date(year_text, month_text, day_text) or parse_free_date(free_text)


@lru_cache(1 << 12)
def _date(part: Part) -> PublicationDate | None:
    found = _DATE.match(decoded(part)) if part else None
    return make_date(*(plain(number or "") for number in found.groups())) if found else None


def _sections(abstract: Part, others: bytes) -> tuple[AbstractSection, ...]:
    """Return the main abstract's sections.

    If it has none, those of another abstract, in English if possible.
    """
    main = sections(decoded(abstract)) if abstract else ()
    if main or not others:
        return main
    found = sorted(other_abstracts(others), key=lambda other: other.language != ENGLISH)
    return next((other.sections for other in found if other.sections), ())


def _doi(locations: bytes, ids: Part) -> str | None:
    for valid, value in _DOI_LOCATION.findall(decoded(locations)):
        if valid != "N" and (doi := plain(value)):
            return doi
    listed = article_ids(decoded(ids)) if ids and b'"doi"' in ids else ()
    return next((value for kind, value in listed if kind == "doi"), None)


def _links(part: bytes) -> tuple[Link, ...]:
    return tuple(
        Link(kind, pmid or None, source) for kind, source, pmid in comment_lines(part) if kind != REFERENCE_LINK
    )
