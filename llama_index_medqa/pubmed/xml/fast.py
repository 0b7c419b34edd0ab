"""An ordinary record's bytes to a record: what :mod:`~llama_index_medqa.pubmed.xml.tree` does, many times faster.

The record's shape has been proven by :data:`~llama_index_medqa.pubmed.xml.grammar.RECORD`. What is left is to cut
out the parts. Whatever is unusual in them is left to the tree.
"""

import re
from functools import lru_cache, partial

from llama_index_medqa.pubmed.dates import make_date, parse_free_date
from llama_index_medqa.pubmed.record import (
    AbstractSection,
    Author,
    LazyDetails,
    Link,
    MeshHeading,
    MeshQualifier,
    PublicationDate,
    PubMedRecord,
    RecordDetails,
    Reference,
    status_of,
)
from llama_index_medqa.pubmed.xml.text import fold, heading, main_title, raised

_CONTROL_CHARACTERS = bytes(set(range(32)) - set(b"\t\n\r"))
_UNUSUAL_ENTITY = re.compile(rb"&(?!(?:amp|lt|gt|quot|apos);)")
_MISPLACED_BRACKETS = re.compile(rb"](?=]>)")
_NO_CHARACTERS = ("\ufffe", "\uffff")
_ENTITY = re.compile("&(amp|lt|gt|quot|apos);")
_ENTITIES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_TAG = re.compile("<[^>]*>")


def _leaf(name: str, attributes: str = "[^<>]*") -> re.Pattern[str]:
    """Finds the text of an element that holds nothing else; attributes that are groups come first."""
    return re.compile(f"<{name}{attributes}(?<!/)>([^<]*)<")


_PARAGRAPH = re.compile(
    '<AbstractText(?: Label="([^"]*)")?(?: NlmCategory="([^"]*)")?>([^<]*+(?:<(?!/AbstractText)[^<]*+)*+)<'
)
_DOI_LOCATION = _leaf("ELocationID", ' EIdType="doi"(?: ValidYN="([^"]*)")?')
_ARTICLE_ID = _leaf("ArticleId", '(?: IdType="([^"]*)")?')
_DATE = re.compile(
    r"\s*<\w+[^<>]*>\s*<Year>([^<]*)<(?:/Year>\s*<Month>([^<]*)<)?(?:/Month>\s*<Day>([^<]*)<)?"
)
_COMMENT = re.compile(
    r'<CommentsCorrections(?: RefType="([^"]*)")?>\s*'
    r"(?:<RefSource(?:/>|>([^<]*)</RefSource>)\s*)?(?:<PMID[^<>]*(?:/>|>([^<]*)</PMID>))?"
)
_MESH_NAME = re.compile(
    '<(Descriptor|Qualifier)Name(?: UI="[^"]*")?(?: MajorTopicYN="([^"]*)")?[^<>]*(?:/>|>([^<]*)<)'
)
_AUTHOR = re.compile(
    r"<Author[^<>]*(?<!/)>\s*"
    + "".join(
        rf"(?:<{name}(?:/>|>([^<]*)</{name}>)\s*)?"
        for name in ("LastName", "ForeName", "Initials", "Suffix", "CollectiveName")
    )
    + r"((?:<Identifier[^<>]*(?:/>|>[^<]*</Identifier>)\s*)*+)((?:<(?!/Author>)[^<]*+)*+)"
)
_REFERENCE = re.compile(
    r"<Reference>\s*(?:<Citation(?:/>|>([^<]*)</Citation>)\s*)?((?:<(?!/Reference>)[^<]*+)*+)"
)
_DESCRIPTOR, _TYPE, _LANGUAGE = _leaf("DescriptorName"), _leaf("PublicationType"), _leaf("Language")
_AFFILIATION, _ORCID = _leaf("Affiliation"), _leaf("Identifier", ' Source="ORCID"')
_KEYWORD, _SUBSTANCE, _COPYRIGHT = _leaf("Keyword"), _leaf("NameOfSubstance"), _leaf("CopyrightInformation")
_VOLUME, _ISSUE, _PAGES = _leaf("Volume"), _leaf("Issue"), _leaf("MedlinePgn")
_ISSN, _ABBREVIATION = _leaf("ISSN"), _leaf("ISOAbbreviation")
_MEDLINE_ABBREVIATION, _JOURNAL_ID, _COUNTRY = _leaf("MedlineTA"), _leaf("NlmUniqueID"), _leaf("Country")
# Before 2019, NLM put the reference list among the comments and corrections.
_REFERENCE_LINK = "Cites"

