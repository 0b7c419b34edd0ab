"""Expansion of quantised models: tiny ones, written with the gguf package, against transformers' own reader."""

import json

import numpy as np
import pytest

from llama_index_medqa.errors import WeightsError
from llama_index_medqa.weights.convert_gguf import convert

gguf = pytest.importorskip("gguf", reason="the extra 'adapter' is not installed")

HIDDEN, HEADS, KV_HEADS, FEED_FORWARD, LAYERS = 64, 4, 2, 96, 2
ALPHABET = [chr(code) for code in range(33, 127)]
TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *ALPHABET, "Ġ", "Ċ", "he", "Ġhe"]


def write_model(path, architecture="llama", *, pre="smollm"):
    """A model whose matrices are quantised in blocks of 32, as SmolLM2's are."""
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_context_length(128)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_freq_base(100000.0)
    writer.add_rope_dimension_count(HIDDEN // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(TOKENS))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(TOKENS)
    writer.add_token_types([3] * 3 + [1] * (len(TOKENS) - 3))
    writer.add_token_merges(["h e", "Ġ he"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    if architecture == "llama":
        writer.add_unk_token_id(0)
    else:
        writer.add_add_bos_token(False)
    writer.add_pad_token_id(2)
    writer.add_chat_template("{{ messages[0]['content'] }}")
    random = np.random.default_rng(1)
    matrices = {"attn_q": (HIDDEN, HIDDEN), "attn_k": (HIDDEN // 2, HIDDEN), "attn_v": (HIDDEN // 2, HIDDEN),
                "attn_output": (HIDDEN, HIDDEN), "ffn_gate": (FEED_FORWARD, HIDDEN), "ffn_up": (FEED_FORWARD, HIDDEN),
                "ffn_down": (HIDDEN, FEED_FORWARD)}  # fmt: skip
    shapes = {"token_embd": (len(TOKENS), HIDDEN), "output_norm": (HIDDEN,)}
    for layer in range(LAYERS):
        names = {**matrices, "attn_norm": (HIDDEN,), "ffn_norm": (HIDDEN,)}
        shapes |= {f"blk.{layer}.{name}": shape for name, shape in names.items()}
    shapes = {f"{name}.weight": shape for name, shape in shapes.items()}
    if architecture == "qwen2":
        biases = {"attn_q": (HIDDEN,), "attn_k": (HIDDEN // 2,), "attn_v": (HIDDEN // 2,)}
        shapes |= {f"blk.{layer}.{name}.bias": shape for layer in range(LAYERS) for name, shape in biases.items()}
    for name, shape in shapes.items():
        values = random.standard_normal(shape, np.float32)
        kind = gguf.GGMLQuantizationType.Q4_1 if len(shape) == 2 else gguf.GGMLQuantizationType.F32
        writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)
    for step in (writer.write_header_to_file, writer.write_kv_data_to_file, writer.write_tensors_to_file, writer.close):
        step()


@pytest.mark.parametrize("architecture", ["llama", "qwen2"])
def test_tensors_and_tokens_are_those_that_transformers_reads(tmp_path, architecture):
    import torch
    import transformers
    from transformers import AutoModelForCausalLM, AutoTokenizer

    if not hasattr(transformers, "GgufConfig"):
        pytest.skip("this version of transformers reads GGUF files in another way")

    source, folder = tmp_path / "source", tmp_path / "folder"
    source.mkdir()
    folder.mkdir()
    write_model(source / "m.gguf", architecture, pre="smollm" if architecture == "llama" else "qwen2")
    reports = []
    convert(source / "m.gguf", folder, lambda *report: reports.append(report))
    expected = AutoModelForCausalLM.from_pretrained(
        source, gguf_file="m.gguf", dtype=torch.bfloat16,
        quantization_config=transformers.GgufConfig(gguf_file="m.gguf", dequantize=True),
    )  # fmt: skip
    found = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
    assert found.config.tie_word_embeddings
    weights = expected.state_dict()
    assert set(found.state_dict()) == set(weights)
    for name, values in found.state_dict().items():
        assert torch.equal(values, weights[name]), name
    theirs, ours = AutoTokenizer.from_pretrained(source, gguf_file="m.gguf"), AutoTokenizer.from_pretrained(folder)
    for text in ("she is 42<|im_end|>", " the   hehe\n3.5"):
        assert ours(text)["input_ids"] == theirs(text)["input_ids"]
        assert ours.decode(ours(text)["input_ids"]) == text
    bos = "<|im_start|>" if architecture == "llama" else None
    assert (ours.bos_token, ours.eos_token, ours.pad_token) == (bos, "<|im_end|>", "<|im_end|>")
    assert ours.apply_chat_template([{"role": "user", "content": "x"}], tokenize=False) == "x"
    assert reports[-1][1] == reports[-1][2]
    assert json.loads((folder / "generation_config.json").read_text())["eos_token_id"] == 2


def test_what_is_no_such_model_is_told(tmp_path):
    (tmp_path / "m.gguf").write_bytes(b"GGUX" * 10)
    with pytest.raises(WeightsError, match="is not a GGUF file"):
        convert(tmp_path / "m.gguf", tmp_path, lambda *_: None)
    write_model(tmp_path / "n.gguf", pre="llama-bpe")
    with pytest.raises(WeightsError, match=r"\('llama', 'llama-bpe'\); only"):
        convert(tmp_path / "n.gguf", tmp_path, lambda *_: None)
