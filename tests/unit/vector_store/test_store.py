"""The store on a real Chroma database; cosines against numpy."""

import asyncio

import chromadb
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from llama_index.core.schema import TextNode
from llama_index.core.vector_stores.types import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
)

from llama_index_medqa import PubMedVectorStore
from llama_index_medqa.errors import IndexIdentityError, IndexNotFoundError, InputError, StorageError
from llama_index_medqa.testing import HashEmbedding
from llama_index_medqa.vector_store.filters import without_retracted

VECTORS = {"a": [1.0, 0.0, 0.0], "b": [0.6, 0.8, 0.0], "c": [-1.0, 0.0, 0.0], "d": [0.0, 0.0, 2.0]}
METADATA = {
    "a": {"mesh": ["Tea", "Heart Rate"], "year": 2021, "status": "current"},
    "b": {"mesh": ["Sleep"], "year": 2019, "status": "retracted"},
    "c": {"mesh": [], "year": 2015, "status": "current", "doi": None},
    "d": {"year": 2021, "status": "concern"},
}


@pytest.fixture
def store(tmp_path) -> PubMedVectorStore:
    store = PubMedVectorStore(persist_dir=str(tmp_path / "index"))
    store.add(
        [TextNode(id_=key, text=f"text {key}", embedding=VECTORS[key], metadata=METADATA[key]) for key in VECTORS]
    )
    return store


def found(store, *filters, condition=FilterCondition.AND, **query):
    filters = MetadataFilters(filters=list(filters), condition=condition) if filters else None
    query = {"query_embedding": [1.0, 0.1, 0.2], "similarity_top_k": 10, **query}
    return store.query(VectorStoreQuery(filters=filters, **query))


def test_similarities_are_true_cosines(store):
    result = found(store)
    query = np.array([1.0, 0.1, 0.2])
    expected = {key: query @ v / np.linalg.norm(query) / np.linalg.norm(v) for key, v in VECTORS.items()}
    assert result.ids == sorted(VECTORS, key=lambda key: -expected[key])
    np.testing.assert_allclose(result.similarities, [expected[key] for key in result.ids], atol=1e-6)


def test_mmr_reports_true_cosines_too(store):
    result = found(store, mode=VectorStoreQueryMode.MMR, similarity_top_k=2)
    assert result.ids[0] == "a"
    assert result.similarities[0] == pytest.approx(1.0 / np.sqrt(1.05), abs=1e-6)


def test_a_second_write_replaces_the_first(store):
    store.add([TextNode(id_="a", text="new text", embedding=VECTORS["a"], metadata={"year": 2022})])
    [node] = store.get_nodes(["a"])
    assert (node.text, node.metadata) == ("new text", {"year": 2022})
    assert store.collection.count() == 4


def test_batches_respect_the_database_s_limit(store):
    most = store._max_batch_size
    nodes = [TextNode(id_=f"n{i}", text="t", embedding=[1.0, i, 0.0]) for i in range(most + 1)]
    assert store.add(nodes) == [node.node_id for node in nodes]
    assert store.collection.count() == most + 5
    assert len(store.metadata_of([node.node_id for node in nodes])) == most + 1
    store.remove([node.node_id for node in nodes] + ["not there"])
    assert store.collection.count() == 4


@pytest.mark.parametrize(
    ("key", "operator", "value", "expected"),
    [
        ("year", ">=", 2019, "abd"),
        ("year", "in", [2015, 2019], "bc"),
        ("status", "!=", "retracted", "acd"),
        ("mesh", "contains", "Tea", "a"),
        ("mesh", "any", ["Tea", "Sleep"], "ab"),
        ("mesh", "all", ["Tea", "Heart Rate"], "a"),
        ("mesh", "all", ["Tea", "Sleep"], ""),
    ],
)
def test_filters(store, key, operator, value, expected):
    result = found(store, MetadataFilter(key=key, operator=FilterOperator(operator), value=value))
    assert sorted(result.ids) == list(expected)


def test_filters_combine_and_nest(store):
    recent = MetadataFilter(key="year", operator=FilterOperator.GTE, value=2021)
    sleep = MetadataFilter(key="mesh", operator=FilterOperator.CONTAINS, value="Sleep")
    assert sorted(found(store, recent, sleep, condition=FilterCondition.OR).ids) == ["a", "b", "d"]
    nested = MetadataFilters(filters=[recent, sleep], condition=FilterCondition.OR)
    current = MetadataFilter(key="status", value="current")
    assert found(store, nested, current).ids == ["a"]


