"""Several processes on one index folder: one writes at a time, nothing is lost, and readers notice what others write.

Expected values: the index that one undisturbed process builds, chunk for chunk with text, metadata and vector.
"""

import random
import threading
import time
from pathlib import Path

import pytest
from index_process import DIMENSION, hold, ingest, ingest_all, lost, read
from llama_index.core.vector_stores.types import VectorStoreQuery

from llama_index_medqa import PubMedVectorStore
from llama_index_medqa.errors import IndexBusyError
from llama_index_medqa.testing import HashEmbedding, synthetic_records
from llama_index_medqa.vector_store.database import database_in

# The processes are asked for over a UNIX socket.
pytestmark = [pytest.mark.integration, pytest.mark.enable_socket]

SEED = 20261129
WRITERS = 3
# Together enough rows that Chroma writes its files of vectors several times, see ROWS_PER_SYNC.
RECORDS_EACH = 30


def records_file(path: Path, number: int, count: int = RECORDS_EACH) -> Path:
    records = synthetic_records(count, seed=number, first_pmid=1_000_000 * (number + 1))
    path.write_bytes(b"<PubmedArticleSet>" + b"".join(records.values()) + b"</PubmedArticleSet>")
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("files")
    return [records_file(folder / f"{number}.xml", number) for number in range(WRITERS)]


@pytest.fixture(scope="module")
def calm(tmp_path_factory, word_piece, files) -> dict[str, str]:
    location = str(tmp_path_factory.mktemp("calm") / "index")
    ingest_all(location, word_piece, files)
    return read(location)


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("trial", range(2))
def test_three_writers_at_random_starts_lose_nothing(tmp_path, word_piece, files, calm, trial, killed):
    source = random.Random(f"{SEED}-{trial}-{killed}")
    location = str(tmp_path / "index")
    running = []
    for file in files:
        running.append(ingest(location, word_piece, [file]))
        time.sleep(source.uniform(0, 0.5))
    if killed:
        victim = source.randrange(WRITERS)
        assert running[victim].hear() == "ready"
        time.sleep(source.uniform(0, 3))
        running[victim].kill()
        running[victim] = ingest(location, word_piece, [files[victim]])
    assert [[process.hear() for _ in range(2)] for process in running] == [["ready", "done"]] * WRITERS
    assert read(location) == calm
    assert lost(location) == []


def test_one_process_writes_at_a_time_and_another_is_told_which(tmp_path):
    location = str(tmp_path / "index")
    holder = hold(location)
    assert holder.hear() == "held"
    store = PubMedVectorStore(persist_dir=location)
    told = rf"being written by .*process {holder.process.pid} on "
    with pytest.raises(IndexBusyError, match=told), store.sole_writer(wait=False):
        pass
    holder.kill()
    with store.sole_writer(wait=False):
        pass


def test_whoever_waits_says_for_whom_and_goes_on_when_that_process_dies(tmp_path, caplog):
    location = str(tmp_path / "index")
    holder = hold(location)
    assert holder.hear() == "held"
    threading.Timer(0.5, holder.kill).start()
    with PubMedVectorStore(persist_dir=location).sole_writer():
        pass
    assert f"(process {holder.process.pid} on " in caplog.text


def test_a_reader_finds_what_another_process_adds_and_nothing_that_it_deletes(tmp_path, word_piece):
    location = str(tmp_path / "index")
    first, second = (records_file(tmp_path / f"{number}.xml", number, 20) for number in range(2))
    ingest_all(location, word_piece, [first])
    store = PubMedVectorStore(persist_dir=location, create=False)
    embedder = HashEmbedding(dimension=DIMENSION)
    before = search(store, embedder, "before")
    opened = database_in(location).times_opened
    assert search(store, embedder, "before") == before
    assert database_in(location).times_opened == opened

    gone = "".join(
        f"<DeleteCitation><PMID Version='1'>{1_000_000 + number}</PMID></DeleteCitation>" for number in range(10)
    )
    second.write_bytes(second.read_bytes().replace(b"</PubmedArticleSet>", f"{gone}</PubmedArticleSet>".encode()))
    ingest_all(location, word_piece, [second])
    after = search(store, embedder, "after")
    assert set(after) == set(read(location)) != set(before)
    assert not any(name.startswith("PMID:1000001#") for name in after)
    assert all(after.values())


def search(store: PubMedVectorStore, embedder: HashEmbedding, question: str) -> dict[str, str]:
    """The texts of all chunks by their ids, as a search by meaning finds them."""
    query = VectorStoreQuery(query_embedding=embedder.get_query_embedding(question), similarity_top_k=store.count())
    return {node.node_id: node.get_content() for node in store.query(query).nodes or []}
