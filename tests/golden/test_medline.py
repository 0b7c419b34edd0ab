"""The reader on every XML file of the shared data, against figures and fields that XPath finds in the same bytes.

Expected values come from lxml with XPath written for this file (and from ``make_figures.py``), never from the package.
The files are not in the repository; their hashes are, in ``figures.json``.
"""

import gzip
import hashlib
import json
from collections import Counter
from pathlib import Path

import pytest
from lxml import etree

from llama_index_medqa.errors import SourceFormatError
from llama_index_medqa.pubmed.formats.reading import read_records
from llama_index_medqa.pubmed.record import Deletion, PubMedRecord

FIGURES = json.loads(Path(__file__).with_name("figures.json").read_text())
RECORD_FILES = [name for name, figures in FIGURES.items() if "records" in figures]
EMPTY_RECORD = "medline/jabref/MedlineImporterTestMinimalEntry.xml"
OTHER_FILES = [name for name, figures in FIGURES.items() if "records" not in figures and name != EMPTY_RECORD]


@pytest.fixture(params=RECORD_FILES)
def file(request, shared_data):
    path = shared_data / request.param
    assert hashlib.sha256(path.read_bytes()).hexdigest() == FIGURES[request.param]["sha256"]
    return path


def read(path):
    items = list(read_records(path))
    return [item for item in items if isinstance(item, PubMedRecord)], [i for i in items if isinstance(i, Deletion)]


def elements(path):
    content = path.read_bytes()
    tree = etree.fromstring(gzip.decompress(content) if path.suffix == ".gz" else content)
    return tree.xpath("descendant-or-self::PubmedArticle | descendant-or-self::PubmedBookArticle")


def folded(element):
    """XPath's string value, folded as Python's str.split folds; comments and instructions are no part of it."""
    return " ".join(element.xpath("string()").split())


def unmarked(text):
    """The text without the signs that keep powers and fractions apart, which are no part of the string value."""
    return text.replace("^", "").replace("/", "").replace(" ", "")


def test_figures(file):
    records, deletions = read(file)
    details = [record.details for record in records]
    counted = {
        "records": len(records),
        "deletions": len(deletions),
        "retracted": sum(record.status == "retracted" for record in records),
        "retraction notices": sum(record.status == "retraction_notice" for record in records),
        "other abstracts": sum(len(detail.other_abstracts) for detail in details),
        "authors": sum(len(detail.authors) for detail in details),
        "groups": sum(bool(author.collective_name) for detail in details for author in detail.authors),
        "affiliations": sum(len(author.affiliations) for detail in details for author in detail.authors),
        "references": sum(len(detail.references) for detail in details),
        "links": sum(len(record.links) for record in records),
        "mesh headings": sum(len(detail.mesh_headings) for detail in details),
        "major topics": sum(heading.major for detail in details for heading in detail.mesh_headings),
        "qualifiers": sum(len(heading.qualifiers) for detail in details for heading in detail.mesh_headings),
        "keywords": sum(len(detail.keywords) for detail in details),
        "languages": sum(len(detail.languages) for detail in details),
        "publication types": sum(len(record.publication_types) for record in records),
        "versions above 1": sum(record.version > 1 for record in records),
        "with PMC identifier": sum(detail.pmcid is not None for detail in details),
    }
    expected = {name: FIGURES[key(file)][name] for name in counted}
    assert counted == expected


def key(file):
    return next(name for name in RECORD_FILES if file.as_posix().endswith("/" + name))


def test_every_field_of_every_record(file):
    records, _ = read(file)
    found = elements(file)
    assert len(records) == len(found) or not found[0].xpath("MedlineCitation | BookDocument")
    for record, element in zip(records, found, strict=True):
        body = (element.xpath("MedlineCitation/Article | BookDocument") or [element])[0]
        citation = (element.xpath("MedlineCitation | BookDocument") or [element])[0]
        assert record.pmid == (citation.xpath("string(PMID)").strip() or None)
        assert record.version == int(citation.xpath("number(PMID/@Version)") if citation.xpath("PMID/@Version") else 1)
        check_title(record, body)
        check_abstract(record, body, citation)
        assert list(record.mesh) == [folded(name) for name in citation.xpath("MeshHeadingList/*/DescriptorName")]
        types = citation.xpath("Article/PublicationTypeList/PublicationType | PublicationType")
        assert list(record.publication_types) == [folded(name) for name in types]
        check_doi(record, element, body)
        check_date(record, body)
        check_details(record, element, citation, body)


def check_title(record, body):
    titles = [folded(title) for title in body.xpath("ArticleTitle | VernacularTitle | Book/BookTitle")]
    titles = [title for title in titles if title and title != "[Not Available]."]
    expected = (body.xpath("ArticleTitle") and folded(body.xpath("ArticleTitle")[0])) or (titles or [""])[0]
    if expected == "[Not Available]." and titles:
        expected = titles[-1]
    if body.tag == "BookDocument" and not body.xpath("ArticleTitle"):
        expected = folded(body.xpath("Book/BookTitle")[0])
    assert unmarked(record.title) == unmarked(expected)


