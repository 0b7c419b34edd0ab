"""Archives: a whole index as one file, of a folder or a server.

The file is a ZIP archive: rows as JSON lines and vectors as NumPy arrays, in blocks, and a manifest that says with what
the index was built, of which day it is, and the SHA-256 of every block. Nothing in it is executed when it is read.
"""

import hashlib
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from llama_index_medqa._common.files import write_atomically
from llama_index_medqa.errors import InputError
from llama_index_medqa.indexing.identity import (
    SCHEMA_VERSION,
    begin_import,
    finish_import,
    require_current_schema,
    stored_as_of,
    stored_identity,
)
from llama_index_medqa.vector_store.addresses import open_store
from llama_index_medqa.vector_store.chunk_store import ChunkStore
from llama_index_medqa.vector_store.port import StoredRow

FORMAT = "llama-index-medqa index"
FORMAT_VERSION = 1

_MANIFEST = "manifest.json"
_ROWS_PER_BLOCK = 1_000
# The same index gives the same bytes at any time; ZIP counts from this day.
_NO_TIME = (1980, 1, 1, 0, 0, 0)

# What zipfile raises on damaged files: among others, where a flipped bit asks for encryption or another compression.
_UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, EOFError, KeyError, ValueError, OSError),
    *(NotImplementedError, RuntimeError, struct.error, OverflowError),
)

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Manifest:
    """The manifest of an archive.

    Attributes:
        identity: of the index, as compared on opening.
        as_of: the day whose state of PubMed every record has at least; None where unknown.
        chunks: number of chunks.
        blocks: SHA-256 of every block, by its name, in order.
    """

    identity: dict[str, str | int]
    as_of: date | None
    chunks: int
    blocks: dict[str, str]


def export_index(store: ChunkStore, file: Path, *, progress: Progress = lambda _done, _of: None) -> Manifest:
    """Write an index to a file, whole or not at all.

    Args:
        store: the collection of the index.
        file: where to; an existing file is replaced.
        progress: called after every block with the chunks done and all chunks.

    Raises:
        IndexIdentityError: the collection is not an index, or not of this schema.
        InputError: the index holds nothing, or changed meanwhile.
    """
    # Nobody writes meanwhile, where that can be had; the generation tells the rest.
    with nullcontext() if store.is_read_only else store.sole_writer():
        return _exported(store, file, progress)


def _exported(store: ChunkStore, file: Path, progress: Progress) -> Manifest:
    identity = stored_identity(store)
    require_current_schema(identity, store)
    total = store.count()
    if not total:
        raise InputError(f"The index in {store.address} holds nothing to export: build it first, with `medqa index`.")
    generation = store.generation
    with write_atomically(file) as partial:
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
            blocks = _write_blocks(archive, store, lambda done: progress(done, total))
            manifest = Manifest(identity, stored_as_of(store), total, blocks)
            _write_entry(archive, _MANIFEST, _encoded(manifest))
        if store.generation != generation:
            raise InputError(f"The index in {store.address} was written to meanwhile: export it again.")
    return manifest


def import_index(
    file: Path,
    location: str,
    *,
    wait: bool = True,
    progress: Progress = lambda _done, _of: None,
    **store_arguments: Any,
) -> Manifest:
    """Read an archive into a new index.

    The archive was made by :func:`export_index`. Nothing is written before all of it is verified.

    Killing the process at any moment and calling this again with the same file gives the whole index.

    Args:
        file: the archive.
        location: a folder or an address, see :func:`open_store`, where there is no index yet or an
            import of the same file was interrupted.
        wait: whether to wait for another process that writes there.
        progress: called after every block with the chunks done and all chunks.
        store_arguments: further arguments of :func:`open_store`, such as ``vector_store``.

    Raises:
        InputError: the file is damaged, not such an archive or of a later version, or there is an index already.
        IndexBusyError: another process writes there, and ``wait`` is False.
    """
    verify(file)
    with _opened(file) as archive:
        manifest, digest = _read_manifest(archive, file)
        store = open_store(location, **store_arguments)
        with store.sole_writer(wait=wait):
            begin_import(store, digest)
            done = 0
            for rows in _verified_blocks(archive, manifest, file):
                store.write_rows(rows)
                done += len(rows)
                progress(done, manifest.chunks)
            finish_import(store, manifest.identity, manifest.as_of)
    return manifest


def verify(file: Path) -> Manifest:
    """Check all of an archive and keep nothing of it.

    Raises:
        InputError: it is damaged, not such an archive or of a later version.
    """
    with _opened(file) as archive:
        manifest, _ = _read_manifest(archive, file)
        for _ in _verified_blocks(archive, manifest, file):
            pass
    return manifest


