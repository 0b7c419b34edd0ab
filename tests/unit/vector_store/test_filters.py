"""Filters on a real Chroma database, against an evaluation of each row in plain Python."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from llama_index.core.schema import TextNode
from llama_index.core.vector_stores.types import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
)

from llama_index_medqa import PubMedVectorStore
from llama_index_medqa.errors import InputError
from llama_index_medqa.vector_store.filters import matches, to_condition

YEARS = [1999, 2005, 2020, 2021]
JOURNALS = ["Heart", "heart and lung", "Journal of the Heart", "Lancet", ""]
MESH = ["Heart Failure", "Tea", "Aged", "Heart"]
TYPES = ["Review", "Randomized Controlled Trial"]
STATUSES = ["current", "retracted", "concern"]


def random_rows(count: int) -> dict[str, dict]:
    source = random.Random(17)
    rows = {}
    for number in range(count):
        row = {
            "year": source.choice([None, *YEARS]),
            "journal": source.choice([None, *JOURNALS]),
            "mesh": source.choice([None, [], *[source.sample(MESH, k=size) for size in (1, 2, 3)]]),
            "publication_types": source.choice([[], TYPES, TYPES[:1]]),
            "status": source.choice(STATUSES),
            "score": source.choice([None, 1, 1.5, 2.0]),
        }
        rows[f"r{number}"] = {key: value for key, value in row.items() if value is not None}
    return rows


ROWS = random_rows(60)


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> PubMedVectorStore:
    store = PubMedVectorStore(persist_dir=str(tmp_path_factory.mktemp("filters")))
    store.add([TextNode(id_=name, text="t", embedding=[1.0, 0.0], metadata=row) for name, row in ROWS.items()])
    return store


def leaf(key: str, operators: str, values) -> st.SearchStrategy:
    names = [FilterOperator(name) for name in operators.split()]
    return st.builds(MetadataFilter, key=st.just(key), operator=st.sampled_from(names), value=values)


LEAVES = st.one_of(
    leaf("year", "== != > >= < <=", st.sampled_from([*YEARS, 2010, 2020.0])),
    leaf("score", "== != > >= < <=", st.sampled_from([1, 1.0, 1.5, 2])),
    leaf("year", "in nin", st.lists(st.sampled_from(YEARS), max_size=3)),
    leaf("journal", "== !=", st.sampled_from(JOURNALS)),
    leaf("journal", "> <=", st.sampled_from(["I", "heart"])),
    leaf("status", "in nin", st.lists(st.sampled_from(STATUSES), max_size=2)),
    leaf("journal", "text_match text_match_insensitive", st.sampled_from(["heart", "Heart", "and", "x"])),
    leaf("mesh", "text_match text_match_insensitive", st.sampled_from(["Heart", "failure", "Tea"])),
    leaf("mesh", "contains", st.sampled_from(MESH)),
    leaf("mesh", "any all", st.lists(st.sampled_from(MESH), min_size=1, max_size=3)),
    leaf("publication_types", "any all", st.lists(st.sampled_from(TYPES), min_size=1, max_size=2)),
    leaf("mesh", "is_empty", st.none()),
    leaf("journal", "is_empty", st.none()),
    leaf("year", "is_empty", st.none()),
)
GROUPS = st.recursive(
    LEAVES,
    lambda inner: st.builds(
        MetadataFilters,
        filters=st.lists(inner, min_size=0, max_size=3),
        condition=st.sampled_from(FilterCondition),
    ),
    max_leaves=6,
)
FILTERS = GROUPS.map(lambda part: part if isinstance(part, MetadataFilters) else MetadataFilters(filters=[part]))


def brute_force(part, row: dict) -> bool:
    """What the filter means, said a second time and without any shortcut."""
    if isinstance(part, MetadataFilters):
        inner = [brute_force(item, row) for item in part.filters]
        combine = {"and": all, "or": any, "not": lambda results: not any(results)}
        return not inner or combine[part.condition.value](inner)
    stored, value, name = row.get(part.key), part.value, part.operator.value
    if name == "is_empty":
        return not stored and stored != 0
    if name in ("!=", "nin"):
        return stored not in (value if name == "nin" else [value])
    if stored is None:
        return False
    texts = stored if isinstance(stored, list) else [stored]
    return {
        "==": lambda: stored == value,
        "in": lambda: stored in value,
        ">": lambda: stored > value,
        ">=": lambda: stored >= value,
        "<": lambda: stored < value,
        "<=": lambda: stored <= value,
        "contains": lambda: value in stored,
        "any": lambda: bool(set(value) & set(stored)),
        "all": lambda: set(value) <= set(stored),
        "text_match": lambda: any(value in text for text in texts),
        "text_match_insensitive": lambda: any(value.lower() in text.lower() for text in texts),
    }[name]()


@settings(deadline=None, max_examples=120, suppress_health_check=[HealthCheck.too_slow])
@given(filters=FILTERS)
def test_filters_find_what_brute_force_finds(store, filters):
    expected = sorted(name for name, row in ROWS.items() if brute_force(filters, row))
    found = store.query(VectorStoreQuery(query_embedding=[1.0, 0.1], similarity_top_k=len(ROWS), filters=filters))
    assert sorted(found.ids) == expected
    assert sorted(node.node_id for node in store.get_nodes(filters=filters)) == expected
    stored = store.metadata_of(list(ROWS))
    assert sorted(name for name in ROWS if matches(filters, stored[name])) == expected


@given(filters=FILTERS)
def test_the_condition_for_chroma_keeps_every_match(filters):
    condition = to_condition(filters)
    if condition.where is None and condition.exact:
        assert all(brute_force(filters, row) for row in ROWS.values())


def one(key: str, operator: str, value) -> MetadataFilters:
    return MetadataFilters(filters=[MetadataFilter(key=key, operator=FilterOperator(operator), value=value)])


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        (one("year", "in", 2020), "'in' on 'year' needs a list of values, not 2020"),
        (one("mesh", "any", []), "'any' on 'mesh' needs a list"),
        (one("mesh", "contains", ["Tea"]), "'contains' on 'mesh' needs a single value"),
        (one("year", ">", None), "needs a value; use is_empty"),
        (one("title", "text_match", 3), "'text_match' on 'title' needs a text"),
        (one("jornal", "==", "Heart"), "No record has the field 'jornal'. Did you mean 'journal'?"),
        (
            one("Tags", "==", "x"),
            "Filter on one of: authors, chunk_count, date, document_id, doi, issue, journal, mesh",
        ),
    ],
)
def test_filters_that_cannot_be_meant_are_told(store, filters, message):
    with pytest.raises(InputError) as caught:
        store.query(VectorStoreQuery(query_embedding=[1.0, 0.1], filters=filters))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_fields_of_your_own_can_be_looked_at_once_they_are_stored(tmp_path):
    folder = str(tmp_path)
    store = PubMedVectorStore(persist_dir=folder)
    wanted = VectorStoreQuery(query_embedding=[1.0, 0.1], filters=one("ward", "==", "7b"))
    with pytest.raises(InputError, match="'ward'"):
        store.query(wanted)
    store.add([TextNode(id_="a", text="t", embedding=[1.0, 0.0], metadata={"ward": "7b"})])
    assert PubMedVectorStore(persist_dir=folder).query(wanted).ids == ["a"]


def test_the_check_can_be_switched_off(tmp_path):
    store = PubMedVectorStore(persist_dir=str(tmp_path), check_filter_fields=False)
    store.collection.upsert(ids=["a"], embeddings=[[1.0, 0.0]], documents=["t"], metadatas=[{"foreign": 1}])
    ids = store.query(VectorStoreQuery(query_embedding=[1.0, 0.1], filters=one("foreign", "==", 1))).ids
    assert ids == ["a"]
