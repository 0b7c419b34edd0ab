"""Conversion of a tiny 4-bit E5 model, written here from the description of its format."""

import json
import random
import struct
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from llama_index_medqa.errors import WeightsError
from llama_index_medqa.weights.convert_e5 import convert

safetensors_numpy = pytest.importorskip("safetensors.numpy", reason="the extra 'local' is not installed")

HIDDEN, LAYERS, HEADS, FEED_FORWARD, VOCABULARY, POSITIONS = 32, 2, 4, 64, 10, 16
PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁", "▁heart", "▁attack", "s", "<mask>"]
SCORES = [0.0, 0.0, 0.0, 0.0, -9.0, -1.0, -1.0, -2.0, 0.0]


def tensor_shapes() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {
        "emb.word": (VOCABULARY, HIDDEN),
        "emb.pos": (POSITIONS, HIDDEN),
        "emb.type": (2, HIDDEN),
        "emb.ln.w": (HIDDEN,),
        "emb.ln.b": (HIDDEN,),
    }
    for layer in range(LAYERS):
        for name in ("q", "k", "v", "ao"):
            shapes[f"l{layer}.{name}.w"] = (HIDDEN, HIDDEN)
            shapes[f"l{layer}.{name}.b"] = (HIDDEN,)
        shapes[f"l{layer}.fi.w"], shapes[f"l{layer}.fi.b"] = (FEED_FORWARD, HIDDEN), (FEED_FORWARD,)
        shapes[f"l{layer}.fo.w"], shapes[f"l{layer}.fo.b"] = (HIDDEN, FEED_FORWARD), (HIDDEN,)
        for name in ("aln", "oln"):
            shapes[f"l{layer}.{name}.w"] = shapes[f"l{layer}.{name}.b"] = (HIDDEN,)
    return shapes


def four_bit_block(generator: random.Random) -> tuple[bytes, list[float]]:
    """One block of 32 weights and the values that it stands for, computed weight by weight."""
    scale = generator.choice([0.5, -0.25, 0.0078125])  # exact in float16
    numbers = [generator.randrange(16) for _ in range(32)]
    packed = bytes(numbers[i] | numbers[i + 16] << 4 for i in range(16))
    return struct.pack("<e", scale) + packed, [(number - 8) * scale for number in numbers]


