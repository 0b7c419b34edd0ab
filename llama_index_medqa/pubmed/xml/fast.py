"""An ordinary record's bytes to a record: the work of :mod:`~llama_index_medqa.pubmed.xml.tree`, much faster.

The record's shape has been proven by :data:`~llama_index_medqa.pubmed.xml.grammar.RECORD`. What is left is
to cut out the parts. Whatever is unusual in them is left to the tree.
"""

import re
from functools import lru_cache, partial

from lxml import etree

from llama_index_medqa.errors import SourceFormatError
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
from llama_index_medqa.pubmed.text import fold, heading, main_title
from llama_index_medqa.pubmed.xml.grammar import RECORD
from llama_index_medqa.pubmed.xml.text import raised
from llama_index_medqa.pubmed.xml.tree import details_from_tree

_ENTITY = re.compile("&(?:(amp|lt|gt|quot|apos)|#(x?)([0-9a-fA-F]{1,7}));|&")
_ENTITIES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_NO_XML_CHARACTER = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_TAG = re.compile("<[^>]*>")


_ATTRIBUTES = '(?: [A-Z][A-Za-z]+="[^"]*")*'


def _leaf(name: str, attributes: str = "") -> re.Pattern[str]:
    """Finds the text of an element that holds nothing else; attributes that are groups come first."""
    return re.compile(f"<{name}{attributes}>([^<]*)<")


_PARAGRAPH = re.compile(
    '<AbstractText(?: Label="([^"]*)")?(?: NlmCategory="([^"]*)")?>([^<]*+(?:<(?!/AbstractText)[^<]*+)*+)<'
)
_DOI_LOCATION = _leaf("ELocationID", ' EIdType="doi"(?: ValidYN="([^"]*)")?')
_ARTICLE_ID = _leaf("ArticleId", '(?: IdType="([^"]*)")?')
_DATE = re.compile(r"[^<]*<\w+[^<>]*>[^<]*<Year>([^<]*)<(?:/Year>[^<]*<Month>([^<]*)<)?(?:/Month>[^<]*<Day>([^<]*)<)?")
_COMMENT = re.compile(
    r'<CommentsCorrections(?: RefType="([^"]*)")?>[^<]*'
    r"(?:<RefSource(?:/>|>([^<]*)</RefSource>)[^<]*)?(?:<PMID[^<>]*(?:/>|>([^<]*)</PMID>))?"
)
_MESH_NAME = re.compile('<(Descriptor|Qualifier)Name(?: UI="[^"]*")?(?: MajorTopicYN="([^"]*)")?[^<>]*(?:/>|>([^<]*)<)')
_AUTHOR = re.compile(
    rf"<Author{_ATTRIBUTES}>[^<]*"
    + "".join(
        rf"(?:<{name}(?:/>|>([^<]*)</{name}>)[^<]*)?"
        for name in ("LastName", "ForeName", "Initials", "Suffix", "CollectiveName")
    )
    + r"((?:<Identifier[^<>]*(?:/>|>[^<]*</Identifier>)[^<]*)*+)((?:<(?!/Author>)[^<]*+)*+)"
)
_REFERENCE = re.compile(
    r"<Reference>[^<]*(?:<Citation(?:/>|>([^<]*+(?:<(?!/Citation>)[^<]*+)*+)</Citation>)[^<]*)?"
    r"((?:<(?!/Reference>)[^<]*+)*+)"
)
_DESCRIPTOR, _TYPE = _leaf("DescriptorName", _ATTRIBUTES), _leaf("PublicationType", _ATTRIBUTES)
_AFFILIATION, _ORCID = _leaf("Affiliation"), _leaf("Identifier", ' Source="ORCID"')
_KEYWORD, _SUBSTANCE = _leaf("Keyword", _ATTRIBUTES), _leaf("NameOfSubstance", _ATTRIBUTES)
_LANGUAGE, _COPYRIGHT = _leaf("Language"), _leaf("CopyrightInformation")
_PAGES, _ABBREVIATION = _leaf("MedlinePgn"), _leaf("ISOAbbreviation")
_JOURNAL = re.compile(
    r"<Journal>[^<]*(?:<ISSN[^<>]*(?:/>|>([^<]*)</ISSN>)[^<]*)?<JournalIssue[^<>]*>[^<]*"
    r"(?:<Volume(?:/>|>([^<]*)</Volume>)[^<]*)?(?:<Issue(?:/>|>([^<]*)</Issue>)[^<]*)?"
)
_MEDLINE_ABBREVIATION, _JOURNAL_ID, _COUNTRY = _leaf("MedlineTA"), _leaf("NlmUniqueID"), _leaf("Country")
# Before 2019, NLM put the reference list among the comments and corrections.
_REFERENCE_LINK = "Cites"

_DETAIL_PARTS = (
    *("authors", "references", "comments", "mesh", "keywords", "languages", "vernacular_title", "abstract"),
    *("ids", "chemicals", "journal_element", "pages", "journal_information", "free_date", "revised", "conflict"),
)
# Groups are found faster by number than by name.
_DETAIL_GROUPS = tuple(RECORD.groupindex[name] for name in ("pmid", *_DETAIL_PARTS))
_Spans = tuple[tuple[int, int], ...]
_Part = bytes | None


