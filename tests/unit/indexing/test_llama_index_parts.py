"""Our parts where LlamaIndex's users put them: directory readers, pipelines, copies, settings, postprocessors."""

import copy
import logging
import pickle

import numpy as np
import pytest
from llama_index.core import Document, Settings, SimpleDirectoryReader
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.postprocessor import SimilarityPostprocessor
from llama_index.core.schema import MetadataMode

from llama_index_medqa import (
    E5Embedding,
    MedQAQueryEngine,
    PubMedIndex,
    PubMedReader,
    PubMedVectorStore,
    TokenNodeParser,
    VllmLora,
)
from llama_index_medqa.errors import IndexIdentityError, InputError
from llama_index_medqa.retrieval.paper_filter import FilteredQuery, PaperFilter
from llama_index_medqa.retrieval.retriever import PubMedRetriever
from llama_index_medqa.testing import HashEmbedding, ScriptedLLM
from tests.unit.pubmed.formats.xml_samples import article

QUESTION = "Does green tea lower the resting heart rate?"
TRUE = "Green tea lowered the resting heart rate by 3.5 beats per minute compared with water."


@pytest.fixture
def parser(word_piece) -> TokenNodeParser:
    return TokenNodeParser(tokenizer=word_piece, chunk_size=32, chunk_overlap=8)


@pytest.fixture
def index(tmp_path, documents, parser) -> PubMedIndex:
    index = PubMedIndex.open(str(tmp_path / "index"), embed_model=HashEmbedding(), node_parser=parser, create=True)
    index.ingest(documents)
    return index


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    for pmid in ("1", "2"):
        text = f"<PubmedArticleSet>{article(pmid=pmid)}</PubmedArticleSet>"
        (folder / f"{pmid}.xml").write_text(text, encoding="utf-8")
    return folder


def test_the_reader_in_a_directory_reader(folder):
    reader = SimpleDirectoryReader(str(folder), file_extractor={".xml": PubMedReader()}, raise_on_error=True)
    documents = reader.load_data()
    assert [document.id_ for document in documents] == ["PMID:1", "PMID:2"]
    alone = PubMedReader().load_data(folder)
    for document, plain in zip(documents, alone, strict=True):
        assert document.metadata["file_name"] == f"{document.metadata['pmid']}.xml"
        assert plain.metadata.items() <= document.metadata.items()
        for mode in (MetadataMode.EMBED, MetadataMode.LLM):
            assert document.get_content(mode) == plain.get_content(mode) == plain.text


async def test_the_reader_in_a_directory_reader_asynchronously(folder):
    reader = SimpleDirectoryReader(str(folder), file_extractor={".xml": PubMedReader()}, raise_on_error=True)
    assert [document.id_ for document in await reader.aload_data()] == ["PMID:1", "PMID:2"]


def test_more_metadata_replaces_none_of_a_record(folder):
    [document, _] = PubMedReader().load_data(folder, extra_info={"ward": "7", "pmid": "9"})
    assert (document.metadata["ward"], document.metadata["pmid"]) == ("7", "1")
    with pytest.raises(InputError, match="reads local files"):
        PubMedReader().load_data(folder, fs=object())


def filled(tmp_path, documents, *transformations) -> str:
    """A folder that LlamaIndex's pipeline has filled, which notes nothing of what it was filled with."""
    folder = str(tmp_path / "pipeline")
    store = PubMedVectorStore(persist_dir=folder)
    IngestionPipeline(transformations=list(transformations), vector_store=store).run(documents=documents)
    assert store.count()
    return folder


def test_an_index_that_a_pipeline_has_filled(tmp_path, documents, parser, index, caplog):
    folder = filled(tmp_path, documents, parser, HashEmbedding())
    adopted = PubMedIndex.open(folder, embed_model=HashEmbedding(), node_parser=parser)
    assert adopted.identity == index.identity
    assert "embedded and split again, and are the same" in caplog.text
    assert adopted.ingest(documents).unchanged == len(documents)
    caplog.clear()
    # From now on it says so itself.
    again = PubMedIndex.open(folder, embed_model=HashEmbedding(), node_parser=parser)
    assert (again.identity, caplog.text) == (index.identity, "")
    assert MedQAQueryEngine.from_index(again, "extractive").query(QUESTION).citations


@pytest.mark.parametrize(
    ("embedder", "sizes", "message"),
    [
        (HashEmbedding(dimension=64), {}, "has a vector of 256 numbers, the embedder's has 64"),
        (HashEmbedding(), {"chunk_size": 48}, "not those of chunk_size=48 and chunk_overlap=8"),
        (HashEmbedding(), {"chunk_overlap": 16}, "not those of chunk_size=32 and chunk_overlap=16"),
    ],
)
def test_what_a_pipeline_filled_with_something_else_is_told(tmp_path, documents, parser, embedder, sizes, message):
    folder = filled(tmp_path, documents, parser, HashEmbedding())
    other = TokenNodeParser(**{"tokenizer": parser.tokenizer, "chunk_size": 32, "chunk_overlap": 8, **sizes})
    with pytest.raises(IndexIdentityError, match=message):
        PubMedIndex.open(folder, embed_model=embedder, node_parser=other)
    # Nothing was noted.
    assert PubMedIndex.open(folder, embed_model=HashEmbedding(), node_parser=parser).identity["chunk_size"] == 32


class Turned(HashEmbedding):
    """As HashEmbedding, but its vectors point elsewhere."""

    def _get_text_embedding(self, text):
        return np.roll(super()._get_text_embedding(text), 1).tolist()

    def _get_text_embeddings(self, texts):
        return [self._get_text_embedding(text) for text in texts]


