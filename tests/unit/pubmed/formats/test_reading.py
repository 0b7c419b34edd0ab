"""Inputs other than XML, and the choice between them. Samples are written for these tests."""

import gzip
import json
import logging
from io import BytesIO, StringIO

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from llama_index_medqa.errors import EmptyCorpusError, InputError, SourceFormatError
from llama_index_medqa.pubmed.formats.jsonl import read_jsonl, write_jsonl
from llama_index_medqa.pubmed.formats.medical_data import read_medical_data, write_medical_data
from llama_index_medqa.pubmed.formats.nbib import read_nbib
from llama_index_medqa.pubmed.formats.nbib_writer import write_nbib
from llama_index_medqa.pubmed.formats.reading import expand_sources, read_newest, read_records
from llama_index_medqa.pubmed.formats.xml import read_xml
from llama_index_medqa.pubmed.record import Author, Deletion, PubMedRecord
from tests.unit.pubmed.formats.xml_samples import article, articles, document

NBIB = """
PMID- 20
OWN - NLM
LR  - 20240502
IS  - 0000-0000 (Print)
VI  - 7
DP  - 2002 Sep 3
TI  - A title that is so long that the export
      breaks it.
LID - 10.1000/20 [doi]
LID - S1 [pii]
AB  - BACKGROUND: One. METHODS: RNA: two.
      RESULTS: Three.
CI  - (c) us
FAU - King, Martin L
AU  - King ML
AUID- ORCID: 0000-0001
AD  - Here.
AD  - There.
CN  - A Study Group
FAU - Lovelace, Ada
AU  - Lovelace A
LA  - eng
PT  - Journal Article
PT  - Retracted Publication
TT  - Ein Titel.
RN  - 0 (Tea)
MH  - Heart Diseases/*drug therapy/genetics
MH  - *Tea
OT  - *tea
RIN - J Ex. 2003;1:2. PMID: 77
CIN - J Ex. 2004;1:2.
PMC - PMC5
TA  - J Ex
JT  - Journal of Examples
COIS- None.
OAB - Publisher: Zwei.
OABL- ger

PMID- 21
TI  - Second.
AB  - No heading here: text.
AU  - Curie M
AU  - Plato
DP  - 2001 Winter
"""


def read(text, reader=read_records):
    return list(reader(BytesIO(text.encode())))


OVID_WITHOUT_ITS_FIRST_TAG = " VN  - Ovid Technologies\nUI  - 31\nTI  - Tea.\nAB  - Good.\nDB  - Ovid MEDLINE(R)\n"


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_the_format_is_told_by_all_lines_whatever_ends_them(line_end, encoding):
    content = OVID_WITHOUT_ITS_FIRST_TAG.replace("\n", line_end).encode(encoding)
    [record] = read_records(BytesIO(content))
    assert (record.pmid, record.title, record.sections[0].text) == ("31", "Tea.", "Good.")


def test_nbib():
    first, second = read(NBIB)
    assert first.title == "A title that is so long that the export breaks it."
    assert [tuple(section) for section in first.sections] == [
        ("One.", "BACKGROUND", None),
        ("RNA: two.", "METHODS", None),
        ("Three.", "RESULTS", None),
    ]
    assert (first.pmid, first.doi, first.journal) == ("20", "10.1000/20", "Journal of Examples")
    assert (first.date.ordinal, first.status) == (20020903, "retracted")
    assert [tuple(link) for link in first.links] == [
        ("RetractionIn", "77", "J Ex. 2003;1:2."),
        ("CommentIn", None, "J Ex. 2004;1:2."),
    ]
    assert first.mesh == ("Heart Diseases", "Tea")
    heart, tea = first.details.mesh_headings
    assert [tuple(qualifier) for qualifier in heart.qualifiers] == [("drug therapy", True), ("genetics", False)]
    assert (heart.major, tea.major) == (False, True)
    assert first.authors == (
        Author("King", "Martin L", "ML", affiliations=("Here.", "There."), orcid="0000-0001"),
        Author(collective_name="A Study Group"),
        Author("Lovelace", "Ada", "A"),
    )
    assert first.details.other_abstracts[0].sections[0].text == "Zwei."
    assert (first.details.pmcid, first.details.keywords, first.details.chemicals) == ("PMC5", ("tea",), ("Tea",))
    assert first.revised.ordinal == 20240502
    assert [section.text for section in second.sections] == ["No heading here: text."]
    assert second.authors == (Author("Curie", initials="M"), Author("Plato"))
    assert second.date.ordinal == 20010101