class Unusual(Exception):  # noqa: N818 (no error: the record is read in another way)
    """The record holds something that only the tree reads rightly."""


def record_from_match(source: bytes, match: re.Match[bytes]) -> PubMedRecord:
    """Read a record whose shape is known.

    Every text that is read is checked: broken UTF-8, undefined entities and characters that XML forbids go to the
    tree, which reports them. In the parts that make up :attr:`PubMedRecord.details` that happens on first use.

    Args:
        source: the whole record.
        match: of it with :data:`~llama_index_medqa.pubmed.xml.grammar.RECORD`.

    Raises:
        Unusual: the record must be read from its tree.
    """
    part = match.group
    publication_types = _repeated_texts(_TYPE, part("types"))
    links = _links(part("comments"))
    return PubMedRecord(
        title=main_title(_marked_up(_decoded(part("title"))), _whole(part("vernacular_title"))),
        sections=_sections(part("abstract")),
        pmid=part("pmid").decode(),
        version=int(part("version")),
        journal=_whole(part("journal")),
        date=_issue_date(*part("year", "month", "day", "free_date")) or _date(part("article_date")),
        mesh=_names(_DESCRIPTOR, part("mesh")),
        publication_types=publication_types,
        doi=_doi(*part("locations", "ids")),
        status=status_of(publication_types, links),
        links=links,
        revised=_date(part("revised")),
        lazy_details=LazyDetails(partial(_details, source, match.start(), _spans(match))),
    )


def _spans(match: re.Match[bytes]) -> _Spans:
    return tuple([match.span(group) for group in _DETAIL_GROUPS])


def _details(source: bytes, start: int, spans: _Spans) -> RecordDetails:
    """The rest of a record; the spans of its parts begin to count ``start`` bytes before ``source`` does."""
    pmid, *parts = [source[begin - start : end - start] if begin >= 0 else b"" for begin, end in spans]
    try:
        return _details_of(dict(zip(_DETAIL_PARTS, parts, strict=True)))
    except Unusual:
        pass
    try:
        return details_from_tree(source)
    except etree.XMLSyntaxError as error:
        raise SourceFormatError(
            f"Malformed XML in the details of record {pmid.decode()} ({fold(str(error))}). Get its file again."
        ) from error


def _details_of(part: dict[str, bytes]) -> RecordDetails:
    journal, comments = _decoded(part["journal_element"]), part["comments"]
    issn, volume, issue = _journal_issue(journal)
    abbreviation, journal_id, country = _journal_information(part["journal_information"])
    return RecordDetails(
        authors=_authors(part["authors"]),
        references=_references(part["references"]) + (_old_references(comments) if comments else ()),
        mesh_headings=_mesh_headings(part["mesh"]),
        keywords=_texts(_KEYWORD, part["keywords"]),
        languages=_repeated_texts(_LANGUAGE, part["languages"]),
        vernacular_title=_whole(part["vernacular_title"]),
        copyright=_first(_COPYRIGHT, part["abstract"]),
        article_ids=_article_ids(_decoded(part["ids"])),
        chemicals=_names(_SUBSTANCE, part["chemicals"]),
        volume=volume,
        issue=issue,
        pages=_first(_PAGES, part["pages"]),
        issn=issn,
        journal_abbreviation=abbreviation or _first(_ABBREVIATION, part["journal_element"]),
        journal_id=journal_id,
        country=country,
        printed_date=_whole(part["free_date"]),
        conflict_of_interest=_whole(part["conflict"]),
    )


def _decoded(part: _Part) -> str:
    if not part:
        return ""
    try:
        return part.decode()
    except UnicodeDecodeError:
        raise Unusual from None


def _text(escaped: str) -> str:
    """The text that a piece of XML without tags stands for, folded."""
    # What is printable has no white space but the plain space, and nothing that XML forbids.
    if escaped.isprintable() and not ("&" in escaped or "  " in escaped or "]]>" in escaped):
        return escaped.strip(" ")
    if "]]>" in escaped:
        raise Unusual
    text = _ENTITY.sub(_character, escaped)
    if _NO_XML_CHARACTER.search(text):
        raise Unusual
    return fold(text)


def _character(entity: re.Match[str]) -> str:
    name, is_hexadecimal, digits = entity.groups()
    if name:
        return _ENTITIES[name]
    try:
        number = int(digits or "", 16 if is_hexadecimal else 10)
    except ValueError:
        raise Unusual from None
    if not (0x20 <= number < 0xD800 or 0xE000 <= number < 0x110000):
        raise Unusual
    return chr(number)


def _marked_up(markup: str) -> str:
    return _text(markup if "<" not in markup else _without_tags(markup))


def _without_tags(markup: str) -> str:
    first, *others = markup.split("<sup>")
    if others and "&#" in markup:
        raise Unusual  # the character may be a digit or a sign
    text = _TAG.sub("", first)
    for piece in others:
        superscript, end, rest = piece.partition("</sup>")
        if not end:
            raise Unusual  # a superscript in a superscript
        text += raised(text, _TAG.sub("", superscript)) + _TAG.sub("", rest)
    return text


