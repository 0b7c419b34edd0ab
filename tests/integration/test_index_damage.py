"""A full disk and damaged files, for real: one line with the fix, and a run with room again finishes the index."""

import os
import shutil
from pathlib import Path

import pytest
from index_process import ROWS_PER_SYNC, SMALL_SYNC, ingest, ingest_all, lost, opened, read
from llama_index.core.schema import Document, TextNode
from llama_index.core.vector_stores.types import VectorStoreQuery

from llama_index_medqa import PubMedReader, PubMedVectorStore
from llama_index_medqa.errors import DamagedVectorsError, StorageError
from llama_index_medqa.testing import synthetic_records
from llama_index_medqa.vector_store import client
from llama_index_medqa.vector_store.database import close_databases
from llama_index_medqa.vector_store.hnsw_files import vector_folders

# The processes are asked for over a UNIX socket.
pytestmark = [pytest.mark.integration, pytest.mark.enable_socket]

RECORDS = synthetic_records(60, seed=13)


# Enough rows that Chroma writes its files of vectors twice.
ROWS = 2 * ROWS_PER_SYNC + 10


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("file") / "records.xml"
    path.write_bytes(b"<PubmedArticleSet>" + b"".join(RECORDS.values()) + b"</PubmedArticleSet>")
    return path


@pytest.fixture(scope="module")
def calm(tmp_path_factory, word_piece, file) -> dict[str, str]:
    location = str(tmp_path_factory.mktemp("calm") / "index")
    ingest_all(location, word_piece, [file])
    return read(location)


@pytest.mark.parametrize("room", [600_000, 800_000])
def test_a_disk_without_room_is_told_and_the_next_run_finishes(tmp_path, word_piece, file, calm, room):
    """The child may not make a file longer than that, so that its database meets what a full disk gives."""
    running = ingest(str(tmp_path / "full"), word_piece, [file], most_bytes=room)
    told = running.hear()
    told = running.hear() if told == "ready" else told
    running.kill()
    assert told.startswith("StorageError: The database at ")
    assert "MB are free there" in told
    assert "free some space and repeat the command" in told
    assert "\n" not in told
    ingest_all(str(tmp_path / "full"), word_piece, [file])
    assert read(str(tmp_path / "full")) == calm


@pytest.fixture(scope="module")
def healthy(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("healthy")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "_COSINE", SMALL_SYNC)
        store = PubMedVectorStore(persist_dir=str(folder))
    store.add([TextNode(id_=f"a{n}#0", text=f"text {n}", embedding=[1.0, n / 9, n % 7]) for n in range(ROWS)])
    assert list(folder.rglob("data_level0.bin"))
    return folder


def search_all(folder: Path) -> None:
    store = PubMedVectorStore(persist_dir=str(folder), create=False)
    store.query(VectorStoreQuery(query_embedding=[1.0, 0.5, 0.5], similarity_top_k=ROWS))


def halve(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def scramble(path: Path) -> None:
    # The first pages stay: the file still looks like a database.
    kept = 3 * 4096 if path.suffix == ".sqlite3" else 0
    data = path.read_bytes()
    path.write_bytes(data[:kept] + os.urandom(len(data) - kept))


def tear(folder: Path) -> None:
    """Leaves half of the files of vectors."""
    parts = [path for path in vector_folders(folder) if (path / "data_level0.bin").stat().st_size]
    assert parts
    for path in parts:
        halve(path / "data_level0.bin")


@pytest.fixture(scope="module")
def parted(file) -> tuple[list[Document], list[Document]]:
    documents = list(PubMedReader().lazy_load_changes([file]))
    return documents[:-5], documents[-5:]


@pytest.fixture
def torn(tmp_path, word_piece, parted) -> Path:
    """An index of all but five records, with the vector file that a writer was killed in the middle of."""
    folder = tmp_path / "torn"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "_COSINE", SMALL_SYNC)
        opened(str(folder), word_piece).ingest(parted[0])
    close_databases()
    tear(folder)
    return folder


def test_whoever_opens_a_torn_index_to_write_repairs_it(torn, word_piece, parted, calm, caplog):
    with pytest.raises(DamagedVectorsError, match="medqa doctor --repair"):
        PubMedVectorStore(persist_dir=str(torn), create=False)
    index = opened(str(torn), word_piece)
    assert "they are made again from the texts" in caplog.text
    assert index.store.without_vectors(index.store.ids()) == []
    assert index.ingest(parted[1]).added == 5
    assert read(str(torn)) == calm
    assert lost(str(torn)) == []


def test_an_index_torn_while_it_is_open_is_repaired_by_the_next_write(torn, word_piece, parted, calm):
    index = opened(str(torn), word_piece)
    tear(torn)
    (torn / "medqa.generation").write_text("another process, killed in the middle of its write")
    assert index.ingest(parted[1]).added == 5
    assert read(str(torn)) == calm
    assert lost(str(torn)) == []


@pytest.mark.parametrize("damage", [halve, scramble, Path.unlink])
@pytest.mark.parametrize("pattern", ["chroma.sqlite3", "*.pickle", "*.bin"])
def test_damaged_files_are_told(tmp_path, healthy, pattern, damage):
    shutil.copytree(healthy, tmp_path / "damaged")
    for path in (tmp_path / "damaged").rglob(pattern):
        if path.stat().st_size:
            damage(path)
    if pattern == "chroma.sqlite3" and damage is Path.unlink:
        pytest.skip("a folder without a database holds no index, which the unit tests look at")
    with pytest.raises(StorageError) as caught:
        search_all(tmp_path / "damaged")
    assert "medqa import" in str(caught.value)
    assert "\n" not in str(caught.value)
