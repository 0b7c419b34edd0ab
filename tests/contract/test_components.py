"""What LlamaIndex expects of every component, and what we promise of the package as a whole."""

import json
import subprocess
import sys

import pytest
from llama_index.core import VectorStoreIndex
from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.base.llms.base import BaseLLM
from llama_index.core.callbacks import CallbackManager, CBEventType, LlamaDebugHandler
from llama_index.core.ingestion.pipeline import get_transformation_hash
from llama_index.core.node_parser import NodeParser
from llama_index.core.readers.base import BasePydanticReader
from llama_index.core.vector_stores.types import BasePydanticVectorStore

import llama_index_medqa
from llama_index_medqa import (
    BgeEmbedding,
    E5Embedding,
    MedQAQueryEngine,
    PubMedIndex,
    PubMedReader,
    PubMedRetriever,
    PubMedVectorStore,
    TokenNodeParser,
    TransformerEmbedding,
    VllmLora,
)
from llama_index_medqa.prompts import GROUNDED_ANSWER, GROUNDED_ANSWER_VERSION, template_hash
from llama_index_medqa.testing import HashEmbedding, ScriptedLLM


def test_the_public_surface():
    assert llama_index_medqa.__all__ == [
        "BgeEmbedding",
        "E5Embedding",
        "LlamaCppLora",
        "MedQAQueryEngine",
        "PubMedIndex",
        "PubMedReader",
        "PubMedRetriever",
        "PubMedVectorStore",
        "TokenNodeParser",
        "TransformerEmbedding",
        "VllmLora",
    ]
    with pytest.raises(AttributeError, match="PubMedWriter"):
        _ = llama_index_medqa.PubMedWriter


@pytest.mark.parametrize(
    ("component", "base"),
    [
        (BgeEmbedding, BaseEmbedding),
        (E5Embedding, BaseEmbedding),
        (TransformerEmbedding, BaseEmbedding),
        (HashEmbedding, BaseEmbedding),
        (MedQAQueryEngine, BaseQueryEngine),
        (PubMedIndex, VectorStoreIndex),
        (PubMedReader, BasePydanticReader),
        (PubMedRetriever, BaseRetriever),
        (PubMedVectorStore, BasePydanticVectorStore),
        (TokenNodeParser, NodeParser),
        (VllmLora, BaseLLM),
        (ScriptedLLM, BaseLLM),
    ],
)
def test_each_component_is_one_of_llama_index_s(component, base):
    assert base.__name__ in [ancestor.__name__ for ancestor in component.__mro__]


@pytest.fixture
def components(tmp_path, word_piece):
    return [
        E5Embedding(model_name="some/model", embed_batch_size=7, precision="float32", cache_dir=str(tmp_path)),
        BgeEmbedding(model_name="some/model", embed_batch_size=7, backend="onnx"),
        TransformerEmbedding(
            model_name="some/model", query_prefix="q: ", passage_prefix="p: ", device="cpu", tokens_per_batch=9
        ),
        HashEmbedding(dimension=12),
        TokenNodeParser(tokenizer=word_piece, chunk_size=40, chunk_overlap=10, include_prev_next_rel=False),
        PubMedReader(),
        PubMedVectorStore(persist_dir=str(tmp_path), collection_name="other"),
        VllmLora("base", "adapter", api_base="http://127.0.0.1:9/v1", max_tokens=12),
        ScriptedLLM(["one", "two"]),
    ]


def test_to_dict_and_from_dict_round_trip(components):
    for component in components:
        saved = json.loads(json.dumps(component.to_dict()))
        assert saved["class_name"] == type(component).__name__
        assert type(component).from_dict(saved).to_dict() == component.to_dict()


def test_no_secret_is_saved(tmp_path):
    secret = "sk-very-secret"
    store = PubMedVectorStore(persist_dir=str(tmp_path), headers={"Authorization": secret})
    llm = VllmLora("base", "adapter", api_base="http://127.0.0.1:9/v1", api_key=secret)
    for component in (store, llm):
        assert secret not in json.dumps(component.to_dict())
        assert secret not in repr(component)


