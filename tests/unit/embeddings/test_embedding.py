"""The embedder against a forward pass written out with transformers and torch."""

import logging

import numpy as np
import pytest

from llama_index_medqa import E5Embedding, TransformerEmbedding
from llama_index_medqa.errors import InputError, WeightsError

TEXT = "green tea and the heart rate"


def by_hand(folder: str, text: str) -> np.ndarray:
    """Mean of the last hidden states over all tokens, divided by its length."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokens = AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt")
    tokens.pop("token_type_ids", None)
    with torch.no_grad():
        states = AutoModel.from_pretrained(folder)(**tokens).last_hidden_state[0]
    mean = states.mean(dim=0).numpy()
    return mean / np.linalg.norm(mean)


def test_vectors_equal_mean_pooling_by_hand(tiny_model):
    embedder = E5Embedding(model_name=tiny_model, precision="float32")
    np.testing.assert_allclose(embedder.get_text_embedding(TEXT), by_hand(tiny_model, f"passage: {TEXT}"), atol=1e-5)
    np.testing.assert_allclose(embedder.get_query_embedding(TEXT), by_hand(tiny_model, f"query: {TEXT}"), atol=1e-5)


def test_without_prefixes_both_roles_are_the_text_itself(tiny_model):
    embedder = TransformerEmbedding(model_name=tiny_model, precision="float32")
    np.testing.assert_allclose(embedder.get_text_embedding(TEXT), by_hand(tiny_model, TEXT), atol=1e-5)
    np.testing.assert_allclose(embedder.get_query_embedding(TEXT), by_hand(tiny_model, TEXT), atol=1e-5)


async def test_batch_and_async_equal_one_by_one(tiny_model):
    embedder = E5Embedding(model_name=tiny_model, embed_batch_size=2)
    texts = ["a short one", TEXT, "sleep and blood pressure in nurses", "x"]
    one_by_one = [embedder.get_text_embedding(text) for text in texts]
    np.testing.assert_allclose(embedder.get_text_embedding_batch(texts), one_by_one, atol=1e-5)
    np.testing.assert_allclose(await embedder.aget_text_embedding_batch(texts), one_by_one, atol=1e-5)
    np.testing.assert_allclose(await embedder.aget_query_embedding(TEXT), embedder.get_query_embedding(TEXT), atol=1e-5)


def test_truncation_is_reported(tiny_model, caplog):
    embedder = E5Embedding(model_name=tiny_model)
    with caplog.at_level(logging.WARNING):
        embedder.get_text_embedding_batch(["short", "heart " * 200])
    assert "1 of 2 texts are longer than the 64 tokens" in caplog.text


def test_identity_names_the_weights_by_their_hash(tiny_model, tmp_path):
    import shutil

    identity = E5Embedding(model_name=tiny_model).identity()
    assert identity["dimension"] == 32
    assert identity["query_prefix"] == "query: "
    copy = tmp_path / "elsewhere"
    shutil.copytree(tiny_model, copy)
    assert E5Embedding(model_name=str(copy)).identity()["weights"] == identity["weights"]
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x00")
    assert E5Embedding(model_name=str(copy)).identity()["weights"] != identity["weights"]


def test_llama_index_s_cache_is_refused(tiny_model):
    from llama_index.core.storage.kvstore import SimpleKVStore

    with pytest.raises(InputError, match="embeddings_cache"):
        E5Embedding(model_name=tiny_model, embeddings_cache=SimpleKVStore())


def test_the_prefixes_of_e5_are_fixed(tiny_model):
    with pytest.raises(InputError, match="fixed prefixes"):
        E5Embedding(model_name=tiny_model, query_prefix="search: ")


def test_a_folder_without_a_model_is_told(tmp_path):
    with pytest.raises(WeightsError, match="No embedding model could be loaded"):
        TransformerEmbedding(model_name=str(tmp_path)).get_text_embedding("x")
