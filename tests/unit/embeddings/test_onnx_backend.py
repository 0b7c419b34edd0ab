"""Encoders stored as ONNX: graphs of a few nodes, whose vectors are worked out by hand from the table of tokens."""

import json
import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from llama_index_medqa import BgeEmbedding, TransformerEmbedding
from llama_index_medqa.errors import InputError, WeightsError
from llama_index_medqa.weights.convert_bge import complete

onnx = pytest.importorskip("onnx", reason="the extra 'verifier' is not installed")

WORDS = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "tea", "heart", "rate", "lowers", ":", "Represent", "this", "sentence"]
TABLE = np.random.default_rng(7).normal(size=(len(WORDS), 4)).astype(np.float32)
INSTRUCTION = "Represent this sentence for searching relevant passages:"


def make_model(folder: Path, *, sees_batch: bool = False) -> Path:
    """A model whose state of a token is the mean of its own row of the table and the mean row of the text.

    Args:
        folder: where to.
        sees_batch: whether the greatest number in the batch is added, as dynamic quantisation scales by it.
    """
    from onnx import TensorProto, helper

    folder.mkdir(parents=True)
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["rows"]),
        helper.make_node("ReduceMean", ["rows"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("Add", ["rows", "mean"], ["sum"]),
        helper.make_node("ReduceMax", ["rows"], ["most"], keepdims=1),
        helper.make_node("Add", ["sum", "most"], ["with_most"]),
        helper.make_node("Identity", ["with_most" if sees_batch else "sum"], ["last_hidden_state"]),
    ]
    inputs = [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "tokens"])]
    outputs = [helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, ["batch", "tokens", 4])]
    table = helper.make_tensor("table", TensorProto.FLOAT, TABLE.shape, TABLE.ravel())
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, [table])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, str(folder / "model.onnx"))
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {"model_type": "bert", "hidden_size": 4, "max_position_embeddings": 512, "pad_token_id": 0}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def by_hand(words: str, pooling: str) -> np.ndarray:
    rows = TABLE[[1, *(WORDS.index(word) if word in WORDS else 3 for word in words.split()), 2]]
    states = rows + rows.mean(axis=0)
    vector = states[0] if pooling == "cls" else states.mean(axis=0)
    return vector / np.linalg.norm(vector)


@pytest.fixture
def bge(tmp_path: Path) -> Path:
    """A folder as packaged weights of the kind ``bge`` become one."""
    folder = make_model(tmp_path / "bge")
    complete(folder)
    return folder


def test_a_bge_folder_pools_the_first_token_and_instructs_queries_alone(bge):
    embedder = BgeEmbedding(model_name=str(bge))
    np.testing.assert_allclose(embedder.get_text_embedding("tea lowers"), by_hand("tea lowers", "cls"), atol=1e-6)
    query = by_hand("Represent this sentence for searching relevant passages : tea lowers", "cls")
    np.testing.assert_allclose(embedder.get_query_embedding("tea lowers"), query, atol=1e-6)
    assert str(embedder.execution) == "onnx, as stored, cpu"
    assert embedder.dimension == 4


def test_without_a_word_on_pooling_it_is_the_mean(tmp_path):
    embedder = TransformerEmbedding(model_name=str(make_model(tmp_path / "plain")))
    np.testing.assert_allclose(embedder.get_text_embedding("heart rate"), by_hand("heart rate", "mean"), atol=1e-6)


@pytest.mark.parametrize("processors", [1, 3])
def test_a_text_has_the_same_vector_whatever_stands_beside_it(tmp_path, monkeypatch, processors):
    monkeypatch.setattr("llama_index_medqa.embeddings.onnx_backend._available_processors", lambda: processors)
    embedder = TransformerEmbedding(model_name=str(make_model(tmp_path / "sees", sees_batch=True)))
    texts = ["tea", "heart rate lowers tea", "rate rate", "lowers heart"]
    alone = [embedder.get_text_embedding(text) for text in texts]
    assert embedder.get_text_embedding_batch(texts) == alone


