import gzip
import json
import logging
from io import BytesIO

import pytest
from llama_index.core.readers.base import BasePydanticReader, BaseReader

from llama_index_medqa.errors import EmptyCorpusError, InputError, SourceFormatError
from llama_index_medqa.indexing.reader import PubMedReader

# Written by us for these tests; no record of PubMed.
ARTICLE = """
<PubmedArticle><MedlineCitation Status="MEDLINE" Owner="NLM">
  <PMID Version="{version}">{pmid}</PMID>
  <Article PubModel="Print">
    <Journal><JournalIssue CitedMedium="Print"><PubDate><Year>2001</Year><Month>Feb</Month></PubDate>
    </JournalIssue><Title>Journal of Examples</Title></Journal>
    <ArticleTitle>{title}</ArticleTitle>
    <ELocationID EIdType="doi" ValidYN="Y">10.1000/{pmid}</ELocationID>
    <Abstract><AbstractText Label="METHODS">We asked.</AbstractText>
      <AbstractText>They said.</AbstractText></Abstract>
    <PublicationTypeList><PublicationType UI="D016428">Journal Article</PublicationType></PublicationTypeList>
  </Article>
</MedlineCitation></PubmedArticle>"""
EMPTY = '<PubmedArticle><MedlineCitation><PMID Version="1">9</PMID></MedlineCitation></PubmedArticle>'


def article(pmid=1, version=1, title="A title."):
    return ARTICLE.format(pmid=pmid, version=version, title=title)


def document(*articles):
    return f'<?xml version="1.0"?>\n<PubmedArticleSet>{"".join(articles)}</PubmedArticleSet>'