async def test_async_equals_sync(store):
    query = VectorStoreQuery(query_embedding=[1.0, 0.1, 0.2], similarity_top_k=3)
    assert (await store.aquery(query)).ids == store.query(query).ids
    await store.async_add([TextNode(id_="e", text="t", embedding=[0.0, 1.0, 0.0])])
    assert store.collection.count() == 5


def test_a_missing_place_or_index_is_told(tmp_path):
    with pytest.raises(InputError, match="persist_dir=FOLDER"):
        PubMedVectorStore()
    with pytest.raises(IndexNotFoundError, match="medqa index FILE"):
        PubMedVectorStore(persist_dir=str(tmp_path), create=False)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_database_is_told(tmp_path):
    (tmp_path / "chroma.sqlite3").write_bytes(b"not a database" * 500)
    with pytest.raises(StorageError, match=r"not a database.*medqa import"):
        PubMedVectorStore(persist_dir=str(tmp_path), create=False)


HASHES = HashEmbedding(dimension=64)
WORDS = "tea heart failure mice insulin cancer trial sleep".split()


@pytest.fixture(scope="module")
def disputed(tmp_path_factory) -> PubMedVectorStore:
    """Nine in ten of the papers on aspirin are retracted, of the others one in ten; some have no status."""
    store = PubMedVectorStore(persist_dir=str(tmp_path_factory.mktemp("disputed")))
    random = np.random.default_rng(5)
    nodes = []
    for number in range(300):
        text = " ".join(["aspirin"] * 5 * (number < 150) + list(random.choice(WORDS, size=12)))
        status = "retracted" if (number % 10 == 0) != (number < 150) else "current"
        metadata = {"status": status} if status == "retracted" or number % 7 else {}
        nodes.append(
            TextNode(id_=f"n{number}", text=text, embedding=HASHES.get_text_embedding(text), metadata=metadata)
        )
    store.add(nodes)
    return store


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["aspirin", *WORDS]), min_size=1, max_size=6), st.integers(1, 400))
@example(["aspirin"], 3)  # found at the second look
@example(["aspirin"], 18)  # found by Chroma's own condition
@example(["sleep"], 5)  # found at once
def test_what_is_left_without_the_retracted_is_what_chroma_s_own_condition_leaves(disputed, words, top_k):
    embedding = HASHES.get_query_embedding(" ".join(words))
    filters = without_retracted(None)
    rows = disputed.collection.get(include=["embeddings", "metadatas"])
    kept = [row.get("status") != "retracted" for row in rows["metadatas"]]
    expected = np.sort(rows["embeddings"][kept] @ np.array(embedding))[::-1][:top_k]
    query = VectorStoreQuery(query_embedding=embedding, similarity_top_k=top_k, filters=filters)
    for result in (disputed.query(query), asyncio.run(disputed.aquery(query))):
        np.testing.assert_allclose(result.similarities, expected, atol=1e-5)
        assert all(node.metadata.get("status") != "retracted" for node in result.nodes)
        assert all(node.text for node in result.nodes)
    nearest = disputed.nearest(embedding, top_k, disputed.scope(filters))
    assert nearest == list(zip(result.ids, result.similarities, strict=True))
    own = disputed.collection.query([embedding], n_results=top_k, where={"status": {"$ne": "retracted"}})
    np.testing.assert_allclose([1 - distance for distance in own["distances"][0]], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("words", "top_k", "asked"),
    [
        ("sleep", 5, [(10, False)]),
        ("aspirin", 3, [(6, False), (24, False)]),
        ("aspirin", 18, [(36, False), (144, False), (18, True)]),
    ],
)
def test_chroma_is_asked_for_more_before_it_is_given_the_condition(disputed, monkeypatch, words, top_k, asked):
    seen = []
    query = chromadb.Collection.query

    def watched(self, **arguments):
        seen.append((arguments["n_results"], "where" in arguments))
        return query(self, **arguments)

    monkeypatch.setattr(chromadb.Collection, "query", watched)
    found = disputed.nearest(HASHES.get_query_embedding(words), top_k, disputed.scope(without_retracted(None)))
    assert (len(found), seen) == (top_k, asked)


def test_another_space_than_cosine_is_refused(tmp_path):
    chromadb.PersistentClient(path=str(tmp_path)).create_collection("euclid", embedding_function=None)
    with pytest.raises(IndexIdentityError, match="'l2' distance"):
        PubMedVectorStore(persist_dir=str(tmp_path), collection_name="euclid")
