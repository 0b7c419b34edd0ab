"""Exports of reference managers and other databases; samples are written for these tests, and read off by eye."""

import contextlib
import json
import logging
from io import BytesIO, StringIO
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from llama_index_medqa.errors import MedQAError, SourceFormatError
from llama_index_medqa.pubmed.formats.nbib_writer import write_nbib
from llama_index_medqa.pubmed.formats.reading import expand_sources, read_newest, read_records
from llama_index_medqa.pubmed.record import AbstractSection, Author, PubMedRecord, RecordDetails, known_details
from llama_index_medqa.rendering.references import Reference, as_ris


def read(text, encoding="utf-8"):
    return list(read_records(BytesIO(text.encode(encoding))))


RIS = """TY  - JOUR
AU  - Rossi, Anna
AU  - Novak P.
TI  - Gargling and sore throat.
AB  - BACKGROUND: Singers report it. RESULTS: It fell
from 9 to 4 days.

OR - it did not, in two.
JO  - J Made Up
PY  - 2019
DA  - 2019/03/04/
VL  - 7
IS  - 2
SP  - 33
EP  - 40
AN  - 11
DO  - https://doi.org/10.1000/made.1
M3  - Randomized Controlled Trial
ER  -
{between}TY  - JOUR
A1  - Berg, Lars, Jr
T1  - Zinc lozenges.
N2  - Zinc did nothing.
Y1  - 2021//
JF  - The Journal
JO  - J
UR  - https://pubmed.ncbi.nlm.nih.gov/12/
ER  -
"""