def check_abstract(record, body, citation):
    paragraphs = [p for p in body.xpath("Abstract/AbstractText") if folded(p)]
    if not paragraphs:
        others = citation.xpath("OtherAbstract[@Language='eng'][AbstractText]") or citation.xpath("OtherAbstract")
        paragraphs = [p for p in others[0].xpath("AbstractText") if folded(p)] if others else []
    assert [unmarked(section.text) for section in record.sections] == [unmarked(folded(p)) for p in paragraphs]
    labels = [" ".join(p.get("Label", "").split()) or None for p in paragraphs]
    assert [section.label for section in record.sections] == [None if x == "UNLABELLED" else x for x in labels]
    assert [section.category for section in record.sections] == [
        None if p.get("NlmCategory") in (None, "UNASSIGNED", "UNLABELLED") else p.get("NlmCategory") for p in paragraphs
    ]
    assert record.text.split("\n")[0] == record.title or not record.title


def check_doi(record, element, body):
    locations = body.xpath("ELocationID[@EIdType='doi'][not(@ValidYN='N')]/text()")
    listed = element.xpath("(PubmedData|PubmedBookData|BookDocument)/ArticleIdList/ArticleId[@IdType='doi']/text()")
    assert record.doi == ((locations or listed or [None])[0] or None)


def check_date(record, body):
    date_element = (body.xpath("Journal/JournalIssue/PubDate | Book/PubDate") or [None])[0]
    year = "" if date_element is None else date_element.xpath("string(Year)")
    if year.strip():
        assert record.date.year == int(year)
        months = "jan feb mar apr may jun jul aug sep oct nov dec".split()
        month = date_element.xpath("string(Month)").strip().lower()[:3]
        assert record.date.month == (months.index(month) + 1 if month in months else int(month or 0) or None)
        assert record.date.day == (
            int(date_element.xpath("number(Day)")) if date_element.xpath("Day") and month else None
        )


def check_details(record, element, citation, body):
    details = record.details
    authors = body.xpath("AuthorList/Author") or body.xpath("Book/AuthorList/Author")
    assert [author.last_name for author in details.authors] == [a.xpath("normalize-space(LastName)") for a in authors]
    assert [author.fore_name for author in details.authors] == [a.xpath("normalize-space(ForeName)") for a in authors]
    for author, expected in zip(details.authors, authors, strict=True):
        assert list(author.affiliations) == [folded(a) for a in expected.xpath(".//Affiliation") if folded(a)]
        assert author.orcid == ((expected.xpath("Identifier[@Source='ORCID']/text()") or [None])[0])
    references = element.xpath("PubmedData/ReferenceList//Reference")
    for reference, expected in zip(details.references, references, strict=False):
        cited = expected.xpath("Citation")
        assert unmarked(reference.citation) == unmarked(folded(cited[0]) if cited else "")
        ids = expected.xpath("ArticleIdList/ArticleId")
        assert [value for _, value in reference.ids] == [folded(item) for item in ids]
        assert [kind for kind, _ in reference.ids] == [item.get("IdType", "pubmed") for item in ids]
    headings = citation.xpath("MeshHeadingList/MeshHeading")
    for heading, expected in zip(details.mesh_headings, headings, strict=True):
        assert heading.major == bool(expected.xpath("DescriptorName[@MajorTopicYN='Y']"))
        qualifiers = [(folded(q), q.get("MajorTopicYN") == "Y") for q in expected.xpath("QualifierName")]
        assert [tuple(qualifier) for qualifier in heading.qualifiers] == qualifiers
    assert details.copyright == body.xpath("normalize-space(Abstract/CopyrightInformation)")
    assert list(details.languages) == [folded(language) for language in body.xpath("Language")]
    lines = citation.xpath("CommentsCorrectionsList/CommentsCorrections[not(@RefType='Cites')]")
    assert [link.kind for link in record.links] == [line.get("RefType") for line in lines]
    assert [link.pmid or "" for link in record.links] == [line.xpath("normalize-space(PMID)") for line in lines]


@pytest.mark.parametrize("name", OTHER_FILES)
def test_other_files_are_refused_by_name(shared_data, name):
    """Answers of E-utilities, articles of PMC, broken XML: read by eye, none is a set of PubMed records."""
    with pytest.raises(SourceFormatError, match=r"not PubMed's|is cut off|no supported format|not XML"):
        list(read_records(shared_data / name))


def test_record_without_anything_is_kept(shared_data):
    """By eye: a set of one ``PubmedArticle`` with nothing in it. What has no text is told by the reader."""
    (record,) = read_records(shared_data / EMPTY_RECORD)
    assert record == PubMedRecord(title="")


def test_all_files_together(shared_data):
    """Figures of the whole, added up by hand from ``figures.json``."""
    total = Counter()
    for name in RECORD_FILES:
        total.update(type(item).__name__ for item in read_records(shared_data / name))
    assert total == {
        "PubMedRecord": sum(FIGURES[name]["records"] for name in RECORD_FILES),
        "Deletion": sum(FIGURES[name]["deletions"] for name in RECORD_FILES),
    }