def test_nbib_records_need_no_empty_line_and_strange_lines_are_told(caplog):
    with caplog.at_level(logging.WARNING):
        records = read("PMID- 1\nTI  - A.\nsomething else\nPMID- 2\r\nTI  - B.\r\n")
    assert [(record.pmid, record.title) for record in records] == [("1", "A."), ("2", "B.")]
    assert "lines that are no fields, left out (once, first in line 3)" in caplog.text


def test_nbib_of_real_exports(shared_data):
    """Read off the files by eye."""
    folder = shared_data / "medline" / "nbib"
    (record,) = read_records(folder / "biopython_pubmed_result3.txt")
    assert [section.label for section in record.sections] == ["PURPOSE", "METHODS", "RESULTS", "CONCLUSIONS"]
    assert record.sections[1].text.startswith(
        "Two transducers, six scanning paths, and three focal patterns were used to"
    )
    assert record.doi == "10.1118/1.4748329"
    assert [author.last_name for author in record.authors] == ["Qiao", "Shen", "Bai", "Chen"]
    (motorcycle,) = read_records(folder / "20146148_modified.medline")
    assert "Motorcycles" in motorcycle.mesh
    topic = next(heading for heading in motorcycle.details.mesh_headings if heading.name == "Motorcycles")
    assert topic.qualifiers[-1] == ("statistics & numerical data", True)
    assert len(list(read_records(folder / "biopython_pubmed_result2.txt"))) == 4
    exports = shared_data / "medline" / "jabref"
    numbers = {path.name: len(list(read_records(path))) for path in exports.glob("*.txt")}
    assert numbers["MedlinePlainImporterTestMultipleEntries.txt"] == 7
    assert sum(numbers.values()) == 14


EMPTY_WORDS = ("nan", "null", "nat", "n/a", "na", "<na>")
records = articles.map(lambda text: next(iter(read_xml(BytesIO(document(text))))))


@settings(max_examples=100)
@given(st.lists(records | st.builds(Deletion, st.just("5"), st.integers(1, 9)), max_size=4))
def test_json_lines_keep_everything(items):
    # "NULL" and "na" are what data frames write for no DOI, and are read as none.
    assume(not any(str(getattr(item, "doi", "")).strip().lower() in EMPTY_WORDS for item in items))
    stream = StringIO()
    assert write_jsonl(items, stream) == len(items)
    assert read(stream.getvalue(), read_jsonl) == items


@settings(max_examples=100)
@given(st.lists(records, max_size=3))
def test_nbib_keeps_what_it_can(items):
    stream = StringIO()
    assert write_nbib(items, stream) == len(items)
    for record, copy in zip(items, read(stream.getvalue(), read_nbib), strict=True):
        for name in ("pmid", "title", "journal", "publication_types"):
            assert getattr(copy, name) == getattr(record, name)
        if not any(section.label for section in record.sections):
            assert copy.text == " ".join(record.text.split("\n")) or copy.text.split("\n")[0] == record.title


def test_simple_json_lines_of_other_sources():
    line = {"pmid": "5", "title": "T", "abstract": "A", "year": 2001, "journal": "J"}
    (record,) = read(json.dumps(line) + "\n\n")
    assert (record.text, record.pmid, record.date.ordinal, record.journal) == ("T\nA", "5", 20010101, "J")


MEDICAL_DATA = [
    {
        "article_title": " A  title.",
        "article_abstract": "Text.",
        "pub_date": {"year": "2020", "month": "Jan", "day": "5"},
    },
    {"article_title": "B.", "article_abstract": "", "pub_date": {"year": 2020, "month": 1, "day": ""}},
    {"article_title": "C.", "article_abstract": None, "pub_date": {"year": "2020", "month": "01"}},
    {"article_title": "D.", "article_abstract": "Text.", "pub_date": {}},
    {"article_title": "E.", "article_abstract": "Text."},
]


