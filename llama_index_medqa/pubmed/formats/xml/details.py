"""Details of an ordinary record, cut out when first used.

Authors, references and the rest.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from itertools import starmap

from lxml import etree

from llama_index_medqa.errors import SourceFormatError
from llama_index_medqa.pubmed.formats.xml.escaped import (
    Part,
    Unusual,
    decoded,
    is_ordinary,
    marked_up_each,
    plain,
    plain_each,
    texts,
)
from llama_index_medqa.pubmed.formats.xml.grammar import RECORD, groups
from llama_index_medqa.pubmed.formats.xml.tree import details_from_tree
from llama_index_medqa.pubmed.record import (
    AbstractSection,
    Author,
    MeshHeading,
    MeshQualifier,
    OtherAbstract,
    RecordDetails,
    Reference,
)
from llama_index_medqa.pubmed.text import fold, heading

# Before 2019, NLM put the reference list among the comments and corrections.
REFERENCE_LINK = "Cites"


def leaf(name: str) -> re.Pattern[str]:
    """Return a pattern for an element that holds text only.

    Its attributes may be any.

    Where the element is an empty tag, that is the white space behind it; the next tag is left to be found.
    """
    return re.compile(f"<{name}(?: [^<>]*+)?+>([^<]*+)")


def _next(name: str, content: str = "[^<]*+", attributes: str = "") -> str:
    """Return a pattern for an optional next element.

    It has this name and an end tag; the group is its content.

    It must have an end tag.
    """
    return f"(?:<{name}{attributes}>({content})</{name}>[^<]*+)?+"


def _up_to(end: str) -> str:
    """Return a pattern for all before an end tag."""
    return f"[^<]*+(?:<(?!/{end}>)[^<]*+)*+"


# Characters of identifiers: neither white space nor any that begins an entity or a tag.
_NO_WORK = "[!-%'-;=?-~]"
_AUTHOR = re.compile(
    "<Author(?: [^<>]*+)?+>[^<]*+"
    + "".join(map(_next, ("LastName", "ForeName", "Initials", "Suffix", "CollectiveName")))
    + _next("Identifier", f"{_NO_WORK}++", ' Source="ORCID"')
    + f"(?:<AffiliationInfo>[^<]*+{_next('Affiliation')}</AffiliationInfo>[^<]*+)?"
    + f"({_up_to('Author')})"
)
_PARAGRAPH = re.compile(
    f'<AbstractText(?: Label="([^"]*+)")?+(?: NlmCategory="([^"]*+)")?+>({_up_to("AbstractText")})<'
)
_OTHER_ABSTRACT = re.compile(
    f'<OtherAbstract(?: Type="([^"]*+)")?+(?: Language="([^"]*+)")?+>({_up_to("OtherAbstract")})<'
)
_AFFILIATION = leaf("Affiliation")
_PLAIN_ID = f'<ArticleId IdType="([^"]++)">({_NO_WORK}++)</ArticleId>[^<]*+'
_PLAIN_ARTICLE_ID = re.compile(_PLAIN_ID)
_REFERENCE = re.compile(
    f"<Reference>[^<]*+{_next('Citation', _up_to('Citation'))}"
    f"(?:<ArticleIdList>[^<]*+{_PLAIN_ID}</ArticleIdList>[^<]*+)?({_up_to('Reference')})"
)
_ARTICLE_ID = re.compile('<ArticleId(?: IdType="([^"]*+)")?+>([^<]*+)<')
_COMMENT = re.compile(
    r'<CommentsCorrections(?: RefType="([^"]*)")?>[^<]*'
    r"(?:<RefSource(?:/>|>([^<]*)</RefSource>)[^<]*)?(?:<PMID[^<>]*(?:/>|>([^<]*)</PMID>))?"
)
_MESH_HEADING = re.compile(
    '<DescriptorName(?: UI="[^"]*+")?+(?: MajorTopicYN="([^"]*+)")?+[^<>]*+>([^<]*+)</DescriptorName>[^<]*+'
    "((?:<QualifierName[^<]*+</QualifierName>[^<]*+)*+)"
)
_QUALIFIER = re.compile('<QualifierName(?: UI="[^"]*")?(?: MajorTopicYN="([^"]*)")?>([^<]*)<')
_JOURNAL = re.compile(
    r"<Journal>[^<]*(?:<ISSN[^<>]*(?:/>|>([^<]*)</ISSN>)[^<]*)?<JournalIssue[^<>]*>[^<]*"
    r"(?:<Volume(?:/>|>([^<]*)</Volume>)[^<]*)?(?:<Issue(?:/>|>([^<]*)</Issue>)[^<]*)?"
)
_LANGUAGE, _PAGES, _COPYRIGHT = leaf("Language"), leaf("MedlinePgn"), leaf("CopyrightInformation")
_KEYWORD, _SUBSTANCE = leaf("Keyword"), leaf("NameOfSubstance")
_MEDLINE_ABBREVIATION, _JOURNAL_ID, _COUNTRY = leaf("MedlineTA"), leaf("NlmUniqueID"), leaf("Country")
_ABBREVIATION = leaf("ISOAbbreviation")

# Builds a named tuple in half the time of its constructor; a record has dozens.
new = tuple.__new__

_groups = groups(
    *("authors", "references", "comments", "mesh", "keywords", "languages", "vernacular_title", "copyright", "ids"),
    *("chemicals", "journal_element", "pages", "journal_information", "free_date", "conflict", "other_abstracts"),
)


class UnreadDetails:
    """Reads the details of a record when called.

    Args:
        match: of the whole record with :data:`~llama_index_medqa.pubmed.formats.xml.grammar.RECORD`.
    """

    __slots__ = ("_match",)

    def __init__(self, match: re.Match[bytes]) -> None:
        self._match = match

    def __call__(self) -> RecordDetails:
        """Read the details.

        Raises:
            SourceFormatError: there is malformed text in them.
        """
        try:
            return _details(self._match)
        except Unusual:
            pass
        try:
            return details_from_tree(self._match.string)
        except etree.XMLSyntaxError as error:
            raise SourceFormatError(
                f"Malformed XML in the details of record {self._match['pmid'].decode()} ({fold(str(error))}). "
                "Get its file again."
            ) from error

    def __reduce__(self) -> tuple[Callable[[bytes], "UnreadDetails"], tuple[bytes]]:
        # A match cannot be pickled.
        return _unread_details, (self._match.string,)


def _unread_details(source: bytes) -> UnreadDetails:
    match = RECORD.fullmatch(source)
    assert match is not None  # noqa: S101  (it did match)
    return UnreadDetails(match)


def _details(match: re.Match[bytes]) -> RecordDetails:
    authors, references, comments, mesh, keywords, languages, vernacular_title, copyright_line, *others = _groups(match)
    ids, chemicals, journal, pages, journal_information, free_date, conflict, abstracts = others
    issn, volume, issue = _journal_issue(journal)
    abbreviation, journal_id, country = _journal_information(journal_information)
    return RecordDetails(
        authors=_authors(authors) if authors else (),
        references=_references(references) + _old_references(comments),
        mesh_headings=_mesh_headings(mesh) if mesh else (),
        keywords=texts(_KEYWORD, keywords),
        languages=_languages(languages),
        vernacular_title=plain(decoded(vernacular_title)),
        other_abstracts=other_abstracts(abstracts),
        copyright=_first(_COPYRIGHT, copyright_line),
        article_ids=article_ids(decoded(ids)),
        chemicals=texts(_SUBSTANCE, chemicals),
        volume=volume,
        issue=issue,
        pages=_first(_PAGES, pages),
        issn=issn,
        journal_abbreviation=abbreviation or _first(_ABBREVIATION, journal),
        journal_id=journal_id,
        country=country,
        printed_date=plain(decoded(free_date)),
        conflict_of_interest=plain(decoded(conflict)),
    )


def sections(abstract: str) -> tuple[AbstractSection, ...]:
    """Return the paragraphs of an abstract that have text."""
    found = _PARAGRAPH.findall(abstract)
    read = marked_up_each([text for _, _, text in found])
    return tuple(
        [
            new(AbstractSection, (text, _heading(label), _heading(category)))
            for text, (label, category, _) in zip(read, found, strict=True)
            if text
        ]
    )


@lru_cache(1 << 10)
def _heading(escaped: str) -> str | None:
    return heading(plain(escaped))


def other_abstracts(part: bytes) -> tuple[OtherAbstract, ...]:
    """Return the abstracts beside the main one."""
    return tuple(
        OtherAbstract(kind, language, sections(content), "".join(map(plain, _COPYRIGHT.findall(content))))
        for kind, language, content in _OTHER_ABSTRACT.findall(decoded(part))
    )


def _first(pattern: re.Pattern[str], part: Part) -> str:
    found = pattern.search(decoded(part)) if part else None
    return plain(found[1]) if found else ""


def _journal_issue(journal: Part) -> tuple[str, ...]:
    found = _JOURNAL.match(decoded(journal))
    return tuple(map(plain, found.groups(""))) if found else ("", "", "")


@lru_cache(1 << 12)
def _journal_information(part: Part) -> tuple[str, str, str]:
    return _first(_MEDLINE_ABBREVIATION, part), _first(_JOURNAL_ID, part), _first(_COUNTRY, part)


@lru_cache(1 << 10)
def _languages(part: Part) -> tuple[str, ...]:
    return texts(_LANGUAGE, part)


def _authors(part: bytes) -> tuple[Author, ...]:
    return tuple(starmap(_author, _AUTHOR.findall(decoded(part))))


def _author(
    last: str, fore: str, initials: str, suffix: str, group: str, orcid: str, affiliation: str, others: str
) -> Author:
    if others and not others.startswith("<AffiliationInfo>"):
        raise Unusual
    affiliations: tuple[str, ...] = (affiliation,) if affiliation else ()
    if others or suffix or group or not is_ordinary(f" {last} {fore} {initials} {affiliation or '-'} "):
        last, fore, initials, suffix, group = map(plain, (last, fore, initials, suffix, group))
        affiliations = tuple(filter(None, map(plain, (*affiliations, *_AFFILIATION.findall(others)))))
    return new(Author, (last, fore, initials, suffix, group, affiliations, orcid or None))


def _references(part: Part) -> tuple[Reference, ...]:
    found = _REFERENCE.findall(decoded(part)) if part else ()
    citations = marked_up_each([citation for citation, *_ in found])
    return tuple(
        [
            new(Reference, (citation, ((kind, value),) if kind else article_ids(others) if others else ()))
            for citation, (_, kind, value, others) in zip(citations, found, strict=True)
        ]
    )


def article_ids(markup: str) -> tuple[tuple[str, str], ...]:
    """Return pairs of kind and identifier."""
    found = _PLAIN_ARTICLE_ID.findall(markup)
    if len(found) < markup.count("<ArticleId "):
        pairs = [(kind or "pubmed", plain(value)) for kind, value in _ARTICLE_ID.findall(markup)]
        found = [pair for pair in pairs if pair[1]]
    return tuple(found)


def comment_lines(part: Part) -> list[tuple[str, str, str]]:
    """Return kind, source and PMID of comments.

    Comments and corrections of every kind.
    """
    found = _COMMENT.findall(decoded(part)) if part else ()
    return [(kind, plain(source), plain(pmid)) for kind, source, pmid in found]


def _old_references(part: Part) -> tuple[Reference, ...]:
    return tuple(
        Reference(source, ((("pubmed", pmid),) if pmid else ()))
        for kind, source, pmid in comment_lines(part)
        if kind == REFERENCE_LINK
    )


def _mesh_headings(part: bytes) -> tuple[MeshHeading, ...]:
    if part.rfind(b"/>") >= 0:
        raise Unusual
    found = _MESH_HEADING.findall(decoded(part))
    names = plain_each([name for _, name, _ in found])
    return tuple(
        [
            new(MeshHeading, (name, major == "Y", _qualifiers(others) if others else ()))
            for name, (major, _, others) in zip(names, found, strict=True)
        ]
    )


@lru_cache(1 << 12)
def _qualifiers(markup: str) -> tuple[MeshQualifier, ...]:
    return tuple(MeshQualifier(plain(name), major == "Y") for major, name in _QUALIFIER.findall(markup))
