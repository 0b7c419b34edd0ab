"""A database in a folder: lost vectors are made again, read-only folders are asked, and memory follows the disk."""

import os
import sqlite3
import uuid
from pathlib import Path

import pytest
from llama_index.core.schema import TextNode
from llama_index.core.vector_stores.types import VectorStoreQuery

from llama_index_medqa import PubMedIndex, PubMedVectorStore, TokenNodeParser
from llama_index_medqa.errors import StorageError
from llama_index_medqa.indexing.info import describe
from llama_index_medqa.retrieval.lexical_index import LexicalIndex
from llama_index_medqa.testing import HashEmbedding
from llama_index_medqa.vector_store import database
from llama_index_medqa.vector_store.database import database_in, sole_writer
from llama_index_medqa.vector_store.filters import without_retracted


def lose_vectors(folder: Path, ids: list[str]) -> None:
    """Takes vectors out of Chroma's queue, where they lie until there are enough for a file; their rows stay."""
    connection = sqlite3.connect(folder / "chroma.sqlite3")
    with connection:
        connection.executemany("DELETE FROM embeddings_queue WHERE id = ?", [(name,) for name in ids])
    connection.close()
    (folder / "medqa.generation").write_text(uuid.uuid4().hex)


@pytest.fixture
def index(tmp_path, word_piece, documents) -> PubMedIndex:
    parser = TokenNodeParser(tokenizer=word_piece, chunk_size=32, chunk_overlap=8)
    index = PubMedIndex.open(str(tmp_path / "index"), embed_model=HashEmbedding(), node_parser=parser, create=True)
    index.ingest(documents)
    return index


def vectors(store: PubMedVectorStore) -> dict[str, bytes]:
    return {name: vector.tobytes() for name, vector in store.vectors(store.ids()).items()}


def test_lost_vectors_are_named_and_made_again(index, tmp_path):
    store, expected = index.store, vectors(index.store)
    gone = [store.ids()[0], store.ids()[-1]]
    lose_vectors(tmp_path / "index", gone)
    assert store.without_vectors(store.ids()) == gone
    assert store.without_vectors(store.ids()[1:-1]) == []
    assert index.repair() == len(gone)
    assert store.without_vectors(store.ids()) == []
    assert vectors(store) == expected
    assert index.repair() == 0


def test_lost_vectors_are_told_to_a_retriever(index, tmp_path):
    count = index.store.count()
    question = [1.0] + [0.0] * (len(index.store.vectors(["PMID:101#0"])["PMID:101#0"]) - 1)
    usual = index.store.scope(without_retracted(None))
    assert index.store.nearest(question, count, {})
    lose_vectors(tmp_path / "index", ["PMID:101#0", "PMID:101#1"])
    for scope in (usual, {}):
        with pytest.raises(StorageError, match=f"of {count} chunks a search finds {count - 2}"):
            index.store.nearest(question, count, scope)


def test_a_sample_that_finds_one_looks_at_all(index, tmp_path):
    gone = index.store.ids()
    lose_vectors(tmp_path / "index", gone)
    assert index.repair(sample=1) == len(gone)


def test_a_document_whose_vector_is_lost_is_not_unchanged(index, tmp_path, documents):
    expected = vectors(index.store)
    lose_vectors(tmp_path / "index", ["PMID:101#1"])
    report = index.ingest(documents)
    assert (report.updated, report.unchanged) == (1, len(documents) - 1)
    assert vectors(index.store) == expected


