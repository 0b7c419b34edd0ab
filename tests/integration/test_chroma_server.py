"""The same index behind a real Chroma server: the whole path, two writers at once, and a server that goes away.

Expected values: the index that one undisturbed process builds in a folder, chunk for chunk.
"""

import json
import random
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from index_process import ChromaServer, chroma_server, hold, in_small_steps, ingest, ingest_all, opened, read
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.schema import TextNode
from llama_index.core.vector_stores import MetadataFilter, MetadataFilters
from typer.testing import CliRunner

from llama_index_medqa import PubMedReader, PubMedVectorStore
from llama_index_medqa.cli.command import app
from llama_index_medqa.errors import IndexBusyError, IndexIdentityError, IndexNotFoundError, ServerError
from llama_index_medqa.indexing.archive import export_index, import_index
from llama_index_medqa.indexing.info import describe
from llama_index_medqa.testing import HashEmbedding, synthetic_records
from llama_index_medqa.vector_store import leased_lock

# The processes are asked for over a UNIX socket.
pytestmark = [pytest.mark.integration, pytest.mark.enable_socket]

RECORDS = synthetic_records(80, seed=11)


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> ChromaServer:
    with chroma_server(tmp_path_factory.mktemp("server")) as running:
        yield running


def write_xml(path: Path, records) -> Path:
    path.write_bytes(b"<PubmedArticleSet>" + b"".join(records) + b"</PubmedArticleSet>")
    return path


@pytest.fixture
def file(tmp_path) -> Path:
    return write_xml(tmp_path / "records.xml", RECORDS.values())


@pytest.fixture
def expected(tmp_path, word_piece, file) -> dict:
    ingest_all(str(tmp_path / "folder"), word_piece, [file])
    return read(str(tmp_path / "folder"))


def test_the_whole_path(server, tmp_path, word_piece, file, expected):
    location = f"{server.address}/whole-path"
    with pytest.raises(IndexNotFoundError, match="no collection 'whole-path'"):
        PubMedVectorStore.at(location, create=False)
    ingest_all(location, word_piece, [file])
    assert read(location) == expected
    remote, local = opened(location, word_piece), opened(str(tmp_path / "folder"), word_piece)
    assert remote.info() == local.info()
    question = "insulin therapy in children"
    filters = MetadataFilters(filters=[MetadataFilter(key="title", operator="text_match", value="Synthetic")])
    for wanted in (None, filters):
        one, other = (
            index.as_retriever(similarity_top_k=5, filters=wanted).retrieve(question) for index in (remote, local)
        )
        assert [item.node.node_id for item in one] == [item.node.node_id for item in other]
        assert [item.node for item in one] == [item.node for item in other]
        assert [item.score for item in one] == pytest.approx([item.score for item in other], abs=1e-6)
    generation = remote.store.generation
    assert remote.ingest(PubMedReader().lazy_load_changes([file])).unchanged == len(RECORDS)
    assert remote.store.generation == generation
    pmid = next(iter(RECORDS))
    assert remote.remove_documents([f"PMID:{pmid}"]) == {f"PMID:{pmid}"}
    assert remote.store.generation != generation
    remote.delete_ref_doc(f"PMID:{int(pmid) + 1}")
    assert describe(remote.store).documents == len(RECORDS) - 2
    with pytest.raises(IndexIdentityError, match="dimension"):
        type(remote).open(
            host="127.0.0.1", port=server.port, collection_name="whole-path",
            embed_model=HashEmbedding(dimension=7), node_parser=remote.node_parser,
        )  # fmt: skip


def test_an_ingestion_pipeline_writes_there_too(server, word_piece, file, expected):
    store = PubMedVectorStore(host="127.0.0.1", port=server.port, collection_name="pipeline")
    index = opened(f"{server.address}/pipeline", word_piece)
    pipeline = IngestionPipeline(transformations=[index.node_parser, index._embed_model], vector_store=store)
    pipeline.run(documents=list(PubMedReader().lazy_load_data(file)))
    assert read(f"{server.address}/pipeline") == expected


