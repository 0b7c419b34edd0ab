"""An index on other vector stores of LlamaIndex's: what a store can do, whose it is, and runs that were killed.

Expected values: what an undisturbed run leaves in the folder and in the store, and plain Python for filters.
"""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from llama_index.core.schema import TextNode
from llama_index.core.vector_stores import SimpleVectorStore
from llama_index.core.vector_stores.types import MetadataFilters, VectorStoreQuery

from llama_index_medqa import PubMedIndex, PubMedVectorStore, TokenNodeParser
from llama_index_medqa.diagnostics import examine
from llama_index_medqa.errors import IndexBusyError, InputError, StorageError
from llama_index_medqa.indexing.reader import to_document
from llama_index_medqa.profiles import EMBEDDED
from llama_index_medqa.testing import HashEmbedding
from llama_index_medqa.vector_store.addresses import open_store
from llama_index_medqa.vector_store.filters import without_retracted
from llama_index_medqa.vector_store.generic import linked_store
from llama_index_medqa.vector_store.generic import store as generic_store
from llama_index_medqa.vector_store.generic.store import GenericStore
from tests.conftest import RECORDS
from tests.doubles.llama_index_stores import MinimalStore
from tests.unit.vector_store.test_filters import FILTERS, ROWS, brute_force


def node(name: str, **metadata) -> TextNode:
    vector = np.random.default_rng(sum(name.encode())).standard_normal(8)
    made = TextNode(id_=name, text=f"text of {name}", embedding=vector.tolist(), metadata=metadata)
    made.relationships = {"1": {"node_id": name.partition("#")[0], "class_name": "RelatedNodeInfo"}}
    return TextNode.model_validate(made.model_dump())


def filled(folder, store, count: int = 5) -> GenericStore:
    made = GenericStore(str(folder), store)
    made.add([node(f"PMID:{number}#0", year=2000 + number) for number in range(count)])
    return made


def held(nodes) -> dict:
    """What a store holds of chunks, without markers."""
    return {
        one.metadata["chunk_id"]: (one.text, {**one.metadata}, one.embedding)
        for one in nodes
        if "chunk_id" in one.metadata
    }


def test_what_a_store_can_do_is_seen_and_told(tmp_path):
    minimal = filled(tmp_path / "a", MinimalStore()).capabilities
    assert minimal.as_json() == {
        "store": "MinimalStore", "deletes_by_id": False, "replaces": False, "gives_nodes": False, "filters": False,
        "gives_cosines": False, "keeps_texts": False,
    }  # fmt: skip
    simple = filled(tmp_path / "b", SimpleVectorStore()).capabilities
    assert (simple.deletes_by_id, simple.replaces, simple.gives_cosines, simple.filters) == (True, True, True, True)
    assert not simple.gives_nodes
    assert "deletes nodes by id: no (each chunk is a document of its own there" in minimal.report()
    assert GenericStore(str(tmp_path / "new"), MinimalStore()).capabilities is None


def test_nodes_can_be_read_by_other_programs(tmp_path):
    store = MinimalStore()
    filled(tmp_path, store, 1)
    [one] = [one for one in store.nodes if "chunk_id" in one.metadata]
    assert (one.text, one.metadata) == ("text of PMID:0#0", {"year": 2000, "chunk_id": "PMID:0#0"})
    assert np.linalg.norm(one.embedding) == pytest.approx(1.0)


class Unable(MinimalStore):
    def delete(self, ref_doc_id, **kwargs):
        pass


class Forgetful(MinimalStore):
    def add(self, nodes, **kwargs):
        return [one.node_id for one in nodes]


class Wordy(MinimalStore):
    is_embedding_query: bool = False


class Broken(MinimalStore):
    def query(self, query, **kwargs):
        raise ConnectionRefusedError("no route")


