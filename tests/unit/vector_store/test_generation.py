"""What tells a derived cache that it is stale, and what such a cache is made from; on a real Chroma database."""

import multiprocessing
import threading

import pytest
from llama_index.core.schema import TextNode
from llama_index.core.vector_stores.types import MetadataFilter, MetadataFilters

from llama_index_medqa import PubMedIndex, PubMedVectorStore, TokenNodeParser
from llama_index_medqa.errors import InputError
from llama_index_medqa.testing import HashEmbedding
from llama_index_medqa.vector_store import generation


def node(name: str, text: str = "text", **metadata) -> TextNode:
    return TextNode(id_=name, text=text, embedding=[1.0, 0.5], metadata=metadata or {"year": 2020})


@pytest.fixture
def store(tmp_path) -> PubMedVectorStore:
    store = PubMedVectorStore(persist_dir=str(tmp_path / "index"))
    store.add([node("D#0"), node("D#1"), node("E#0")])
    return store


@pytest.mark.parametrize(
    "change",
    [
        lambda store: store.add([node("F#0")]),
        lambda store: store.add([node("D#0", "other text")]),
        lambda store: store.add([node("D#0")]),
        lambda store: store.remove(["D#1"]),
        lambda store: store.delete("D"),
        lambda store: store.delete_nodes(["D#0"]),
        lambda store: store.delete_nodes(filters=MetadataFilters(filters=[MetadataFilter(key="year", value=2020)])),
        lambda store: store.clear(),
    ],
)
def test_every_change_gives_another_generation(store, change):
    before = store.generation
    change(store)
    assert store.generation not in (before, None)
    assert store.generation == store.generation


def test_reading_and_opening_do_not_change_it(store, tmp_path):
    before = store.generation
    store.nodes(["D#0"])
    list(store.chunks())
    store.remove([])
    store.add([])
    again = PubMedVectorStore(persist_dir=str(tmp_path / "index"))
    assert again.generation == store.generation == before


def test_it_never_becomes_what_it_was(store):
    seen = {store.generation}
    for _ in range(5):
        store.add([node("F#0")])
        store.remove(["F#0"])
        assert store.generation not in seen
        seen.add(store.generation)


def test_an_unchanged_corpus_leaves_it_alone(tmp_path, word_piece, documents):
    parser = TokenNodeParser(tokenizer=word_piece, chunk_size=32, chunk_overlap=8)
    index = PubMedIndex.open(str(tmp_path), embed_model=HashEmbedding(), node_parser=parser, create=True)
    index.ingest(documents)
    before = index.store.generation
    index.ingest(documents)
    assert index.store.generation == before
    index.remove_documents(["PMID:101"])
    assert index.store.generation != before


def _write(folder: str, name: str) -> None:
    PubMedVectorStore(persist_dir=folder).add([node(name)])


def test_a_write_of_another_process_changes_it(store, tmp_path):
    before = store.generation
    process = multiprocessing.get_context("spawn").Process(target=_write, args=(str(tmp_path / "index"), "F#0"))
    process.start()
    process.join()
    assert process.exitcode == 0
    assert store.generation != before


def test_while_a_write_is_under_way_nothing_is_kept(store, tmp_path):
    reader = PubMedVectorStore(persist_dir=str(tmp_path / "index"))
    before = reader.generation
    with store.writing():
        assert len({before, reader.generation, reader.generation}) == 3
        store.add([node("F#0")])
        assert len({reader.generation, reader.generation}) == 2
    assert reader.generation == reader.generation != before


def test_a_write_that_was_stopped_is_noticed_and_does_not_unsettle_for_good(store, tmp_path, monkeypatch):
    before = store.generation
    with pytest.raises(KeyboardInterrupt), store.writing():
        raise KeyboardInterrupt
    assert store.generation != store.generation
    monkeypatch.setattr(generation, "MARK_LIFETIME_S", 0.0)
    reader = PubMedVectorStore(persist_dir=str(tmp_path / "index"))
    settled = reader.generation
    assert settled == reader.generation != before
    reader.add([node("F#0")])
    assert reader.generation not in (before, settled)


def test_rows_of_writers_long_gone_are_swept_and_old_values_stay_away(store, tmp_path, monkeypatch):
    seen = {store.generation}
    monkeypatch.setattr(generation, "MARK_LIFETIME_S", -1.0)
    for number in range(4):
        writer = PubMedVectorStore(persist_dir=str(tmp_path / "index"))
        writer.add([node(f"F#{number}")])
        assert writer.generation not in seen
        seen.add(writer.generation)
    assert writer._companion._companion.count() == 1


def test_threads_of_one_store_share_a_mark(store):
    before = store.generation
    entered, leave = threading.Barrier(3), threading.Event()

    def write() -> None:
        with store.writing():
            entered.wait()
            leave.wait()

    threads = [threading.Thread(target=write) for _ in range(2)]
    for thread in threads:
        thread.start()
    entered.wait()
    assert store.generation != store.generation
    leave.set()
    for thread in threads:
        thread.join()
    assert store.generation == store.generation != before


def test_all_chunks_are_read_page_by_page(store):
    many = [node(f"G#{number}", f"text {number}", year=2000 + number % 20, mesh=["a", "b"]) for number in range(50)]
    store.add(many)
    expected = {
        **{name: ("text", {"year": 2020}) for name in ("D#0", "D#1", "E#0")},
        **{item.node_id: (item.text, item.metadata) for item in many},
    }
    for batch_size in (1, 7, 53, 100):
        read = list(store.chunks(batch_size))
        assert {chunk.node_id: (chunk.text, chunk.metadata) for chunk in read} == expected
        assert len(read) == len(expected)


def test_no_more_than_a_page_is_read_ahead(store, monkeypatch):
    pages = []
    read = store._rows
    monkeypatch.setattr(type(store), "_rows", lambda self, **kwargs: pages.append(kwargs["offset"]) or read(**kwargs))
    chunks = store.chunks(2)
    next(chunks)
    assert pages == [0]


def test_nodes_come_in_the_order_of_their_ids(tmp_path, word_piece, documents):
    parser = TokenNodeParser(tokenizer=word_piece, chunk_size=32, chunk_overlap=8)
    index = PubMedIndex.open(str(tmp_path), embed_model=HashEmbedding(), node_parser=parser, create=True)
    index.ingest(documents)
    expected = {item.node_id: item for item in parser(documents)}
    ids = ["PMID:102#0", "PMID:101#1", "not there", "PMID:101#0"]
    found = index.store.nodes(ids)
    assert found == [expected[name] for name in ids if name in expected]
    assert index.store.get_nodes(node_ids=ids) == found
    texts = {document.id_: document.text for document in documents}
    assert all(texts[item.ref_doc_id][item.start_char_idx : item.end_char_idx] == item.text for item in found)
    assert len(index.store.get_nodes()) == len(expected)
    retracted = MetadataFilters(filters=[MetadataFilter(key="status", value="retracted")])
    assert {item.ref_doc_id for item in index.store.get_nodes(filters=retracted)} == {"PMID:103"}
    assert index.store.get_nodes(ids, filters=retracted) == []
    assert index.store.get_nodes([]) == index.store.nodes([]) == []


def test_deleting_nothing_in_particular_is_refused(store):
    with pytest.raises(InputError, match=r"clear\(\)"):
        store.delete_nodes()
    assert store.collection.count() == 3
