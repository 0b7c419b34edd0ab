"""What an index needs of an engine, the same for all: Chroma, Milvus and other stores of LlamaIndex's.

Expected values: numpy for cosines, a second saying of each filter in plain Python, and for what is stored the documents
themselves or the rows of Chroma.
"""

import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from llama_index.core.schema import TextNode
from llama_index.core.vector_stores import SimpleVectorStore
from llama_index.core.vector_stores.types import (
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
)

from llama_index_medqa import PubMedIndex, PubMedRetriever, TokenNodeParser
from llama_index_medqa.errors import IndexBusyError, IndexIdentityError, IndexNotFoundError, InputError
from llama_index_medqa.indexing.archive import export_index, import_index
from llama_index_medqa.indexing.copying import copy_index
from llama_index_medqa.indexing.reader import to_document
from llama_index_medqa.testing import HashEmbedding
from llama_index_medqa.vector_store.addresses import open_store
from llama_index_medqa.vector_store.chunk_store import ChunkStore
from tests.conftest import RECORDS
from tests.doubles.engines import chroma_server, milvus_server
from tests.doubles.llama_index_stores import MinimalStore, qdrant_client, qdrant_store
from tests.doubles.postgres import postgres_server
from tests.unit.vector_store.test_filters import FILTERS, ROWS, brute_force

IN_PROCESS = ["chroma", "milvus", "qdrant in memory", "qdrant in a folder", "SimpleVectorStore", "minimal store"]
# These start a process, which is reached by a socket.
SERVERS = [
    pytest.param(name, marks=[pytest.mark.integration, pytest.mark.enable_socket])
    for name in ("chroma server", "milvus server", "postgresql")
]
VECTORS = {"D#0": [1.0, 0.0, 0.0], "D#1": [0.6, 0.8, 0.0], "E#0": [-1.0, 0.0, 0.0], "F#0": [0.0, 0.0, 2.0]}
QUERY = [1.0, 0.1, 0.2]


class Place(NamedTuple):
    """Where an index lies: its folder or address, and what else it is opened with."""

    location: str
    arguments: dict = {}  # noqa: RUF012  # never changed


@contextmanager
def places(kind: str, folder: Path) -> Iterator[Callable[..., Place]]:
    """Gives a new place at each call, where vectors may have 24 numbers or as many as the call says."""

    def beside(store) -> Place:
        return Place(str(folder / uuid.uuid4().hex), {"vector_store": store})

    if kind == "chroma":
        yield lambda dimension=24: Place(str(folder / uuid.uuid4().hex))
    elif kind == "milvus":
        pytest.importorskip("milvus_lite")
        yield lambda dimension=24: Place(f"milvus:{folder}/index.db#c{uuid.uuid4().hex}")
    elif kind.startswith("qdrant"):
        client = qdrant_client(folder / "qdrant" if "folder" in kind else None)
        yield lambda dimension=24: beside(qdrant_store(client, f"c{uuid.uuid4().hex}"))
        client.close()
    elif kind == "SimpleVectorStore":
        yield lambda dimension=24: beside(SimpleVectorStore())
    elif kind == "minimal store":
        yield lambda dimension=24: beside(MinimalStore())
    elif kind == "postgresql":
        with postgres_server() as store_of:
            yield lambda dimension=24: beside(store_of(f"c{uuid.uuid4().hex}", dimension))
    else:
        with {"chroma server": chroma_server, "milvus server": milvus_server}[kind](folder) as address:
            yield lambda dimension=24: Place(f"{address}/c{uuid.uuid4().hex}")
    if kind.startswith("milvus"):
        from llama_index_medqa.vector_store.milvus.connection import close_clients

        close_clients()


@pytest.fixture(scope="module", params=[*IN_PROCESS, *SERVERS])
def engine(request, tmp_path_factory):
    """Gives a new place at each call."""
    with places(request.param, tmp_path_factory.mktemp("engine")) as new_place:
        yield new_place


@pytest.fixture
def place(engine, request) -> Place:
    return engine(3 if "store" in request.fixturenames else 24)