@pytest.mark.parametrize(
    ("store", "error", "message"),
    [
        (Unable(), InputError, "Unable cannot hold an index: it does not delete"),
        (Forgetful(), InputError, "Forgetful cannot hold an index: it does not find what was added"),
        (Wordy(), InputError, "Wordy cannot hold an index: it takes no vectors"),
        (Broken(), StorageError, r"The Broken of the index in .* failed \(ConnectionRefusedError: no route\)"),
        ("pubmed", InputError, "not a str"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_store_that_cannot_hold_an_index_is_told_with_what_it_lacks(tmp_path, monkeypatch, store, error, message):
    monkeypatch.setattr(linked_store, "_PATIENCE_S", 0.0)
    with pytest.raises(error, match=message):
        filled(tmp_path, store)


def test_a_chroma_store_is_opened_without(tmp_path):
    with pytest.raises(InputError, match="opened by its folder or address alone"):
        open_store(str(tmp_path / "side"), vector_store=PubMedVectorStore(persist_dir=str(tmp_path / "chroma")))


def test_two_folders_cannot_share_a_collection(tmp_path):
    store = MinimalStore()
    first = filled(tmp_path / "first", store)
    before = held(store.nodes)
    with pytest.raises(InputError, match="already holds other nodes"):
        filled(tmp_path / "second", MinimalStore(store.nodes))
    assert held(store.nodes) == before
    assert GenericStore(str(tmp_path / "first"), store).count() == first.count() == 5
    assert not [one for one in store.nodes if one.metadata.get("medqa_role") == "probe"]
    assert sum(one.metadata.get("medqa_role") == "marker" for one in store.nodes) == 1


def test_a_collection_that_another_program_filled_is_refused(tmp_path):
    store = MinimalStore([node("other")])
    with pytest.raises(InputError, match="already holds other nodes"):
        filled(tmp_path, store)
    assert [one.node_id for one in store.nodes] == ["other"]


def test_a_copied_folder_is_noticed_once_the_other_writes(tmp_path):
    store = MinimalStore()
    filled(tmp_path / "first", store)
    shutil.copytree(tmp_path / "first", tmp_path / "copy")
    opened_before = GenericStore(str(tmp_path / "copy"), store)
    GenericStore(str(tmp_path / "first"), store).add([node("PMID:9#0")])
    with pytest.raises(StorageError, match="not in the state"):
        GenericStore(str(tmp_path / "copy"), store)
    with pytest.raises(StorageError, match="not in the state"):
        opened_before.add([node("PMID:10#0")])


def test_another_or_older_store_is_noticed_and_an_empty_one_filled_again(tmp_path):
    store = SimpleVectorStore()
    filled(tmp_path / "index", store)
    store.persist(str(tmp_path / "kept" / "store.json"))
    GenericStore(str(tmp_path / "index"), store).add([node("PMID:9#0")])
    older = SimpleVectorStore.from_persist_path(str(tmp_path / "kept" / "store.json"))
    for other in (older, SimpleVectorStore()):
        with pytest.raises(StorageError, match="refill=True"):
            GenericStore(str(tmp_path / "index"), other)
    again = open_store(str(tmp_path / "index"), vector_store=SimpleVectorStore(), refill=True)
    question = node("PMID:9#0").embedding
    assert again.nearest(question, 1, {})[0][0] == "PMID:9#0"
    assert len(again.nearest(question, 10, {})) == 6
    assert GenericStore(str(tmp_path / "index"), again.vector_store).count() == 6


def test_a_refill_that_was_stopped_is_no_whole_store_and_goes_on(tmp_path):
    filled(tmp_path / "index", MinimalStore())
    nodes, operations = [], 0

    def failing(_):
        nonlocal operations
        operations += 1
        if operations > 13:
            raise Killed

    with pytest.raises(Killed):
        GenericStore(str(tmp_path / "index"), MinimalStore(nodes, failing), refill=True)
    assert any("chunk_id" in one.metadata for one in nodes)
    with pytest.raises(StorageError, match="was stopped: open the index once more with refill=True"):
        GenericStore(str(tmp_path / "index"), MinimalStore(nodes))
    GenericStore(str(tmp_path / "index"), MinimalStore(nodes), refill=True)
    assert sorted(one.metadata["chunk_id"] for one in nodes if "chunk_id" in one.metadata) == [
        f"PMID:{number}#0" for number in range(5)
    ]


def test_a_refill_of_a_wrong_store_leaves_the_right_one(tmp_path):
    store = MinimalStore()
    filled(tmp_path / "index", store)
    with pytest.raises(InputError, match="already holds other nodes"):
        GenericStore(str(tmp_path / "index"), MinimalStore([node("other")]), refill=True)
    assert GenericStore(str(tmp_path / "index"), store).count() == 5


def test_a_store_that_lost_nodes_is_told_at_a_search(tmp_path):
    store = MinimalStore()
    made = filled(tmp_path, store)
    store.nodes[:] = [one for one in store.nodes if one.metadata.get("chunk_id") != "PMID:3#0"]
    query = VectorStoreQuery(query_embedding=node("x").embedding, similarity_top_k=10)
    with pytest.raises(StorageError, match="has lost vectors: of 5 chunks a search finds 4"):
        made.query(query)


@pytest.mark.parametrize("make", [MinimalStore, SimpleVectorStore])
def test_lost_nodes_are_told_to_every_retriever_and_filled_again_in_place(tmp_path, make):
    store = make()
    made = filled(tmp_path, store, 8)
    question, usual = node("x").embedding, made.scope(without_retracted(None))
    whole = made.nearest(question, 8, usual)
    for name in ("PMID:3#0", "PMID:5#0"):
        store.delete(made._linked.key_of(name) if make is MinimalStore else name.partition("#")[0])
    with pytest.raises(StorageError, match=r"of 8 chunks a search finds 6\. Open the index once with refill=True"):
        made.nearest(question, 8, usual)
    few = MetadataFilters.from_dicts([{"key": "year", "operator": ">=", "value": 2006}])
    assert len(made.nearest(question, 8, made.scope(few))) == 2
    again = GenericStore(str(tmp_path), store, refill=True)
    assert again.nearest(question, 8, usual) == whole
    assert GenericStore(str(tmp_path), store).count() == 8


def test_a_store_that_holds_all_and_finds_fewer_has_lost_nothing(tmp_path):
    class Hasty(SimpleVectorStore):
        def query(self, query, **kwargs):
            return super().query(replace(query, similarity_top_k=4), **kwargs)

    expected = filled(tmp_path / "exact", SimpleVectorStore(), 8).nearest(node("x").embedding, 8, {})
    store = SimpleVectorStore()
    filled(tmp_path / "index", store, 8)
    hasty = GenericStore(str(tmp_path / "index"), Hasty(data=store.data))
    assert hasty.nearest(node("x").embedding, 8, {}) == expected


def test_an_index_that_cannot_be_opened_leaves_no_folder(tmp_path):
    folder = tmp_path / "made" / "index"
    with pytest.raises(InputError, match="node_parser="):
        PubMedIndex.open(str(folder), vector_store=MinimalStore(), embed_model=HashEmbedding(dimension=8), create=True)
    assert list(tmp_path.iterdir()) == []
    filled(folder, MinimalStore())
    with pytest.raises(InputError, match="needs embed_model="):
        PubMedIndex.open(str(folder), vector_store=MinimalStore(), embed_model="none", create=True, refill=True)
    assert (folder / "medqa.chunks.sqlite3").is_file()


def test_vectors_of_another_length_are_told(tmp_path):
    made = filled(tmp_path, MinimalStore())
    with pytest.raises(InputError, match="vectors of 8 numbers, and was given one of 2"):
        made.add([TextNode(id_="x", text="x", embedding=[1.0, 0.0])])


@pytest.fixture(scope="module")
def asking(tmp_path_factory):
    """A store that is always asked, never the folder's vectors compared."""
    made = GenericStore(str(tmp_path_factory.mktemp("asked")), MinimalStore())
    source = np.random.default_rng(5)
    made.add(
        [TextNode(id_=name, text="t", embedding=source.standard_normal(4), metadata=row) for name, row in ROWS.items()]
    )
    return made


@settings(max_examples=60)
@given(filters=FILTERS)
def test_filtered_searches_of_the_store_find_the_nearest_that_meet_them(asking, filters):
    question = [0.5, -1.0, 0.25, 2.0]
    expected = [name for name, row in ROWS.items() if brute_force(filters, row)]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(generic_store, "_MOST_COMPARED", 0)
        found = asking.nearest(question, 5, asking.scope(filters))
    vectors = asking.vectors(expected)
    cosines = {one: float(v @ question / np.linalg.norm(v) / np.linalg.norm(question)) for one, v in vectors.items()}
    nearest = sorted(expected, key=lambda one: -cosines[one])[:5]
    assert [name for name, _ in found] == nearest
    assert [score for _, score in found] == pytest.approx([cosines[name] for name in nearest])


def test_a_field_of_any_name_and_kind_can_be_filtered(tmp_path):
    made = GenericStore(str(tmp_path), MinimalStore())
    values = {"a": "text", "b": 2020, "c": 2020.5, "d": ["w", "x"], "e": "with \0 in it", "f": True}
    made.add([node(name, **{'odd "key': value, "year": value}) for name, value in values.items()])
    for key in ('odd "key', "year"):
        for operator, value, expected in (
            ("==", "text", "a"), ("!=", "text", "bcdef"), ("in", ["text", "x"], "a"), ("==", 2020, "b"),
            (">", 2020, "c"), (">=", 2020, "bc"), ("<", 3000.5, "bc"), ("contains", "x", "d"),
            ("==", "with \0 in it", "e"), ("nin", ["text"], "bcdef"),
        ):  # fmt: skip
            filters = MetadataFilters.from_dicts([{"key": key, "operator": operator, "value": value}])
            assert "".join(sorted(made.ids(made.condition(filters).where))) == expected, (key, operator)


class Killed(BaseException):
    """Stands for a kill: nothing may catch it."""


def test_runs_killed_at_every_operation_equal_an_undisturbed_one(tmp_path, word_piece):
    first = [to_document(record) for record in RECORDS]
    second = [to_document(replace(record, title=f"Now: {record.title}")) for record in RECORDS[:2]]

    def run(folder, store):
        parser = TokenNodeParser(tokenizer=word_piece, chunk_size=32, chunk_overlap=8)
        index = PubMedIndex.open(
            str(folder), vector_store=store, embed_model=HashEmbedding(dimension=8), node_parser=parser, create=True
        )
        index.ingest(first)
        index.ingest(second)
        index.remove_documents(["PMID:103"])
        return index.store

    calm = MinimalStore()
    expected = {one.node_id: (one.text, dict(one.metadata)) for one in run(tmp_path / "calm", calm).chunks()}
    kills = 0
    while True:
        nodes, operations = [], 0

        def failing(_, limit=kills):
            nonlocal operations
            operations += 1
            if operations == limit + 1:
                raise Killed

        folder = tmp_path / str(kills)
        try:
            run(folder, MinimalStore(nodes, failing))
        except Killed:
            store = run(folder, MinimalStore(nodes))
            assert {one.node_id: (one.text, dict(one.metadata)) for one in store.chunks()} == expected, kills
            assert held(nodes) == held(calm.nodes), kills
            assert len(nodes) == len(calm.nodes), kills
            shutil.rmtree(folder)
            kills += 1
        else:
            break
    assert kills > 20


def test_one_process_writes_at_a_time(tmp_path):
    made = filled(tmp_path, MinimalStore())
    other = GenericStore(str(tmp_path), made.vector_store)
    with made.sole_writer(), pytest.raises(IndexBusyError), other.sole_writer(wait=False):
        pass


def test_a_folder_beside_a_store_is_no_index_of_chroma_and_the_other_way_round(tmp_path):
    filled(tmp_path / "side", MinimalStore())
    for opening in (
        lambda: open_store(str(tmp_path / "side")),
        lambda: PubMedVectorStore(persist_dir=str(tmp_path / "side")),
        lambda: open_store(str(tmp_path / "side"), create=False),
    ):
        with pytest.raises(InputError, match="belongs to an index on another vector store"):
            opening()
    found = {one.name: one for one in examine(EMBEDDED, str(tmp_path / "side"))}
    assert found["index"].state == "wrong"
    PubMedVectorStore(persist_dir=str(tmp_path / "chroma"))
    with pytest.raises(InputError, match="holds an index in Chroma"):
        GenericStore(str(tmp_path / "chroma"), MinimalStore())
    with pytest.raises(InputError, match="needs a folder"):
        open_store("http://127.0.0.1:8000", vector_store=MinimalStore())


@pytest.mark.parametrize("name", ["", " "])
@pytest.mark.parametrize(
    "arguments",
    [
        ["info"], ["export", "file.zip"], ["import", "file.zip"], ["doctor"], ["doctor", "--repair"], ["update"],
        ["index", "records.xml"], ["ask", "Why?", "--llm", "extractive"], ["migrate"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_an_empty_name_of_an_index_is_no_folder(medqa, tmp_path, monkeypatch, arguments, name):
    (tmp_path / "records.xml").write_text(
        "<PubmedArticleSet><PubmedArticle><MedlineCitation><PMID>1</PMID><Article><ArticleTitle>Tea.</ArticleTitle>"
        "<Abstract><AbstractText>Tea is safe.</AbstractText></Abstract></Article></MedlineCitation></PubmedArticle>"
        "</PubmedArticleSet>"
    )
    (tmp_path / "file.zip").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    before = sorted(path.name for path in tmp_path.iterdir())
    code, out, error = medqa(*arguments, "--index", name)
    assert code != 0
    assert arguments[0] == "import" or "name of the index is empty" in out + error
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_the_state_of_a_folder_is_plain_json(tmp_path):
    made = filled(tmp_path, MinimalStore())
    link = made._file.rows("link")["link"]
    assert json.loads(json.dumps(link))["dimension"] == 8
