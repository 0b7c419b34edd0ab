"""Checks of Chroma's vector files (HNSW) before Chroma loads them.

Chroma follows whatever counts, neighbours and levels it finds in these files, and a process that follows damaged ones
dies with a segmentation fault. The layout is that of hnswlib as chromadb 1.5 writes it: ``header.bin`` has the sizes,
``data_level0.bin`` a row for each element (neighbours, vector, label), ``length.bin`` a norm for each, and
``link_lists.bin`` the neighbours on the higher levels.
"""

import os
import pickle
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path

import numpy as np
import numpy.typing as npt

_HEADER_FILE, _LEVEL0_FILE, _NORMS_FILE, _LINKS_FILE = "header.bin", "data_level0.bin", "length.bin", "link_lists.bin"
_NAMES_FILE = "index_metadata.pickle"
_SET_ASIDE = "damaged-"
_FOLDER_NAME = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_HEADER = struct.Struct("<i6QiI3QdQ")
_VERSION = 1
_WORD, _LABEL_BYTES = 4, 8
# The upper half of a row's first word holds the mark of deletion.
_COUNT_MASK = np.uint32(0xFFFF)
# Chroma doubles the capacity; what a header may ask for beyond that is refused, because it is allocated at once.
_MOST_CAPACITY_FACTOR, _SPARE_CAPACITY = 4, 1 << 20
_MOST_CONSTRUCTION_EFFORT = 1 << 20
_MOST_LEVELS = 64
# Bytes of vectors looked at at once.
_BLOCK_BYTES = 1 << 24


class DamagedVectorFilesError(Exception):
    """The files of vectors in a folder are inconsistent.

    Args:
        folder: the folder.
        what: what is wrong, with the name of the file.
    """

    def __init__(self, folder: Path, what: str) -> None:
        super().__init__(f"{folder.name}/{what}")
        self.folder = folder


@dataclass(frozen=True)
class _Header:
    """The fields of ``header.bin`` that describe other files.

    Sizes are in bytes.
    """

    capacity: int
    elements: int
    row_bytes: int
    label_offset: int
    vector_offset: int
    top_level: int
    entry_point: int
    most_links: int
    most_links_level0: int


def vector_folders(database: Path) -> list[Path]:
    """Return the folders of a database with vector files."""
    named = (folder for folder in database.iterdir() if _FOLDER_NAME.fullmatch(folder.name) and folder.is_dir())
    return sorted(folder for folder in named if (folder / _HEADER_FILE).exists() or (folder / _NAMES_FILE).exists())


def set_aside(folder: Path) -> Path:
    """Rename a folder of damaged files; those of one collection may be damaged more than once.

    Args:
        folder: one of :func:`vector_folders`.

    Returns:
        Where it is now.
    """
    name = f"{_SET_ASIDE}{folder.name}"
    names = chain([name], (f"{name}-{number}" for number in count(2)))
    return folder.rename(next(path for path in map(folder.with_name, names) if not path.exists()))


def require_sound(folder: Path) -> None:
    """Check every number that Chroma follows.

    And that the vectors are numbers.

    It reads each file once and holds a block of it in memory.

    Args:
        folder: one of :func:`vector_folders`.

    Raises:
        DamagedVectorFilesError: the files contradict one another.
    """
    _require_whole_names(folder)
    header = _read_header(folder)
    if not header.elements:
        return
    _require_size(folder, _LEVEL0_FILE, header.elements * header.row_bytes)
    # Only for cosine does Chroma fill in the norms; elsewhere anything may stand there, and nothing follows it.
    _require_size(folder, _NORMS_FILE, header.elements * _WORD)
    _require_level0(folder, header)
    _require_levels(folder, header)


def _require_whole_names(folder: Path) -> None:
    """Check that the file of ids is a whole pickle.

    Chroma reads it with care.
    """
    path = folder / _NAMES_FILE
    if path.is_file() and path.stat().st_size:
        with path.open("rb") as file:
            begins_well = file.read(1) == pickle.PROTO
            file.seek(-1, os.SEEK_END)
            _require(begins_well and file.read(1) == pickle.STOP, folder, _NAMES_FILE)


def _read_header(folder: Path) -> _Header:
    _require_size(folder, _HEADER_FILE, _HEADER.size)
    data = (folder / _HEADER_FILE).read_bytes()
    version, start, capacity, elements, row_bytes, label, vector, top, entry, most, most0, m, scale, effort = (
        _HEADER.unpack_from(data)
    )
    is_sound = (
        version == _VERSION
        and start == 0
        and elements <= capacity <= _MOST_CAPACITY_FACTOR * elements + _SPARE_CAPACITY
        and 0 < most <= most0 <= _COUNT_MASK
        and 0 < m <= _COUNT_MASK
        and vector == (most0 + 1) * _WORD
        and label > vector
        and (label - vector) % _WORD == 0
        and row_bytes == label + _LABEL_BYTES
        and 0 < scale <= 1.0 / np.log(2)
        and effort <= _MOST_CONSTRUCTION_EFFORT
        and (not elements or (0 <= top <= _MOST_LEVELS and entry < elements))
    )
    _require(is_sound, folder, _HEADER_FILE)
    return _Header(capacity, elements, row_bytes, label, vector, top, entry, most, most0)


