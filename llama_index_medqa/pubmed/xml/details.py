"""The details of an ordinary record, cut out of it when they are first asked for: authors, references and the rest."""

import re
from collections.abc import Callable
from functools import lru_cache
from itertools import starmap

from lxml import etree

from llama_index_medqa.errors import SourceFormatError
from llama_index_medqa.pubmed.record import Author, MeshHeading, MeshQualifier, RecordDetails, Reference
from llama_index_medqa.pubmed.text import fold
from llama_index_medqa.pubmed.xml.escaped import Part, Unusual, decoded, marked_up, names, plain, plain_name, texts
from llama_index_medqa.pubmed.xml.grammar import RECORD
from llama_index_medqa.pubmed.xml.tree import details_from_tree

_ATTRIBUTES = '(?: [A-Z][A-Za-z]+="[^"]*")*'
# Before 2019, NLM put the reference list among the comments and corrections.
REFERENCE_LINK = "Cites"


def leaf(name: str, attributes: str = "") -> re.Pattern[str]:
    """Finds the text of an element that holds nothing else; attributes that are groups come first."""
    return re.compile(f"<{name}{attributes}>([^<]*)<")


def _next(name: str, content: str = "[^<]*", attributes: str = "") -> str:
    """The content of the next element if that is its name and it has an end tag."""
    return f"(?:<{name}{attributes}>({content})</{name}>[^<]*)?"


def _up_to(end: str) -> str:
    """Everything before an end tag."""
    return f"[^<]*+(?:<(?!/{end}>)[^<]*+)*+"


_AUTHOR = re.compile(
    f"<Author{_ATTRIBUTES}>[^<]*"
    + "".join(map(_next, ("LastName", "ForeName", "Initials", "Suffix", "CollectiveName")))
    + _next("Identifier", attributes=' Source="ORCID"')
    + f"(?:<AffiliationInfo>[^<]*{_next('Affiliation')}</AffiliationInfo>[^<]*)?"
    + f"({_up_to('Author')})"
)
_AFFILIATION = leaf("Affiliation")
_REFERENCE = re.compile(f"<Reference>[^<]*{_next('Citation', _up_to('Citation'))}({_up_to('Reference')})")
_ARTICLE_ID = leaf("ArticleId", '(?: IdType="([^"]*)")?')
# Without white space or entities.
_PLAIN_ARTICLE_ID = re.compile("""<ArticleId IdType="([^"]+)">([!-%'-;=?-~]+)<""")
_COMMENT = re.compile(
    r'<CommentsCorrections(?: RefType="([^"]*)")?>[^<]*'
    r"(?:<RefSource(?:/>|>([^<]*)</RefSource>)[^<]*)?(?:<PMID[^<>]*(?:/>|>([^<]*)</PMID>))?"
)
_MESH_HEADING = re.compile(
    '<DescriptorName(?: UI="[^"]*")?(?: MajorTopicYN="([^"]*)")?(?: Type="[^"]*")?>([^<]*)</DescriptorName>[^<]*'
    "((?:<QualifierName[^<]*</QualifierName>[^<]*)*+)"
)
_QUALIFIER = re.compile('<QualifierName(?: UI="[^"]*")?(?: MajorTopicYN="([^"]*)")?>([^<]*)<')
_JOURNAL = re.compile(
    r"<Journal>[^<]*(?:<ISSN[^<>]*(?:/>|>([^<]*)</ISSN>)[^<]*)?<JournalIssue[^<>]*>[^<]*"
    r"(?:<Volume(?:/>|>([^<]*)</Volume>)[^<]*)?(?:<Issue(?:/>|>([^<]*)</Issue>)[^<]*)?"
)
_LANGUAGE, _PAGES, _COPYRIGHT = leaf("Language"), leaf("MedlinePgn"), leaf("CopyrightInformation")
_KEYWORD, _SUBSTANCE = leaf("Keyword", _ATTRIBUTES), leaf("NameOfSubstance", _ATTRIBUTES)
_MEDLINE_ABBREVIATION, _JOURNAL_ID, _COUNTRY = leaf("MedlineTA"), leaf("NlmUniqueID"), leaf("Country")
_ABBREVIATION = leaf("ISOAbbreviation")