_INDEXED_PARTS = (
    *("version", "pmid", "year", "month", "day", "free_date", "journal", "title", "locations", "abstract"),
    *("types", "vernacular_title", "article_date", "comments", "mesh", "ids"),
)
_DETAIL_PARTS = (
    *("authors", "references", "comments", "mesh", "keywords", "languages", "vernacular_title", "abstract"),
    *("ids", "chemicals", "volume", "pages", "issn", "abbreviation", "journal_information", "free_date"),
    *("revised", "conflict"),
)
_Part = bytes | None


class Unusual(Exception):  # noqa: N818 (no error: the record is read in another way)
    """The record holds something that only the tree reads rightly."""


def record_from_match(match: re.Match[bytes]) -> PubMedRecord:
    """Read a record whose shape is known.

    Args:
        match: of :data:`~llama_index_medqa.pubmed.xml.grammar.RECORD`.

    Raises:
        Unusual: the record must be read from its tree.
    """
    _check_characters(match[0])
    (
        *(version, pmid, year, month, day, free_date, journal, title, locations, abstract),
        *(types, vernacular_title, article_date, comments, mesh, ids),
    ) = match.group(*_INDEXED_PARTS)
    publication_types = _repeated_texts(_TYPE, types)
    links = _links(comments)
    return PubMedRecord(
        title=main_title(_text(_without_tags(title.decode())), _decoded(vernacular_title)),
        sections=_sections(abstract),
        pmid=pmid.decode(),
        version=int(version),
        journal=_decoded(journal),
        date=_issue_date(year, month, day, free_date) or _date(article_date),
        mesh=_names(_DESCRIPTOR, mesh),
        publication_types=publication_types,
        doi=_doi(locations, ids),
        status=status_of(publication_types, links),
        links=links,
        lazy_details=LazyDetails(partial(_details, match.group(*_DETAIL_PARTS))),
    )


def _check_characters(source: bytes) -> None:
    """Look for what makes a document of the right shape malformed all the same, or needs more than the fast way."""
    if (
        len(source.translate(None, _CONTROL_CHARACTERS)) != len(source)
        or _UNUSUAL_ENTITY.search(source)
        or _MISPLACED_BRACKETS.search(source)
    ):
        raise Unusual
    if not source.isascii():
        try:
            text = source.decode()
        except UnicodeDecodeError:
            raise Unusual from None
        if any(character in text for character in _NO_CHARACTERS):
            raise Unusual


def _details(parts: tuple[_Part, ...]) -> RecordDetails:
    part = dict(zip(_DETAIL_PARTS, parts, strict=True))
    abbreviation, journal_id, country = _journal_information(part["journal_information"])
    return RecordDetails(
        authors=_authors(part["authors"]),
        references=_references(part["references"]) + _old_references(part["comments"]),
        mesh_headings=_mesh_headings(part["mesh"]),
        keywords=_texts(_KEYWORD, part["keywords"]),
        languages=_repeated_texts(_LANGUAGE, part["languages"]),
        vernacular_title=_decoded(part["vernacular_title"]),
        copyright=_first(_COPYRIGHT, part["abstract"]),
        article_ids=_article_ids((part["ids"] or b"").decode()),
        chemicals=_names(_SUBSTANCE, part["chemicals"]),
        volume=_first(_VOLUME, part["volume"]),
        issue=_first(_ISSUE, part["volume"]),
        pages=_first(_PAGES, part["pages"]),
        issn=_first(_ISSN, part["issn"]),
        journal_abbreviation=abbreviation or _first(_ABBREVIATION, part["abbreviation"]),
        journal_id=journal_id,
        country=country,
        printed_date=_decoded(part["free_date"]),
        revised=_date(part["revised"]),
        conflict_of_interest=_decoded(part["conflict"]),
    )


def _without_tags(markup: str) -> str:
    if "<" not in markup:
        return markup
    first, *others = markup.split("<sup>")
    text = _TAG.sub("", first)
    for piece in others:
        superscript, end, rest = piece.partition("</sup>")
        if not end:
            # A superscript in a superscript.
            raise Unusual
        text += raised(text, _TAG.sub("", superscript)) + _TAG.sub("", rest)
    return text


def _text(escaped: str) -> str:
    if "&" in escaped:
        escaped = _ENTITY.sub(lambda entity: _ENTITIES[entity[1]], escaped)
    return fold(escaped)


