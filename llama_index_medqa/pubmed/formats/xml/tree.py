"""A record's XML tree to a record: complete, slow, the reference for faster ways."""

import re
from collections.abc import Iterable
from functools import partial

from lxml import etree

from llama_index_medqa.pubmed.dates import make_date, parse_free_date
from llama_index_medqa.pubmed.formats.xml.slices import XmlSlice, parse_slice
from llama_index_medqa.pubmed.formats.xml.text import text_of
from llama_index_medqa.pubmed.record import (
    AbstractSection,
    Author,
    Deletion,
    LazyDetails,
    Link,
    MeshHeading,
    MeshQualifier,
    OtherAbstract,
    PublicationDate,
    PubMedRecord,
    RecordDetails,
    Reference,
    status_of,
)
from llama_index_medqa.pubmed.text import heading, main_title

Element = etree._Element

ENGLISH = "eng"
_VERSION = re.compile("[1-9][0-9]{0,3}")
# Before 2019, NLM put the reference list among the comments and corrections.
_REFERENCE_LINK = "Cites"


def record_from_tree(source: bytes, namespaces: str = "") -> PubMedRecord:
    """Read one record from its XML.

    Args:
        source: a ``PubmedArticle``, ``PubmedBookArticle`` or bare ``MedlineCitation``, in UTF-8.
        namespaces: namespace declarations of the document's root.

    Raises:
        lxml.etree.XMLSyntaxError: not well-formed, or with undefined entities.
    """
    root = parse_slice(source, namespaces)
    book = root.find("BookDocument")
    details = LazyDetails(partial(details_from_tree, source, namespaces))
    return _article(root, details) if book is None else _book(root, book, details)


def details_from_tree(source: bytes, namespaces: str = "") -> RecordDetails:
    """Read a record's details for :class:`LazyDetails`.

    Arguments and errors are as above.
    """
    root = parse_slice(source, namespaces)
    book = root.find("BookDocument")
    return _article_details(root) if book is None else _book_details(root, book)


def deletions_from_tree(piece: XmlSlice) -> list[Deletion]:
    """Return the PMIDs that a ``DeleteCitation`` names.

    Those in a ``DeleteDocument`` are of books.
    """
    root = parse_slice(piece.source, piece.namespaces)
    return [Deletion(text_of(pmid), _version(pmid)) for pmid in root.iterfind("PMID")]


def _article(root: Element, details: LazyDetails) -> PubMedRecord:
    citation = _citation(root)
    article = citation.find("Article")
    types = _texts(citation.iterfind("Article/PublicationTypeList/PublicationType"))
    links = tuple(_link(line) for line in _comments(citation) if line.get("RefType") != _REFERENCE_LINK)
    return PubMedRecord(
        title=_title(article),
        sections=_abstract(citation, article),
        pmid=text_of(citation.find("PMID")) or None,
        version=_version(citation.find("PMID")),
        journal=text_of(citation.find("Article/Journal/Title")),
        date=_article_date(citation),
        mesh=_texts(citation.iterfind("MeshHeadingList/MeshHeading/DescriptorName")),
        publication_types=types,
        doi=_doi(root, citation),
        status=status_of(types, links),
        links=links,
        revised=_date(citation.find("DateRevised")),
        lazy_details=details,
    )


def _citation(root: Element) -> Element:
    citation = root if root.tag == "MedlineCitation" else root.find("MedlineCitation")
    return root if citation is None else citation


def _book(root: Element, book: Element, details: LazyDetails) -> PubMedRecord:
    chapter, whole = text_of(book.find("ArticleTitle")), text_of(book.find("Book/BookTitle"))
    return PubMedRecord(
        title=chapter or text_of(book.find("VernacularTitle")) or whole,
        sections=_sections(book.find("Abstract")),
        pmid=text_of(book.find("PMID")) or None,
        version=_version(book.find("PMID")),
        journal=whole if chapter else "",
        date=_date(book.find("Book/PubDate")),
        publication_types=_texts(book.iterfind("PublicationType")),
        doi=_article_id(book.iterfind("ArticleIdList/ArticleId"), "doi")
        or _article_id(root.iterfind("PubmedBookData/ArticleIdList/ArticleId"), "doi"),
        revised=_date(book.find("DateRevised")),
        lazy_details=details,
    )


