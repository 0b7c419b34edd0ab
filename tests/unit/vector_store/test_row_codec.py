"""Nodes survive the database as they are: chunks of records, and nodes of any other origin."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from llama_index.core import Document
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import (
    ImageNode,
    IndexNode,
    MetadataMode,
    NodeRelationship,
    ObjectType,
    RelatedNodeInfo,
    TextNode,
)

from llama_index_medqa import PubMedVectorStore, TokenNodeParser
from llama_index_medqa.vector_store.row_codec import rounded, to_node, to_row

TEXT = st.text(st.characters(blacklist_categories=["Cs"]), max_size=12)
KEYS = st.one_of(
    st.sampled_from(
        ["pmid", "year", "mesh", "section", "chunk_count", "document_id", "_start", "_node", "chroma:document"]
    ),
    TEXT,
)
# Greater floats lose their last digit in SQLite, and no field of a record is one.
SCALARS = st.one_of(st.integers(), st.floats(-1e15, 1e15, allow_nan=False), st.booleans(), TEXT)
VALUES = st.one_of(
    SCALARS,
    st.none(),
    st.lists(SCALARS, max_size=3),
    st.lists(TEXT, max_size=3),
    st.dictionaries(TEXT, SCALARS, max_size=2),
)
RELATED = st.builds(
    RelatedNodeInfo,
    node_id=TEXT,
    node_type=st.sampled_from([None, ObjectType.DOCUMENT, ObjectType.TEXT]),
    metadata=st.dictionaries(TEXT, SCALARS, max_size=2),
    hash=st.none() | TEXT,
)
NODES = st.builds(
    TextNode,
    id_=st.sampled_from(["PMID:1#0", "PMID:1#1", "PMID:1#7", "a", "#3", "x#"]),
    text=TEXT,
    metadata=st.dictionaries(KEYS, VALUES, max_size=6),
    excluded_embed_metadata_keys=st.lists(TEXT, max_size=2),
    excluded_llm_metadata_keys=st.lists(TEXT, max_size=2),
    relationships=st.dictionaries(
        st.sampled_from(NodeRelationship).filter(lambda kind: kind.name != "CHILD"), RELATED, max_size=3
    ),
    start_char_idx=st.none() | st.integers(0, 100),
    end_char_idx=st.none() | st.integers(0, 100),
    metadata_separator=st.sampled_from(["\n", "; "]),
    text_template=st.sampled_from(["{metadata_str}\n\n{content}", "{content}"]),
)


def assert_same(found, expected) -> None:
    assert found == expected
    assert json.dumps(found.to_dict()) == json.dumps(
        {**expected.to_dict(), "relationships": found.to_dict()["relationships"]}
    )
    assert found.relationships == expected.relationships
    assert [type(value) for value in found.metadata.values()] == [type(value) for value in expected.metadata.values()]
    for mode in MetadataMode:
        assert found.get_content(mode) == expected.get_content(mode)


@given(NODES)
def test_a_node_of_any_origin_comes_back(node):
    assert_same(to_node(node.node_id, node.text, to_row(node)), node)


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> PubMedVectorStore:
    return PubMedVectorStore(persist_dir=str(tmp_path_factory.mktemp("rows")))


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(nodes=st.lists(NODES, min_size=1, max_size=4))
def test_nodes_come_back_from_the_database_whatever_was_stored_under_their_ids_before(store, nodes):
    for node in nodes:
        node.embedding = [1.0, 0.0]
    store.add(nodes)
    latest = {node.node_id: node for node in nodes}
    for found in store.nodes(list(latest)):
        assert_same(found, latest[found.node_id].model_copy(update={"embedding": None}))


def test_a_chunk_of_a_record_keeps_nothing_twice(word_piece, documents):
    for include_neighbours in (True, False):
        parser = TokenNodeParser(
            tokenizer=word_piece, chunk_size=32, chunk_overlap=8, include_prev_next_rel=include_neighbours
        )
        for node in parser(documents):
            row = to_row(node)
            assert_same(to_node(node.node_id, node.text, row), node)
            assert set(row) - set(node.metadata) - {"document_id", "_start", "_end"} == (
                set() if include_neighbours or node.metadata["chunk_count"] == 1 else {"_node"}
            )


def test_other_kinds_of_nodes_come_back(store):
    source = Document(text="One sentence. Another sentence.", id_="d", metadata={"file": "a.txt", "tags": ["x"]})
    nodes = [
        *SentenceSplitter(chunk_size=40, chunk_overlap=0)([source]),
        ImageNode(id_="i", text="caption", image="aGVsbG8=", metadata={"year": 2020}),
        IndexNode(id_="n", text="points", index_id="other", metadata={"year": 2021}),
    ]
    for node in nodes:
        node.embedding = [1.0, 0.0]
    store.add(nodes)
    for found, expected in zip(store.nodes([node.node_id for node in nodes]), nodes, strict=True):
        assert type(found) is type(expected)
        assert found.to_dict() == expected.model_copy(update={"embedding": None}).to_dict()


def test_vectors_come_back_as_the_same_bits(store):
    source = np.random.default_rng(0)
    vectors = source.standard_normal((300, 2)) * np.exp(source.uniform(-8, 8, size=(300, 1)))
    nodes = [TextNode(id_=f"v{number}", text="t", embedding=list(vector)) for number, vector in enumerate(vectors)]
    store.add(nodes)
    expected = rounded(vectors)
    found = {row.node_id: row.vector for row in store.rows([node.node_id for node in nodes], vectors=True)}
    assert all(found[f"v{number}"].tobytes() == vector.tobytes() for number, vector in enumerate(expected))
    np.testing.assert_allclose(expected, vectors, rtol=1e-6)
