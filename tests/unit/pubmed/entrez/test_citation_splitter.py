"""Cutting efetch answers into citations. Expected values: hand-written XML, and lxml on the same bytes."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from llama_index_medqa.errors import SourceFormatError
from llama_index_medqa.pubmed.entrez.citation_splitter import (
    CitationSet,
    CitationXml,
    join_citations,
    split_citations,
)
from llama_index_medqa.pubmed.pmids import is_plain_pmid

ARTICLE = (
    "<PubmedArticle><MedlineCitation><PMID Version='1'>1</PMID><Article><ArticleTitle>β &lt; µ"
    "</ArticleTitle></Article><CommentsCorrectionsList><CommentsCorrections><PMID>77</PMID>"
    "</CommentsCorrections></CommentsCorrectionsList></MedlineCitation><PubmedData><ReferenceList>"
    "<ArticleId>5</ArticleId></ReferenceList></PubmedData></PubmedArticle>"
).encode()
BOOK = b"<PubmedBookArticle><BookDocument><PMID>2</PMID></BookDocument></PubmedBookArticle>"
PMID_4 = b'<PMID Version="2"> 4 </PMID>'
DELETIONS = (CitationXml("3", b"<PMID>3</PMID>"), CitationXml("4", PMID_4))


def document(*elements: bytes) -> bytes:
    return b"<?xml version='1.0'?>\n<PubmedArticleSet>" + b"\n".join(elements) + b"</PubmedArticleSet>"


def test_cuts_articles_books_and_deletions_byte_for_byte() -> None:
    deletion = b"<DeleteCitation><PMID>3</PMID>" + PMID_4 + b"</DeleteCitation>"
    content = split_citations(document(ARTICLE, BOOK, deletion))
    assert content == CitationSet((CitationXml("1", ARTICLE), CitationXml("2", BOOK)), DELETIONS)
    assert content.pmids == {"1", "2", "3", "4"}
    assert content.deleted == ("3", "4")


def test_joining_keeps_everything() -> None:
    content = CitationSet((CitationXml("1", ARTICLE), CitationXml("2", BOOK)), DELETIONS)
    assert split_citations(join_citations(content)) == content
    assert split_citations(join_citations(CitationSet())) == CitationSet()


def test_markup_in_comments_and_cdata_is_not_taken_for_records() -> None:
    tricky = ARTICLE.replace(
        b"</ArticleTitle>", b"<!-- </PubmedArticle> --><![CDATA[</PubmedArticle>]]></ArticleTitle>"
    )
    assert split_citations(document(tricky)).citations == (CitationXml("1", tricky),)


def test_only_the_citations_own_pmid_counts() -> None:
    other = ARTICLE.replace(b"<PubmedArticle>", b"<PubmedArticle><PubmedData><PMID>99</PMID></PubmedData>")
    assert split_citations(document(other)).citations == (CitationXml("1", other),)


@pytest.mark.parametrize(
    ("xml", "message"),
    [
        (b"", "no element found"),
        (document(ARTICLE)[:-5], "broken"),
        (document(ARTICLE.replace(b"</Article>", b"<Article>")), "mismatched tag"),
        (b'{"error":"API rate limit exceeded"}', "broken"),
        (b"<html><body/></html>", "root element of the XML is html"),
        (document(b"<Other><PMID>1</PMID></Other>"), "element Other"),
        (document(b"<PubmedArticle/>"), "without PMID"),
        (document(ARTICLE.replace(b">1<", b">x<")), "without PMID"),
        (document(ARTICLE.replace(b">1<", ">\u0661<".encode())), "without PMID"),
        (document(ARTICLE).replace(b"1.0'?", b"1.0' encoding='ISO-8859-1'?"), "ISO-8859-1"),
        (document(ARTICLE).decode().encode("utf-16"), "UTF-16"),
        (b'<!DOCTYPE a [<!ENTITY a "b">]>' + document()[22:], "entity 'a'"),
        (
            b'<!DOCTYPE PubmedArticleSet SYSTEM "x.dtd">' + document(ARTICLE.replace(b"&lt;", b"&alpha;"))[22:],
            "entity 'alpha'",
        ),
    ],
)
def test_refuses_what_is_broken_or_not_pubmed(xml: bytes, message: str) -> None:
    with pytest.raises(SourceFormatError, match=message):
        split_citations(xml)


@settings(deadline=None)
@given(st.binary(max_size=60), st.integers(0, 400), st.integers(0, 60))
def test_mutated_documents_give_a_result_or_our_own_error(insert: bytes, position: int, removed: int) -> None:
    xml = document(ARTICLE, BOOK)
    try:
        content = split_citations(xml[:position] + insert + xml[position + removed :])
    except SourceFormatError:
        return
    assert all(is_plain_pmid(pmid) for pmid in content.pmids)


def medline_files() -> list[Path]:
    root = Path(os.environ.get("MEDQA_SHARED_DATA", Path(__file__).parents[5] / "shared" / "data"))
    return sorted(path for path in root.rglob("pubmed[1-6].xml"))


@pytest.mark.skipif(not medline_files(), reason="needs the recorded answers: set MEDQA_SHARED_DATA")
@pytest.mark.parametrize("path", medline_files(), ids=lambda path: path.name)
def test_recorded_answers_equal_lxml(path: Path) -> None:
    xml = path.read_bytes()
    root = etree.fromstring(xml, etree.XMLParser(load_dtd=False, no_network=True))
    content = split_citations(xml)
    assert [citation.pmid for citation in content.citations] == root.xpath(
        "*/MedlineCitation/PMID/text() | */BookDocument/PMID/text()"
    )
    for citation, element in zip(content.citations, root, strict=True):
        assert etree.canonicalize(citation.xml.decode()) == etree.canonicalize(
            etree.tostring(element, with_tail=False).decode()
        )