_name = lru_cache(1 << 14)(_text)
"""The same for texts that return from record to record, such as MeSH names."""


@lru_cache(1 << 10)
def _heading(escaped: str) -> str | None:
    return heading(_text(escaped))


def _whole(part: _Part) -> str:
    return _text(_decoded(part))


def _first(pattern: re.Pattern[str], part: _Part) -> str:
    found = pattern.search(_decoded(part))
    return _text(found[1]) if found else ""


def _texts(pattern: re.Pattern[str], part: _Part) -> tuple[str, ...]:
    return tuple(filter(None, map(_text, pattern.findall(_decoded(part))))) if part else ()


def _names(pattern: re.Pattern[str], part: _Part) -> tuple[str, ...]:
    return tuple(filter(None, map(_name, pattern.findall(_decoded(part))))) if part else ()


@lru_cache(1 << 12)
def _repeated_texts(pattern: re.Pattern[str], part: _Part) -> tuple[str, ...]:
    return _texts(pattern, part)


def _journal_issue(journal: str) -> tuple[str, ...]:
    found = _JOURNAL.match(journal)
    return tuple(map(_text, found.groups(""))) if found else ("", "", "")


@lru_cache(1 << 12)
def _journal_information(part: _Part) -> tuple[str, str, str]:
    return _first(_MEDLINE_ABBREVIATION, part), _first(_JOURNAL_ID, part), _first(_COUNTRY, part)


@lru_cache(1 << 12)
def _issue_date(year: _Part, month: _Part, day: _Part, free_date: _Part) -> PublicationDate | None:
    return make_date(_whole(year), _whole(month), _whole(day)) or parse_free_date(_whole(free_date))


@lru_cache(1 << 12)
def _date(part: _Part) -> PublicationDate | None:
    found = _DATE.match(_decoded(part)) if part else None
    return make_date(*(_text(number or "") for number in found.groups())) if found else None


def _sections(abstract: _Part) -> tuple[AbstractSection, ...]:
    if not abstract:
        return ()
    sections = (
        AbstractSection(_marked_up(text), _heading(label), _heading(category))
        for label, category, text in _PARAGRAPH.findall(_decoded(abstract))
    )
    return tuple(section for section in sections if section.text)


def _doi(locations: bytes, ids: _Part) -> str | None:
    for valid, value in _DOI_LOCATION.findall(_decoded(locations)):
        if valid != "N" and (doi := _text(value)):
            return doi
    listed = _article_ids(_decoded(ids)) if ids and b'"doi"' in ids else ()
    return next((value for kind, value in listed if kind == "doi"), None)


def _article_ids(ids: str) -> tuple[tuple[str, str], ...]:
    pairs = [(kind or "pubmed", _text(value)) for kind, value in _ARTICLE_ID.findall(ids)]
    return tuple([pair for pair in pairs if pair[1]])


def _comments(part: _Part) -> list[tuple[str, str, str]]:
    found = _COMMENT.findall(_decoded(part)) if part else ()
    return [(kind, _text(source), _text(pmid)) for kind, source, pmid in found]


def _links(part: _Part) -> tuple[Link, ...]:
    return tuple(Link(kind, pmid or None, source) for kind, source, pmid in _comments(part) if kind != _REFERENCE_LINK)


def _old_references(part: _Part) -> tuple[Reference, ...]:
    return tuple(
        Reference(source, ((("pubmed", pmid),) if pmid else ()))
        for kind, source, pmid in _comments(part)
        if kind == _REFERENCE_LINK
    )


def _references(part: _Part) -> tuple[Reference, ...]:
    found = _REFERENCE.findall(_decoded(part)) if part else ()
    return tuple([Reference(_marked_up(citation), _article_ids(ids) if ids else ()) for citation, ids in found])


def _authors(part: _Part) -> tuple[Author, ...]:
    return tuple(map(_author, _AUTHOR.findall(_decoded(part)))) if part else ()


def _author(found: tuple[str, ...]) -> Author:
    last_name, fore_name, initials, suffix, collective_name, identifiers, affiliations = found
    orcid = _ORCID.search(identifiers) if identifiers else None
    return Author(
        _text(last_name),
        _text(fore_name),
        _text(initials),
        suffix and _text(suffix),
        collective_name and _text(collective_name),
        tuple(filter(None, map(_text, _AFFILIATION.findall(affiliations)))) if affiliations else (),
        (_text(orcid[1]) or None) if orcid else None,
    )


def _mesh_headings(part: _Part) -> tuple[MeshHeading, ...]:
    headings: list[tuple[str, bool, list[MeshQualifier]]] = []
    for kind, major, name in _MESH_NAME.findall(_decoded(part)):
        if kind == "Descriptor":
            headings.append((_name(name), major == "Y", []))
        else:
            headings[-1][2].append(MeshQualifier(_name(name), major == "Y"))
    return tuple([MeshHeading(name, major, tuple(qualifiers)) for name, major, qualifiers in headings])
