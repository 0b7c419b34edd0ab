"""Backends and batches against sentence-transformers' own encode."""

import json
import logging
import shutil
from pathlib import Path

import numpy as np
import pytest

from llama_index_medqa import E5Embedding, TransformerEmbedding
from llama_index_medqa.embeddings import encoder as backends
from llama_index_medqa.embeddings.encoder import choose_execution, computes_in_bfloat16
from llama_index_medqa.errors import InputError, MissingExtraError
from tests.conftest import RECORDS

TEXTS = [record.text for record in RECORDS] + ["x", "tea " * 300, "Green tea lowered the heart rate."] * 3


def encoded(folder: str, texts: list[str]) -> np.ndarray:
    """What sentence-transformers makes of the texts."""
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(folder, device="cpu").encode(texts, normalize_embeddings=True, prompt="")


def cosines(vectors: object, expected: np.ndarray) -> np.ndarray:
    given = np.array(vectors, dtype=np.float64)
    np.testing.assert_allclose(np.linalg.norm(given, axis=1), 1.0, atol=1e-6)
    return (given * expected).sum(axis=1)


@pytest.mark.parametrize("tokens_per_batch", [None, 1, 100])
def test_float32_equals_sentence_transformers(tiny_model, tokens_per_batch):
    embedder = E5Embedding(model_name=tiny_model, precision="float32", tokens_per_batch=tokens_per_batch)
    expected = encoded(tiny_model, [f"passage: {text}" for text in TEXTS])
    assert cosines(embedder.get_text_embedding_batch(TEXTS), expected).min() >= 0.999999
    expected = encoded(tiny_model, [f"query: {text}" for text in TEXTS])
    assert cosines([embedder.get_query_embedding(text) for text in TEXTS], expected).min() >= 0.999999


def test_bfloat16_is_near_float32_and_not_the_same(tiny_model):
    expected = encoded(tiny_model, [f"passage: {text}" for text in TEXTS])
    vectors = E5Embedding(model_name=tiny_model, precision="bfloat16").get_text_embedding_batch(TEXTS)
    assert cosines(vectors, expected).min() >= 0.9999
    # A processor without such instructions is given float32 by some backends.
    if computes_in_bfloat16("cpu"):
        assert np.abs(np.array(vectors) - expected).max() > 1e-5


@pytest.fixture
def with_modules(tiny_model, tmp_path):
    """Makes a model with a pooling mode of its own, and a projection after it."""

    def make(mode: str) -> str:
        folder = tmp_path / mode
        shutil.copytree(tiny_model, folder)
        types = ["Transformer", "Pooling", "Dense"]
        modules = [
            {"idx": number, "name": str(number), "path": f"{number}_{name}" if number else "",
             "type": f"sentence_transformers.models.{name}"}
            for number, name in enumerate(types)
        ]  # fmt: skip
        (folder / "modules.json").write_text(json.dumps(modules))
        (folder / "1_Pooling").mkdir()
        pooling = {"word_embedding_dimension": 32, f"pooling_mode_{mode}": True, "pooling_mode_mean_tokens": False}
        (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
        write_dense(folder / "2_Dense")
        return str(folder)

    return make


def write_dense(folder: Path) -> None:
    import torch
    from safetensors.torch import save_file

    folder.mkdir()
    settings = {"in_features": 32, "out_features": 12, "bias": True}
    (folder / "config.json").write_text(
        json.dumps({**settings, "activation_function": "torch.nn.modules.activation.Tanh"})
    )
    generator = torch.Generator().manual_seed(1)
    weight = torch.randn(12, 32, generator=generator)
    save_file({"linear.weight": weight, "linear.bias": torch.zeros(12)}, folder / "model.safetensors")


@pytest.mark.parametrize("mode", ["cls_token", "max_tokens", "lasttoken"])
def test_the_model_s_own_modules_are_used(with_modules, mode):
    folder = with_modules(mode)
    embedder = TransformerEmbedding(model_name=folder, precision="float32")
    assert embedder.dimension == 12
    assert cosines(embedder.get_text_embedding_batch(TEXTS), encoded(folder, TEXTS)).min() >= 0.999999


def test_a_tokenizer_that_pads_on_the_left(tiny_model, tmp_path):
    folder = shutil.copytree(tiny_model, tmp_path / "left")
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**settings, "padding_side": "left"}))
    embedder = TransformerEmbedding(model_name=str(folder), precision="float32")
    batch = embedder._load()._ready.tokenizer.batch_of(["tea", "green tea and the heart"])
    assert batch["attention_mask"][0].tolist() == sorted(batch["attention_mask"][0].tolist())
    # Absolute positions shift with the padding, so a text's vector depends on its batch: here it is the same one.
    texts = ["tea", "green tea and the heart"]
    assert cosines(embedder.get_text_embedding_batch(texts), encoded(str(folder), texts)).min() >= 0.999999