def _require_level0(folder: Path, header: _Header) -> None:
    """Check labels, neighbours and vectors of elements.

    Every element has a label of its own, neighbours that are there, and a vector of numbers.
    """
    labels = np.empty(header.elements, np.uint64)
    start = 0
    for rows in _level0_blocks(folder, header):
        counts = _words(rows, 0, 1)[:, 0] & _COUNT_MASK
        neighbours = _words(rows, _WORD, header.most_links_level0)
        _require(_are_sound(counts, neighbours, header.elements), folder, _LEVEL0_FILE)
        width = (header.label_offset - header.vector_offset) // _WORD
        vectors = _words(rows, header.vector_offset, width).view(np.float32)
        _require(bool(np.isfinite(vectors).all()), folder, _LEVEL0_FILE)
        labels[start : start + len(rows)] = _words(rows, header.label_offset, 2).view(np.uint64)[:, 0]
        start += len(rows)
    _require(len(np.unique(labels)) == header.elements, folder, _LEVEL0_FILE)


def _level0_blocks(folder: Path, header: _Header) -> Iterator[npt.NDArray[np.uint8]]:
    size = max(1, _BLOCK_BYTES // header.row_bytes)
    with (folder / _LEVEL0_FILE).open("rb") as file:
        for start in range(0, header.elements, size):
            count = min(size, header.elements - start)
            yield np.fromfile(file, np.uint8, count * header.row_bytes).reshape(count, header.row_bytes)


def _words(rows: npt.NDArray[np.uint8], offset: int, count: int) -> npt.NDArray[np.uint32]:
    """Return columns of rows as 32-bit words."""
    return np.ascontiguousarray(rows[:, offset : offset + count * _WORD]).view(np.uint32)


def _are_sound(counts: npt.NDArray[np.uint32], neighbours: npt.NDArray[np.uint32], elements: int) -> bool:
    """Return whether neighbours are elements, and not too many."""
    width = neighbours.shape[1]
    if (counts > width).any():
        return False
    is_used = np.arange(width, dtype=np.uint32) < counts[:, None]
    return not (is_used & (neighbours >= elements)).any()


def _require_levels(folder: Path, header: _Header) -> None:
    """Check the higher levels.

    Neighbours on a level are on it themselves, and the search begins on the highest.
    """
    path = folder / _LINKS_FILE
    words = np.fromfile(path, "<u4") if path.is_file() else np.empty(0, np.uint32)
    levels, starts = _higher_levels(folder, header, words)
    _require(levels[header.entry_point] == header.top_level, folder, _LINKS_FILE)
    width = header.most_links
    for level in range(1, header.top_level + 1):
        first = starts[levels >= level] + (level - 1) * (width + 1)
        lists = words[first[:, None] + np.arange(width + 1)]
        counts, neighbours = lists[:, 0] & _COUNT_MASK, lists[:, 1:]
        _require(_are_sound(counts, neighbours, header.elements), folder, _LINKS_FILE)
        is_used = np.arange(width, dtype=np.uint32) < counts[:, None]
        _require(bool((levels[neighbours[is_used]] >= level).all()), folder, _LINKS_FILE)


def _higher_levels(
    folder: Path, header: _Header, words: npt.NDArray[np.uint32]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return each element's highest level and its lists.

    The latter as the position of their first word.

    The file holds for each element the bytes of its lists, mostly none, and then the lists.
    """
    levels, starts = np.zeros(header.elements, np.int64), np.zeros(header.elements, np.int64)
    list_bytes = (header.most_links + 1) * _WORD
    filled = np.flatnonzero(words)
    element = position = 0
    while element < header.elements:
        found = int(np.searchsorted(filled, position))
        following = int(filled[found]) if found < len(filled) else len(words)
        element, position = element + following - position, following
        if element >= header.elements:
            break
        _require(position < len(words), folder, _LINKS_FILE)
        size = int(words[position])
        end = position + 1 + size // _WORD
        is_sound = size % list_bytes == 0 and size // list_bytes <= header.top_level and end <= len(words)
        _require(is_sound, folder, _LINKS_FILE)
        levels[element], starts[element] = size // list_bytes, position + 1
        element, position = element + 1, end
    return levels, starts


def _require_size(folder: Path, name: str, least: int) -> None:
    path = folder / name
    size = path.stat().st_size if path.is_file() else 0
    if size < least:
        raise DamagedVectorFilesError(folder, f"{name} has {size} bytes in place of {least}")


def _require(is_sound: bool, folder: Path, name: str) -> None:
    if not is_sound:
        raise DamagedVectorFilesError(folder, f"{name} holds numbers that cannot be")
