"""Any embedder of LlamaIndex's works on PubMedIndex: its HuggingFaceEmbedding, and one of a few lines."""

import numpy as np
import pytest
from llama_index.core import MockEmbedding

from llama_index_medqa import MedQAQueryEngine, PubMedIndex, PubMedRetriever, TokenNodeParser
from llama_index_medqa.errors import IndexIdentityError
from llama_index_medqa.testing import HashEmbedding

QUESTION = "Does green tea lower the resting heart rate?"


def hugging_face(folder: str):
    huggingface = pytest.importorskip("llama_index.embeddings.huggingface", reason="it is not installed")
    return huggingface.HuggingFaceEmbedding(
        model_name=folder, device="cpu", query_instruction="query: ", text_instruction="passage: "
    )


EMBEDDERS = {
    "HuggingFaceEmbedding": hugging_face,
    "HashEmbedding": lambda folder: HashEmbedding(),
    "MockEmbedding": lambda folder: MockEmbedding(embed_dim=8),
}


@pytest.mark.parametrize("name", EMBEDDERS)
def test_an_index_is_built_asked_and_opened_again(tmp_path, tiny_model, documents, name):
    embedder = EMBEDDERS[name](tiny_model)
    parser = TokenNodeParser(tokenizer=tiny_model, chunk_size=32, chunk_overlap=8)
    index = PubMedIndex.open(str(tmp_path), embed_model=embedder, node_parser=parser, create=True)
    index.ingest(documents)
    ids = index.store.ids()
    stored = index.store.vectors(ids)
    given = embedder.get_text_embedding_batch([node.text for node in index.store.nodes(ids)])
    for node_id, vector in zip(ids, np.array(given), strict=True):
        assert stored[node_id] @ vector / np.linalg.norm(vector) == pytest.approx(
            np.linalg.norm(stored[node_id]), rel=1e-5
        )
    again = PubMedIndex.open(str(tmp_path), embed_model=EMBEDDERS[name](tiny_model), node_parser=parser)
    assert again.ingest(documents).unchanged == len(documents)
    for mode in ("hybrid", "dense", "lexical"):
        assert PubMedRetriever(again, mode=mode, similarity_top_k=3).retrieve(QUESTION)
    response = MedQAQueryEngine.from_index(again, "extractive").query(QUESTION)
    assert "Green tea lowered the resting heart rate" in str(response)


def test_hugging_face_s_dense_order_is_that_of_its_own_cosines(tmp_path, tiny_model, documents):
    embedder = hugging_face(tiny_model)
    parser = TokenNodeParser(tokenizer=tiny_model, chunk_size=32, chunk_overlap=8)
    index = PubMedIndex.open(str(tmp_path), embed_model=embedder, node_parser=parser, create=True)
    index.ingest(documents)
    found = index.as_retriever(similarity_top_k=3, include_retracted=True).retrieve(QUESTION)
    nodes = index.store.nodes(index.store.ids())
    question = np.array(embedder.get_query_embedding(QUESTION))
    cosines = sorted(
        (float(np.array(embedder.get_text_embedding(node.text)) @ question) for node in nodes), reverse=True
    )
    assert [item.score for item in found] == pytest.approx(cosines[:3], abs=1e-5)


def test_another_embedder_than_the_index_s_is_an_error(tmp_path, tiny_model, documents):
    parser = TokenNodeParser(tokenizer=tiny_model)
    PubMedIndex.open(str(tmp_path), embed_model=hugging_face(tiny_model), node_parser=parser, create=True).ingest(
        documents
    )
    with pytest.raises(IndexIdentityError, match="HuggingFaceEmbedding"):
        PubMedIndex.open(str(tmp_path), embed_model=HashEmbedding(), node_parser=parser)
