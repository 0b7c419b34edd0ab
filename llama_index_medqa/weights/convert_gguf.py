"""Converts a quantised Llama model in GGUF to bfloat16 safetensors.

transformers, peft and vLLM load the folder.

GGUF is llama.cpp's format (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md). The package of the same name
reads it and expands the blocks; the names of the tensors, the order of the rows of queries and keys, and the
tokenizer are put back into their first form here.
"""

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from llama_index_medqa.errors import WeightsError
from llama_index_medqa.weights.encoder_folder import write_json
from llama_index_medqa.weights.fetch import Progress
from llama_index_medqa.weights.safetensors_file import write_safetensors

if TYPE_CHECKING:
    from gguf import GGUFReader

_NAMES = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_TENSOR = re.compile(r"(?:blk\.(\d+)\.)?(\w+)\.weight")
_CONTROL_TOKEN = 3
_PRE_TOKENIZER = "smollm"


def convert(source: Path, folder: Path, progress: Progress) -> None:
    """Write the folder of a Llama model with tokenizer and chat template.

    Nothing of the precision comes back that quantisation took.

    Args:
        source: GGUF file of the architecture ``llama`` with the tokenizer of SmolLM2.
        folder: an existing folder to write into.
        progress: told how many bytes of weights were written.

    Raises:
        WeightsError: the file is not such a model.
    """
    from gguf import GGUFReader

    try:
        reader = GGUFReader(source)
    except ValueError as error:
        raise WeightsError(f"{source} is not a GGUF file ({error}). Fetch it again") from error
    fields = {name: field.contents() for name, field in reader.fields.items()}
    kind = (fields.get("general.architecture"), fields.get("tokenizer.ggml.pre"))
    if kind != ("llama", _PRE_TOKENIZER):
        raise WeightsError(
            f"{source} is of the architecture and tokenizer {kind}; only ('llama', 'smollm') can be converted. "
            "Take the model from its makers in safetensors"
        )
    _write_weights(reader, fields, folder / "model.safetensors", progress)
    _write_tokenizer(fields, folder)
    _write_configuration(fields, folder, tied="output.weight" not in {tensor.name for tensor in reader.tensors})


def _write_weights(reader: "GGUFReader", fields: Mapping[str, Any], path: Path, progress: Progress) -> None:
    """Write all tensors in bfloat16, one at a time."""
    # GGUF names the fastest dimension first.
    shapes = ((_name(tensor.name), [int(length) for length in reversed(tensor.shape)]) for tensor in reader.tensors)
    pieces = (_bfloat16(values) for values in _tensors(reader, fields))
    write_safetensors(path, "BF16", shapes, pieces, partial(progress, "Converting the language model"))


def _name(name: str) -> str:
    match = _TENSOR.fullmatch(name)
    if match is None or match[2] not in _NAMES:
        raise WeightsError(f"The tensor {name!r} belongs to no Llama model. Take the model from its makers")
    layer = f"model.layers.{match[1]}." if match[1] is not None else ""
    return f"{layer}{_NAMES[match[2]]}.weight"


def _tensors(reader: "GGUFReader", fields: Mapping[str, Any]) -> Iterator[NDArray[np.float32]]:
    """Yield the tensors in the order of the file, in float32."""
    from gguf.quants import dequantize

    heads = {"attn_q": fields["llama.attention.head_count"], "attn_k": fields["llama.attention.head_count_kv"]}
    for tensor in reader.tensors:
        values = np.asarray(dequantize(tensor.data, tensor.tensor_type), np.float32)
        kind = tensor.name.split(".")[-2]
        yield _unpermuted(values, heads[kind]) if kind in heads else values


def _unpermuted(values: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """Return the rows of queries or keys in transformers' order.

    llama.cpp rotates neighbouring rows, transformers row i with row i + half of each head.

    Args:
        values: (heads * size, hidden)
        heads: number of heads.
    """
    rows, hidden = values.shape
    pairs = values.reshape(heads, rows // heads // 2, 2, hidden)
    return pairs.swapaxes(1, 2).reshape(rows, hidden)


def _bfloat16(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Return the upper halves of floats, rounded to nearest, ties to even."""
    bits = np.ascontiguousarray(values).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def _write_tokenizer(fields: Mapping[str, Any], folder: Path) -> None:
    """Write SmolLM2's byte-level BPE tokenizer.

    It splits digits one by one before the words.
    """
    tokens: list[str] = fields["tokenizer.ggml.tokens"]
    merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"]]
    tokenizer = Tokenizer(models.BPE({token: number for number, token in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    special = [
        token for token, kind in zip(tokens, fields["tokenizer.ggml.token_type"], strict=True) if kind == _CONTROL_TOKEN
    ]
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    tokenizer.save(str(folder / "tokenizer.json"))
    roles = {"bos": "bos", "eos": "eos", "pad": "padding", "unk": "unknown"}
    configuration = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": fields["llama.context_length"],
        **{f"{role}_token": tokens[fields[f"tokenizer.ggml.{name}_token_id"]] for role, name in roles.items()},
        "chat_template": fields["tokenizer.chat_template"],
        "clean_up_tokenization_spaces": False,
        "model_input_names": ["input_ids", "attention_mask"],
    }
    write_json(folder / "tokenizer_config.json", configuration)


def _write_configuration(fields: Mapping[str, Any], folder: Path, *, tied: bool) -> None:
    """Write the configuration for transformers and vLLM.

    In words that transformers 4 and 5 both read.
    """
    token_ids = {
        "bos_token_id": fields["tokenizer.ggml.bos_token_id"],
        "eos_token_id": fields["tokenizer.ggml.eos_token_id"],
        "pad_token_id": fields["tokenizer.ggml.padding_token_id"],
    }
    write_json(
        folder / "config.json",
        {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "hidden_size": fields["llama.embedding_length"],
            "intermediate_size": fields["llama.feed_forward_length"],
            "num_hidden_layers": fields["llama.block_count"],
            "num_attention_heads": fields["llama.attention.head_count"],
            "num_key_value_heads": fields["llama.attention.head_count_kv"],
            "head_dim": fields["llama.rope.dimension_count"],
            "vocab_size": fields["llama.vocab_size"],
            "max_position_embeddings": fields["llama.context_length"],
            "rms_norm_eps": round(fields["llama.attention.layer_norm_rms_epsilon"], 9),
            "rope_theta": fields["llama.rope.freq_base"],
            "hidden_act": "silu",
            "attention_bias": False,
            "mlp_bias": False,
            "tie_word_embeddings": tied,
            "torch_dtype": "bfloat16",
            **token_ids,
        },
    )
    write_json(folder / "generation_config.json", token_ids)