@pytest.mark.parametrize(
    ("change", "value"),
    [("tokenizer", "unigram"), ("chunk_size", 33), ("chunk_overlap", 7), ("include_prev_next_rel", False)],
)
def test_a_splitter_setting_changes_the_transformation_hash(request, word_piece, documents, change, value):
    value = request.getfixturevalue(value) if change == "tokenizer" else value
    one = TokenNodeParser(tokenizer=word_piece, chunk_size=32, chunk_overlap=8)
    other = TokenNodeParser(**{**one.to_dict(), change: value})
    assert get_transformation_hash(documents, one) != get_transformation_hash(documents, other)
    same = TokenNodeParser(tokenizer=word_piece, chunk_size=32, chunk_overlap=8)
    assert get_transformation_hash(documents, one) == get_transformation_hash(documents, same)


@pytest.mark.parametrize(
    "change", [{"model_name": "b"}, {"query_prefix": "x"}, {"passage_prefix": "x"}, {"precision": "float32"}]
)
def test_an_embedder_setting_changes_the_transformation_hash(documents, change):
    one, other = TransformerEmbedding(model_name="a"), TransformerEmbedding(**{"model_name": "a", **change})
    assert get_transformation_hash(documents, one) != get_transformation_hash(documents, other)


async def test_sync_equals_async_on_the_whole_path(tmp_path, word_piece, documents):
    parser = TokenNodeParser(tokenizer=word_piece, chunk_size=32, chunk_overlap=8)
    assert [node.to_dict() for node in await parser.acall(documents)] == [node.to_dict() for node in parser(documents)]
    index = PubMedIndex.open(str(tmp_path), embed_model=HashEmbedding(), node_parser=parser, create=True)
    index.ingest(documents)
    retriever = index.as_retriever(similarity_top_k=5)
    question = "Does green tea lower the heart rate?"
    sync = [(item.node.node_id, item.score) for item in retriever.retrieve(question)]
    assert [(item.node.node_id, item.score) for item in await retriever.aretrieve(question)] == sync


def test_llama_index_s_own_query_engine_works_on_the_index_by_a_name_that_says_so(tmp_path, word_piece, documents):
    parser = TokenNodeParser(tokenizer=word_piece)
    index = PubMedIndex.open(str(tmp_path), embed_model=HashEmbedding(), node_parser=parser, create=True)
    index.ingest(documents)
    llm = ScriptedLLM(["It does."])
    engine = index.as_unverified_query_engine(llm=llm, similarity_top_k=2)
    response = engine.query("Does green tea lower the heart rate?")
    assert str(response) == "It does."
    assert "Green tea lowered the resting heart rate" in llm.prompts[0]
    assert "record_hash" not in llm.prompts[0]


def test_embedding_and_splitting_events_reach_a_handler(tiny_model, documents):
    handler = LlamaDebugHandler(print_trace_on_end=False)
    manager = CallbackManager([handler])
    nodes = TokenNodeParser(tokenizer=tiny_model, callback_manager=manager)(documents)
    E5Embedding(model_name=tiny_model, callback_manager=manager)(nodes)
    assert len(handler.get_event_pairs(CBEventType.NODE_PARSING)) == 1
    assert len(handler.get_event_pairs(CBEventType.EMBEDDING)) == 1
    assert all(node.embedding for node in nodes)


def test_the_top_level_import_is_light_and_switches_telemetry_off():
    script = (
        "import os, sys, llama_index_medqa\n"
        "assert not {'torch', 'chromadb', 'transformers', 'llama_index'} & set(sys.modules)\n"
        "assert os.environ['ANONYMIZED_TELEMETRY'] == 'False' and os.environ['RAGAS_DO_NOT_TRACK'] == 'true'"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)


def test_the_network_is_blocked_in_tests():
    import socket

    from pytest_socket import SocketConnectBlockedError

    with pytest.raises(SocketConnectBlockedError), pytest.warns(UserWarning, match=r"192\.0\.2\.1"):
        socket.create_connection(("192.0.2.1", 80), timeout=1)


def test_a_changed_prompt_has_a_new_version():
    """The hash is what this version's text hashes to: change the text, the version and this line together."""
    assert (GROUNDED_ANSWER_VERSION, template_hash(GROUNDED_ANSWER)) == ("grounded-answer/1", "f4d097dcefa4e927")