@pytest.mark.parametrize("between", ["", "\n", "\n\n"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_ris(between, end, encoding):
    first, second = read(RIS.format(between=between).replace("\n", end), encoding)
    assert (first.pmid, first.doi, first.journal, first.date.ordinal) == ("11", "10.1000/made.1", "J Made Up", 20190304)
    assert [(section.label, section.text) for section in first.sections] == [
        ("BACKGROUND", "Singers report it."),
        ("RESULTS", "It fell from 9 to 4 days. OR - it did not, in two."),
    ]
    assert first.authors == (Author("Rossi", "Anna"), Author("Novak", "", "P"))
    assert (first.details.volume, first.details.issue, first.details.pages) == ("7", "2", "33-40")
    assert first.publication_types == ("Randomized Controlled Trial",)
    assert (second.pmid, second.title, second.journal, second.date.year) == (
        "12",
        "Zinc lozenges.",
        "The Journal",
        2021,
    )
    assert second.authors == (Author("Berg", "Lars", "", "Jr"),)
    assert second.text == "Zinc lozenges.\nZinc did nothing."


@pytest.mark.parametrize(
    ("lines", "pmid"),
    [
        ("AN  - 123", "123"),
        ("AN  - 123\nDB  - Ovid MEDLINE(R)", "123"),
        ("AN  - 123\nDB  - PubMed", "123"),
        ("AN  - 123\nDB  - mnh", "123"),
        ("AN  - 123\nDB  - Embase", None),
        ("AN  - 123\nDP  - EBSCOhost\nDB  - cin20", None),
        ("AN  - 2004567890", None),
        ("AN  - L600001", None),
        ("ID  - 123", None),
        ("U1  - 123[pmid]\nAN  - 9\nDB  - Embase", "123"),
        ("N1  - PMID: 123", "123"),
        ("N1  - Comment on PMID: 123", None),
        ("UR  - https://www.ncbi.nlm.nih.gov/pubmed/123", "123"),
        ("UR  - https://evil.example/pubmed.ncbi.nlm.nih.gov/123", None),
    ],
)
def test_only_pubmeds_numbers_are_pmids(lines, pmid):
    (record,) = read(f"TY  - JOUR\nTI  - T\n{lines}\nER  - \n")
    assert record.pmid == pmid


def test_a_retraction_is_seen_where_only_the_title_or_a_note_tells():
    titles = {
        "RETRACTED: Tea cures all": "retracted",
        "[Retracted] Tea cures all": "retracted",
        "RETRACTED ARTICLE: Tea cures all": "retracted",
        "Retraction: Tea cures all": "retraction_notice",
        "Retraction note to: Tea": "retraction_notice",
        "Retraction of the lung after drainage": "current",
        "Retracted lungs": "current",
    }
    found = [read(f"TY  - JOUR\nTI  - {title}\nER  - \n")[0].status for title in titles]
    assert found == list(titles.values())
    (noted,) = read("TY  - JOUR\nTI  - T\nN1  - Retracted\nER  - \n")
    assert noted.status == "retracted"


@pytest.mark.parametrize(
    "text",
    [
        # Nothing divides the two records.
        RIS.format(between="").replace("ER  -\nTY  - JOUR\n", "").replace("A1  -", "AU  -").replace("T1", "TI"),
        "TY  - JOUR\nTI  - A\nAB  - a\nTI  - B\nAB  - b\nER  - \n",
        "PMID- 1\nTI  - A\nAB  - a\nTI  - B\nAB  - b\n",
        "UI  - 1\nTI  - A\nAB  - a\nTI  - B\nAB  - b\nVN  - Ovid Technologies\n",
        "<1>\nUnique Identifier\n  1\nTitle\n  A\nAbstract\n  a\nTitle\n  B\n",
        "%0 Journal Article\n%T A\n%X a\n%T B\n%X b\n",
    ],
)
def test_records_that_run_together_are_refused(text):
    with pytest.raises(SourceFormatError, match="What divides two records is missing"):
        read(text)


def test_an_empty_line_in_the_middle_of_an_nbib_record_divides_nothing():
    first, second = read("PMID- 1\nTI  - A\n\nAB  - a\nJT  - J\nPMID- 2\nTI  - B\n\nTI  - No number\n")[:2]
    assert (first.pmid, first.text, first.journal) == ("1", "A\na", "J")
    assert (second.pmid, second.text) == ("2", "B")


def test_lines_outside_of_ris_records_are_refused():
    with pytest.raises(SourceFormatError, match="line 4 belongs to no record"):
        read("TY  - JOUR\nTI  - A\nER  - \nAB  - left over\nER  - \n")


OVID = """
<1. >
VN  - Ovid Technologies
DB  - Ovid MEDLINE(R)
UI  - 21
AU  - Meyer B
FA  - Meyer, Bea
TI  - Cold packs: a trial.  [Article]
SO  - Made Up Sports Med. 44(2):101-5, 2018 Feb.
AB  - Swelling fell
    in 80 adults.
PT  - Retracted Publication
CM  - Comment in: J Ex. 2019;1:2. PMID: 77
DO  - https://dx.doi.org/10.1000/cold

<2. >
VN  - Ovid Technologies
DB  - Embase
AN  - 2004567890
AU  - Sato, Ken MD, PhD *
TI  - Heat packs.
SO  - Forest Ecology & Management. 201(2-3):327-334, November 15, 2004.
YR  - 2004
"""


def test_ovid_with_tags():
    cold, heat = read(OVID)
    assert (cold.pmid, cold.title, cold.status, cold.doi) == ("21", "Cold packs: a trial.", "retracted", "10.1000/cold")
    assert (cold.journal, cold.date.ordinal) == ("Made Up Sports Med", 20180201)
    assert (cold.details.volume, cold.details.issue, cold.details.pages) == ("44", "2", "101-5")
    assert cold.authors == (Author("Meyer", "Bea"),)
    assert [tuple(link) for link in cold.links] == [("CommentIn", "77", "J Ex. 2019;1:2.")]
    assert cold.text == "Cold packs: a trial.\nSwelling fell in 80 adults."
    assert (heat.pmid, heat.journal, heat.date.ordinal) == (None, "Forest Ecology & Management", 20041115)
    assert heat.authors == (Author("Sato", "Ken"),)


def test_ovid_with_names():
    peppermint, sugar = read(
        "<1>\nScore\n  *****\nUnique Identifier\n  31\nAuthor\n  Holst, Jakob 1;  Mathes, Tim 2\n"
        "Title\n  Peppermint tea.\n"
        "Source\n  Made Up Gastro. 2(1):3-4, 2017 Jan.\nAbstract\n  Hiccups stopped\n  in 12 of 20.\n\n"
        "<2>\nUnique Identifier\n  32\nTitle\n  Sugar.\nPublication Type\n  Retracted Publication.\n"
    )
    assert (peppermint.pmid, peppermint.text) == ("31", "Peppermint tea.\nHiccups stopped in 12 of 20.")
    assert (peppermint.journal, peppermint.date.ordinal) == ("Made Up Gastro", 20170101)
    assert peppermint.authors == (Author("Holst", "Jakob"), Author("Mathes", "Tim"))
    assert (sugar.pmid, sugar.status) == ("32", "retracted")


def test_endnote():
    tea, coffee = read(
        "%0 Journal Article\n%A King, Martin L\n%T Tea.\n%J J Ex\n%D 2019\n%8 Mar 4\n%V 7\n%N 2\n%P 33-40\n%M 41\n"
        "%X It helped\nmany.\n%R 10.1000/tea\n\n%0 Journal Article\n%T Coffee.\n%M 42\n%~ Embase\n"
    )
    assert (tea.pmid, tea.doi, tea.journal, tea.date.ordinal) == ("41", "10.1000/tea", "J Ex", 20190304)
    assert tea.text == "Tea.\nIt helped many."
    assert (tea.details.volume, tea.details.issue, tea.details.pages) == ("7", "2", "33-40")
    assert (coffee.title, coffee.pmid) == ("Coffee.", None)


ABSTRACTS = """1. J Ex. 2019 Jan 5;7(2):33-40. doi: 10.1000/x. Epub 2018 Dec 1.

A title that is so long that
the export breaks it.

King ML(1), de la Cruz A(2)(3), Lovelace A Jr.

Author information:
(1)Dept A.
(2)Dept B.

Retraction in
    J Ex. 2020 Feb;8(1):1. doi: 10.1000/y.

BACKGROUND: One
goes on.
ODD LABEL: Two.

1. This is no record.

Copyright © 2019 Us.

DOI: 10.1000/x
PMCID: PMC9
PMID: 51 [Indexed for MEDLINE]

Conflict of interest statement: None.


2. Med Ex. 2020;1:5.

A letter.

The text of a letter without authors.

PMID: 52
"""


def test_pubmeds_abstracts():
    first, second = read(ABSTRACTS)
    assert (first.pmid, first.doi, first.details.pmcid) == ("51", "10.1000/x", "PMC9")
    assert (first.journal, first.date.ordinal, first.status) == ("J Ex", 20190105, "retracted")
    assert first.title == "A title that is so long that the export breaks it."
    assert [(section.label, section.text) for section in first.sections] == [
        ("BACKGROUND", "One goes on."),
        ("ODD LABEL", "Two."),
        (None, "1. This is no record."),
    ]
    assert [author.name for author in first.authors] == ["ML King", "A de la Cruz", "A Lovelace Jr"]
    assert (first.details.volume, first.details.issue, first.details.pages) == ("7", "2", "33-40")
    assert second.text == "A letter.\nThe text of a letter without authors."
    assert (second.pmid, second.date.year) == ("52", 2020)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("PMID: 52\n", "", "has no line 'PMID: '"),
        # A damaged PMID, and one empty line less before the next record.
        (
            "PMID: 51 [Indexed for MEDLINE]\n\nConflict of interest statement: None.\n\n\n2.",
            "MID: 51 [Indexed for MEDLINE]\n\n2.",
            "line 1 has a damaged line beside its identifiers",
        ),
        (
            "PMCID: PMC9\nPMID: 51 [Indexed for MEDLINE]\n\nConflict of interest statement: None.\n\n\n2.",
            "\n2.",
            "line 1 has no line 'PMID: '",
        ),
        ("2. Med Ex. 2020;1:5.\n\n", "", "should begin a record with its number"),
        ("\n\n2. Med Ex. 2020;1:5.\n", "\nMed Ex. 2020;1:5.\n", "goes on after its PMID|should begin"),
    ],
)
def test_abstracts_that_run_together_are_refused(old, new, message):
    with pytest.raises(SourceFormatError, match=message):
        read(ABSTRACTS.replace(old, new))