def _title(article: Element | None) -> str:
    if article is None:
        return ""
    return main_title(text_of(article.find("ArticleTitle")), text_of(article.find("VernacularTitle")))


def _abstract(citation: Element, article: Element | None) -> tuple[AbstractSection, ...]:
    """Return the main abstract.

    If there is none, another one, in English if possible.
    """
    main = None if article is None else article.find("Abstract")
    sections = _sections(main)
    if sections:
        return sections
    others = [_other_abstract(other) for other in citation.iterfind("OtherAbstract")]
    others.sort(key=lambda other: other.language != ENGLISH)
    return next((other.sections for other in others if other.sections), ())


def _sections(abstract: Element | None) -> tuple[AbstractSection, ...]:
    if abstract is None:
        return ()
    sections = (_section(paragraph) for paragraph in abstract.iterfind("AbstractText"))
    return tuple(section for section in sections if section.text)


def _section(paragraph: Element) -> AbstractSection:
    return AbstractSection(
        text_of(paragraph), heading(paragraph.get("Label", "")), heading(paragraph.get("NlmCategory", ""))
    )


def _other_abstract(other: Element) -> OtherAbstract:
    return OtherAbstract(
        other.get("Type", ""),
        other.get("Language", ""),
        _sections(other),
        text_of(other.find("CopyrightInformation")),
    )


def _article_date(citation: Element) -> PublicationDate | None:
    """Return the date of the issue.

    Where that is unreadable, of the electronic article.
    """
    issue = _date(citation.find("Article/Journal/JournalIssue/PubDate"))
    return issue or _date(citation.find("Article/ArticleDate"))


def _date(element: Element | None) -> PublicationDate | None:
    if element is None:
        return None
    year, month, day, free = (text_of(element.find(name)) for name in ("Year", "Month", "Day", "MedlineDate"))
    return make_date(year, month, day) or parse_free_date(free)


def _doi(root: Element, citation: Element) -> str | None:
    locations = citation.iterfind("Article/ELocationID[@EIdType='doi']")
    valid = (text_of(location) for location in locations if location.get("ValidYN") != "N")
    listed = _article_id(root.iterfind("PubmedData/ArticleIdList/ArticleId"), "doi")
    return next((doi for doi in valid if doi), None) or listed


def _article_id(ids: Iterable[Element], kind: str) -> str | None:
    return next((value for found, value in _article_ids(ids) if found == kind), None)


def _article_ids(ids: Iterable[Element]) -> tuple[tuple[str, str], ...]:
    pairs = ((item.get("IdType") or "pubmed", text_of(item)) for item in ids)
    return tuple(pair for pair in pairs if pair[1])


def _comments(citation: Element) -> Iterable[Element]:
    return citation.iterfind("CommentsCorrectionsList/CommentsCorrections")


def _link(line: Element) -> Link:
    return Link(line.get("RefType", ""), text_of(line.find("PMID")) or None, text_of(line.find("RefSource")))