def test_damaged_files_are_set_aside_and_made_again(tmp_path, word_piece):
    folder = tmp_path / "index"
    store = PubMedVectorStore(persist_dir=str(folder))
    store.add([TextNode(id_=f"a{n}#0", text=f"text {n}", embedding=[1.0, n / 9, n % 7]) for n in range(1_100)])
    [file] = [file for file in folder.rglob("data_level0.bin") if (file.parent / "index_metadata.pickle").exists()]
    file.write_bytes(os.urandom(file.stat().st_size))
    (folder / "medqa.generation").write_text("another process")
    with pytest.raises(StorageError, match="medqa doctor --repair"):
        store.nearest([1.0, 0.0, 0.0], 1, {})
    with sole_writer(str(folder)) as set_aside:
        assert [moved.name for moved in set_aside] == [f"damaged-{file.parent.name}"]
    assert store.without_vectors(store.ids()[:3]) == store.ids()[:3]
    with sole_writer(str(folder)) as set_aside:
        assert set_aside == []


def test_the_memory_follows_the_disk_only_where_another_process_wrote(index, tmp_path):
    database = database_in(str(tmp_path / "index"))
    opened = database.times_opened
    dimension = len(index.store.vectors(["PMID:101#0"])["PMID:101#0"])
    index.store.add([TextNode(id_="new#0", text="new", embedding=[1.0] * dimension)])
    again = PubMedVectorStore(persist_dir=str(tmp_path / "index"))
    assert "new#0" in again.vectors(["new#0"])
    assert database.times_opened == opened
    (tmp_path / "index" / "medqa.generation").write_text("another process")
    assert "new#0" in index.store.vectors(["new#0"])
    assert database.times_opened == opened + 1
    assert "new#0" in again.vectors(["new#0"])
    assert database.times_opened == opened + 1


def test_after_a_change_that_failed_the_disk_is_read_again(index, tmp_path):
    database = database_in(str(tmp_path / "index"))
    opened = database.times_opened
    with pytest.raises(KeyboardInterrupt), index.store.writing():
        raise KeyboardInterrupt
    index.store.vectors(index.store.ids())
    assert database.times_opened == opened + 1


@pytest.fixture
def read_only(index, tmp_path, monkeypatch) -> Path:
    """A folder that nobody can write; what this process has open of it is forgotten."""
    folder = tmp_path / "index"
    monkeypatch.setattr(database, "_databases", {})
    # The system lets root write anywhere: so root is told that it cannot.
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK or Path(path) != folder)
    for path in (*folder.rglob("*"), folder):
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield folder
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def state(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*") if path.is_file()}


def test_a_read_only_folder_is_asked_and_left_as_it_is(read_only, word_piece):
    before = state(read_only)
    parser = TokenNodeParser(tokenizer=word_piece, chunk_size=32, chunk_overlap=8)
    index = PubMedIndex.open(str(read_only), embed_model=HashEmbedding(), node_parser=parser)
    found = index.store.query(VectorStoreQuery(query_embedding=HashEmbedding().get_query_embedding("tea")))
    assert found.ids
    assert describe(index.store).documents == 4
    words = LexicalIndex(index.store)
    words.refresh()
    assert [hit.record_id for hit in words.search(["barefoot"], 5)] != []
    assert index.repair() == 0
    assert state(read_only) == before
    with pytest.raises(StorageError, match="cannot be written: make its folder writable"):
        index.remove_documents(["PMID:101"])
    assert state(read_only) == before


def test_a_read_only_folder_that_changed_is_copied_again(read_only):
    store = PubMedVectorStore(persist_dir=str(read_only), create=False)
    store.vectors(store.ids())
    opened = database_in(str(read_only)).times_opened
    read_only.chmod(0o755)
    (read_only / "medqa.generation").chmod(0o644)
    (read_only / "medqa.generation").write_text("another process, which can write")
    store.vectors(store.ids())
    assert database_in(str(read_only)).times_opened == opened + 1


def test_a_copy_that_another_thread_reads_outlives_the_next_copy(read_only):
    store = PubMedVectorStore(persist_dir=str(read_only), create=False)
    before, count = store.collection, store.count()
    read_only.chmod(0o755)
    (read_only / "medqa.generation").chmod(0o644)
    (read_only / "medqa.generation").write_text("another process, which can write")
    store.vectors(store.ids())
    assert store.collection is not before
    assert before.count() == count