CSV = (
    "PMID,Title,Authors,Citation,First Author,Journal/Book,Publication Year,Create Date,PMCID,NIHMS ID,DOI\n"
    '61,"Tea, and ""more""","King ML, Lovelace A.","J Ex. 2019 Jan 5;7(2):33-40. doi: 10.1000/x.",King ML,J Ex,2019,'
    "2019/01/06,PMC9,,10.1000/x\n"
    "62,Coffee,Curie M.,Med Ex. 2020;1:5.,Curie M,Med Ex,2020,2020/02/02,,,\n"
)


def test_pubmeds_csv(caplog):
    with caplog.at_level(logging.WARNING):
        tea, coffee = read(CSV, "utf-8-sig")
    assert (tea.pmid, tea.title, tea.doi, tea.details.pmcid) == ("61", 'Tea, and "more"', "10.1000/x", "PMC9")
    assert (tea.journal, tea.date.ordinal) == ("J Ex", 20190105)
    assert (tea.details.volume, tea.details.issue, tea.details.pages) == ("7", "2", "33-40")
    assert tea.authors == (Author("King", "", "ML"), Author("Lovelace", "", "A"))
    assert (coffee.pmid, coffee.date.year, coffee.doi) == ("62", 2020, None)
    assert "rows without an abstract (PubMed's CSV has none" in caplog.text
    assert "2 times" in caplog.text
    assert "unknown key" not in caplog.text