# Builds a named tuple in half the time of its constructor; a record has dozens.
_new = tuple.__new__

_PARTS = (
    *("authors", "references", "comments", "mesh", "keywords", "languages", "vernacular_title", "copyright", "ids"),
    *("chemicals", "journal_element", "pages", "journal_information", "free_date", "conflict"),
)
# Groups are found faster by number than by name.
_GROUPS = tuple(RECORD.groupindex[name] for name in _PARTS)


class UnreadDetails:
    """Gives the details of a record when it is called.

    Args:
        match: of the whole record with :data:`~llama_index_medqa.pubmed.xml.grammar.RECORD`.
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
    part = dict(zip(_PARTS, match.group(*_GROUPS), strict=True))
    issn, volume, issue = _journal_issue(part["journal_element"])
    abbreviation, journal_id, country = _journal_information(part["journal_information"])
    return RecordDetails(
        authors=_authors(part["authors"]),
        references=_references(part["references"]) + _old_references(part["comments"]),
        mesh_headings=_mesh_headings(part["mesh"]),
        keywords=texts(_KEYWORD, part["keywords"]),
        languages=_languages(part["languages"]),
        vernacular_title=plain(decoded(part["vernacular_title"])),
        copyright=_first(_COPYRIGHT, part["copyright"]),
        article_ids=article_ids(decoded(part["ids"])),
        chemicals=names(_SUBSTANCE, part["chemicals"]),
        volume=volume,
        issue=issue,
        pages=_first(_PAGES, part["pages"]),
        issn=issn,
        journal_abbreviation=abbreviation or _first(_ABBREVIATION, part["journal_element"]),
        journal_id=journal_id,
        country=country,
        printed_date=plain(decoded(part["free_date"])),
        conflict_of_interest=plain(decoded(part["conflict"])),
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


def _authors(part: Part) -> tuple[Author, ...]:
    return tuple(starmap(_author, _AUTHOR.findall(decoded(part)))) if part else ()


def _author(
    last: str, fore: str, initials: str, suffix: str, group: str, orcid: str, affiliation: str, others: str
) -> Author:
    if others and not others.startswith("<AffiliationInfo>"):
        raise Unusual
    name = (plain(last), plain(fore), plain(initials), suffix and plain(suffix), group and plain(group))
    affiliations = (affiliation, *_AFFILIATION.findall(others)) if others else (affiliation,) if affiliation else ()
    return _new(Author, (*name, tuple(filter(None, map(plain, affiliations))), plain(orcid) or None if orcid else None))


def _references(part: Part) -> tuple[Reference, ...]:
    found = _REFERENCE.findall(decoded(part)) if part else ()
    return tuple([_new(Reference, (marked_up(citation), article_ids(ids) if ids else ())) for citation, ids in found])


def article_ids(markup: str) -> tuple[tuple[str, str], ...]:
    """Pairs of kind and identifier."""
    found = _PLAIN_ARTICLE_ID.findall(markup)
    if len(found) < markup.count("<ArticleId "):
        pairs = [(kind or "pubmed", plain(value)) for kind, value in _ARTICLE_ID.findall(markup)]
        found = [pair for pair in pairs if pair[1]]
    return tuple(found)


def comments(part: Part) -> list[tuple[str, str, str]]:
    """Kind, source and PMID of every comment and correction."""
    found = _COMMENT.findall(decoded(part)) if part else ()
    return [(kind, plain(source), plain(pmid)) for kind, source, pmid in found]


def _old_references(part: Part) -> tuple[Reference, ...]:
    return tuple(
        Reference(source, ((("pubmed", pmid),) if pmid else ()))
        for kind, source, pmid in comments(part)
        if kind == REFERENCE_LINK
    )


def _mesh_headings(part: Part) -> tuple[MeshHeading, ...]:
    if not part:
        return ()
    if b"/>" in part:
        raise Unusual
    found = _MESH_HEADING.findall(decoded(part))
    return tuple(
        [_new(MeshHeading, (plain_name(name), major == "Y", _qualifiers(others))) for major, name, others in found]
    )


@lru_cache(1 << 12)
def _qualifiers(markup: str) -> tuple[MeshQualifier, ...]:
    return tuple(MeshQualifier(plain(name), major == "Y") for major, name in _QUALIFIER.findall(markup))