_name = lru_cache(1 << 14)(_text)
"""The same for texts that return from record to record, such as MeSH names."""


def _decoded(part: _Part) -> str:
    return _text(part.decode()) if part else ""


def _first(pattern: re.Pattern[str], part: _Part) -> str:
    found = pattern.search(part.decode()) if part else None
    return _text(found[1]) if found else ""


def _texts(pattern: re.Pattern[str], part: _Part) -> tuple[str, ...]:
    return tuple(filter(None, map(_text, pattern.findall(part.decode())))) if part else ()


def _names(pattern: re.Pattern[str], part: _Part) -> tuple[str, ...]:
    return tuple(filter(None, map(_name, pattern.findall(part.decode())))) if part else ()


@lru_cache(1 << 12)
def _repeated_texts(pattern: re.Pattern[str], part: _Part) -> tuple[str, ...]:
    return _texts(pattern, part)


@lru_cache(1 << 12)
def _journal_information(part: _Part) -> tuple[str, str, str]:
    return _first(_MEDLINE_ABBREVIATION, part), _first(_JOURNAL_ID, part), _first(_COUNTRY, part)


@lru_cache(1 << 12)
def _issue_date(year: _Part, month: _Part, day: _Part, free_date: _Part) -> PublicationDate | None:
    return make_date(_decoded(year), _decoded(month), _decoded(day)) or parse_free_date(_decoded(free_date))


def _date(part: _Part) -> PublicationDate | None:
    found = _DATE.match(part.decode()) if part else None
    return make_date(*(_text(number or "") for number in found.groups())) if found else None


def _sections(abstract: _Part) -> tuple[AbstractSection, ...]:
    if not abstract:
        return ()
    sections = (
        AbstractSection(_text(_without_tags(text)), heading(_text(label)), heading(_text(category)))
        for label, category, text in _PARAGRAPH.findall(abstract.decode())
    )
    return tuple(section for section in sections if section.text)


def _doi(locations: bytes, ids: _Part) -> str | None:
    for valid, value in _DOI_LOCATION.findall(locations.decode()):
        if valid != "N" and (doi := _text(value)):
            return doi
    listed = _article_ids(ids.decode()) if ids and b'"doi"' in ids else ()
    return next((value for kind, value in listed if kind == "doi"), None)


def _article_ids(ids: str) -> tuple[tuple[str, str], ...]:
    return tuple(
        (kind or "pubmed", _text(value)) for kind, value in _ARTICLE_ID.findall(ids) if value.strip()
    )


def _comments(part: _Part) -> list[tuple[str, str, str]]:
    found = _COMMENT.findall(part.decode()) if part else ()
    return [(kind, _text(source), _text(pmid)) for kind, source, pmid in found]


def _links(part: _Part) -> tuple[Link, ...]:
    return tuple(
        Link(kind, pmid or None, source) for kind, source, pmid in _comments(part) if kind != _REFERENCE_LINK
    )


def _old_references(part: _Part) -> tuple[Reference, ...]:
    return tuple(
        Reference(source, ((("pubmed", pmid),) if pmid else ()))
        for kind, source, pmid in _comments(part)
        if kind == _REFERENCE_LINK
    )


def _references(part: _Part) -> tuple[Reference, ...]:
    found = _REFERENCE.findall(part.decode()) if part else ()
    return tuple(Reference(_text(citation), _article_ids(ids) if ids else ()) for citation, ids in found)


def _authors(part: _Part) -> tuple[Author, ...]:
    return tuple(map(_author, _AUTHOR.findall(part.decode()))) if part else ()


def _author(found: tuple[str, ...]) -> Author:
    *names, identifiers, affiliations = found
    orcid = _ORCID.search(identifiers) if identifiers else None
    return Author(
        *map(_name, names),
        tuple(filter(None, map(_name, _AFFILIATION.findall(affiliations)))) if affiliations else (),
        (_text(orcid[1]) or None) if orcid else None,
    )


def _mesh_headings(part: _Part) -> tuple[MeshHeading, ...]:
    headings: list[tuple[str, bool, list[MeshQualifier]]] = []
    for kind, major, name in _MESH_NAME.findall(part.decode()) if part else ():
        if kind == "Descriptor":
            headings.append((_name(name), major == "Y", []))
        else:
            headings[-1][2].append(MeshQualifier(_name(name), major == "Y"))
    return tuple(MeshHeading(name, major, tuple(qualifiers)) for name, major, qualifiers in headings)