def test_a_table_of_ones_own():
    (record,) = read('Title;Abstract;PubMed ID;Colour\nTea;"It helped;\nreally.";71;green\n')
    assert (record.text, record.pmid) == ("Tea\nIt helped; really.", "71")


@pytest.mark.parametrize(
    "text",
    [
        CSV.replace('"Tea, and', "Tea, and"),
        CSV.replace('""more"""', '""more""'),
        CSV.replace(",2019,2019/01/06", ",2019"),
        CSV.replace("Med Ex,2020", "Med Ex,2020,7"),
        'pmid,title,abstract\n1,A,a\n2,B,"b\n3,C,c\n4,D,d"\n',
        "pmid,title,title\n1,A,a\n",
        "pmid,title\nx1,A\n",
    ],
)
def test_a_broken_table_is_refused(text):
    with pytest.raises(SourceFormatError):
        read(text)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ("@article{a, title={T}}", "a BibTeX file"),
        ("% Encoding: UTF-8\n\n@Article{a,", "a BibTeX file"),
        ("<?xml version='1.0'?><xml><records/></xml>", "root element is <xml> \\(EndNote's\\)"),
        ("<!DOCTYPE html><html><body/></html>", "<html> \\(a web page\\)"),
        ("<eSearchResult><ERROR>Bad  query</ERROR></eSearchResult>", "The server said: Bad query"),
        ("FN Clarivate Analytics Web of Science\nVR 1.0\nPT J\n", "Web of Science's export"),
        ("1: King ML. Tea. J Ex. 2019. PMID: 1.\n", "PubMed's summary export"),
        ("123\n456\n", "a list of PMIDs"),
        ("PK\x03\x04", "a ZIP archive"),
        ("PAR1", "a Parquet file"),
        ("Scopus\nEXPORT DATE: 4 March 2024\n\nKing M.\n", "Scopus's text or BibTeX export"),
        ("\nScopus\nEXPORT DATE: 4 March 2024\n\n@ARTICLE{K,\n", "Scopus's text or BibTeX export"),
        (f"{'_' * 60}\n\nReport Information from ProQuest\n", "ProQuest's text export"),
        ("RECORD 1\n\nTITLE\nWarm compresses\n", "Embase's text export"),
        ('"TITLE","Warm"\n"AUTHOR NAMES","Novak P."\n', "Embase's CSV by fields"),
        ("Record #1 of 2\nID: CN-01\nAU: King\nTI: Tea\n", "the Cochrane Library's text export"),
        ("PT\tAU\tTI\tSO\tAB\nJ\tKing\tTea\tJ\tA\n", "Web of Science's export"),
        ("<rdf:RDF xmlns:rdf='x'></rdf:RDF>", "<rdf:RDF> \\(RDF, such as Zotero's\\)"),
        ("<eFetchResult><ERROR>Cannot</ERROR></eFetchResult>", "The server said: Cannot"),
        ('{"error":"API key invalid","api-key":"x"}', "It said: API key invalid"),
        ('{"config": {"label": "Better BibTeX JSON"}, "items": []}', "Better BibTeX's JSON"),
        ('{"resultList": {"result": [{"title": "T"}]}}', "Europe PMC's answer"),
        ('{"title": {"0": "A", "1": "B"}, "abstract": {"0": "a"}}', "a data frame by columns"),
        ('{"columns": ["title"], "index": [0], "data": [["A"]]}', "a data frame by columns"),
        ('{"0": {"title": "A"}, "1": {"title": "B"}}', "a data frame by its index"),
        ('{\n "title": "A"\n}', "a JSON object over several lines"),
    ],
)
def test_other_formats_are_refused_by_name(content, kind):
    with pytest.raises(SourceFormatError, match=kind) as caught:
        read(content)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["esummary_ok_and_missing.json", "esearch_ok.json", "rate_limited_429.json"])