@pytest.fixture
def store(place) -> ChunkStore:
    store = store_at(place)
    store.add([node(name) for name in VECTORS])
    return store


def store_at(place: Place | str, **arguments) -> ChunkStore:
    place = Place(place) if isinstance(place, str) else place
    return open_store(place.location, **place.arguments, **arguments)


def node(name: str, text: str = "text", **metadata) -> TextNode:
    node = TextNode(id_=name, text=text, embedding=VECTORS.get(name, [0.5, 0.5, 0.5]), metadata=metadata)
    node.relationships = {"1": {"node_id": name.partition("#")[0], "class_name": "RelatedNodeInfo"}}
    return TextNode.model_validate(node.model_dump())


def opened(place: Place | str, tokenizer: str, *, create: bool = True, dimension: int = 24) -> PubMedIndex:
    place = Place(place) if isinstance(place, str) else place
    parser = TokenNodeParser(tokenizer=tokenizer, chunk_size=48, chunk_overlap=12)
    embedder = HashEmbedding(dimension=dimension)
    return PubMedIndex.open(place.location, embed_model=embedder, node_parser=parser, create=create, **place.arguments)


def everything(store: ChunkStore) -> dict:
    """All rows by id, as they can be compared."""
    return {
        row.node_id: (row.text, dict(row.metadata), row.vector.tobytes())
        for page in store.pages(3, vectors=True)
        for row in page
    }


def test_similarities_are_true_cosines(store):
    result = store.query(VectorStoreQuery(query_embedding=QUERY, similarity_top_k=10))
    expected = {key: np.dot(QUERY, v) / np.linalg.norm(QUERY) / np.linalg.norm(v) for key, v in VECTORS.items()}
    assert result.ids == sorted(VECTORS, key=lambda key: -expected[key])
    np.testing.assert_allclose(result.similarities, [expected[key] for key in result.ids], atol=1e-6)
    best = store.query(VectorStoreQuery(query_embedding=QUERY, similarity_top_k=2, mode=VectorStoreQueryMode.MMR))
    assert best.similarities[0] == pytest.approx(expected["D#0"], abs=1e-6)


def test_a_second_write_replaces_the_first_whole(store):
    store.add([node("D#0", "first", year=2020, own="kept once"), node("D#0", "second", year=2021)])
    [stored] = store.nodes(["D#0", "not there"])
    assert (stored.get_content(), stored.metadata, store.count()) == ("second", {"year": 2021}, 4)


def test_any_metadata_come_back(store):
    metadata = {
        "title": 'A "quoted" \\ title\nof two lines, α',
        "year": 2021,
        "mesh": ["Tea", "Heart Rate"],
        "status": "current",
        "score": 1 / 3,
        "flag": True,
        "nothing": None,
        "empty": [],
        "nested": {"a": [1, {"b": "c"}]},
        "odd 'key\"": "x",
    }
    store.add([node("G#0", "τext", **metadata)])
    [stored] = store.nodes(["G#0"])
    assert (stored.get_content(), stored.metadata) == ("τext", metadata)
    assert stored.ref_doc_id == "G"


def test_deletions(store):
    store.delete("D")
    assert sorted(store.ids()) == ["E#0", "F#0"]
    store.remove(["E#0", "not there"])
    assert store.ids() == ["F#0"]
    store.add([node("H#0", year=2001), node("H#1", year=2002)])
    store.delete_nodes(filters=MetadataFilters(filters=[MetadataFilter(key="year", value=2001)]))
    assert sorted(store.ids()) == ["F#0", "H#1"]
    store.clear()
    assert (store.count(), store.ids(), store.nodes(["F#0"])) == (0, [], [])


def test_pages_hold_each_row_once(store):
    store.add([node(f"P#{number}", f"text {number}") for number in range(25)])
    pages = list(store.pages(7, vectors=True))
    assert all(len(page) <= 7 for page in pages)
    rows = [row for page in pages for row in page]
    assert sorted(row.node_id for row in rows) == sorted([*VECTORS, *(f"P#{number}" for number in range(25))])
    assert {row.text for row in rows if row.node_id.startswith("P")} == {f"text {number}" for number in range(25)}
    np.testing.assert_allclose(next(row.vector for row in rows if row.node_id == "F#0"), VECTORS["F#0"])


