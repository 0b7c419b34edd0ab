"""No retraction is lost, however a program writes it; samples are written for these tests."""

import csv
import json
from io import BytesIO, StringIO

import pytest

from llama_index_medqa.errors import SourceFormatError
from llama_index_medqa.pubmed.formats.json_values import json_texts, listed_texts
from llama_index_medqa.pubmed.formats.notices import divided_types, read_notices
from llama_index_medqa.pubmed.formats.reading import read_records

TYPES = ("Journal Article", "Retracted Publication")
PHS = "Research Support, U.S. Gov't, P.H.S."


def read(text):
    return list(read_records(BytesIO(text.encode())))


def read_json(**values):
    (record,) = read(json.dumps({"title": "T", "abstract": "A", **values}))
    return record


CELLS = [
    "Journal Article; Retracted Publication",
    "Journal Article|Retracted Publication",
    "Journal Article, Retracted Publication",
    "Journal Article. Retracted Publication.",
    "Journal Article / Retracted Publication",
    "Journal Article\nRetracted Publication",
    # str() of a list, a tuple, a NumPy array and its repr(), and JSON.
    str(list(TYPES)),
    str(TYPES),
    "['Journal Article' 'Retracted Publication']",
    "['Journal Article'\n 'Retracted Publication']",
    "array(['Journal Article', 'Retracted Publication'], dtype=object)",
    json.dumps(TYPES),
    "{'D016428': 'Journal Article', 'D016441': 'Retracted Publication'}",
]


@pytest.mark.parametrize("cell", CELLS)
def test_a_cell_of_several_types(cell):
    record = read_json(publication_types=cell)
    assert (record.publication_types, record.status) == (TYPES, "retracted")
    stream = StringIO()
    csv.writer(stream).writerows([["pmid", "title", "abstract", "publication types"], ["1", "T", "A", cell]])
    if "\n" not in cell:
        (row,) = read(stream.getvalue())
        assert (row.publication_types, row.status) == (TYPES, "retracted")


@pytest.mark.parametrize(
    "values",
    [
        {"publication_types": list(TYPES)},
        {"publication_types": ["Journal Article; Retracted Publication"]},
        {"publication_types": [list(TYPES)]},
        {"publication_types": {"D016441": "Retracted Publication"}},
        {"publication_types": [{"UI": "D016441", "text": "Retracted Publication"}]},
        {"publication_types": ["retracted publication"]},
        {"document_type": "Retracted"},
        {"article_type": "Journal Article", "document_type": "Retracted"},
        {"is_retracted": True},
        {"Retracted": "yes"},
        {"retracted": 1.0},
        {"status": "current", "publication_types": ["Retracted Publication"]},
        {"publication_types": ["Journal Article"], "title": "RETRACTED: T"},
        {"links": "Comment in: J Ex. 2019;1:2. PMID: 7; Retraction in: J Ex. 2020. PMID: 8"},
        {"keywords": ["tea", "retracted article"]},
    ],
)
def test_a_retraction_is_seen_wherever_it_is_stated(values):
    assert read_json(**values).status == "retracted"


@pytest.mark.parametrize(
    "values",
    [
        {"publication_types": ["Journal Article"]},
        {"is_retracted": False},
        {"retracted": "no"},
        {"retracted": None},
        {"mesh": ["Retraction of Publication as Topic"]},
        {"title": "Retraction of the lung after drainage", "publication_types": ["Journal Article"]},
        {"keywords": ["retraction"]},
    ],
)
def test_what_is_no_retraction(values):
    assert read_json(**values).status == "current"


def test_what_is_neither_yes_nor_no_is_refused():
    with pytest.raises(SourceFormatError, match="'retracted' is 'perhaps', not yes or no"):
        read_json(retracted="perhaps")


OVID = "VN  - Ovid Technologies\nUI  - 31\nTI  - Tea.\nAB  - Good.\n{}\nDB  - Ovid MEDLINE(R)\n"
OVID_NAMES = "<1>\nUnique Identifier\n  31\nTitle\n  Tea.\nAbstract\n  Good.\n{}\n"
RIS = "TY  - JOUR\nTI  - Tea.\nAB  - Good.\n{}\nER  - \n"
ENDNOTE = "%0 Journal Article\n%T Tea.\n%X Good.\n{}\n"


@pytest.mark.parametrize(
    ("export", "lines"),
    [
        (OVID, "PT  - Journal Article. Retracted Publication."),
        (OVID, "PT  - Journal Article; Retracted Publication"),
        (OVID, "PT  - Journal Article\nPT  - Retracted Publication"),
        (OVID, "PT  - Journal Article\n    Retracted Publication"),
        (OVID, f"PT  - {PHS} Retracted Publication"),
        (OVID, "CM  - Comment in: J Ex. 2019;1:2. PMID: 77. Retraction in: J Ex. 2020. PMID: 78"),
        (OVID_NAMES, "Publication Type\n  Journal Article.  Retracted Publication."),
        (OVID_NAMES, "Publication Type\n  Journal Article\n  Retracted Publication"),
        (OVID_NAMES, "Comments\n  Comment in: J Ex. PMID: 3; Retraction in: J Ex. PMID: 4"),
        (OVID_NAMES, "Retraction In\n  J Ex. 2020. PMID: 78"),
        (RIS, "M3  - Journal Article; Retracted Publication"),
        (RIS, "M3  - Retracted"),
        (RIS, "N1  - Retraction in: J Ex. 2000;1:2. PMID: 6"),
        (RIS, "N1  - Retraction in - J Ex. 2000"),
        (RIS, "N1  - Corrected\nN1  - Retracted Publication"),
        (RIS, "KW  - tea\nKW  - Retracted Publication"),
        (ENDNOTE, "%9 Journal Article; Retracted Publication"),
        (ENDNOTE, "%Z Retraction in: J Ex. 2000"),
    ],
)
def test_exports(export, lines):
    (record,) = read(export.format(lines))
    assert (record.status, record.text) == ("retracted", "Tea.\nGood.")