def test_medical_data():
    found = read(json.dumps(MEDICAL_DATA))
    assert [record.title for record in found] == ["A title.", "B.", "C.", "D.", "E."]
    assert [record.date and record.date.ordinal for record in found] == [20200105, 20200101, 20200101, None, None]
    assert all(record.document_id.startswith("SHA:") for record in found)
    stream = StringIO()
    assert write_medical_data(found, stream) == 5
    assert read(stream.getvalue(), read_medical_data) == found
    assert json.loads(stream.getvalue())[0] == {
        "article_title": "A title.",
        "article_abstract": "Text.",
        "pub_date": {"year": "2020", "month": "1", "day": "5"},
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('[{"article_title": "T", "article_abstract": 5}]', "item 0 is not as expected: 'article_abstract' is a int"),
        ('[{"article_title": "T", "article_abstract": "A"}, 7]', "item 1 is not as expected: it is a int"),
        ('[{"article_title": "\\ud800", "article_abstract": ""}]', "half of a surrogate pair"),
        ('[{"article_title": "T", "article_abstract": "", "pub_date": [2020]}]', "'pub_date' is a list"),
        ("[1, 2", "line 1, column 6"),
        ("[" * 100_000, "is not valid JSON"),
        ('{"name": "x"}', "line 1 is no record: it has none of pmid"),
        ('{"pmid": "1", "mesh": 7}', "'mesh' is a int, not a list"),
        ('{"pmid": "12a"}', "'pmid' is '12a', which is no PMID"),
        ('{"pmid": "../../etc/passwd"}', "which is no PMID"),
        ('{"pmid": true}', "'pmid' is a bool"),
        ('{"pmid": 1.5}', "'pmid' is 1.5, not a whole number"),
        ('{"deleted": ""}', "'deleted' names no PMID"),
        ('{"pmid": "1", "status": "odd"}', "'status' is 'odd', not one of current"),
        ('{"pmid": "1"}\n{"pmid": [2]}', "line 2 is no record: 'pmid' is a list"),
        ('{"pmid": "1", "version": true}', "'version' is a bool, not int"),
        ('{"pmid": "1", "details": {"article_ids": [["doi"]]}}', "has 1 items, not 2"),
        ("PMID- 1\nTI  - \udcff", "is not UTF-8"),
        ("%PDF-1.4", "is a PDF file, which is no supported format. Export the papers as RIS"),
        ("nothing known", "no supported format. Supported are PubMed/MEDLINE XML"),
    ],
)
def test_bad_input_is_named(content, message):
    with pytest.raises(SourceFormatError) as caught:
        list(read_records(BytesIO(content.encode(errors="surrogateescape"))))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_empty_file():
    with pytest.raises(EmptyCorpusError, match="is empty"):
        read(" \n")


def test_gzip_of_every_format():
    for text in (document(article()).decode(), NBIB, json.dumps(MEDICAL_DATA), '{"pmid": "1", "title": "T"}'):
        assert list(read_records(BytesIO(gzip.compress(text.encode())))) == read(text)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "b.xml").write_bytes(document(article(pmid="2")))
    (tmp_path / "a.nbib").write_text(NBIB)
    (tmp_path / "sub" / "c.json").write_text(json.dumps(MEDICAL_DATA))
    (tmp_path / "b.xml.md5").write_text("MD5(b.xml)= 0")
    (tmp_path / "notes.pdf").write_text("%PDF")
    return tmp_path


def test_folders_and_patterns(folder, caplog):
    with caplog.at_level(logging.WARNING):
        assert expand_sources([folder]) == [folder / "a.nbib", folder / "b.xml", folder / "sub" / "c.json"]
    assert "Left out of" in caplog.text
    assert "notes.pdf" in caplog.text
    assert expand_sources([f"{folder}/*.x*l", folder / "b.xml"]) == [folder / "b.xml", folder / "b.xml"]
    with pytest.raises(InputError, match="There is no file"):
        expand_sources([f"{folder}/*.csv"])
    assert len(list(read_newest([folder]))) == 8


def test_newest_keeps_the_last_word(folder):
    deletion = '<DeleteCitation><PMID Version="1">20</PMID></DeleteCitation>'
    (folder / "z.xml").write_bytes(document(deletion, article(pmid="2", title="<ArticleTitle>New.</ArticleTitle>")))
    items = {item.document_id: item for item in read_newest([folder / "a.nbib", folder / "b.xml", folder / "z.xml"])}
    assert items["PMID:20"] == Deletion("20")
    assert items["PMID:2"].title == "New."
    assert isinstance(items["PMID:21"], PubMedRecord)
    assert len(items) == 3
