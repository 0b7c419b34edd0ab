import pickle
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_index_medqa.pubmed.dates import make_date, month_number, parse_free_date
from llama_index_medqa.pubmed.record import (
    AbstractSection,
    Author,
    Link,
    PublicationDate,
    PubMedRecord,
    RecordDetails,
    Reference,
    known_details,
    status_of,
)

sections = st.builds(AbstractSection, st.text(), st.none() | st.text(min_size=1), st.none() | st.text(min_size=1))


@given(st.text(), st.lists(sections))
def test_spans_are_the_text(title, parts):
    record = PubMedRecord(title, tuple(parts))
    pieces = [title, *(part.text for part in parts)]
    spans = record.section_spans
    assert [record.text[span.start : span.end] for span in spans] == [piece for piece in pieces if piece]
    assert all(first.end < second.start for first, second in pairwise(spans))


def test_label_of_a_span():
    record = PubMedRecord(
        "T", (AbstractSection("a", "AIM", "OBJECTIVE"), AbstractSection("b", None, "METHODS"), AbstractSection("c"))
    )
    assert [span.label for span in record.section_spans] == ["TITLE", "AIM", "METHODS", "ABSTRACT"]


def test_hash_changes_with_what_is_stored_and_only_with_that():
    record = PubMedRecord("T", pmid="1", mesh=("A",))
    changes = (
        PubMedRecord("U", pmid="1", mesh=("A",)),
        PubMedRecord("T", pmid="2", mesh=("A",)),
        PubMedRecord("T", pmid="1", mesh=("B",)),
        PubMedRecord("T", pmid="1", mesh=("A",), status="retracted"),
        PubMedRecord("T", pmid="1", mesh=("A",), date=PublicationDate(2000)),
        PubMedRecord("T", (AbstractSection("x"),), pmid="1", mesh=("A",)),
    )
    assert len({record.record_hash, *(change.record_hash for change in changes)}) == 7
    details = known_details(RecordDetails(keywords=("k",)))
    assert PubMedRecord("T", pmid="1", mesh=("A",), lazy_details=details).record_hash == record.record_hash


def test_details_are_parsed_once_and_survive_pickling():
    record = PubMedRecord("T", lazy_details=known_details(RecordDetails(authors=(Author("Lovelace", "Ada"),))))
    assert record.details is record.details
    copy = pickle.loads(pickle.dumps(record))
    assert copy == record
    assert copy.authors[0].name == "Ada Lovelace"
    assert record != PubMedRecord("T")


def test_names():
    assert Author("King", "Martin L", "ML", "Jr").name == "Martin L King Jr"
    assert Author("King", initials="ML").name == "ML King"
    assert Author(collective_name="A Group").name == "A Group"
    assert Reference("x", (("doi", "10.1/2"), ("pubmed", "3"))).pmid == "3"
    assert Reference("x").pmid is None


# NLM's list of RefType values, https://dtd.nlm.nih.gov/ncbi/pubmed/doc/out/190101/att-RefType.html
@pytest.mark.parametrize(
    ("types", "kinds", "status"),
    [
        ((), (), "current"),
        (("Retracted Publication",), (), "retracted"),
        ((), ("RetractionIn",), "retracted"),
        ((), ("RetractedandRepublishedIn",), "retracted"),
        ((), ("ErratumIn", "RetractionIn"), "retracted"),
        (("Retraction of Publication",), (), "retraction_notice"),
        (("Retraction Notice",), (), "retraction_notice"),
        ((), ("RetractionOf",), "retraction_notice"),
        ((), ("RetractedandRepublishedFrom",), "current"),
        ((), ("ExpressionOfConcernIn", "ErratumIn"), "concern"),
        ((), ("PartialRetractionIn",), "concern"),
        (("Expression of Concern",), ("ExpressionOfConcernFor",), "current"),
        ((), ("ErratumIn",), "corrected"),
        ((), ("CorrectedandRepublishedIn",), "corrected"),
        (("Published Erratum",), ("ErratumFor",), "current"),
        ((), ("CommentIn", "UpdateIn"), "current"),
    ],
)
def test_status(types, kinds, status):
    assert status_of(types, tuple(Link(kind, None, "") for kind in kinds)) == status


# MedlineDate values as real records have them; what to read was decided by eye.
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1998 Dec-1999 Jan", (1998, 12, None)),
        ("1999 Oct 22-29", (1999, 10, 22)),
        ("2000 Spring", (2000, None, None)),
        ("Winter 1983", (1983, None, None)),
        ("1975-1976", (1975, None, None)),
        ("1976-1977 Winter", (1976, None, None)),
        ("2013 06 10", (2013, 6, 10)),
        ("2010   06", (2010, 6, None)),
        ("2001 Sep-Oct", (2001, 9, None)),
        ("1977 Jul-Aug", (1977, 7, None)),
        ("1978 1st Quart", (1978, None, None)),
        ("1998 Dec 31-1999 Jan 6", (1998, 12, 31)),
        ("undated", None),
        ("12345", None),
    ],
)
def test_free_dates(text, expected):
    date = parse_free_date(text)
    assert (date and (date.year, date.month, date.day)) == expected


@pytest.mark.parametrize(
    ("parts", "ordinal"),
    [
        (("2020", "Jan", "07"), 20200107),
        (("2020", "1", ""), 20200101),
        (("2020", "", "7"), 20200101),
        (("2020", "Summer", "7"), 20200101),
        (("2020", "12", "32"), 20201201),
        (("2020", "13", "1"), 20200101),
        ((" 2020 ", "SEPTEMBER", "9"), 20200909),
    ],
)
def test_dates(parts, ordinal):
    assert make_date(*parts).ordinal == ordinal


@given(st.text())
def test_any_text_is_a_date_or_none(text):
    for date in (make_date(text, text, text), parse_free_date(text), make_date("2000", text, text)):
        assert date is None or (1500 <= date.year <= 2099 and (date.day is None or date.month is not None))
    assert month_number(text) in (None, *range(1, 13))