MARKED = [
    "Tea (Retracted article. See vol. 9, pg. 3, 2019)",
    "Tea (Retracted Article. See DOI 10.1000/S0140(19)3-4)",
    "Tea (Retracted)",
    "Tea. (Retracted in 2019).",
    "Tea [Retracted]",
    "Tea (Withdrawn Article. See vol 9, pg 3, 2019)",
    "WITHDRAWN: Tea",
    "Withdrawn Article: Tea",
    "Retracted: Tea",
    "RETRACTED ARTICLE: Tea",
    "[RETRACTED] Tea",
    "(Retracted) Tea",
]
NOTICES = [
    "Tea (Retraction of vol 3, pg 5, 2011)",
    "Tea (Retraction of J Ex, vol 3, pg 5, 2011).",
    "Tea [Retraction]",
    "Retraction: Tea",
    "Retraction Note to: Tea",
]
UNMARKED = [
    "Retracted articles in oncology",
    "Why papers are retracted",
    "How authors cite tainted papers (retracted, corrected)",
    "Citations of papers (retracted articles)",
    "Papers (retracted) and their citations (2019)",
    "Reasons for withdrawal: a survey",
    "Patients withdrawn from a trial",
    "Drainage of the lung (retraction of the left lobe)",
    "Drainage of the lung (retraction)",
]


@pytest.mark.parametrize(
    ("title", "status"),
    [
        *((title, "retracted") for title in MARKED),
        *((title, "retraction_notice") for title in NOTICES),
        *((title, "current") for title in UNMARKED),
    ],
)
def test_marks_of_titles(title, status):
    exports = [export.replace("Tea.", title).format("").replace("\n\n", "\n") for export in (RIS, ENDNOTE)]
    stream = StringIO()
    csv.writer(stream).writerows([["pmid", "title", "abstract"], ["1", title, "A"]])
    for text in (*exports, stream.getvalue(), json.dumps({"title": title, "abstract": "A"})):
        (record,) = read(text)
        assert (record.title, record.status) == (title, status)


def test_types_in_one_line_keep_their_own_periods_and_commas():
    line = f"Clinical Trial, Phase III. Journal Article. {PHS} Randomized Controlled Trial, Veterinary."
    assert divided_types(line) == [
        "Clinical Trial, Phase III",
        "Journal Article",
        "Research Support, U.S. Gov't, P.H.S. Randomized Controlled Trial, Veterinary",
    ]
    for name in (
        PHS,
        "Research Support, N.I.H., Extramural",
        "Clinical Trial, Phase II",
        "Systematic Review",
        "Poster",
    ):
        assert divided_types(name) == [name]


def test_the_types_of_real_records_are_left_as_they_are(shared_data):
    kinds = {
        kind
        for path in (shared_data / "medline" / "metapub").glob("*.xml")
        for record in read_records(path)
        for kind in record.publication_types
    }
    assert len(kinds) > 10
    assert [kind for kind in kinds if divided_types(kind) != [kind]] == []


def test_several_notices_in_one_line():
    comment, retraction = read_notices("Comment in: J Ex. 2019;1:2. PMID: 77. Retraction in: Med Ex. 2020. PMID: 78")
    assert (comment.kind, comment.pmid, comment.source) == ("CommentIn", "77", "J Ex. 2019;1:2.")
    assert (retraction.kind, retraction.pmid, retraction.source) == ("RetractionIn", "78", "Med Ex. 2020.")
    assert read_notices("See the retraction in: J Ex.") == ()


@pytest.mark.parametrize(
    ("cell", "texts"),
    [
        (f"""['Review', "{PHS}"]""", ["Review", PHS]),
        (r"['Crohn\'s disease' 'Tea']", ["Crohn's disease", "Tea"]),
        ("['Tea', nan, None]", ["Tea"]),
        ("[]", []),
        ("[Crohn's disease; Hodgkin's lymphoma]", []),
        ("Tea", []),
    ],
)
def test_cells_that_are_lists(cell, texts):
    assert listed_texts(cell) == texts


def test_an_array_of_subject_headings_is_no_heading():
    assert json_texts("['Tea' 'Heart Failure, Diastolic']", "mesh") == ("Tea", "Heart Failure, Diastolic")
    with pytest.raises(TypeError, match="an item of 'mesh' has no name"):
        json_texts([{"odd": "Tea"}], "mesh")
