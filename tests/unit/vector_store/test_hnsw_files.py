"""Chroma's files of vectors: those that Chroma has written are sound, and numbers that cannot be are found.

Expected values: what Chroma itself wrote, changed field by field as hnswlib lays them out.
"""

import struct
from contextlib import suppress
from pathlib import Path

import chromadb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_index_medqa.vector_store.hnsw_files import DamagedVectorFilesError, require_sound, vector_folders

ROWS, DIMENSION = 1_100, 8
# Of a row: a count and 32 neighbours, the vector, the label.
ROW_BYTES, VECTOR, LABEL = 132 + 4 * DIMENSION + 8, 132, 132 + 4 * DIMENSION
NAN = struct.pack("<f", float("nan"))


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> dict[str, bytes]:
    """The files of a collection that Chroma has written, by name."""
    database = tmp_path_factory.mktemp("database")
    collection = chromadb.PersistentClient(str(database)).create_collection("vectors", embedding_function=None)
    vectors = np.random.default_rng(0).standard_normal((ROWS, DIMENSION)).astype(np.float32)
    collection.add(ids=[str(number) for number in range(ROWS)], embeddings=vectors)
    [folder] = vector_folders(database)
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def laid_out(folder: Path, files: dict[str, bytes], **changed: bytes | None) -> Path:
    for name, data in {**files, **{key.replace("__", "."): value for key, value in changed.items()}}.items():
        if data is None:
            (folder / name).unlink(missing_ok=True)
        else:
            (folder / name).write_bytes(data)
    return folder


def at(data: bytes, offset: int, value: bytes) -> bytes:
    return data[:offset] + value + data[offset + len(value) :]


def links_of(data: bytes) -> int:
    """Where the first list of a higher level begins."""
    words = np.frombuffer(data, "<u4")
    return 4 * int(np.flatnonzero(words)[0])


def test_what_chroma_has_written_is_sound(tmp_path, written):
    require_sound(laid_out(tmp_path, written))


def test_files_of_no_vectors_are_sound(tmp_path):
    collection = chromadb.PersistentClient(str(tmp_path)).create_collection("vectors", embedding_function=None)
    collection.add(ids=["a"], embeddings=[[1.0, 2.0]])
    for folder in vector_folders(tmp_path):
        require_sound(folder)


def test_only_folders_of_vectors_are_looked_at(tmp_path, written):
    (tmp_path / "words.sqlite3").mkdir()
    assert vector_folders(tmp_path) == []
    folder = tmp_path / "0a1b2c3d-0000-4000-8000-0123456789ab"
    folder.mkdir()
    assert vector_folders(tmp_path) == []
    laid_out(folder, written)
    assert vector_folders(tmp_path) == [folder]


@pytest.mark.parametrize("name", ["header.bin", "data_level0.bin", "length.bin", "link_lists.bin"])
@pytest.mark.parametrize("damage", [lambda data: None, lambda data: data[: len(data) // 2], lambda data: b""])
def test_a_file_that_is_missing_or_cut_is_found(tmp_path, written, name, damage):
    laid_out(tmp_path, {**written, name: damage(written[name])})
    with pytest.raises(DamagedVectorFilesError, match=name):
        require_sound(tmp_path)


def test_ids_that_are_cut_are_found(tmp_path, written):
    laid_out(tmp_path, written, index_metadata__pickle=written["index_metadata.pickle"][:-1])
    with pytest.raises(DamagedVectorFilesError, match=r"index_metadata\.pickle"):
        require_sound(tmp_path)


@pytest.mark.parametrize(
    ("offset", "value"),
    [
        (0, struct.pack("<i", 2)),  # version
        (12, struct.pack("<Q", 1 << 60)),  # capacity
        (20, struct.pack("<Q", ROWS + 5_000)),  # elements
        (28, struct.pack("<Q", 1)),  # bytes of a row
        (36, struct.pack("<Q", 0)),  # where the label is
        (44, struct.pack("<Q", 1 << 40)),  # where the vector is
        (52, struct.pack("<i", 77)),  # highest level
        (56, struct.pack("<I", ROWS)),  # where the search begins
        (60, struct.pack("<Q", 0)),  # most neighbours
        (68, struct.pack("<Q", 1 << 33)),  # most neighbours on level 0
        (84, struct.pack("<d", float("nan"))),  # scale of levels
        (92, struct.pack("<Q", 1 << 50)),  # effort
    ],
)
def test_a_header_that_cannot_be_is_found(tmp_path, written, offset, value):
    laid_out(tmp_path, written, header__bin=at(written["header.bin"], offset, value))
    with pytest.raises(DamagedVectorFilesError):
        require_sound(tmp_path)


@pytest.mark.parametrize(
    ("offset", "value"),
    [
        (0, struct.pack("<H", 33)),  # more neighbours than room
        (4, struct.pack("<I", ROWS)),  # a neighbour that is no element
        (VECTOR, NAN),
        (LABEL, struct.pack("<Q", 0)),  # overwritten below with another row's
    ],
)
@pytest.mark.parametrize("row", [0, 700, ROWS - 1])
def test_a_row_that_cannot_be_is_found(tmp_path, written, row, offset, value):
    data = written["data_level0.bin"]
    if offset == LABEL:
        other = (row + 1) % ROWS * ROW_BYTES + LABEL
        value = data[other : other + 8]
    laid_out(tmp_path, written, data_level0__bin=at(data, row * ROW_BYTES + offset, value))
    with pytest.raises(DamagedVectorFilesError, match=r"data_level0\.bin"):
        require_sound(tmp_path)


def test_a_neighbour_that_is_not_on_its_level_is_found(tmp_path, written):
    links = written["link_lists.bin"]
    start = links_of(links)
    # The elements before the first list have none themselves.
    assert start > 0
    laid_out(tmp_path, written, link_lists__bin=at(links, start + 8, struct.pack("<I", 0)))
    with pytest.raises(DamagedVectorFilesError, match=r"link_lists\.bin"):
        require_sound(tmp_path)


@pytest.mark.parametrize("value", [b"\x03\0\0\0", b"\xff\xff\xff\xff"])
def test_a_length_of_lists_that_cannot_be_is_found(tmp_path, written, value):
    links = written["link_lists.bin"]
    laid_out(tmp_path, written, link_lists__bin=at(links, links_of(links), value))
    with pytest.raises(DamagedVectorFilesError, match=r"link_lists\.bin"):
        require_sound(tmp_path)


def test_norms_that_chroma_never_filled_in_are_no_damage(tmp_path, written):
    """With squared L2, as here, the room for them is whatever the memory held, which differs from run to run."""
    require_sound(laid_out(tmp_path, written, length__bin=at(written["length.bin"], 40, NAN)))


@given(st.data())
def test_whatever_the_bytes_only_damage_is_told(tmp_path_factory, written, data):
    name = data.draw(st.sampled_from(["header.bin", "data_level0.bin", "length.bin", "link_lists.bin"]))
    offset = data.draw(st.integers(0, len(written[name]) - 1))
    changed = at(written[name], offset, data.draw(st.binary(max_size=64)))
    folder = laid_out(tmp_path_factory.mktemp("changed"), {**written, name: changed})
    with suppress(DamagedVectorFilesError):
        require_sound(folder)