def test_an_empty_text_has_a_vector(tiny_model):
    embedder = E5Embedding(model_name=tiny_model, precision="float32")
    assert cosines([embedder.get_text_embedding("")], encoded(tiny_model, ["passage: "])).min() >= 0.999999
    assert embedder.get_text_embedding_batch([]) == []


def test_weights_saved_in_half_precision_are_computed_in_float32(tiny_model, tmp_path):
    import torch
    from transformers import AutoModel

    folder = shutil.copytree(tiny_model, tmp_path / "half")
    AutoModel.from_pretrained(tiny_model, dtype=torch.float16).save_pretrained(folder)
    embedder = TransformerEmbedding(model_name=str(folder), precision="float32")
    assert {parameter.dtype for parameter in embedder._load()._ready.run.model.parameters()} == {torch.float32}


def test_a_model_without_a_transformer_is_told(tmp_path):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer, models

    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0, "tea": 1}, unk_token="[UNK]"))
    SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=4)]).save(str(tmp_path))
    with pytest.raises(InputError, match=r"begins with StaticEmbedding\. Use LlamaIndex's HuggingFaceEmbedding"):
        TransformerEmbedding(model_name=str(tmp_path)).get_text_embedding("tea")


@pytest.mark.parametrize(
    ("flags", "precision"),
    [({"avx512_bf16"}, "bfloat16"), ({"amx_bf16"}, "bfloat16"), ({"bf16"}, "bfloat16"), ({"avx512f"}, "float32")],
)
def test_bfloat16_is_chosen_where_the_processor_computes_in_it(monkeypatch, flags, precision):
    monkeypatch.setattr(backends, "_processor_flags", lambda: flags)
    execution = choose_execution("auto", "auto", "cpu", None, "E5Embedding")
    assert (execution.precision, execution.device) == (precision, "cpu")
    assert choose_execution("auto", "float32", "cpu", None, "E5Embedding").precision == "float32"


@pytest.mark.parametrize(("version", "device"), [("2.13.0", "cuda"), ("2.13.0+cu130", "cuda"), ("2.13.0+cpu", "cpu")])
def test_a_gpu_is_taken_where_torch_can_have_one(monkeypatch, version, device):
    import torch

    monkeypatch.setattr(backends.importlib.metadata, "version", lambda _: version)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_execution("auto", "float32", None, None, "E5Embedding").device == device
    assert choose_execution("openvino", "float32", None, None, "E5Embedding").device == "cpu"


def test_a_missing_torch_is_told(monkeypatch):
    monkeypatch.setattr(backends, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r'E5Embedding needs .* pip install "llama-index-medqa\[embeddings\]"'):
        choose_execution("auto", "auto", None, None, "E5Embedding")


def test_what_was_chosen_is_said(tiny_model, caplog):
    embedder = E5Embedding(model_name=tiny_model, precision="float32", device="cpu")
    with caplog.at_level(logging.INFO):
        embedder.get_query_embedding("tea")
    assert "tiny-bert embeds on torch, float32, cpu." in caplog.text
    assert str(embedder.execution) == "torch, float32, cpu"


def test_a_loaded_embedder_can_be_pickled(tiny_model):
    import pickle

    embedder = E5Embedding(model_name=tiny_model, precision="float32")
    vector = embedder.get_text_embedding("tea")
    assert pickle.loads(pickle.dumps(embedder)).get_text_embedding("tea") == vector
