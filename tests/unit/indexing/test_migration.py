"""Indexes of schema 1, written here as version 1 wrote them: LlamaIndex's own rows by `node_to_metadata_dict`."""

import json
from datetime import date

import numpy as np
import pytest
from llama_index.core.vector_stores.utils import node_to_metadata_dict

from llama_index_medqa import PubMedIndex, PubMedVectorStore, TokenNodeParser
from llama_index_medqa.errors import IndexIdentityError
from llama_index_medqa.indexing import migration
from llama_index_medqa.indexing.identity import identity_of, stored_as_of
from llama_index_medqa.indexing.info import describe
from llama_index_medqa.indexing.migration import migrate
from llama_index_medqa.testing import HashEmbedding


@pytest.fixture
def parser(word_piece) -> TokenNodeParser:
    return TokenNodeParser(tokenizer=word_piece, chunk_size=32, chunk_overlap=8)


@pytest.fixture
def old(tmp_path, parser, documents) -> PubMedVectorStore:
    """An index as version 1 wrote it: the collection's metadata, and rows by the code of that version."""
    store = PubMedVectorStore(persist_dir=str(tmp_path / "old"))
    nodes = HashEmbedding()(parser(documents))
    identity = {f"medqa_{key}": value for key, value in identity_of(HashEmbedding(), parser).items()}
    store.collection.modify(metadata={**identity, "medqa_schema_version": 1, "pubmed_as_of": "2026-05-01"})
    rows = [node_to_metadata_dict(node, remove_text=True, flat_metadata=False) for node in nodes]
    store.collection.upsert(
        ids=[node.node_id for node in nodes],
        embeddings=np.array([node.get_embedding() for node in nodes], dtype=np.float32),
        metadatas=[{key: value for key, value in row.items() if value is not None and value != []} for row in rows],
        documents=[node.text for node in nodes],
    )
    # What version 1 left behind where a record changed: Chroma keeps keys that a new row does not name.
    store.collection.update(ids=["PMID:102#0"], metadatas=[{"doi": "10.1/of-an-earlier-revision"}])
    return store


def content(store) -> dict:
    return {
        row.node_id: (row.text, dict(row.metadata), row.vector.tobytes())
        for page in store.pages(vectors=True)
        for row in page
    }


def test_opening_an_old_index_names_the_command(tmp_path, old, parser):
    with pytest.raises(IndexIdentityError, match=r"schema version 1, .* needs 2: .*`medqa migrate --index .*old`"):
        PubMedIndex.open(str(tmp_path / "old"), embed_model=HashEmbedding(), node_parser=parser)


def test_a_migrated_index_equals_one_that_is_built_anew(tmp_path, old, parser, documents):
    steps = []
    assert migrate(old, progress=lambda done, of: steps.append((done, of))) == old.count()
    assert steps == [(old.count(), old.count())]
    fresh = PubMedIndex.open(str(tmp_path / "new"), embed_model=HashEmbedding(), node_parser=parser, create=True)
    fresh.ingest(documents)
    assert content(old) == content(fresh.store)
    assert describe(old).identity == describe(fresh.store).identity
    assert stored_as_of(old) == date(2026, 5, 1)
    again = PubMedIndex.open(str(tmp_path / "old"), embed_model=HashEmbedding(), node_parser=parser)
    assert again.ingest(documents).unchanged == len(documents)
    assert migrate(old) == 0


@pytest.mark.parametrize("batches", [0, 1, 3])
def test_a_migration_that_was_stopped_goes_on(tmp_path, old, parser, documents, batches, monkeypatch):
    class Stopped(BaseException):
        pass

    def stop(done: int, of: int) -> None:
        if done > batches:
            raise Stopped

    monkeypatch.setattr(migration, "_ROWS_PER_BATCH", 1)
    with pytest.raises(Stopped):
        migrate(old, progress=stop)
    with pytest.raises(IndexIdentityError, match="medqa migrate"):
        PubMedIndex.open(str(tmp_path / "old"), embed_model=HashEmbedding(), node_parser=parser)
    assert migrate(old) == old.count() - batches - 1
    fresh = PubMedIndex.open(str(tmp_path / "new"), embed_model=HashEmbedding(), node_parser=parser, create=True)
    fresh.ingest(documents)
    assert content(old) == content(fresh.store)


def test_a_later_schema_is_not_touched(tmp_path, old):
    before = content(old)
    old.collection.modify(metadata={**old.collection.metadata, "medqa_schema_version": 3})
    with pytest.raises(IndexIdentityError, match="written by a later version; upgrade"):
        migrate(old)
    assert content(old) == before


def test_nothing_is_kept_twice_afterwards(old):
    before = sum(len(json.dumps(dict(row.metadata))) for page in old.pages() for row in page)
    migrate(old)
    after = sum(len(json.dumps(dict(row.metadata))) for page in old.pages() for row in page)
    assert after < before / 3
    assert not any("_node_content" in row.metadata for page in old.pages() for row in page)