@pytest.fixture(scope="module")
def filtered(engine) -> ChunkStore:
    store = store_at(engine(2))
    store.add([TextNode(id_=name, text="t", embedding=[1.0, 0.0], metadata=row) for name, row in ROWS.items()])
    return store


@settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
@given(filters=FILTERS)
def test_filters_find_what_brute_force_finds(filtered, filters):
    expected = sorted(name for name, row in ROWS.items() if brute_force(filters, row))
    query = VectorStoreQuery(query_embedding=[1.0, 0.1], similarity_top_k=len(ROWS), filters=filters)
    assert sorted(filtered.query(query).ids) == expected
    assert sorted(one.node_id for one in filtered.get_nodes(filters=filters)) == expected


def test_a_filter_on_a_field_that_no_record_has_is_told(store):
    filters = MetadataFilters(filters=[MetadataFilter(key="ward", value="7b")])
    with pytest.raises(InputError, match="'ward'"):
        store.query(VectorStoreQuery(query_embedding=QUERY, filters=filters))
    store.add([node("W#0", ward="7b")])
    assert store.query(VectorStoreQuery(query_embedding=QUERY, filters=filters)).ids == ["W#0"]


def test_every_change_gives_another_generation_and_reading_none(store, place):
    seen = [store.generation]
    for change in (
        lambda: store.add([node("G#0")]),
        lambda: store.add([node("G#0")]),
        lambda: store.remove(["G#0"]),
        lambda: store.delete("D"),
        store.clear,
    ):
        change()
        assert store.generation not in seen
        seen.append(store.generation)
    store.nodes(["E#0"])
    list(store.chunks())
    assert store_at(place, create=False).generation == store.generation == seen[-1]


def test_a_change_that_fails_gives_another_generation_each_time(store):
    before = store.generation
    with pytest.raises(RuntimeError), store.writing():
        raise RuntimeError("killed here")
    assert len({before, store.generation, store.generation}) == 3


def test_days_of_sources(store, place):
    store.note_source_day("2024-01-02")
    store.note_source_day("2024-03-04")
    days = store_at(place).source_days()
    assert sorted(days.values()) == ["2024-01-02", "2024-03-04"]
    store.note_source_day("2024-05-06", replacing=days)
    assert list(store.source_days().values()) == ["2024-05-06"]


def test_a_missing_index_is_told_and_nothing_is_made(place):
    with pytest.raises(IndexNotFoundError, match=r"first, with .*medqa index FILE"):
        store_at(place, create=False)
    with pytest.raises(IndexNotFoundError, match=r"first, with .*medqa index FILE"):
        store_at(place, create=False)


def test_another_identity_is_refused(place, word_piece, documents):
    opened(place, word_piece).ingest(documents)
    with pytest.raises(IndexIdentityError, match="dimension 24 in the index, 7 given"):
        opened(place, word_piece, dimension=7)
    assert opened(place, word_piece, create=False).identity["dimension"] == 24


def test_only_the_difference_is_written_and_a_stopped_run_made_good(
    place, tmp_path, word_piece, documents, monkeypatch
):
    index = opened(place, word_piece)
    write = type(index.store).write_rows
    written = []

    def stopping(self, rows):
        written.append(list(rows))
        if len(written) == 2:
            raise KeyboardInterrupt
        write(self, written[-1])

    with monkeypatch.context() as patched:
        patched.setattr(type(index.store), "write_rows", stopping)
        with pytest.raises(KeyboardInterrupt):
            index.ingest(documents)
    assert index.store.count() > 0
    again = opened(place, word_piece)
    again.ingest(documents)
    undisturbed = opened(str(tmp_path / "undisturbed"), word_piece)
    undisturbed.ingest(documents)
    assert everything(again.store) == everything(undisturbed.store)
    report = again.ingest(documents)
    assert (report.unchanged, report.chunks_written) == (len(documents), 0)
    assert again.remove_documents(["PMID:101"]) == {"PMID:101"}
    assert again.info().documents == len(documents) - 1