def _write_blocks(archive: zipfile.ZipFile, store: ChunkStore, tell: Callable[[int], None]) -> dict[str, str]:
    blocks: dict[str, str] = {}
    done = 0
    for number, page in enumerate(store.pages(_ROWS_PER_BLOCK, vectors=True)):
        lines = [
            json.dumps([row.node_id, row.text, row.metadata], ensure_ascii=False, sort_keys=True) + "\n" for row in page
        ]
        vectors = io.BytesIO()
        np.save(vectors, np.array([row.vector for row in page], dtype="<f4"), allow_pickle=False)
        for name, data in (
            (f"rows/{number:06}.jsonl", "".join(lines).encode()),
            (f"vectors/{number:06}.npy", vectors.getvalue()),
        ):
            _write_entry(archive, name, data)
            blocks[name] = hashlib.sha256(data).hexdigest()
        done += len(page)
        tell(done)
    return blocks


def _write_entry(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    entry = zipfile.ZipInfo(name, _NO_TIME)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, data)


def _encoded(manifest: Manifest) -> bytes:
    fields = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "identity": dict(sorted(manifest.identity.items())),
        "as_of": manifest.as_of.isoformat() if manifest.as_of else None,
        "chunks": manifest.chunks,
        "blocks": manifest.blocks,
    }
    return (json.dumps(fields, indent=1) + "\n").encode()


def _opened(file: Path) -> zipfile.ZipFile:
    if not file.is_file():
        raise InputError(f"There is no file {file}: give one that `medqa export` wrote.")
    try:
        return zipfile.ZipFile(file)
    except _UNREADABLE as error:
        raise _damaged(file, str(error)) from error


def _read_manifest(archive: zipfile.ZipFile, file: Path) -> tuple[Manifest, str]:
    """Return the manifest and a digest of the whole file."""
    if _MANIFEST not in archive.namelist():
        raise _foreign(file)
    data = _read(archive, _MANIFEST, file)
    try:
        fields = json.loads(data)
        if fields["format"] != FORMAT:
            raise _foreign(file)
        versions = fields["format_version"], fields["identity"]["schema_version"]
        as_of = date.fromisoformat(fields["as_of"]) if fields["as_of"] else None
        manifest = Manifest(fields["identity"], as_of, fields["chunks"], fields["blocks"])
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise _damaged(file, f"the manifest cannot be read: {error!r}") from error
    if versions != (FORMAT_VERSION, SCHEMA_VERSION):
        raise InputError(
            f"{file} has format {versions[0]} and schema {versions[1]}, this version of llama-index-medqa reads format "
            f"{FORMAT_VERSION} and schema {SCHEMA_VERSION}: export it again with this version, or upgrade with "
            "`pip install -U llama-index-medqa`."
        )
    return manifest, hashlib.sha256(data).hexdigest()


def _verified_blocks(archive: zipfile.ZipFile, manifest: Manifest, file: Path) -> Iterator[list[StoredRow]]:
    names = list(manifest.blocks)
    total = 0
    for rows_name, vectors_name in zip(names[::2], names[1::2], strict=True):
        lines, vectors = (_verified(archive, name, manifest, file) for name in (rows_name, vectors_name))
        rows: list[list[Any]] = [json.loads(line) for line in lines.split(b"\n") if line]
        matrix = np.load(io.BytesIO(vectors), allow_pickle=False)
        if matrix.shape != (len(rows), manifest.identity["dimension"]):
            raise _damaged(file, f"{vectors_name} has the shape {matrix.shape}")
        total += len(rows)
        yield [
            StoredRow(node_id, text, metadata, vector)
            for (node_id, text, metadata), vector in zip(rows, matrix, strict=True)
        ]
    if total != manifest.chunks:
        raise _damaged(file, f"{total} chunks in place of {manifest.chunks}")


def _verified(archive: zipfile.ZipFile, name: str, manifest: Manifest, file: Path) -> bytes:
    data = _read(archive, name, file)
    if hashlib.sha256(data).hexdigest() != manifest.blocks[name]:
        raise _damaged(file, f"{name} has another SHA-256")
    return data


def _read(archive: zipfile.ZipFile, name: str, file: Path) -> bytes:
    try:
        return archive.read(name)
    except _UNREADABLE as error:
        raise _damaged(file, str(error)) from error


def _foreign(file: Path) -> InputError:
    return InputError(f"{file} is not an exported index: give a file that `medqa export` wrote.")


def _damaged(file: Path, why: str) -> InputError:
    return InputError(f"{file} is damaged or not an exported index ({why}): copy or export it again.")
