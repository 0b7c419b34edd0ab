"""Records to PubMed's text export (``.nbib``, MEDLINE format)."""

import textwrap
from collections.abc import Iterable, Iterator
from typing import TextIO

from llama_index_medqa.pubmed.formats.nbib import LINK_KINDS
from llama_index_medqa.pubmed.record import Author, MeshHeading, MeshQualifier, PublicationDate, PubMedRecord

_WIDTH = 88
_INDENT = " " * 6
_TAGS = {kind: tag for tag, kind in LINK_KINDS.items()}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def write_nbib(records: Iterable[PubMedRecord], stream: TextIO) -> int:
    """Write records as PubMed's text export.

    The format cannot hold everything: headings of sections become words of the abstract, references, versions and
    normalised categories are left out.

    Args:
        records: what to write.
        stream: a text file that is open for writing in UTF-8.

    Returns:
        The number of records written.
    """
    number = 0
    for record in records:
        # The first tag stands in every record, so that each is told from the one before it.
        stream.write(f"PMID- {record.pmid or ''}\n")
        stream.write("".join(_line(tag, value) for tag, value in _fields(record) if value) + "\n")
        number += 1
    return number


def _line(tag: str, value: str) -> str:
    wrapped = textwrap.fill(
        value,
        _WIDTH,
        initial_indent=f"{tag:<4}- ",
        subsequent_indent=_INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return wrapped + "\n"


def _fields(record: PubMedRecord) -> Iterator[tuple[str, str]]:
    details = record.details
    yield "LR", f"{record.revised.ordinal}" if record.revised else ""
    yield "IS", details.issn
    yield "VI", details.volume
    yield "IP", details.issue
    yield "DP", details.printed_date or _date(record.date)
    yield ("BTI" if details.book_title == record.title else "TI"), record.title
    yield "PG", details.pages
    yield "LID", f"{record.doi} [doi]" if record.doi else ""
    yield "AB", " ".join(f"{part.label}: {part.text}" if part.label else part.text for part in record.sections)
    yield "CI", details.copyright
    for author in details.authors:
        yield from _author(author)
    yield from (("LA", language) for language in details.languages)
    yield from (("PT", name) for name in record.publication_types)
    yield "TT", details.vernacular_title
    yield "PL", details.country
    yield "TA", details.journal_abbreviation
    yield "JT", record.journal
    yield "JID", details.journal_id
    yield from (("NM", name) for name in details.chemicals)
    yield from (("MH", name) for name in _mesh(record))
    yield from (("OT", keyword) for keyword in details.keywords)
    yield from _links(record)
    yield from _ids(record)
    yield "COIS", details.conflict_of_interest


def _date(date: PublicationDate | None) -> str:
    if date is None:
        return ""
    month = _MONTHS[date.month - 1] if date.month else None
    return " ".join(str(part) for part in (date.year, month, date.day) if part)


def _author(author: Author) -> Iterator[tuple[str, str]]:
    if author.collective_name:
        yield "CN", author.collective_name
    else:
        yield "FAU", ", ".join(part for part in (author.last_name, author.fore_name or author.initials) if part)
        yield "AU", " ".join(part for part in (author.last_name, author.initials, author.suffix) if part)
    yield "AUID", f"ORCID: {author.orcid}" if author.orcid else ""
    yield from (("AD", affiliation) for affiliation in author.affiliations)


def _mesh(record: PubMedRecord) -> Iterable[str]:
    return map(_heading, record.details.mesh_headings) if record.details.mesh_headings else record.mesh


def _heading(heading: MeshHeading) -> str:
    parts: tuple[MeshHeading | MeshQualifier, ...] = (heading, *heading.qualifiers)
    return "/".join(f"*{part.name}" if part.major else part.name for part in parts)


def _links(record: PubMedRecord) -> Iterator[tuple[str, str]]:
    for link in record.links:
        if link.kind in _TAGS:
            yield _TAGS[link.kind], " ".join(filter(None, (link.source, link.pmid and f"PMID: {link.pmid}")))


def _ids(record: PubMedRecord) -> Iterator[tuple[str, str]]:
    for kind, value in record.details.article_ids:
        if kind == "pmc":
            yield "PMC", value
        elif kind != "pubmed":
            yield "AID", f"{value} [{kind}]"
