"""A whole index as one file: what comes in equals what went out, and what is not such a file is refused."""

import contextlib
import hashlib
import json
import random
import zipfile
from datetime import date

import pytest

from llama_index_medqa import PubMedIndex, PubMedVectorStore, TokenNodeParser
from llama_index_medqa.errors import IndexIdentityError, InputError
from llama_index_medqa.indexing import archive
from llama_index_medqa.indexing.archive import export_index, import_index
from llama_index_medqa.indexing.identity import write_as_of
from llama_index_medqa.indexing.info import describe
from llama_index_medqa.testing import HashEmbedding


@pytest.fixture
def parser(word_piece) -> TokenNodeParser:
    return TokenNodeParser(tokenizer=word_piece, chunk_size=32, chunk_overlap=8)


@pytest.fixture
def index(tmp_path, parser, documents) -> PubMedIndex:
    index = PubMedIndex.open(str(tmp_path / "a"), embed_model=HashEmbedding(), node_parser=parser, create=True)
    index.ingest(documents)
    write_as_of(index.store, date(2026, 10, 1))
    return index


@pytest.fixture
def file(tmp_path, index, monkeypatch):
    monkeypatch.setattr(archive, "_ROWS_PER_BLOCK", 5)
    export_index(index.store, tmp_path / "index.zip")
    return tmp_path / "index.zip"


def content(store) -> dict:
    return {
        row.node_id: (row.text, dict(row.metadata), row.vector.tobytes())
        for page in store.pages(vectors=True)
        for row in page
    }


def test_a_round_trip_keeps_every_chunk_and_gives_the_same_bytes_again(tmp_path, index, parser, documents, file):
    with zipfile.ZipFile(file) as archive:
        assert len(archive.namelist()) > 3
    steps = []
    import_index(file, str(tmp_path / "b"), progress=lambda done, total: steps.append((done, total)))
    store = PubMedVectorStore.at(str(tmp_path / "b"))
    assert content(store) == content(index.store)
    assert describe(store) == describe(index.store)
    assert steps[-1] == (store.count(), store.count())
    export_index(store, tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == file.read_bytes()
    opened = PubMedIndex.open(str(tmp_path / "b"), embed_model=HashEmbedding(), node_parser=parser)
    assert opened.ingest(documents).unchanged == len(documents)
    assert opened.as_of == date(2026, 10, 1)
    assert {path.name for path in tmp_path.iterdir()} >= {"index.zip", "again.zip", "a", "b"}
    assert not list(tmp_path.glob("*.partial"))


def test_an_interrupted_import_is_refused_as_an_index_and_finished_by_repeating_it(tmp_path, index, parser, file):
    class Stopped(BaseException):
        pass

    def stop(done: int, total: int) -> None:
        raise Stopped

    folder = str(tmp_path / "b")
    with pytest.raises(Stopped):
        import_index(file, folder, progress=stop)
    with pytest.raises(IndexIdentityError, match="interrupted: repeat `medqa import`"):
        PubMedIndex.open(folder, embed_model=HashEmbedding(), node_parser=parser)
    import_index(file, folder)
    assert content(PubMedVectorStore.at(folder)) == content(index.store)


def test_a_place_that_holds_an_index_is_refused(tmp_path, index, file):
    before = content(index.store)
    with pytest.raises(InputError, match=r"not empty \(\d+ chunks\): import into another"):
        import_index(file, str(tmp_path / "a"))
    assert content(index.store) == before


def test_any_damage_is_noticed_before_anything_is_made(tmp_path, file):
    """200 damaged copies: a bit changed, or the end cut off, anywhere."""
    data, source = file.read_bytes(), random.Random(3)
    damaged = tmp_path / "damaged.zip"
    messages = []
    for number in range(200):
        position = source.randrange(len(data))
        changed = bytes([data[position] ^ (1 << source.randrange(8))])
        damaged.write_bytes(data[:position] if number % 2 else data[:position] + changed + data[position + 1 :])
        with contextlib.suppress(InputError):
            # A few bytes of a ZIP, such as the time of an entry, say nothing about its content.
            assert archive.verify(damaged) == archive.verify(file)
            messages.append("harmless")
    assert len(messages) < 20
    damaged.write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match="damaged"):
        import_index(damaged, str(tmp_path / "b"))
    assert not (tmp_path / "b").exists()


def rewritten(file, target, change) -> None:
    """The archive with another manifest."""
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "manifest.json":
                fields = json.loads(data)
                change(fields)
                data = json.dumps(fields).encode()
            new.writestr(name, data)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda fields: fields.update(format="something else"), "not an exported index"),
        (lambda fields: fields.update(format_version=99), "format 99.*upgrade"),
        (lambda fields: fields["identity"].update(schema_version=99), "schema 99.*upgrade"),
        (lambda fields: fields.update(chunks=3), "chunks in place of 3"),
        (lambda fields: fields["identity"].update(dimension=3), "has the shape"),
        (lambda fields: fields["blocks"].update({"rows/000000.jsonl": "0" * 64}), "another SHA-256"),
        (lambda fields: fields["blocks"].update({"rows/9.jsonl": "0", "vectors/9.npy": "0"}), "damaged"),
        (lambda fields: fields.pop("identity"), "damaged"),
    ],
)
def test_foreign_and_newer_files_are_refused(tmp_path, file, change, message):
    rewritten(file, tmp_path / "other.zip", change)
    with pytest.raises(InputError, match=message):
        import_index(tmp_path / "other.zip", str(tmp_path / "b"))
    assert not (tmp_path / "b").exists()


def test_what_is_no_archive_is_refused(tmp_path, index):
    (tmp_path / "text.zip").write_text("no archive")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("readme.txt", "no index")
    for name, message in (("text.zip", "damaged"), ("other.zip", "not an exported index"), ("none.zip", "no file")):
        with pytest.raises(InputError, match=message):
            import_index(tmp_path / name, str(tmp_path / "b"))


def test_an_index_that_changes_meanwhile_is_not_exported(tmp_path, index):
    def write(done: int, total: int) -> None:
        index.store.remove(["PMID:102#0"])

    with pytest.raises(InputError, match="written to meanwhile"):
        export_index(index.store, tmp_path / "x.zip", progress=write)
    assert not list(tmp_path.glob("x.zip*"))


def test_an_empty_index_is_not_exported(tmp_path, parser):
    index = PubMedIndex.open(str(tmp_path / "e"), embed_model=HashEmbedding(), node_parser=parser, create=True)
    with pytest.raises(InputError, match="nothing to export"):
        export_index(index.store, tmp_path / "x.zip")


def test_the_blocks_are_readable_without_us(file):
    """The format as documented, read with json and numpy alone."""
    import numpy as np

    with zipfile.ZipFile(file) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        for name, digest in manifest["blocks"].items():
            assert hashlib.sha256(archive.read(name)).hexdigest() == digest
        first = [json.loads(line) for line in archive.read("rows/000000.jsonl").decode().split("\n") if line]
        with archive.open("vectors/000000.npy") as vectors:
            matrix = np.load(vectors, allow_pickle=False)
    assert matrix.shape == (len(first), manifest["identity"]["dimension"])
    assert matrix.dtype == np.float32
