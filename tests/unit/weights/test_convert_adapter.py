"""LoRA adapters as GGUF: matrices of a few numbers, written with safetensors and read with the gguf package."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from llama_index_medqa.errors import WeightsError
from llama_index_medqa.weights.convert_adapter import convert_adapter, locate_adapter
from llama_index_medqa.weights.safetensors_file import read_safetensors

gguf = pytest.importorskip("gguf", reason="the extra 'adapter' is not installed")

HIDDEN, HEADS, RANK = 8, 2, 2
PREFIX = "base_model.model.model.layers.0"
CONFIG = {"peft_type": "LORA", "r": RANK, "lora_alpha": 4, "target_modules": ["q_proj"], "bias": "none"}


def write_base(path, architecture="llama", hidden=HIDDEN):
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS // 2)
    for name, rows in (("attn_q", hidden), ("attn_k", hidden // 2), ("ffn_up", 3 * hidden)):
        writer.add_tensor(f"blk.0.{name}.weight", np.zeros((rows, hidden), np.float32))
    for step in (writer.write_header_to_file, writer.write_kv_data_to_file, writer.write_tensors_to_file, writer.close):
        step()
    return path


def write_adapter(folder, rows=None, **config):
    """Matrices B whose first column counts their rows."""
    import torch
    from safetensors.torch import save_file

    tensors = {}
    for name, outputs in (rows or {"self_attn.q_proj": HIDDEN, "self_attn.k_proj": 4, "mlp.up_proj": 24}).items():
        tensors[f"{PREFIX}.{name}.lora_A.weight"] = torch.arange(RANK * HIDDEN).reshape(RANK, HIDDEN).bfloat16()
        tensors[f"{PREFIX}.{name}.lora_B.weight"] = torch.arange(outputs)[:, None].repeat(1, RANK).bfloat16()
    folder.mkdir()
    save_file(tensors, folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text(json.dumps(CONFIG | config))
    return folder


def converted(tmp_path, architecture="llama", **config):
    convert_adapter(write_adapter(tmp_path / "mine", **config), write_base(tmp_path / "b.gguf", architecture),
                    tmp_path / "out.gguf")  # fmt: skip
    return gguf.GGUFReader(tmp_path / "out.gguf")


def test_the_rows_of_queries_and_keys_are_put_into_llama_cpps_order(tmp_path):
    found = converted(tmp_path)
    values = {tensor.name: tensor.data for tensor in found.tensors}
    # Two heads of four rows: 0 and 2 are rotated together, then 1 and 3.
    assert values["blk.0.attn_q.weight.lora_b"][:, 0].tolist() == [0, 2, 1, 3, 4, 6, 5, 7]
    assert values["blk.0.attn_k.weight.lora_b"][:, 0].tolist() == [0, 2, 1, 3]
    assert values["blk.0.ffn_up.weight.lora_b"][:, 0].tolist() == list(range(24))
    assert values["blk.0.attn_q.weight.lora_a"].tolist() == np.arange(RANK * HIDDEN).reshape(RANK, HIDDEN).tolist()
    fields = {name: field.contents() for name, field in found.fields.items()}
    assert fields["general.type"] == "adapter"
    assert fields["adapter.type"] == "lora"
    assert fields["adapter.lora.alpha"] == 4


def test_qwen2_keeps_the_order_of_transformers(tmp_path):
    values = {tensor.name: tensor.data for tensor in converted(tmp_path, "qwen2").tensors}
    assert values["blk.0.attn_q.weight.lora_b"][:, 0].tolist() == list(range(HIDDEN))


def test_rank_stabilised_adapters_have_the_scale_that_peft_gives_them(tmp_path):
    # alpha / sqrt(r) = 2.828 for peft; llama.cpp divides what stands in the file by r.
    fields = converted(tmp_path, use_rslora=True).fields
    assert fields["adapter.lora.alpha"].contents() / RANK == pytest.approx(4 / RANK**0.5)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"use_dora": True}, "use_dora"),
        ({"rank_pattern": {"q_proj": 4}}, "rank_pattern"),
        ({"bias": "all"}, "bias"),
        ({"peft_type": "IA3"}, "type IA3"),
    ],
)
def test_what_the_file_cannot_hold_is_refused(tmp_path, config, message):
    with pytest.raises(WeightsError, match=message):
        converted(tmp_path, **config)


def test_an_adapter_of_another_model_is_refused(tmp_path):
    folder = write_adapter(tmp_path / "mine")
    with pytest.raises(WeightsError, match="does not fit this base model"):
        locate_adapter(folder, write_base(tmp_path / "wide.gguf", hidden=16))
    with pytest.raises(WeightsError, match="architecture 'gemma'"):
        locate_adapter(folder, write_base(tmp_path / "gemma.gguf", "gemma"))
    other = write_adapter(tmp_path / "other", {"self_attn.odd_proj": HIDDEN})
    with pytest.raises(WeightsError, match="odd_proj"):
        locate_adapter(other, write_base(tmp_path / "b.gguf"))


def test_a_folder_is_converted_once_and_anew_where_its_weights_change(tmp_path):
    base = write_base(tmp_path / "b.gguf")
    folder = write_adapter(tmp_path / "mine")
    file = locate_adapter(folder, base)
    assert file.stem == "mine"
    written = file.stat().st_mtime_ns
    assert locate_adapter(folder, base) == file
    assert file.stat().st_mtime_ns == written
    (folder / "adapter_config.json").write_text(json.dumps(CONFIG | {"lora_alpha": 8}))
    assert locate_adapter(folder, base) != file
    # A file is taken as it is.
    assert locate_adapter(file, base) == file


def test_no_adapter_is_told(tmp_path):
    with pytest.raises(WeightsError, match=r"it has no adapter_config\.json"):
        locate_adapter(tmp_path, write_base(tmp_path / "b.gguf"))


@given(st.dictionaries(st.text("abc.", min_size=1), arrays(np.float32, array_shapes(max_side=4)), max_size=3))
def test_tensors_are_read_as_safetensors_writes_them(tmp_path_factory, tensors):
    import torch
    from safetensors.torch import load_file, save_file

    path = tmp_path_factory.mktemp("tensors") / "t.safetensors"
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        save_file({name: torch.from_numpy(values).to(dtype) for name, values in tensors.items()}, path)
        expected = {name: tensor.float().numpy() for name, tensor in load_file(path).items()}
        found = dict(read_safetensors(path))
        assert found.keys() == expected.keys()
        for name, values in found.items():
            np.testing.assert_array_equal(values, expected[name])


def test_files_that_are_cut_off_are_told(tmp_path):
    import torch
    from safetensors.torch import save_file

    path = tmp_path / "t.safetensors"
    save_file({"a": torch.ones(4)}, path)
    whole = path.read_bytes()
    for length in (0, 4, 20, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(WeightsError, match="Save or fetch it again"):
            dict(read_safetensors(path))
    save_file({"a": torch.ones(4, dtype=torch.int64)}, path)
    with pytest.raises(WeightsError, match="of the type I64"):
        dict(read_safetensors(path))
