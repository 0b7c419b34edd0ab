"""The index on a real Chroma database, with a deterministic embedder."""

import weakref

import pytest
from llama_index.core import Document, StorageContext
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.vector_stores import MetadataFilter, MetadataFilters, SimpleVectorStore

from llama_index_medqa import E5Embedding, PubMedIndex, PubMedVectorStore, TokenNodeParser
from llama_index_medqa.errors import EmptyCorpusError, IndexIdentityError, IndexNotFoundError, InputError
from llama_index_medqa.indexing.info import describe
from llama_index_medqa.testing import HashEmbedding


@pytest.fixture
def parser(word_piece) -> TokenNodeParser:
    return TokenNodeParser(tokenizer=word_piece, chunk_size=32, chunk_overlap=8)


def opened(folder, parser, **kwargs) -> PubMedIndex:
    return PubMedIndex.open(str(folder), embed_model=HashEmbedding(), node_parser=parser, create=True, **kwargs)


def content(index: PubMedIndex) -> list:
    rows = index.store.collection.get(include=["documents", "metadatas", "embeddings"])
    return sorted(
        (node_id, text, metadata["record_hash"], tuple(vector))
        for node_id, text, metadata, vector in zip(
            rows["ids"], rows["documents"], rows["metadatas"], rows["embeddings"].tolist(), strict=True
        )
    )


def longer(document: Document) -> Document:
    return Document(id_=document.id_, text=document.text + "\nAnd one more finding. " * 20, metadata={"pmid": "101"})


def test_ingesting_again_changes_nothing(tmp_path, parser, documents):
    index = opened(tmp_path, parser)
    first = index.ingest(documents)
    assert (first.added, first.unchanged) == (4, 0)
    before = content(index)
    again = opened(tmp_path, parser).ingest(documents)
    assert (again.added, again.updated, again.unchanged, again.chunks_written) == (0, 0, 4, 0)
    assert content(opened(tmp_path, parser)) == before


def test_spans_survive_the_database(tmp_path, parser, documents):
    opened(tmp_path, parser).ingest(documents)
    texts = {document.id_: document.text for document in documents}
    nodes = opened(tmp_path, parser).as_retriever(similarity_top_k=50, include_retracted=True).retrieve("tea")
    assert len(nodes) > 4
    for item in nodes:
        assert texts[item.node.ref_doc_id][item.node.start_char_idx : item.node.end_char_idx] == item.node.text


def test_an_update_leaves_no_stale_chunk(tmp_path, parser, documents):
    index = opened(tmp_path / "a", parser)
    index.ingest([longer(documents[0]), *documents[1:]])
    report = index.ingest(documents)
    assert report.updated == 1
    assert report.chunks_removed > 0
    fresh = opened(tmp_path / "b", parser)
    fresh.ingest(documents)
    assert content(index) == content(fresh)


class Stopped(BaseException):
    """Stands for the process being killed."""


@pytest.mark.parametrize("calls", range(3))
def test_stopping_between_any_two_writes_is_repaired_by_running_again(tmp_path, parser, documents, calls):
    """Between the writes of a batch the store is stopped for good, as by a kill."""

    class Stopping(PubMedVectorStore):
        def add(self, nodes, **kwargs):
            self._count()
            return super().add(nodes, **kwargs)

        def remove(self, ids):
            self._count()
            super().remove(ids)

        def _count(self):
            nonlocal remaining
            remaining -= 1
            if remaining < 0:
                raise Stopped

    remaining = 10**6
    store = Stopping(persist_dir=str(tmp_path / "a"))
    index = PubMedIndex(
        storage_context=StorageContext.from_defaults(vector_store=store),
        embed_model=HashEmbedding(),
        transformations=[parser],
    )
    index.ingest([longer(documents[0])])
    remaining = calls
    with pytest.raises(Stopped):
        index.ingest(documents)
    repaired = opened(tmp_path / "a", parser)
    repaired.ingest(documents)
    undisturbed = opened(tmp_path / "b", parser)
    undisturbed.ingest(documents)
    assert content(repaired) == content(undisturbed)
    assert repaired.ingest(documents).unchanged == len(documents)


def test_the_last_of_equal_ids_counts(tmp_path, parser, documents):
    index = opened(tmp_path, parser)
    index.ingest([longer(documents[0]), documents[0]])
    fresh = opened(tmp_path / "fresh", parser)
    fresh.ingest([documents[0]])
    assert content(index) == content(fresh)


def test_documents_without_text_are_counted(tmp_path, parser, documents):
    report = opened(tmp_path, parser).ingest([Document(text="  ", id_="PMID:9"), documents[0]])
    assert (report.empty, report.added) == (1, 1)


def test_no_document_at_all_is_an_error(tmp_path, parser):
    with pytest.raises(EmptyCorpusError, match="nothing to index"):
        opened(tmp_path, parser).ingest(iter([]))


def test_retracted_papers_are_left_out_unless_asked_for(tmp_path, parser, documents):
    index = opened(tmp_path, parser)
    index.ingest(documents)
    question = "Do magnet bracelets cure arthritis?"
    found = {node.node.ref_doc_id for node in index.as_retriever(similarity_top_k=50).retrieve(question)}
    assert "PMID:103" not in found
    assert {"PMID:101", "PMID:102"} <= found
    retriever = index.as_retriever(similarity_top_k=1, include_retracted=True)
    assert retriever.retrieve(question)[0].node.ref_doc_id == "PMID:103"


