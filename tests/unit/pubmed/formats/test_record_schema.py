"""The schema of records that other programs write. What to read was decided by eye."""

import json
import logging
import re
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_index_medqa.errors import MedQAError, SourceFormatError
from llama_index_medqa.pubmed.formats.json_values import json_date
from llama_index_medqa.pubmed.formats.jsonl import as_data
from llama_index_medqa.pubmed.formats.names import read_authors
from llama_index_medqa.pubmed.formats.reading import read_records
from llama_index_medqa.pubmed.formats.record_schema import OTHER_NAMES
from llama_index_medqa.pubmed.record import Author

PAGE = Path(__file__).parents[4] / "docs" / "formats.md"


def read(*items, as_list=False):
    lines = [json.dumps(item) for item in items]
    text = f"[{','.join(lines)}]" if as_list else "\n".join(lines)
    return list(read_records(BytesIO(text.encode())))


@pytest.mark.parametrize("as_list", [False, True])
def test_one_schema_for_lines_and_lists(as_list):
    values = {
        "article_title": "T",
        "article_abstract": "A",
        "pub_date": {"year": "1995.0", "month": 2.0, "day": None},
        "pmid": 51,
        "DOI": "https://doi.org/10.1000/x",
        "Journal Title": "J",
        "meshTerms": "Tea; Heart Failure, Diastolic",
        "volume": 7,
        "issue": 2.0,
        "pages": "33-40",
        "authors": ["King, Martin L", {"family": "Lovelace", "given": "Ada"}],
    }
    (record,) = read(values, as_list=as_list)
    assert (record.pmid, record.text, record.doi, record.journal) == ("51", "T\nA", "10.1000/x", "J")
    assert (record.date.ordinal, record.mesh) == (19950201, ("Tea", "Heart Failure, Diastolic"))
    assert (record.details.volume, record.details.issue, record.details.pages) == ("7", "2", "33-40")
    assert record.authors == (Author("King", "Martin L"), Author("Lovelace", "Ada"))
    # What we write is read back.
    assert read(as_data(record), as_list=as_list) == [record]


@pytest.mark.parametrize(
    ("pmid", "expected"),
    [
        (51, "51"),
        (51.0, "51"),
        ("51", "51"),
        ("51.0", "51"),
        (" 0051 ", "51"),
        ("PMID: 51", "51"),
        ("PMID51", "51"),
        ("https://pubmed.ncbi.nlm.nih.gov/51/", "51"),
        (None, None),
        (float("nan"), None),
        ("", None),
        ("NaN", None),
    ],
)
def test_pmids(pmid, expected):
    (record,) = read({"title": "T", "pmid": pmid})
    assert record.pmid == expected


@pytest.mark.parametrize("pmid", ["x", "12a", "../1", "1/../2", 0, -5, 1.5, "1e3", "٣", "1" * 11, 10**400, [1], True])
def test_what_is_no_pmid(pmid):
    with pytest.raises(SourceFormatError, match="pmid"):
        read({"title": "T", "pmid": pmid})


@pytest.mark.parametrize(
    ("value", "ordinal"),
    [
        (2019, 20190101),
        (2019.0, 20190101),
        ("2019", 20190101),
        ("1995.0", 19950101),
        (20190304, 20190304),
        ("20190304", 20190304),
        ("2019-03-04", 20190304),
        ("2019-03-04T00:00:00Z", 20190304),
        ("2019 Mar 4", 20190304),
        ("4 Mar 2019", 20190304),
        ("March 4, 2019", 20190304),
        ("4th March 2019", 20190304),
        ("Mar 2019", 20190301),
        ("Marathon 2019", 20190101),
        ("03/04/2019", 20190101),
        ({"year": 2019.0, "month": 3.0, "day": 4.0}, 20190304),
        ({"Year": "2019", "Month": "Mar", "Day": ""}, 20190301),
        ({"year": 2019, "month": float("nan"), "day": "nan"}, 20190101),
        ({"date-parts": [[2019, 3, 4]]}, 20190304),
        (None, None),
        (float("nan"), None),
        ("NaT", None),
        ("soon", None),
        ({}, None),
    ],
)
def test_dates(value, ordinal):
    date = json_date(value, "date")
    assert (date and date.ordinal) == ordinal


