"""Converts a LoRA adapter that peft saved to GGUF, for llama.cpp.

The two matrices of a projection become ``blk.N.NAME.weight.lora_a`` and ``.lora_b``; alpha stands in the file's
metadata (llama.cpp's ``convert_lora_to_gguf.py`` writes the same). In models of the architecture ``llama``, llama.cpp
keeps the rows of queries and keys in another order than transformers.
"""

import hashlib
import importlib.util
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from llama_index_medqa._common.cache_dir import cache_dir
from llama_index_medqa._common.files import file_sha256, write_atomically
from llama_index_medqa.errors import MissingExtraError, WeightsError
from llama_index_medqa.weights.safetensors_file import read_safetensors

if TYPE_CHECKING:
    from gguf import GGUFReader

_CONFIG = "adapter_config.json"
_WEIGHTS = "adapter_model.safetensors"
_TENSOR = re.compile(r"base_model\.model\.model\.layers\.(\d+)\.(?:self_attn|mlp)\.(\w+)\.lora_([AB])\.weight")
_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "q_proj": "attn_q",
        "k_proj": "attn_k",
        "v_proj": "attn_v",
        "o_proj": "attn_output",
        "gate_proj": "ffn_gate",
        "up_proj": "ffn_up",
        "down_proj": "ffn_down",
    }
)
_ARCHITECTURES = ("llama", "qwen2")
_HEADS: Mapping[str, str] = MappingProxyType({"q_proj": "head_count", "k_proj": "head_count_kv"})
# What changes an adapter's effect and has no place in the file.
_UNSUPPORTED = ("use_dora", "rank_pattern", "alpha_pattern", "modules_to_save", "lora_bias", "layer_replication")

_VERSION = 1
"""Raised when what is written for the same adapter changes, so that older files are made again."""


def locate_adapter(path: str | os.PathLike[str], base: Path) -> Path:
    """Return an adapter as GGUF, converting a folder once into the cache.

    Args:
        path: folder that peft or LLaMA-Factory saved, or a ``.gguf`` file, which is returned as it is.
        base: GGUF file of the base model.

    Returns:
        The file. Its name without ``.gguf`` is the folder's.

    Raises:
        MissingExtraError: the package gguf is needed and not installed.
        WeightsError: no adapter, one that GGUF cannot hold, or one that does not fit the base model.
    """
    folder = Path(path).expanduser().resolve()
    if folder.is_file():
        return folder
    for name in (_CONFIG, _WEIGHTS):
        if not (folder / name).is_file():
            raise WeightsError(
                f"{folder} is not a LoRA adapter: it has no {name}. Give the folder that peft or LLaMA-Factory saved, "
                "or a .gguf file"
            )
    parts = (file_sha256(folder / _CONFIG), file_sha256(folder / _WEIGHTS), base.name, str(base.stat().st_size))
    digest = hashlib.sha256("|".join((str(_VERSION), *parts)).encode()).hexdigest()[:16]
    file = cache_dir() / "adapters" / digest / f"{folder.name}.gguf"
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        with write_atomically(file) as partial:
            convert_adapter(folder, base, partial)
    return file


def convert_adapter(folder: Path, base: Path, output: Path) -> None:
    """Write a LoRA adapter as GGUF, in float32.

    Args:
        folder: that peft saved.
        base: GGUF file of the base model; its architecture, its heads and the shapes of its tensors are read.
        output: the file to write.

    Raises:
        MissingExtraError: the package gguf is not installed.
        WeightsError: an adapter that GGUF cannot hold, or one that does not fit the base model.
    """
    if importlib.util.find_spec("gguf") is None:
        raise MissingExtraError("An adapter on llama.cpp", "adapter")
    from gguf import GGUFReader, GGUFWriter

    reader = GGUFReader(base)
    architecture = str(reader.fields["general.architecture"].contents())
    if architecture not in _ARCHITECTURES:
        raise WeightsError(
            f"{base.name} is of the architecture {architecture!r}, and adapters are converted for "
            f"{' and '.join(_ARCHITECTURES)}. Merge the adapter into its base model (python -m training export)"
        )
    writer = GGUFWriter(output, architecture)
    writer.add_string("general.type", "adapter")
    writer.add_string("general.name", folder.name)
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", _alpha(folder / _CONFIG))
    for name, values in _tensors(folder, reader, architecture):
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _alpha(path: Path) -> float:
    """Return the alpha by which llama.cpp scales: alpha / rank."""
    config: dict[str, Any] = json.loads(path.read_bytes())
    if config.get("peft_type") != "LORA":
        raise WeightsError(f"{path} is of an adapter of type {config.get('peft_type')}, and only LORA can be converted")
    unsupported = [name for name in _UNSUPPORTED if config.get(name)]
    if unsupported or config.get("bias", "none") != "none":
        raise WeightsError(
            f"{path} sets {', '.join(unsupported) or 'bias'}, which llama.cpp's adapters cannot hold. Train without, "
            "or merge the adapter into its base model (python -m training export)"
        )
    # With rank-stabilised LoRA, peft scales by alpha / sqrt(rank).
    return float(config["lora_alpha"] * (config["r"] ** 0.5 if config.get("use_rslora") else 1.0))


def _tensors(folder: Path, reader: "GGUFReader", architecture: str) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Yield names and matrices, A of (rank, inputs) and B of (outputs, rank)."""
    # GGUF names the fastest dimension first: inputs, then outputs.
    shapes = {tensor.name: (int(tensor.shape[1]), int(tensor.shape[0])) for tensor in _matrices(reader)}
    for name, values in read_safetensors(folder / _WEIGHTS):
        match = _TENSOR.fullmatch(name)
        if match is None or match[2] not in _NAMES:
            raise WeightsError(
                f"The adapter in {folder} changes {name!r}, which llama.cpp's adapters cannot hold here. Train it on "
                f"{', '.join(_NAMES)} only, or merge it into its base model (python -m training export)"
            )
        layer, projection, matrix = match.groups()
        target = f"blk.{layer}.{_NAMES[projection]}.weight"
        outputs, inputs = shapes.get(target, (0, 0))
        if (inputs if matrix == "A" else outputs) != values.shape[1 if matrix == "A" else 0]:
            raise WeightsError(
                f"The adapter in {folder} does not fit this base model: {name!r} has the shape {values.shape}, and the "
                f"model's matrix {(outputs, inputs)}. Give the model that it was trained on"
            )
        if architecture == "llama" and matrix == "B" and projection in _HEADS:
            heads = int(reader.fields[f"llama.attention.{_HEADS[projection]}"].contents())
            ordered = _interleaved(values, heads)
        else:
            ordered = values
        yield f"{target}.lora_{matrix.lower()}", np.ascontiguousarray(ordered)


def _matrices(reader: "GGUFReader") -> Iterator[Any]:
    return (tensor for tensor in reader.tensors if len(tensor.shape) == 2)


def _interleaved(values: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """Return the rows of queries or keys in llama.cpp's order.

    transformers rotates row i with row i + half of each head, llama.cpp neighbouring rows.

    Args:
        values: (heads * size, columns)
        heads: number of heads.
    """
    rows, columns = values.shape
    halves = values.reshape(heads, 2, rows // heads // 2, columns)
    return halves.swapaxes(1, 2).reshape(rows, columns)