def test_a_retracted_paper_is_left_out_unless_asked_for(place, word_piece, documents):
    index = opened(place, word_piece)
    index.ingest(documents)
    question = "Do magnet bracelets cure arthritis?"
    for include, expected in ((False, False), (True, True)):
        found = PubMedRetriever(index, include_retracted=include).retrieve(question)
        assert any(item.node.ref_doc_id == "PMID:103" for item in found) is expected
        assert found


def test_questions_find_what_they_find_in_chroma(place, tmp_path, word_piece, documents):
    indexes = [opened(where, word_piece) for where in (place, str(tmp_path / "chroma"))]
    recent = MetadataFilters(filters=[MetadataFilter(key="year", operator=FilterOperator.GTE, value=2019)])
    for index in indexes:
        index.ingest(documents)
    for question in ("green tea and heart rate", "sleep of nurses"):
        for filters in (None, recent):
            one, other = (PubMedRetriever(index, filters=filters).retrieve(question) for index in indexes)
            assert [item.node for item in one] == [item.node for item in other]
            assert [item.score for item in one] == pytest.approx([item.score for item in other], abs=1e-6)


def test_an_index_moves_by_archive_and_by_copy_and_back(engine, tmp_path, word_piece, documents):
    source = opened(str(tmp_path / "source"), word_piece)
    source.ingest(documents)
    export_index(source.store, tmp_path / "one.zip")
    imported, copied = engine(), engine()
    import_index(tmp_path / "one.zip", imported.location, **imported.arguments)
    report = copy_index(source.store, store_at(copied))
    assert (report.chunks, report.written, report.removed) == (source.store.count(), source.store.count(), 0)
    back = str(tmp_path / "back")
    copy_index(store_at(copied), store_at(back))
    expected = everything(source.store)
    assert all(everything(store_at(where)) == expected for where in (imported, copied, back))
    assert opened(copied, word_piece, create=False).info() == source.info()
    with pytest.raises(InputError, match="is not empty"):
        copy_index(source.store, store_at(copied))


def test_a_stopped_copy_is_no_index_and_goes_on(engine, tmp_path, word_piece):
    source = opened(str(tmp_path / "source"), word_piece)
    source.ingest([to_document(record) for record in RECORDS])
    place = engine()
    target = store_at(place)

    def stop_half_way(done, of):
        if done == of // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy_index(source.store, target, progress=stop_half_way)
    with pytest.raises(IndexIdentityError, match="repeat"):
        opened(place, word_piece)
    # As if it had been stopped elsewhere: a row is missing, one is other than it should be, and one too many.
    kept, changed, *_ = sorted(target.ids())
    target.remove([kept])
    [row] = target.rows([changed], vectors=True)
    target.write_rows([row._replace(text="other"), row._replace(node_id="PMID:999#0")])
    report = copy_index(source.store, store_at(place))
    assert (report.written, report.removed) == (2, 1)
    assert everything(store_at(place)) == everything(source.store)


def test_milvus_lite_lets_in_one_process_and_says_so(tmp_path):
    pytest.importorskip("milvus_lite")
    place = f"milvus:{tmp_path}/index.db"
    holding = "import milvus_lite, sys; db = milvus_lite.MilvusLite(sys.argv[1]); print('open', flush=True); input()"
    command = [sys.executable, "-c", holding, str(tmp_path / "index.db")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline().strip() == b"open"
        with pytest.raises(IndexBusyError, match="milvus-lite server --data-dir"):
            store_at(place)
        other.communicate(b"\n")
    assert store_at(place).count() == 0


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("milvus:index", r"milvus:FOLDER/NAME\.db"),
        ("milvus://", "names no host"),
        ("milvus://host:x", "is no address"),
        ("milvus://host/not-a-name", "letters, digits and underscores"),
        ("milvus://user:secret@host", "MEDQA_MILVUS_TOKEN"),
    ],
)
def test_addresses_of_milvus_that_cannot_be_meant_are_told(location, message):
    with pytest.raises(InputError, match=message) as caught:
        open_store(location)
    assert "secret" not in str(caught.value)