def test_answers_of_e_utilities_that_hold_no_records_are_refused(shared_data, name):
    with pytest.raises(SourceFormatError, match=r"an answer of E-utilities|the error of a server"):
        list(read_records(shared_data / "eutils" / "json" / name))


SCOPUS = (
    '"Authors","Author full names","Title","Year","Source title","Volume","Issue","Art. No.","Page start","Page end",'
    '"DOI","Abstract","Author Keywords","Language of Original Document","Document Type","Source","PubMed ID"\n'
    '"King M.L.; Berg L.","King, Martin L. (1)","Tea","2019","J Ex","7","2","","33","40","10.1/x",'
    '"[No abstract available]","tea; milk","English","Retracted","Scopus","51"\n'
)
ZOTERO = (
    '"Key","Item Type","Publication Year","Author","Title","Publication Title","DOI","Abstract Note","Date","Pages",'
    '"Issue","Volume","Extra","Manual Tags"\n'
    '"A","journalArticle","2019","King, Martin; Berg, Lars","Tea","J Ex","10.1/x","It\nhelped.","2019-03-04","33-40",'
    '"2","7","PMID: 51\nPMCID: PMC9","tea; milk"\n'
)
CSL = [
    {
        "id": "zotero/1",
        "title": "Tea",
        "container-title": "J Ex",
        "author": [{"family": "King", "given": "Martin"}, {"family": "Berg", "given": "Lars"}],
        "issued": {"date-parts": [["2019", 3, 4]]},
        "abstract": "It helped.",
        "note": "PMID: 51\nPMCID: PMC9",
        "DOI": "10.1/x",
        "page": "33-40",
        "volume": "7",
        "issue": "2",
    }
]


def test_scopus_csv():
    (record,) = read(SCOPUS)
    assert (record.pmid, record.title, record.journal, record.date.year) == ("51", "Tea", "J Ex", 2019)
    assert (record.sections, record.status, record.details.languages) == ((), "retracted", ("English",))
    assert (record.doi, record.details.pages, record.details.keywords) == ("10.1/x", "33-40", ("tea", "milk"))
    assert record.authors == (Author("King", "", "ML"), Author("Berg", "", "L"))


@pytest.mark.parametrize("text", [ZOTERO, json.dumps(CSL)])
def test_zotero_csv_and_csl(text):
    (record,) = read(text)
    assert (record.pmid, record.details.pmcid, record.doi) == ("51", "PMC9", "10.1/x")
    assert (record.text, record.journal, record.date.ordinal) == ("Tea\nIt helped.", "J Ex", 20190304)
    assert record.authors == (Author("King", "Martin"), Author("Berg", "Lars"))
    assert (record.details.volume, record.details.issue, record.details.pages) == ("7", "2", "33-40")


def test_a_note_that_says_more_is_named(caplog):
    with caplog.at_level(logging.WARNING):
        (record,) = read(json.dumps([{"title": "T", "note": "PMID: 51\nRead again"}]))
    assert record.pmid == "51"
    assert "notes in key 'note', of which only PMID and PMCID are read (once, first in item 0)" in caplog.text


def test_a_row_that_an_open_quotation_mark_swallows_is_refused():
    broken = ZOTERO.replace('PMC9"', "PMC9") + ZOTERO.split("\n", 1)[1]
    with pytest.raises(SourceFormatError):
        read(broken)


def test_embase_ris():
    (record,) = read(
        "TY  - JOUR\nM3  - Article\nA1  - Novak P.\nT1  - Warm\nY1  - 2020//\nN2  - It healed.\nJF  - J\n"
        "U2  - L600001\nC5  - 29800000\nDB  - Embase\nER  - \n"
    )
    assert (record.pmid, record.text, record.date.year) == (None, "Warm\nIt healed.", 2020)


def test_two_answers_of_efetch_in_one_file_are_refused():
    article = "<PubmedArticle><MedlineCitation><PMID>1</PMID></MedlineCitation></PubmedArticle>"
    one = f"<PubmedArticleSet>{article}</PubmedArticleSet>"
    with pytest.raises(SourceFormatError, match="Put each XML document into a file of its own"):
        read(f"<?xml version='1.0'?>\n{one}\n<?xml version='1.0'?>\n{one}")