def make_model(path: Path) -> dict[str, list[float]]:
    """Write a model and return the value of every tensor, flat."""
    generator = random.Random(1)
    values, chunks, directory, offset = {}, [], [], 0
    for name, shape in tensor_shapes().items():
        count = shape[0] * (shape[1] if len(shape) == 2 else 1)
        if len(shape) == 2 and name != "emb.type":
            blocks = [four_bit_block(generator) for _ in range(count // 32)]
            data = b"".join(block for block, _ in blocks)
            values[name] = [value for _, block in blocks for value in block]
        else:
            values[name] = [generator.randrange(-99, 99) / 8 for _ in range(count)]
            data = struct.pack(f"<{count}f", *values[name])
        directory.append((name.encode(), 1, count, offset, len(data)))
        chunks.append(data)
        offset += len(data)
    encoded = [piece.encode() for piece in PIECES]
    offsets = [sum(map(len, encoded[:i])) for i in range(len(encoded) + 1)]
    characters = struct.pack("<IBI", ord("ﬁ"), 1, ord("f"))
    head = b"E5S1" + struct.pack("<I", 1)
    head += struct.pack("<7i", HIDDEN, LAYERS, HEADS, FEED_FORWARD, VOCABULARY, POSITIONS, 2)
    head += struct.pack("<fi5iQ", 1e-12, 32, len(PIECES), 0, 2, 1, 3, offsets[-1])
    head += struct.pack(f"<{len(offsets)}I", *offsets) + struct.pack(f"<{len(SCORES)}f", *SCORES)
    head += b"".join(encoded) + struct.pack("<iI", 1, len(characters)) + characters
    head += struct.pack("<i", len(directory))
    start = len(head) + sum(2 + len(name) + 21 for name, *_ in directory)
    for name, kind, count, position, size in directory:
        head += struct.pack("<H", len(name)) + name + struct.pack("<BIQQ", kind, count, start + position, size)
    path.write_bytes(head + b"".join(chunks))
    return values


@pytest.fixture
def converted(tmp_path: Path) -> tuple[Path, dict[str, list[float]]]:
    values = make_model(tmp_path / "model.bin")
    folder = tmp_path / "folder"
    folder.mkdir()
    convert(tmp_path / "model.bin", folder, lambda *_: None)
    return folder, values


def test_every_weight_has_the_value_that_its_four_bits_stand_for(converted):
    folder, values = converted
    tensors = safetensors_numpy.load_file(folder / "model.safetensors")
    names = {
        "embeddings.word_embeddings.weight": "emb.word",
        "embeddings.position_embeddings.weight": "emb.pos",
        "embeddings.token_type_embeddings.weight": "emb.type",
        "embeddings.LayerNorm.weight": "emb.ln.w",
        "embeddings.LayerNorm.bias": "emb.ln.b",
    }
    layer_names = {
        "attention.self.query": "q",
        "attention.self.key": "k",
        "attention.self.value": "v",
        "attention.output.dense": "ao",
        "attention.output.LayerNorm": "aln",
        "intermediate.dense": "fi",
        "output.dense": "fo",
        "output.LayerNorm": "oln",
    }
    for layer in range(LAYERS):
        for name, short in layer_names.items():
            names[f"encoder.layer.{layer}.{name}.weight"] = f"l{layer}.{short}.w"
            names[f"encoder.layer.{layer}.{name}.bias"] = f"l{layer}.{short}.b"
    assert set(tensors) == {*names, "pooler.dense.weight", "pooler.dense.bias"}
    for name, short in names.items():
        assert tensors[name].dtype == "float32"
        assert tensors[name].shape == tensor_shapes()[short]
        assert tensors[name].ravel().tolist() == values[short], name


def test_the_tensors_start_at_a_multiple_of_eight_bytes(converted):
    """The safetensors format asks for it, so that readers can map the file into memory."""
    (length,) = struct.unpack("<Q", (converted[0] / "model.safetensors").read_bytes()[:8])
    assert length % 8 == 0


def test_the_tokenizer_normalises_splits_and_frames(converted):
    tokenizer = Tokenizer.from_file(str(converted[0] / "tokenizer.json"))
    assert tokenizer.encode("heart  attacks").tokens == ["<s>", "▁heart", "▁attack", "s", "</s>"]
    assert tokenizer.encode("heart", "attack").tokens == ["<s>", "▁heart", "</s>", "</s>", "▁attack", "</s>"]
    # Full-width letters and a tab: compatibility forms are folded, white space becomes a space.
    assert tokenizer.encode("\uff48\uff45\uff41\uff52\uff54\tattack").tokens == [
        "<s>",
        "▁heart",
        "▁attack",
        "</s>",
    ]
    assert tokenizer.encode("x").tokens == ["<s>", "▁", "x", "</s>"]
    assert tokenizer.encode("x").ids == [0, 4, 3, 2]
    assert tokenizer.decode(tokenizer.encode("heart attacks").ids) == "heart attacks"
    assert tokenizer.encode("heart <mask>").ids == [0, 5, 8, 2]


def test_the_folder_says_mean_pooling_unit_length_and_prompts(converted):
    def read(name: str) -> object:
        return json.loads((converted[0] / name).read_text())

    assert [step["type"].rpartition(".")[2] for step in read("modules.json")] == [
        "Transformer",
        "Pooling",
        "Normalize",
    ]
    pooling = read("1_Pooling/config.json")
    assert pooling == {"word_embedding_dimension": HIDDEN, "pooling_mode_mean_tokens": True}
    assert read("config_sentence_transformers.json")["prompts"] == {
        "query": "query: ",
        "passage": "passage: ",
        "document": "passage: ",
    }
    configuration = read("config.json")
    assert (configuration["hidden_size"], configuration["num_hidden_layers"]) == (HIDDEN, LAYERS)
    assert (configuration["num_attention_heads"], configuration["intermediate_size"]) == (HEADS, FEED_FORWARD)
    assert (configuration["vocab_size"], configuration["max_position_embeddings"]) == (VOCABULARY, POSITIONS)
    assert configuration["hidden_act"] == "gelu"


def test_progress_counts_the_bytes_of_all_weights(tmp_path):
    make_model(tmp_path / "model.bin")
    (tmp_path / "folder").mkdir()
    seen = []
    convert(tmp_path / "model.bin", tmp_path / "folder", lambda *step: seen.append(step[1:]))
    pooler = HIDDEN * HIDDEN + HIDDEN
    weights = sum(shape[0] * (shape[1] if len(shape) == 2 else 1) for shape in tensor_shapes().values())
    assert seen[-1] == (4 * (weights + pooler), 4 * (weights + pooler))
    assert seen == sorted(seen)


@pytest.mark.parametrize(("data", "words"), [(b"GGUF" + bytes(99), "E5S1"), (b"E5S1" + bytes(99), "blocks of 0")])
def test_another_file_is_refused(tmp_path, data, words):
    (tmp_path / "other.bin").write_bytes(data)
    with pytest.raises(WeightsError, match=words):
        convert(tmp_path / "other.bin", tmp_path, lambda *_: None)