def test_an_index_moves_from_a_folder_to_a_server_and_back(server, tmp_path, word_piece, expected):
    export_index(PubMedVectorStore.at(str(tmp_path / "folder")), tmp_path / "one.zip")
    import_index(tmp_path / "one.zip", f"{server.address}/moved")
    assert read(f"{server.address}/moved") == expected
    export_index(PubMedVectorStore.at(f"{server.address}/moved"), tmp_path / "two.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_the_command_works_on_a_server(server, tmp_path, tiny_model, file):
    location = f"{server.address}/command"

    def medqa(*arguments: str) -> dict:
        result = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    where = ["--index", location, "--embedder", tiny_model]
    sizes = ["--chunk-size", "48", "--chunk-overlap", "12"]
    assert medqa("index", str(file), *where, *sizes)["added"] == len(RECORDS)
    assert medqa("index", str(file), *where, *sizes)["unchanged"] == len(RECORDS)
    assert medqa("info", "--index", location)["documents"] == len(RECORDS)
    assert medqa("ask", "Is insulin given to children?", *where, "--llm", "extractive")["question"]
    chunks = medqa("info", "--index", location)["chunks"]
    assert medqa("export", str(tmp_path / "shared.zip"), "--index", location)["chunks"] == chunks
    assert medqa("import", str(tmp_path / "shared.zip"), "--index", str(tmp_path / "shared"))["chunks"] == chunks
    assert medqa("migrate", "--index", location)["chunks_rewritten"] == 0


def test_two_writers_at_once_lose_and_double_nothing(server, tmp_path, word_piece, expected):
    """Two processes with overlapping halves of the corpus, one of them backwards."""
    xml = list(RECORDS.values())
    files = [
        write_xml(tmp_path / "forwards.xml", xml[: len(xml) * 3 // 4]),
        write_xml(tmp_path / "backwards.xml", list(reversed(xml[len(xml) // 4 :]))),
    ]
    location = f"{server.address}/two-writers"
    writers = [ingest(location, word_piece, [file]) for file in files]
    assert [writer.hear() for writer in writers] == ["ready", "ready"]
    assert [writer.hear() for writer in writers] == ["done", "done"]
    assert read(location) == expected
    identity = opened(location, word_piece).identity
    assert describe(PubMedVectorStore.at(location)).identity == identity


def shorter_revision(xml: bytes) -> bytes:
    start, end = xml.index(b"<AbstractText"), xml.rindex(b"</AbstractText>")
    revised = xml[:start] + b"<AbstractText>Short now." + xml[end:]
    return revised.replace(b"<DateRevised><Year>2020", b"<DateRevised><Year>2022")


def test_of_two_revisions_the_newer_stays_whoever_writes_last(server, tmp_path, word_piece):
    xml = list(RECORDS.values())[:40]
    older = write_xml(tmp_path / "older.xml", xml)
    newer = write_xml(tmp_path / "newer.xml", [shorter_revision(one) for one in xml])
    ingest_all(f"{server.address}/newer-alone", word_piece, [newer])
    expected = read(f"{server.address}/newer-alone")
    for number, files in enumerate([(older, newer), (newer, older)]):
        location = f"{server.address}/revisions-{number}"
        writers = [ingest(location, word_piece, [file]) for file in files]
        assert [[writer.hear(), writer.hear()] for writer in writers] == [["ready", "done"]] * 2
        assert read(location) == expected


def test_one_process_writes_to_a_server_at_a_time(server, monkeypatch, caplog):
    for name in ("LEASE_S", "RENEWAL_S"):
        monkeypatch.setattr(leased_lock, name, getattr(leased_lock, name))
    in_small_steps()
    location = f"{server.address}/one-at-a-time"
    holder = hold(location)
    assert holder.hear() == "held"
    store = PubMedVectorStore.at(location)
    told = rf"being written by .*process {holder.process.pid} on .* --no-wait"
    with pytest.raises(IndexBusyError, match=told), store.sole_writer(wait=False):
        pass
    holder.kill()
    with store.sole_writer():
        assert f"(process {holder.process.pid} on " in caplog.text
    with store.sole_writer(wait=False):
        pass


def test_a_writer_that_was_stopped_for_longer_than_its_lease_writes_no_more(server, monkeypatch):
    monkeypatch.setattr(leased_lock, "LEASE_S", 0.5)
    monkeypatch.setattr(leased_lock, "RENEWAL_S", 600.0)
    first, second = (PubMedVectorStore.at(f"{server.address}/stopped") for _ in range(2))
    with first.sole_writer():
        with second.sole_writer(), pytest.raises(ServerError, match="was lost"):
            first.add([TextNode(id_="a#0", text="text", embedding=[1.0, 0.5])])
        with second.sole_writer(wait=False):
            second.add([TextNode(id_="b#0", text="text", embedding=[1.0, 0.5])])
    assert second.ids() == ["b#0"]


def test_a_server_that_goes_away_in_mid_batch(tmp_path, word_piece, file, expected):
    source = random.Random(5)
    with chroma_server(tmp_path / "mortal") as server:
        told = []
        for _ in range(4):
            running = ingest(server.address, word_piece, [file])
            assert running.hear() == "ready"
            time.sleep(source.uniform(0, 0.8))
            server.kill()
            told.append(running.hear())
            server.start()
        messages = [message for message in told if message != "done"]
        assert messages
        for message in messages:
            assert message.startswith("ServerError: The Chroma server at http://127.0.0.1")
            assert "Start it again with `chroma run` and repeat the command" in message
            assert "\n" not in message
        ingest_all(server.address, word_piece, [file])
        assert read(server.address) == expected
    with pytest.raises(ServerError, match=r"No Chroma server answers at .* Start one with `chroma run`"):
        PubMedVectorStore.at(server.address)


def test_ingestions_on_a_server_that_are_killed_are_finished_by_the_next(server, word_piece, file, expected):
    source = random.Random(6)
    location = f"{server.address}/killed"

    def trial(number: int) -> dict:
        running = ingest(f"{location}-{number}", word_piece, [file])
        assert running.hear() == "ready"
        time.sleep(source.uniform(0, 1.5))
        running.kill()
        ingest_all(f"{location}-{number}", word_piece, [file])
        return read(f"{location}-{number}")

    with ThreadPoolExecutor(2) as pool:
        assert all(found == expected for found in pool.map(trial, range(4)))