def test_vectors_of_another_embedder_are_told(tmp_path, documents, parser):
    folder = filled(tmp_path, documents, parser, HashEmbedding())
    with pytest.raises(IndexIdentityError, match=r"the embedder gives PMID:.* another vector"):
        PubMedIndex.open(folder, embed_model=Turned(), node_parser=parser)


def test_chunks_of_another_splitter_are_told(tmp_path, parser):
    folder = filled(tmp_path, [Document(text="Tea lowers the rate.")], HashEmbedding())
    with pytest.raises(IndexIdentityError, match=r"not those of a TokenNodeParser.* in another folder"):
        PubMedIndex.open(folder, embed_model=HashEmbedding(), node_parser=parser)


def test_copies_of_models(tiny_model):
    model = E5Embedding(model_name=tiny_model, embed_batch_size=7)
    expected = model.get_text_embedding("Green tea.")
    for made in (copy.deepcopy(model), copy.deepcopy([model])[0], copy.copy(model), pickle.loads(pickle.dumps(model))):
        assert (type(made), made.embed_batch_size) == (E5Embedding, 7)
        assert made.get_text_embedding("Green tea.") == pytest.approx(expected, abs=1e-6)
    # The model is read once, and each copy has a lock of its own.
    assert copy.deepcopy(model)._encoder is model._encoder
    assert copy.deepcopy(model)._loading is not model._loading
    served = VllmLora("base", "adapter", api_base="http://127.0.0.1:9/v1")
    assert copy.deepcopy(served).adapter == "adapter"
    assert copy.deepcopy(served)._verifying is not served._verifying


def test_the_model_of_the_settings(index, monkeypatch):
    llm = ScriptedLLM([TRUE])
    monkeypatch.setattr(Settings, "_llm", llm)
    response = MedQAQueryEngine.from_index(index).query(QUESTION)
    assert (response.answered_by, bool(response.citations), len(llm.prompts)) == ("scripted", True, 1)


def cut_off(at: float) -> SimilarityPostprocessor:
    return SimilarityPostprocessor(similarity_cutoff=at)


def test_a_cut_off_by_similarity_sees_cosines(index, caplog):
    plain = PubMedRetriever(index, similarity_top_k=20).retrieve(QUESTION)
    # Sums of two reciprocal ranks, each at most 1 / 61.
    assert all(item.score <= 2 / 61 for item in plain)
    cosines = sorted((item.cosine for item in plain), reverse=True)
    middle = (cosines[2] + cosines[3]) / 2
    expected = [item.node.node_id for item in plain if item.cosine >= middle]
    assert 0 < len(expected) < len(plain)
    inside = PubMedRetriever(index, similarity_top_k=20, node_postprocessors=[cut_off(middle)]).retrieve(QUESTION)
    assert [item.node.node_id for item in inside] == expected
    assert {item.score for item in inside} <= {item.score for item in plain}
    engine = MedQAQueryEngine.from_index(
        index, "extractive", similarity_top_k=20, node_postprocessors=[cut_off(middle)]
    )
    response = engine.query(QUESTION)
    assert response.citations
    assert sorted(item.node.node_id for item in response.source_nodes) == sorted(expected)
    assert caplog.text == ""


def test_a_cut_off_that_leaves_nothing_is_told(index, caplog):
    caplog.set_level(logging.WARNING)
    found = PubMedRetriever(index, node_postprocessors=[cut_off(0.999)]).retrieve(QUESTION)
    assert found == []
    assert "SimilarityPostprocessor left out all" in caplog.text
    assert "its similarity_cutoff is 0.999, and the nearest has 0." in caplog.text


def test_every_chunk_of_a_hybrid_search_tells_its_cosine(index):
    query = np.array(HashEmbedding().get_query_embedding(QUESTION))
    for item in PubMedRetriever(index, similarity_top_k=50, candidates=1).retrieve(QUESTION):
        vector = index.store.vectors([item.node.node_id])[item.node.node_id]
        cosine = float(vector @ query / np.linalg.norm(vector) / np.linalg.norm(query))
        assert item.cosine == pytest.approx(cosine, abs=1e-5)


@pytest.mark.parametrize(
    ("papers", "message"),
    [
        (PaperFilter(first_year=2030), "No record meets the filter year >= 2030: the records hold 2018 to 2021."),
        (PaperFilter(journals=["Journal of Inventd Trials"]), "Did you mean 'Journal of Invented Trials'?"),
        (PaperFilter(publication_types=["Trials"]), "No record meets the filter publication_types any ['Trials']"),
    ],
)
def test_an_answer_names_the_filter_that_no_paper_meets(index, papers, message):
    response = MedQAQueryEngine.from_index(index, ScriptedLLM([TRUE])).query(FilteredQuery(QUESTION, papers=papers))
    assert response.abstained == "no_evidence"
    assert message in response.explanation


def test_an_answer_in_any_spelling_of_a_filter(index):
    papers = PaperFilter("2020", publication_types="randomized controlled trial", journals="journal of invented TRIALS")
    response = MedQAQueryEngine.from_index(index, ScriptedLLM([TRUE])).query(FilteredQuery(QUESTION, papers=papers))
    assert {citation.document_id for citation in response.citations} == {"PMID:101"}


def test_an_answer_names_a_filter_that_nothing_retrieved_meets(index):
    engine = MedQAQueryEngine(index.as_retriever(similarity_top_k=6), ScriptedLLM([TRUE]))
    response = engine.query(FilteredQuery(QUESTION, papers=PaperFilter(first_year=2030)))
    assert "Nothing that was retrieved meets the filter year >= 2030." in response.explanation
