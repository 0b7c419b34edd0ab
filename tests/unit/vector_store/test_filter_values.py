"""Filters whose values are of another type or spelling than the field's, and filters that nothing meets."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llama_index.core.schema import NodeWithScore, TextNode
from llama_index.core.vector_stores.types import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
)

from llama_index_medqa import PubMedVectorStore
from llama_index_medqa.errors import InputError
from llama_index_medqa.retrieval.paper_filter import PaperFilter, matching
from llama_index_medqa.vector_store.filter_values import ChunkFields, fitted, unmet

LANCET, HEART = "Lancet (London, England)", "Heart"
ROWS = {
    "PMID:1#0": {
        "pmid": "1", "journal": LANCET, "year": 1990, "date": 19900501, "doi": "10.1/AbC", "status": "current",
        "publication_types": ["Randomized Controlled Trial", "Journal Article"], "ward": "7", "beds": 3,
    },
    "PMID:2#0": {
        "pmid": "2", "journal": HEART, "year": 2019, "date": 20190101, "doi": "10.1/x", "status": "current",
        "publication_types": ["Review"], "ward": "8", "beds": 5,
    },
    "PMID:3#0": {
        "pmid": "3", "journal": "heart", "year": 2020, "date": 20191231, "doi": "10.1/y", "status": "retracted",
        "publication_types": ["Review", "Journal Article"], "ward": "9", "beds": 8,
    },
}  # fmt: skip
RECORDS = {node_id.removesuffix("#0").removeprefix("PMID:"): row for node_id, row in ROWS.items()}


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> PubMedVectorStore:
    store = PubMedVectorStore(persist_dir=str(tmp_path_factory.mktemp("values")))
    # More chunks of a record are not looked at when values are looked up, and met all the same.
    nodes = [
        TextNode(id_=f"{node_id[:-1]}{number}", text="t", embedding=[1.0, 0.0], metadata=row)
        for node_id, row in ROWS.items()
        for number in range(2)
    ]
    store.add(nodes)
    return store


def one(key, operator, value) -> MetadataFilters:
    return MetadataFilters(filters=[MetadataFilter(key=key, operator=FilterOperator(operator), value=value)])


def found(store, filters) -> str:
    result = store.query(VectorStoreQuery(query_embedding=[1.0, 0.1], similarity_top_k=10, filters=filters))
    assert len(result.ids) % 2 == 0
    return "".join(sorted({node_id[5] for node_id in result.ids}))


@pytest.mark.parametrize(
    ("key", "operator", "value", "papers"),
    [
        ("year", ">=", "2019", "23"),
        ("year", "<", " 2019.0 ", "1"),
        ("year", "in", ["2019", "2020.0"], "23"),
        ("year", "any", ["2019"], "2"),
        ("year", "!=", "2019", "13"),
        ("pmid", "==", 2, "2"),
        ("pmid", "in", ["PMID:2", "pmid 3", "9"], "23"),
        ("doi", "==", "https://doi.org/10.1/abc", "1"),
        # A day, a month or a year of days that are stored as whole numbers.
        ("date", ">=", "2019-01-01", "23"),
        ("date", ">", "2019-01-01", "3"),
        ("date", ">", "2019", ""),
        ("date", "<=", 2019, "123"),
        ("date", "<", "2019", "1"),
        ("date", "==", "2019", "23"),
        ("date", "!=", "2019-12", "12"),
        ("date", "==", 20190101, "2"),
        ("date", "in", ["1990-05-01", "2019/12/31"], "13"),
        # Lists and single values.
        ("publication_types", "==", "Review", "23"),
        ("publication_types", "!=", "review", "1"),
        ("publication_types", "in", ["Review", "Letter"], "23"),
        ("publication_types", "nin", ["Review"], "1"),
        ("journal", "any", ["Heart"], "2"),
        # Spellings. One that a record has is taken as it is.
        ("publication_types", "any", ["randomized controlled trial"], "1"),
        ("publication_types", "contains", "REVIEW", "23"),
        ("publication_types", "all", ["review", "journal  article"], "3"),
        ("journal", "==", "Heart", "2"),
        ("journal", "==", "HEART", "23"),
        ("journal", "!=", "HEART", "1"),
        ("journal", "in", ["HEART", "lancet (london, england)"], "123"),
        ("status", "==", "retracted", "3"),
        # Fields of the user's own: only the type, and only where nothing else is stored.
        ("ward", "==", 7, "1"),
        ("ward", "!=", 7, "23"),
        ("ward", "in", [7.0, 8.0], "12"),
        ("beds", ">=", "4", "23"),
        ("beds", "==", "x", ""),
        ("beds", ">", "0", "123"),
        ("beds", "==", "12345678901234567", ""),
    ],
)  # fmt: skip
def test_values_are_taken_as_the_field_holds_them(store, key, operator, value, papers):
    assert found(store, one(key, operator, value)) == papers
    inside = MetadataFilters(filters=[one(key, operator, value)], condition=FilterCondition.NOT)
    assert found(store, inside) == "".join(sorted(set("123") - set(papers)))
    # The same of chunks in memory.
    fields = ChunkFields(ROWS.values())
    assert fields.meet(fitted(one(key, operator, value), fields)) == bool(papers)


@pytest.mark.parametrize(
    ("key", "operator", "value", "message"),
    [
        ("year", ">=", "recent", "'>=' on 'year' needs a number such as 2019, not 'recent'"),
        ("year", "text_match", "20", "the field holds numbers: use '==', '>=' or '<='"),
        ("date", "==", "in May", "needs a day such as 2019-05-01, or a year, not 'in May'"),
        ("date", "==", "2019-13", "not '2019-13'"),
        ("date", "in", ["2019"], "needs whole days such as 2019-05-01"),
        ("publication_types", ">", "a", "the field holds a list: use 'contains', 'any' or 'all'"),
        ("journal", "contains", "Heart", "the field holds a single value: use '==' or 'text_match'"),
        ("journal", "==", ["Heart"], "needs a single value: use 'in'"),
        ("ward", ">=", 8, "'>=' on 'ward' compares numbers, and the records hold texts there"),
        ("year", "in", "2019", "'in' on 'year' needs a list of values"),
    ],
)
def test_what_cannot_be_meant_is_refused(store, key, operator, value, message):
    with pytest.raises(InputError) as caught:
        found(store, one(key, operator, value))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        (one("year", ">=", 2030), "No record meets the filter year >= 2030: the records hold 1990 to 2020."),
        (one("journal", "==", "Lancet"), f"No record meets the filter journal == 'Lancet'. Did you mean '{LANCET}'?"),
        (one("journal", "in", ["Haert"]), "No record meets the filter journal in ['Haert']. Did you mean 'Heart'?"),
        (
            one("publication_types", "==", "Letter"),
            "publication_types contains 'Letter': the records hold 'Journal Article', 'Randomized Controlled Trial', "
            "'Review'.",
        ),
        (
            one("journal", "text_match", "heaRT"),
            "text_match 'heaRT' in these upper and lower case letters: use 'text_match_",
        ),
        (one("title", "==", "x"), "No record meets the filter title == 'x': no record has that field."),
        (
            MetadataFilters(filters=[*one("year", ">", 2019).filters, *one("journal", "==", LANCET).filters]),
            f"No record meets all of these filters together: year > 2019, journal == '{LANCET}'.",
        ),
    ],
)
def test_a_filter_that_nothing_meets_is_named(store, caplog, filters, message):
    assert found(store, filters) == ""
    assert message in caplog.text
    assert message in store.unmet_filters(filters)
    assert "\n" not in store.unmet_filters(filters)


def test_a_filter_that_something_meets_is_not_told(store, caplog):
    assert found(store, one("year", ">=", 2019)) == "23"
    assert store.unmet_filters(one("year", ">=", 2019)) == ""
    assert caplog.text == ""


def test_one_unknown_name_among_known_ones_is_told(store, caplog):
    assert found(store, one("journal", "in", ["Heart", "Lancte"])) == "2"
    assert "No record meets the filter journal == 'Lancte'. Did you mean" in caplog.text
    caplog.clear()
    assert found(store, one("journal", "!=", "Lancte")) == "123"
    assert "No record meets the filter journal == 'Lancte'" in caplog.text


def test_new_values_are_seen(tmp_path):
    store = PubMedVectorStore(persist_dir=str(tmp_path))
    wanted = one("journal", "==", "HEART")
    for number, journal in enumerate(["Lancet", "Heart"]):
        assert store.query(VectorStoreQuery(query_embedding=[1.0, 0.0], filters=wanted)).ids == []
        node = TextNode(id_=f"PMID:{number}#0", text="t", embedding=[1.0, 0.0], metadata={"journal": journal})
        store.add([node])
    assert store.query(VectorStoreQuery(query_embedding=[1.0, 0.0], filters=wanted)).ids == ["PMID:1#0"]


def test_filters_of_an_empty_store_are_no_news(tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    store = PubMedVectorStore(persist_dir=str(tmp_path))
    assert store.query(VectorStoreQuery(query_embedding=[1.0, 0.0], filters=one("year", ">", 2000))).ids == []
    assert caplog.text == ""


def test_a_paper_filter_takes_what_people_give_it():
    papers = PaperFilter("2019", 2020.0, "Review", ["Heart", " "])
    assert papers == PaperFilter(2019, 2020, ("Review",), ("Heart",))
    assert PaperFilter("", None).is_empty
    for wrong in ("last year", 19, 20190501):
        with pytest.raises(InputError, match="first_year must be a year such as 2019, got"):
            PaperFilter(wrong)
    with pytest.raises(InputError, match="No year lies between 2020 and 2019"):
        PaperFilter("2020", "2019")


def test_chunks_of_any_retriever_meet_a_paper_filter_in_any_spelling():
    nodes = [NodeWithScore(node=TextNode(id_=name, text="t", metadata=row)) for name, row in RECORDS.items()]
    kept = matching(nodes, PaperFilter("1990", publication_types="randomized controlled TRIAL"))
    assert [item.node.node_id for item in kept] == ["1"]
    assert matching(nodes, PaperFilter()) == nodes


LEAVES = st.builds(
    MetadataFilter,
    key=st.sampled_from(["year", "date", "journal", "publication_types", "pmid", "ward", "beds", "title"]),
    operator=st.sampled_from(FilterOperator),
    value=st.one_of(
        st.none(),
        st.integers(-5, 3000),
        st.floats(allow_nan=False),
        st.text(max_size=8),
        st.sampled_from(["2019", "2019-01", "heart", LANCET, "Review"]),
        st.lists(st.sampled_from(["2019", "HEART", "review", "x"]), max_size=3),
    ),
)


@given(st.lists(LEAVES, max_size=3), st.sampled_from(FilterCondition))
def test_any_filter_is_fitted_or_refused_in_one_line(leaves, condition):
    fields = ChunkFields(ROWS.values())
    told = ""
    try:
        filters = fitted(MetadataFilters(filters=leaves, condition=condition), fields)
        assert fitted(filters, fields) == filters
        told = unmet(filters, fields)
        assert bool(told) == (not fields.meet(filters))
    except InputError as error:
        told = str(error)
    assert "\n" not in told