@pytest.fixture
def write(tmp_path):
    def write_file(content, name="file.xml"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write_file


def test_class_is_a_llama_index_reader():
    assert {BasePydanticReader, BaseReader} <= set(PubMedReader.__mro__)
    assert PubMedReader.class_name() == "PubMedReader"
    reader = PubMedReader()
    assert PubMedReader.from_dict(reader.to_dict()) == reader
    assert not reader.is_remote


def test_document_has_the_contract(write):
    (found,) = PubMedReader().load_data(write(document(article())))
    assert found.id_ == "PMID:1"
    assert found.text == "A title.\nWe asked.\nThey said."
    record_hash = found.metadata.pop("record_hash")
    assert len(record_hash) == 16
    assert found.metadata == {
        "pmid": "1",
        "title": "A title.",
        "journal": "Journal of Examples",
        "year": 2001,
        "date": 20010201,
        "doi": "10.1000/1",
        "publication_types": ["Journal Article"],
        "status": "current",
        "section_spans": '[["TITLE", 0, 8], ["METHODS", 9, 18], ["ABSTRACT", 19, 29]]',
    }
    keys = {*found.metadata, "record_hash"}
    assert set(found.excluded_embed_metadata_keys) == set(found.excluded_llm_metadata_keys) == keys


def test_documents_come_one_at_a_time(write):
    path = write(document(article(1), article(2)))
    documents = PubMedReader().lazy_load_data(path)
    assert next(documents).id_ == "PMID:1"
    assert [found.id_ for found in documents] == ["PMID:2"]


@pytest.mark.parametrize(
    ("articles", "expected"),
    [
        ([article(title="Old."), article(title="New.")], ["New."]),
        ([article(version=2, title="Second."), article(version=1, title="First.")], ["Second."]),
        (
            [
                article(),
                '<DeleteCitation><PMID Version="1">1</PMID></DeleteCitation>',
                article(2, title="B."),
            ],
            ["B."],
        ),
        (
            ['<DeleteCitation><PMID Version="1">1</PMID></DeleteCitation>', article(title="Again.")],
            ["Again."],
        ),
    ],
)
def test_last_word_on_a_record_wins(write, articles, expected):
    documents = PubMedReader().load_data(write(document(*articles)))
    assert [found.metadata["title"] for found in documents] == expected


def test_last_word_wins_across_files(write):
    first = write(document(article(title="Old.")), "1.xml")
    second = write(gzip.compress(document(article(title="New.")).encode()), "2.xml.gz")
    assert [d.metadata["title"] for d in PubMedReader().load_data([first, second])] == ["New."]


def test_standard_input_is_read_twice(monkeypatch):
    class Input:
        buffer = BytesIO(document(article(title="Old."), article(title="New.")).encode())

    monkeypatch.setattr("sys.stdin", Input)
    assert [d.metadata["title"] for d in PubMedReader().load_data("-")] == ["New."]


def test_records_without_text_are_counted(write, caplog):
    with caplog.at_level(logging.WARNING):
        documents = PubMedReader().load_data(write(document(article(), EMPTY)))
    assert len(documents) == 1
    assert "1 records have neither title nor abstract" in caplog.text
    assert "PMID:9" in caplog.text


def test_records_without_pmid_are_counted(write, caplog):
    items = [{"title": "T", "abstract": "A"}, {"title": "U", "abstract": "B", "pmid": "5"}]
    with caplog.at_level(logging.WARNING):
        assert len(PubMedReader().load_data(write(json.dumps(items), "a.json"))) == 2
    assert "1 of 2 records have no PMID" in caplog.text


def test_what_a_citation_needs_is_metadata(write):
    item = {
        "title": "T",
        "pmid": 5,
        "authors": ["King, Martin L", "A Study Group"],
        "volume": 7,
        "issue": 2,
        "pages": "3-4",
    }
    (found,) = PubMedReader().load_data(write(json.dumps(item), "a.jsonl"))
    told = {key: found.metadata[key] for key in ("authors", "volume", "issue", "pages")}
    assert told == {"authors": "King, Martin L; A Study Group", "volume": "7", "issue": "2", "pages": "3-4"}
    assert set(told) <= set(found.excluded_embed_metadata_keys) & set(found.excluded_llm_metadata_keys)


def test_seed_file_has_no_pmid(write):
    item = {
        "article_title": "T.",
        "article_abstract": "A.",
        "pub_date": {"year": "2020", "month": "Jan", "day": ""},
    }
    (found,) = PubMedReader().load_data(write(json.dumps([item]), "medical_data.json"))
    assert found.text == "T.\nA."
    # printf "T.\nA." | sha256sum | cut -c1-12
    assert found.id_ == "SHA:02b093b1520b"
    assert found.metadata["date"] == 20200101
    assert "pmid" not in found.metadata


@pytest.mark.parametrize(
    ("name", "content", "error", "message"),
    [
        ("a.xml", document(), EmptyCorpusError, "No record with text"),
        ("a.xml", b"", EmptyCorpusError, "is empty"),
        (
            "a.xml.gz",
            gzip.compress(document(article()).encode())[:-20],
            SourceFormatError,
            "ends in the middle",
        ),
        ("a.xml", document(article())[:-10], SourceFormatError, "1 record could be read: the file holds more"),
        ("a.xml", "<html><body/></html>", SourceFormatError, "its root element is <html>"),
        ("a.xml", document("<PubmedArticle><a></b></PubmedArticle>"), SourceFormatError, "at byte 40"),
        ("a.json", '[{"name": "T"}]', SourceFormatError, "item 0"),
        ("a.json", '[{"article_title"', SourceFormatError, "line 1, column 18"),
        ("a.pdf", b"%PDF-1.4", SourceFormatError, "is a PDF file"),
    ],
)
def test_bad_input_is_named_in_one_line(write, name, content, error, message):
    path = write(content, name)
    with pytest.raises(error, match=message) as caught:
        PubMedReader().load_data(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("path", ["missing.xml", "*.xml", "folder"])
def test_nothing_there(tmp_path, path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match=r"There is no file|holds no file"):
        PubMedReader().load_data(tmp_path / path)
