"""Sizes beyond which a file is damaged or hostile: each ends in a clear error, and no reading takes quadratic time.

Time is not measured here: what was quadratic is counted, as the bytes that the reader copies.
"""

import gzip
import json
import random
from io import BytesIO

import pytest

from llama_index_medqa.errors import SourceFormatError
from llama_index_medqa.pubmed import byte_streams, limits
from llama_index_medqa.pubmed.byte_streams import Pieces
from llama_index_medqa.pubmed.formats import medical_data, tagged_records
from llama_index_medqa.pubmed.formats.exports import delimited, text_lines
from llama_index_medqa.pubmed.formats.reading import read_records
from llama_index_medqa.pubmed.formats.xml import prolog, read_xml, slices
from llama_index_medqa.rendering.references import Reference, as_bibtex, as_ris
from tests.unit.pubmed.formats.xml_samples import article, document


def read(content):
    return list(read_records(BytesIO(content if isinstance(content, bytes) else content.encode())))


def copied_bytes(monkeypatch, size):
    """How many bytes the window copies while it reads one long title."""
    copied = 0
    original = slices._Window.grow

    def counted(window):
        nonlocal copied
        grown = original(window)
        copied += len(window.data)
        return grown

    monkeypatch.setattr(slices._Window, "grow", counted)
    content = document(article(title=f"<ArticleTitle>{'x' * size}</ArticleTitle>"))
    pieces = (content[start : start + 1024] for start in range(0, len(content), 1024))
    (record,) = read_xml(Pieces("file", pieces))
    assert len(record.title) == size
    return copied


def test_reading_a_long_element_copies_no_more_than_a_few_times_its_length(monkeypatch):
    size = 1 << 20
    assert copied_bytes(monkeypatch, size) < 8 * size


def test_many_end_tags_in_a_comment_are_stepped_over_once(monkeypatch):
    parsed = 0
    original = slices.parse_slice

    def counted(*arguments):
        nonlocal parsed
        parsed += 1
        return original(*arguments)

    monkeypatch.setattr(slices, "parse_slice", counted)
    monkeypatch.setattr("llama_index_medqa.pubmed.formats.xml.tree.parse_slice", counted)
    comment = f"<!-- {'</PubmedArticle>' * 2000} --><?x </PubmedArticle> ?>"
    title = "<ArticleTitle>A<![CDATA[</PubmedArticle>]]></ArticleTitle>"
    (record,) = read(document(article(title=title, in_citation=comment)))
    assert record.title == "A</PubmedArticle>"
    assert parsed <= 2


def test_a_long_title_is_refused_by_every_format():
    title = "x" * (limits.LONGEST_NAME + 1)
    for content in (
        document(article(title=f"<ArticleTitle>{title}</ArticleTitle>")),
        f"PMID- 1\nTI  - {title}\n",
        f"TY  - JOUR\nTI  - {title}\nER  - \n",
        json.dumps({"title": title}),
        json.dumps([{"title": title}]),
        f"pmid,title\n1,{title}\n",
    ):
        with pytest.raises(SourceFormatError, match=r"a title of 20,001 characters; at most 20,000 are read"):
            read(content)
        shorter = content.replace(b"xx", b"x") if isinstance(content, bytes) else content.replace("xx", "x")
        assert len(read(shorter)) == 1


def test_a_long_record_is_refused(monkeypatch):
    for module in (slices, tagged_records, text_lines):
        monkeypatch.setattr(module, "LONGEST_RECORD", 10_000)
    text = "word " * 3_000
    for content in (
        document(article(abstract=f"<Abstract><AbstractText>{text}</AbstractText></Abstract>")),
        f"PMID- 1\nAB  - {text}\n",
        "PMID- 1\nAB  - a\n" + "      some more words here\n" * 1_000,
        "PMID- 1\n" + "AB  - some more words here\n" * 1_000,
        json.dumps({"title": "T", "abstract": text}),
    ):
        with pytest.raises(SourceFormatError, match="10,000"):
            read(content)


def test_a_large_json_list_is_refused(monkeypatch):
    monkeypatch.setattr(medical_data, "LARGEST_JSON_LIST", 1_000)
    with pytest.raises(SourceFormatError, match=r"more than 1,000 bytes.*JSON lines"):
        read(json.dumps([{"title": "T"}] * 1_000))


def test_a_prolog_without_end_is_refused(monkeypatch):
    monkeypatch.setattr(prolog, "LONGEST_PROLOG", 1_000)
    with pytest.raises(SourceFormatError, match="no complete root element in its first 1,000 bytes"):
        list(read_xml(BytesIO(b"<?xml version='1.0'?><!-- " + b"x" * 200_000)))


@pytest.mark.parametrize("content", [b"<PubmedArticleSet>" + b" " * 3_000_000, b"{" + b" " * 3_000_000])
def test_a_gzip_bomb_ends(monkeypatch, content):
    monkeypatch.setattr(byte_streams, "EXPANSION_ALLOWED", 100_000)
    with pytest.raises(SourceFormatError, match="more than 200 times its size when it is decompressed"):
        read(gzip.compress(content))


def test_ordinary_compression_is_no_bomb(monkeypatch):
    monkeypatch.setattr(byte_streams, "EXPANSION_ALLOWED", 0)
    words = random.Random(1)
    lines = [json.dumps({"pmid": number, "title": f"{words.random()}"}) for number in range(1, 2_000)]
    assert len(read(gzip.compress("\n".join(lines).encode()))) == 1_999


@pytest.mark.parametrize("pmid", ["../../x", "1?a=b", "1/../2", "javascript:alert(1)", "٣"])
def test_what_is_no_pmid_becomes_neither_record_nor_link(pmid):
    with pytest.raises(SourceFormatError, match="no number"):
        read(document(article(pmid=pmid)))
    with pytest.raises(SourceFormatError, match="no number"):
        read(f"PMID- {pmid}\nTI  - T\n")
    reference = Reference(f"PMID:{pmid}", "T", pmid)
    assert reference.link is None
    assert "pubmed" not in as_bibtex([reference]).lower().replace("@article{pmid", "")
    assert "PubMed" not in as_ris([reference])


def test_a_doi_is_quoted_in_its_link():
    assert Reference("SHA:1", "T", doi="10.1/a b<c>#d").link == "https://doi.org/10.1/a%20b%3Cc%3E%23d"


def test_a_row_of_a_table_is_bounded(monkeypatch):
    monkeypatch.setattr(text_lines, "LONGEST_RECORD", 10_000)
    with pytest.raises(SourceFormatError, match="10,000"):
        read("pmid,title\n1," + "x" * 20_000)
    assert delimited.delimiter_of("pmid,title") == ","