def _article_details(root: Element) -> RecordDetails:
    citation = _citation(root)

    def text(path: str) -> str:
        return text_of(citation.find(path))

    return RecordDetails(
        authors=tuple(_author(author) for author in citation.iterfind("Article/AuthorList/Author")),
        references=_references(root, citation),
        mesh_headings=tuple(_mesh(heading) for heading in citation.iterfind("MeshHeadingList/MeshHeading")),
        keywords=_texts(citation.iterfind("KeywordList/Keyword")),
        languages=_texts(citation.iterfind("Article/Language")),
        vernacular_title=text("Article/VernacularTitle"),
        other_abstracts=tuple(_other_abstract(other) for other in citation.iterfind("OtherAbstract")),
        copyright=text("Article/Abstract/CopyrightInformation"),
        article_ids=_article_ids(root.iterfind("PubmedData/ArticleIdList/ArticleId")),
        chemicals=_texts(citation.iterfind("ChemicalList/Chemical/NameOfSubstance")),
        volume=text("Article/Journal/JournalIssue/Volume"),
        issue=text("Article/Journal/JournalIssue/Issue"),
        pages=text("Article/Pagination/MedlinePgn"),
        issn=text("Article/Journal/ISSN"),
        journal_abbreviation=text("MedlineJournalInfo/MedlineTA") or text("Article/Journal/ISOAbbreviation"),
        journal_id=text("MedlineJournalInfo/NlmUniqueID"),
        country=text("MedlineJournalInfo/Country"),
        printed_date=text("Article/Journal/JournalIssue/PubDate/MedlineDate"),
        conflict_of_interest=text("CoiStatement"),
    )


def _book_details(root: Element, book: Element) -> RecordDetails:
    own_authors = [author for group in book.iterfind("AuthorList") for author in group.iterfind("Author")]
    return RecordDetails(
        authors=tuple(_author(a) for a in own_authors or book.iterfind("Book/AuthorList/Author")),
        references=tuple(_reference(line) for line in book.iterfind("ReferenceList//Reference")),
        keywords=_texts(book.iterfind("KeywordList/Keyword")),
        languages=_texts(book.iterfind("Language")),
        vernacular_title=text_of(book.find("VernacularTitle")),
        copyright=text_of(book.find("Abstract/CopyrightInformation")),
        article_ids=_article_ids(book.iterfind("ArticleIdList/ArticleId"))
        + _article_ids(root.iterfind("PubmedBookData/ArticleIdList/ArticleId")),
        pages=text_of(book.find("Pagination/MedlinePgn")),
        printed_date=text_of(book.find("Book/PubDate/MedlineDate")),
        book_title=text_of(book.find("Book/BookTitle")),
    )


def _author(author: Element) -> Author:
    identifiers = (text_of(item) for item in author.iterfind("Identifier[@Source='ORCID']"))
    return Author(
        last_name=text_of(author.find("LastName")),
        fore_name=text_of(author.find("ForeName")),
        initials=text_of(author.find("Initials")),
        suffix=text_of(author.find("Suffix")),
        collective_name=text_of(author.find("CollectiveName")),
        # Until 2014 an author's only affiliation stood directly below the author.
        affiliations=_texts(author.iterfind("AffiliationInfo/Affiliation")) + _texts(author.iterfind("Affiliation")),
        orcid=next(identifiers, None) or None,
    )


def _references(root: Element, citation: Element) -> tuple[Reference, ...]:
    listed = [_reference(line) for line in root.iterfind("PubmedData/ReferenceList//Reference")]
    cited = [line for line in _comments(citation) if line.get("RefType") == _REFERENCE_LINK]
    return (*listed, *(_old_reference(line) for line in cited))


def _reference(line: Element) -> Reference:
    return Reference(text_of(line.find("Citation")), _article_ids(line.iterfind("ArticleIdList/ArticleId")))


def _old_reference(line: Element) -> Reference:
    pmid = text_of(line.find("PMID"))
    return Reference(text_of(line.find("RefSource")), (("pubmed", pmid),) if pmid else ())


def _mesh(heading: Element) -> MeshHeading:
    descriptor = heading.find("DescriptorName")
    qualifiers = (MeshQualifier(text_of(name), _is_major(name)) for name in heading.iterfind("QualifierName"))
    return MeshHeading(text_of(descriptor), _is_major(descriptor), tuple(qualifiers))


def _is_major(element: Element | None) -> bool:
    return element is not None and element.get("MajorTopicYN") == "Y"


def _version(pmid: Element | None) -> int:
    number = "" if pmid is None else pmid.get("Version", "")
    return int(number) if _VERSION.fullmatch(number) else 1


def _texts(elements: Iterable[Element]) -> tuple[str, ...]:
    return tuple(text for text in map(text_of, elements) if text)