def test_a_foreign_file_in_a_folder_is_named_and_the_rest_is_read(tmp_path, caplog):
    (tmp_path / "a.ris").write_text(RIS.format(between=""))
    (tmp_path / "b.bib").write_text("@article{a, title={T}}")
    (tmp_path / "c.html").write_text("<html></html>")
    with caplog.at_level(logging.WARNING):
        assert expand_sources([tmp_path]) == [tmp_path / "a.ris"]
    assert "b.bib (a BibTeX file)" in caplog.text
    assert "c.html" in caplog.text


def test_remarks_are_made_once_though_files_are_read_twice(tmp_path, caplog):
    path = tmp_path / "a.jsonl"
    path.write_text('{"pmid": "1", "title": "A", "colour": "red"}\n{"pmid": "2", "title": "B", "colour": "blue"}\n')
    with caplog.at_level(logging.WARNING):
        assert len(list(read_newest([path]))) == 2
    assert caplog.text.count("unknown key 'colour', left out (2 times, first in line 1)") == 1


def test_our_ris_is_read_back():
    authors = ("King, Martin L", "Berg, Lars, Jr", "A Study Group")
    written = Reference("PMID:5", "T", "5", "J Ex", 2019, "10.1/x", "retracted", authors, "7", "2", "764-9")
    (record,) = read(as_ris([written]))
    assert (record.pmid, record.title, record.journal, record.date.year) == ("5", "T", "J Ex", 2019)
    assert (record.doi, record.status) == ("10.1/x", "retracted")
    assert record.details.author_line == "King, Martin L; Berg, Lars, Jr; A Study Group"
    assert (record.details.volume, record.details.issue, record.details.pages) == ("7", "2", "764-769")


texts = (
    st.text(st.sampled_from("aB1 .-:"), min_size=1, max_size=12).map(lambda text: " ".join(text.split())).filter(bool)
)
plain_records = st.builds(
    lambda pmid, title, abstract: PubMedRecord(title, (AbstractSection(abstract),) if abstract else (), pmid),
    st.none() | st.integers(1, 10**8 - 1).map(str),
    st.just("") | texts,
    st.just("") | texts,
).filter(lambda record: record.text)


@settings(max_examples=200)
@given(st.lists(plain_records, max_size=4))
def test_our_nbib_is_read_back_with_and_without_pmids(records):
    stream = StringIO()
    write_nbib(records, stream)
    found = read(stream.getvalue()) if records else []
    assert [(record.pmid, record.text) for record in found] == [(record.pmid, record.text) for record in records]


TAGS = st.sampled_from(
    ["TY  - JOUR", "ER  - ", "TI  - a", "TI  - b", "AB  - c", "PMID- 1", "UI  - 2", "VN  - Ovid", ""]
)
LINES = st.lists(TAGS | st.sampled_from(["<1>", "Title", "  x", "1. J. 2019;1:2.", "PMID: 3"]), max_size=12)


@settings(max_examples=300)
@given(LINES, st.sampled_from(["\n", "\r\n", "\r"]))
def test_any_lines_give_records_or_our_error(lines, end):
    # PubMed's text export breaks a title into several lines with the tag.
    tagged = [line for line in lines if line != "  x"]
    assume(not any(first[:2] == second[:2] == "TI" for first, second in pairwise(tagged)))
    with contextlib.suppress(MedQAError):
        for record in read(end.join(lines)):
            assert not {"a", "b"} <= set(record.title.split())


@pytest.mark.parametrize("first", [RIS.format(between=""), OVID, "PMID- 1\nTI  - T\n", "%0 Journal Article\n%T T\n"])
@pytest.mark.parametrize("second", ["TY  - JOUR\nTI  - B\n", "PMID- 2\nTI  - B\n", "%0 Book\n%T B\n"])
def test_files_of_two_formats_in_one_are_refused(first, second):
    if first[:2] != second[:2]:
        with pytest.raises(SourceFormatError, match="begins a file of another format"):
            read(f"{first}\n{second}")


def test_names_that_are_filed():
    authors = (
        Author("King", "Martin; L", "ML", "Jr"),
        Author("Curie", initials="M"),
        Author(collective_name="Committee on Tea, Coffee; Milk"),
    )
    assert RecordDetails(authors).author_line == "King, Martin  L, Jr; Curie, M; {Committee on Tea, Coffee, Milk}"
    many = RecordDetails(tuple(Author(f"A{number}") for number in range(51)))
    assert many.author_line.endswith("; A49; et al.")
    record = PubMedRecord("T", pmid="1", lazy_details=known_details(RecordDetails(volume="7")))
    assert record.record_hash != PubMedRecord("T", pmid="1").record_hash