def test_what_is_left_out_is_named_once_with_a_count(caplog):
    rows = [{"title": f"T{number}", "colour": "red", "year": "soon" if number else 2019} for number in range(3)]
    with caplog.at_level(logging.WARNING):
        read(*rows, {"title": "U", "article_title": "V", "details": {"odd": 1}, "size": None, "shape": ""})
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 4
    assert "unknown key 'colour', left out (3 times, first in line 1)" in told[0]
    assert "key 'year' tells no date, left out (2 times, first in line 2)" in told[1]
    assert "key 'article_title' beside 'title', left out (once, first in line 4)" in told[2]
    assert "unknown key 'details.odd', left out (once, first in line 4)" in told[3]


def test_abstracts_in_parts():
    by_heading, listed, sections = read(
        {"title": "T", "abstract": {"METHODS": "We asked.", "RESULTS": "They said."}},
        {"title": "T", "abstract": ["One.", "Two."]},
        {"title": "T", "sections": [{"label": "AIM", "text": "One."}], "abstract": "One."},
    )
    assert [(part.label, part.text) for part in by_heading.sections] == [
        ("METHODS", "We asked."),
        ("RESULTS", "They said."),
    ]
    assert [part.text for part in listed.sections] == ["One.", "Two."]
    assert [(part.label, part.text) for part in sections.sections] == [("AIM", "One.")]


def test_other_peoples_corpora():
    beir, csl = read(
        {"_id": "7", "title": "T", "text": "A"},
        {
            "title": "T",
            "abstract": "A",
            "PMID": "8",
            "container-title": "J",
            "issued": {"date-parts": [[2019]]},
            "author": [{"family": "King", "given": "ML"}, {"literal": "A Study Group"}],
            "type": "article-journal",
        },
    )
    assert (beir.text, beir.pmid) == ("T\nA", None)
    assert (csl.pmid, csl.journal, csl.date.year) == ("8", "J", 2019)
    assert csl.authors == (Author("King", "ML"), Author(collective_name="A Study Group"))


def test_a_retraction_is_computed_where_it_is_not_given():
    (typed,) = read({"title": "T", "publication_types": ["Retracted Publication"]})
    (linked,) = read({"title": "T", "links": [{"kind": "RetractionIn", "pmid": "5", "source": "J"}]})
    (given,) = read({"title": "T", "status": "Retracted"})
    assert [typed.status, linked.status, given.status] == ["retracted"] * 3


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("King ML, Lovelace A.", ["ML King", "A Lovelace"]),
        ("King, Martin L; Lovelace, Ada", ["Martin L King", "Ada Lovelace"]),
        ("King, Martin L and Lovelace, Ada", ["Martin L King", "Ada Lovelace"]),
        ("King, Martin L", ["Martin L King"]),
        ("World Health Organization", ["World Health Organization"]),
        (["King ML", "  "], ["ML King"]),
        ([{"name": "Ada Lovelace"}], ["Ada Lovelace"]),
        ([{"last_name": "King", "fore_name": "Martin", "affiliations": ["Here"]}], ["Martin King"]),
        (["King, M. L."], ["ML King"]),
    ],
)
def test_authors(value, names):
    assert [author.name for author in read_authors(value, "authors") if author.name] == names


def test_the_page_names_every_key():
    """The table of the page and the schema are one."""
    rows = re.findall(r"^\| `(\w+)` \| ([^|]*) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert {key: tuple(re.findall("`([^`]+)`", names)) for key, names in rows} == OTHER_NAMES


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*OTHER_NAMES, "year", "x"]), inner),
    max_leaves=8,
)


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from([*OTHER_NAMES, "Article Title", "PMC_ID", "odd"]), json_values, max_size=6))
def test_any_values_give_a_record_or_our_error(values):
    try:
        (item,) = read(values)
    except MedQAError as error:
        assert len(str(error).splitlines()) == 1  # noqa: PT017
    else:
        json.dumps(as_data(item))
