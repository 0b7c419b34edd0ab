"""Reads and writes safetensors files piece by piece, with the memory of one piece.

The format is the length of the header in 8 bytes, the header in JSON, and the tensors' bytes
(https://huggingface.co/docs/safetensors).
"""

import json
import math
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from llama_index_medqa.errors import WeightsError

DType = Literal["F32", "BF16"]

_BYTES: Mapping[DType, int] = MappingProxyType({"F32": 4, "BF16": 2})
_ALIGNMENT = 8


def write_safetensors(
    path: Path,
    dtype: DType,
    shapes: Iterable[tuple[str, Sequence[int]]],
    pieces: Iterable[NDArray[Any]],
    progress: Callable[[int, int], None],
) -> None:
    """Write tensors of one type to a file.

    Args:
        path: the file.
        dtype: the type of all values.
        shapes: name and shape of each tensor, in the order of their bytes.
        pieces: the values in that order, as arrays of this type; a tensor may be cut into several.
        progress: told the bytes written so far and in all.
    """
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    total = 0
    for name, shape in shapes:
        size = _BYTES[dtype] * math.prod(shape)
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [total, total + size]}
        total += size
    encoded = json.dumps(header, separators=(",", ":")).encode()
    encoded += b" " * (-len(encoded) % _ALIGNMENT)
    written = 0
    with path.open("wb") as output:
        output.write(struct.pack("<Q", len(encoded)) + encoded)
        for piece in pieces:
            output.write(piece.tobytes())
            written += piece.nbytes
            progress(written, total)


def read_safetensors(path: Path) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Yield the name and values of each tensor, in float32.

    The package safetensors gives NumPy no bfloat16.

    Args:
        path: the file; its tensors are float32, float16 or bfloat16.

    Raises:
        WeightsError: the file is cut off or no safetensors file, or a tensor has another type.
    """
    with path.open("rb") as source:
        try:
            (length,) = struct.unpack("<Q", source.read(8))
            header = json.loads(source.read(min(length, path.stat().st_size)))
            entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
        except (struct.error, ValueError, AttributeError) as error:
            raise WeightsError(f"{path} is not a safetensors file ({error}). Save or fetch it again") from error
        for name, entry in entries.items():
            start, end = entry["data_offsets"]
            source.seek(8 + length + start)
            content = source.read(end - start)
            if len(content) != end - start:
                raise WeightsError(f"{path} ends within the tensor {name!r}. Save or fetch it again")
            yield name, _float32(content, entry["dtype"], path).reshape(entry["shape"])


def _float32(content: bytes, dtype: str, path: Path) -> NDArray[np.float32]:
    if dtype == "BF16":
        return (np.frombuffer(content, "<u2").astype(np.uint32) << 16).view(np.float32)
    if dtype not in ("F32", "F16"):
        raise WeightsError(f"{path} holds values of the type {dtype}; give it as F32, F16 or BF16")
    return np.frombuffer(content, "<f4" if dtype == "F32" else "<f2").astype(np.float32)