def test_filters_join_the_exclusion_of_retracted_papers(tmp_path, parser, documents):
    index = opened(tmp_path, parser)
    index.ingest(documents)
    filters = MetadataFilters(filters=[MetadataFilter(key="mesh", value="Sleep", operator="contains")])
    found = index.as_retriever(similarity_top_k=50, filters=filters).retrieve("tea")
    assert {node.node.ref_doc_id for node in found} == {"PMID:102"}


def test_llama_index_s_own_ways_in(tmp_path, parser, documents):
    index = PubMedIndex.from_documents(
        documents[:2], persist_dir=str(tmp_path / "a"), embed_model=HashEmbedding(), transformations=[parser]
    )
    index.insert(documents[2])
    assert index.refresh_ref_docs(documents) == [False, False, False, True]
    pipeline_store = PubMedVectorStore(persist_dir=str(tmp_path / "b"))
    pipeline = IngestionPipeline(transformations=[parser, HashEmbedding()], vector_store=pipeline_store)
    opened(tmp_path / "b", parser)
    pipeline.run(documents=documents)
    assert content(opened(tmp_path / "b", parser)) == content(index)
    assert opened(tmp_path / "b", parser).ingest(documents).unchanged == 4
    index.delete_ref_doc("PMID:101")
    assert describe(index.store).documents == 3


def test_info(tmp_path, parser, documents):
    index = opened(tmp_path, parser)
    index.ingest(documents)
    info = index.info()
    assert (info.documents, info.years) == (4, (2018, 2021))
    assert info.statuses == {"current": 3, "retracted": 1}
    assert info.chunks == index.store.collection.count()
    assert info.identity["chunk_size"] == 32


def test_info_never_holds_more_rows_than_one(tmp_path, parser, documents, monkeypatch):
    """All of an index's metadata are much larger than what is counted in them."""
    index = opened(tmp_path, parser)
    index.ingest(documents)
    alive, most = weakref.WeakSet(), 0

    class Row(dict):
        __hash__ = object.__hash__

    def rows(ids):
        nonlocal most
        for number, name in enumerate(ids):
            row = Row(status="current", year=1900 + number % 100)
            alive.add(row)
            most = max(most, len(alive))
            yield name, row

    monkeypatch.setattr(type(index.store), "ids", lambda _: [f"PMID:{number}#0" for number in range(1_000)])
    monkeypatch.setattr(type(index.store), "each_metadata", lambda _, ids: rows(ids))
    found = describe(index.store)
    assert (found.documents, found.years) == (1_000, (1900, 1999))
    assert list(found.identity) == sorted(found.identity)
    # The one that is counted, and the one that is made next.
    assert most <= 2


@pytest.mark.parametrize(
    ("embedder", "settings", "message"),
    [
        (HashEmbedding(dimension=64), {}, "dimension 256 in the index, 64 given"),
        (HashEmbedding(model_name="other"), {}, "'HashEmbedding:hash'.*'HashEmbedding:other'"),
        (HashEmbedding(), {"chunk_size": 40}, "chunk_size 32 in the index, 40 given"),
    ],
)
def test_opening_with_something_else_names_both_values(tmp_path, parser, documents, embedder, settings, message):
    opened(tmp_path, parser).ingest(documents)
    other = parser.model_copy(update=settings)
    with pytest.raises(IndexIdentityError, match=message):
        PubMedIndex.open(str(tmp_path), embed_model=embedder, node_parser=other)


def test_an_index_that_holds_nothing_yet_takes_any_identity(tmp_path, parser, documents):
    opened(tmp_path, parser)
    other = PubMedIndex.open(str(tmp_path), embed_model=HashEmbedding(dimension=64), node_parser=parser)
    other.ingest(documents)
    assert describe(other.store).identity["dimension"] == 64


def test_without_a_splitter_the_stored_settings_apply(tmp_path, tiny_model, documents):
    embedder = E5Embedding(model_name=tiny_model)
    parser = TokenNodeParser(tokenizer=tiny_model, chunk_size=24, chunk_overlap=6)
    PubMedIndex.open(str(tmp_path), embed_model=embedder, node_parser=parser, create=True).ingest(documents)
    again = PubMedIndex.open(str(tmp_path), embed_model=embedder)
    assert (again.node_parser.chunk_size, again.node_parser.chunk_overlap) == (24, 6)


def test_a_stranger_s_collection_is_refused(tmp_path, parser):
    store = PubMedVectorStore(persist_dir=str(tmp_path))
    store.collection.upsert(ids=["x"], embeddings=[[1.0, 0.0]], documents=["x"])
    with pytest.raises(IndexIdentityError, match="not built by llama-index-medqa"):
        opened(tmp_path, parser)


def test_what_cannot_be_an_index_is_told(tmp_path, parser):
    with pytest.raises(IndexNotFoundError):
        PubMedIndex.open(str(tmp_path / "none"), embed_model=HashEmbedding(), node_parser=parser)
    with pytest.raises(InputError, match="PubMedVectorStore"):
        PubMedIndex(
            storage_context=StorageContext.from_defaults(vector_store=SimpleVectorStore()), embed_model=HashEmbedding()
        )
    with pytest.raises(InputError, match="TokenNodeParser"):
        PubMedIndex.open(str(tmp_path), embed_model=HashEmbedding(), create=True)