def test_a_text_is_cut_at_the_longest_that_the_model_reads(bge, caplog):
    (bge / "sentence_bert_config.json").write_text('{"max_seq_length": 4}')
    embedder = BgeEmbedding(model_name=str(bge))
    with caplog.at_level(logging.WARNING):
        long = embedder.get_text_embedding("tea lowers heart rate")
    np.testing.assert_allclose(long, by_hand("tea lowers", "cls"), atol=1e-6)
    assert "1 of 1 texts are longer than the 4 tokens" in caplog.text


def test_the_longest_text_of_bge_has_512_tokens(bge):
    embedder = BgeEmbedding(model_name=str(bge))
    texts = [" ".join(["tea"] * count) for count in (509, 510, 511)]
    shorter, longest, cut = embedder.get_text_embedding_batch(texts)
    assert shorter != longest == cut


def test_the_identity_is_the_hash_of_the_onnx_file(bge, tmp_path):
    identity = BgeEmbedding(model_name=str(bge)).identity()
    other = make_model(tmp_path / "other", sees_batch=True)
    complete(other)
    changed = BgeEmbedding(model_name=str(other)).identity()
    assert identity["query_prefix"] == f"{INSTRUCTION} "
    assert identity["passage_prefix"] == ""
    assert [name for name in identity if identity[name] != changed[name]] == ["embedder", "weights"]


def test_neither_torch_nor_sentence_transformers_is_needed(bge):
    program = f"""
import sys
sys.modules["torch"] = sys.modules["sentence_transformers"] = sys.modules["transformers"] = None
from llama_index_medqa import BgeEmbedding
print(len(BgeEmbedding(model_name={str(bge)!r}).get_query_embedding("tea")))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("4\n", 0), done.stderr


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"backend": "torch"}, "backend='torch'"),
        ({"backend": "openvino"}, "backend='openvino'"),
        ({"precision": "bfloat16"}, "precision='bfloat16'"),
        ({"device": "cuda"}, "'cuda'"),
    ],
)
def test_what_onnx_runtime_cannot_do_is_told(bge, settings, name):
    with pytest.raises(InputError, match="Leave out backend, precision and device") as caught:
        BgeEmbedding(model_name=str(bge), **settings).get_text_embedding("tea")
    assert name in str(caught.value)


def test_a_folder_without_onnx_is_told(tiny_model):
    with pytest.raises(WeightsError, match=r"model\.onnx"):
        TransformerEmbedding(model_name=tiny_model, backend="onnx").get_text_embedding("tea")


def test_torch_s_weights_win_over_onnx_beside_them(tiny_model):
    assert TransformerEmbedding(model_name=tiny_model).execution.backend != "onnx"


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        ("1_Pooling/config.json", {"pooling_mode_max_tokens": True}, "pooling max"),
        ("1_Pooling/config.json", {"pooling_mode": "lasttoken"}, "pooling lasttoken"),
        (
            "1_Pooling/config.json",
            {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True},
            "pooling cls, mean",
        ),
        ("modules.json", [{"type": "sentence_transformers.models.Dense"}], "modules Dense"),
    ],
)
def test_what_would_be_pooled_otherwise_is_refused(bge, file, content, told):
    (bge / file).write_text(json.dumps(content))
    with pytest.raises(WeightsError, match=told):
        BgeEmbedding(model_name=str(bge)).get_text_embedding("tea")


@pytest.mark.parametrize("missing", ["tokenizer.json", "config.json"])
def test_a_file_that_is_missing_is_named(bge, missing):
    (bge / missing).unlink()
    (bge / "sentence_bert_config.json").unlink()
    with pytest.raises(WeightsError, match=f"holds no {missing}"):
        BgeEmbedding(model_name=str(bge)).get_text_embedding("tea")


def test_the_instruction_of_bge_is_fixed(bge):
    with pytest.raises(InputError, match="fixed prefixes"):
        BgeEmbedding(model_name=str(bge), query_prefix="query: ")


def test_another_model_is_not_completed_as_bge(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "roberta", "max_position_embeddings": 514}')
    with pytest.raises(WeightsError, match="'roberta' of 514 tokens"):
        complete(tmp_path)
