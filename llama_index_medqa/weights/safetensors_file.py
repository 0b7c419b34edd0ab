"""Writes a safetensors file piece by piece, with the memory of one piece.

The format is the length of the header in 8 bytes, the header in JSON, and the tensors' bytes
(https://huggingface.co/docs/safetensors).
"""

import json
import math
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from numpy.typing import NDArray

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
