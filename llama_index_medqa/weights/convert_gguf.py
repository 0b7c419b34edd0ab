"""Converts a quantised Llama or Qwen2 model in GGUF to bfloat16 safetensors.

transformers, peft and vLLM load the folder.

GGUF is llama.cpp's format (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md). The package of the same name
reads it and expands the blocks; the names of the tensors, the order of the rows of queries and keys, and the
tokenizer are put back into their first form here.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

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
_TENSOR = re.compile(r"(?:blk\.(\d+)\.)?(\w+)\.(weight|bias)")
_CONTROL_TOKEN, _USER_DEFINED_TOKEN = 3, 4
# Qwen2's own: contractions, words, single digits, punctuation with the line ends after it, white space.
_QWEN2_PIECES = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@dataclass(frozen=True, slots=True)
class _Family:
    """What differs between the models that can be converted.

    Attributes:
        model_class: for transformers.
        rotates_neighbours: whether llama.cpp keeps the rows of queries and keys in an order of its own.
        splitter: what cuts a text before its bytes are joined to tokens.
        normalizer: what changes a text before that.
        settings: further fields of the configuration.
    """

    model_class: str
    rotates_neighbours: bool
    splitter: Callable[[], Any]
    normalizer: Callable[[], Any] | None
    settings: Mapping[str, Any]


def _smollm_splitter() -> Any:
    """Return SmolLM2's: digits one by one before the words."""
    return pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )


def _qwen2_splitter() -> Any:
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_QWEN2_PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


# By GGUF's names of architecture and pre-tokenizer.
_FAMILIES: Mapping[tuple[str, str], _Family] = MappingProxyType(
    {
        ("llama", "smollm"): _Family(
            "LlamaForCausalLM", True, _smollm_splitter, None, {"attention_bias": False, "mlp_bias": False}
        ),
        ("qwen2", "qwen2"): _Family(
            "Qwen2ForCausalLM",
            False,
            _qwen2_splitter,
            normalizers.NFC,
            # A version before 4.57.3. Without one, transformers warns that any large vocabulary may be Mistral's.
            {"transformers_version": "4.43.1"},
        ),
    }
)


def convert(source: Path, folder: Path, progress: Progress) -> None:
    """Write the folder of a model with tokenizer and chat template.

    Nothing of the precision comes back that quantisation took.

    Args:
        source: GGUF file of the architecture ``llama`` with the tokenizer of SmolLM2, or of Qwen2.
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
    kind = (str(fields.get("general.architecture")), str(fields.get("tokenizer.ggml.pre")))
    if kind not in _FAMILIES:
        known = " or ".join(map(str, _FAMILIES))
        raise WeightsError(
            f"{source} is of the architecture and tokenizer {kind}; only {known} can be converted. "
            "Take the model from its makers in safetensors"
        )
    family = _FAMILIES[kind]
    _write_weights(reader, fields, family, folder / "model.safetensors", progress)
    _write_tokenizer(fields, family, folder)
    _write_configuration(fields, family, folder, tied="output.weight" not in {tensor.name for tensor in reader.tensors})


def _write_weights(
    reader: "GGUFReader", fields: Mapping[str, Any], family: _Family, path: Path, progress: Progress
) -> None:
    """Write all tensors in bfloat16, one at a time."""
    # GGUF names the fastest dimension first.
    shapes = ((_name(tensor.name), [int(length) for length in reversed(tensor.shape)]) for tensor in reader.tensors)
    pieces = (_bfloat16(values) for values in _tensors(reader, fields, family))
    write_safetensors(path, "BF16", shapes, pieces, partial(progress, "Converting the language model"))


def _name(name: str) -> str:
    match = _TENSOR.fullmatch(name)
    if match is None or match[2] not in _NAMES:
        raise WeightsError(f"The tensor {name!r} belongs to no Llama or Qwen2 model. Take the model from its makers")
    layer = f"model.layers.{match[1]}." if match[1] is not None else ""
    return f"{layer}{_NAMES[match[2]]}.{match[3]}"


def _tensors(reader: "GGUFReader", fields: Mapping[str, Any], family: _Family) -> Iterator[NDArray[np.float32]]:
    """Yield the tensors in the order of the file, in float32."""
    from gguf.quants import dequantize

    heads = {}
    if family.rotates_neighbours:
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


def _write_tokenizer(fields: Mapping[str, Any], family: _Family, folder: Path) -> None:
    """Write a byte-level BPE tokenizer."""
    tokens: list[str] = fields["tokenizer.ggml.tokens"]
    merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"]]
    tokenizer = Tokenizer(models.BPE({token: number for number, token in enumerate(tokens)}, merges))
    if family.normalizer is not None:
        tokenizer.normalizer = family.normalizer()
    tokenizer.pre_tokenizer = family.splitter()
    tokenizer.decoder = decoders.ByteLevel()
    kinds = dict(zip(tokens, fields["tokenizer.ggml.token_type"], strict=True))
    added = [token for token, kind in kinds.items() if kind in (_CONTROL_TOKEN, _USER_DEFINED_TOKEN)]
    tokenizer.add_tokens(
        [AddedToken(token, special=kinds[token] == _CONTROL_TOKEN, normalized=False) for token in added]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    roles = {"eos": "eos", "pad": "padding", "unk": "unknown"}
    if fields.get("tokenizer.ggml.add_bos_token", True):
        roles["bos"] = "bos"
    numbers = {role: fields.get(f"tokenizer.ggml.{name}_token_id") for role, name in roles.items()}
    configuration = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": fields[f"{fields['general.architecture']}.context_length"],
        **{f"{role}_token": tokens[number] for role, number in numbers.items() if number is not None},
        "chat_template": fields["tokenizer.chat_template"],
        "clean_up_tokenization_spaces": False,
        "model_input_names": ["input_ids", "attention_mask"],
    }
    write_json(folder / "tokenizer_config.json", configuration)


def _write_configuration(fields: Mapping[str, Any], family: _Family, folder: Path, *, tied: bool) -> None:
    """Write the configuration for transformers and vLLM.

    In words that transformers 4 and 5 both read.
    """
    architecture = fields["general.architecture"]
    token_ids = {
        "bos_token_id": fields["tokenizer.ggml.bos_token_id"],
        "eos_token_id": fields["tokenizer.ggml.eos_token_id"],
        "pad_token_id": fields["tokenizer.ggml.padding_token_id"],
    }
    width, heads = fields[f"{architecture}.embedding_length"], fields[f"{architecture}.attention.head_count"]
    write_json(
        folder / "config.json",
        {
            "architectures": [family.model_class],
            "model_type": architecture,
            "hidden_size": width,
            "intermediate_size": fields[f"{architecture}.feed_forward_length"],
            "num_hidden_layers": fields[f"{architecture}.block_count"],
            "num_attention_heads": heads,
            "num_key_value_heads": fields[f"{architecture}.attention.head_count_kv"],
            "head_dim": fields.get(f"{architecture}.rope.dimension_count", width // heads),
            "vocab_size": len(fields["tokenizer.ggml.tokens"]),
            "max_position_embeddings": fields[f"{architecture}.context_length"],
            "rms_norm_eps": round(fields[f"{architecture}.attention.layer_norm_rms_epsilon"], 9),
            "rope_theta": fields[f"{architecture}.rope.freq_base"],
            "hidden_act": "silu",
            "tie_word_embeddings": tied,
            "torch_dtype": "bfloat16",
            **family.settings,
            **token_ids,
        },
    )
    write_json(folder / "generation_config.json", token_ids)
