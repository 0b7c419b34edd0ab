"""A whole index copied from one address, or engine, to another."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

from llama_index_medqa.errors import InputError, StorageError
from llama_index_medqa.indexing.archive import Progress
from llama_index_medqa.indexing.identity import (
    begin_import,
    finish_import,
    require_current_schema,
    stored_as_of,
    stored_baseline,
    stored_identity,
)
from llama_index_medqa.vector_store.chunk_store import ChunkStore
from llama_index_medqa.vector_store.port import StoredRow

_ROWS_PER_PAGE = 1_000


@dataclass(frozen=True)
class CopyReport:
    """Counts of a copy.

    Attributes:
        chunks: chunks of the index; each was read back and is the same.
        written: chunks that this run wrote; an interrupted one had written the others.
        removed: chunks of an interrupted run that the source no longer has.
    """

    chunks: int
    written: int
    removed: int


def copy_index(
    source: ChunkStore, target: ChunkStore, *, wait: bool = True, progress: Progress = lambda _done, _of: None
) -> CopyReport:
    """Copy an index row by row, without embedding anything, and verify every row.

    Killing the process at any moment and calling this again goes on where it stopped. Until it is done, the target
    cannot be opened as an index.

    Args:
        source: the index.
        target: holds nothing, or what an interrupted copy of the same index left.
        wait: whether to wait for other processes that write to either.
        progress: called after every page with the chunks done and the chunks to do: each is copied, then verified.

    Raises:
        IndexIdentityError: the source is not an index, or not of this schema.
        InputError: the source holds nothing or was written to meanwhile, or the target holds something else.
        StorageError: a row is not the same when it is read back.
    """
    with nullcontext() if source.is_read_only else source.sole_writer(wait=wait), target.sole_writer(wait=wait):
        identity, total, generation = stored_identity(source), source.count(), source.generation
        require_current_schema(identity, source)
        if not total:
            raise InputError(
                f"The index in {source.address} holds nothing to copy: build it first, with `medqa index`."
            )
        begin_import(target, f"copy of {source.collection_id}")
        written = _write_missing(source, target, lambda done: progress(done, 2 * total))
        extra = sorted(set(target.ids()).difference(source.ids()))
        target.remove(extra)
        _verify(source, target, lambda done: progress(total + done, 2 * total))
        if source.generation != generation:
            raise InputError(f"The index in {source.address} was written to meanwhile: repeat the command.")
        finish_import(target, identity, stored_as_of(source), stored_baseline(source))
    return CopyReport(total, written, len(extra))


def _write_missing(source: ChunkStore, target: ChunkStore, tell: Callable[[int], None]) -> int:
    written = done = 0
    for page in source.pages(_ROWS_PER_PAGE, vectors=True):
        missing = _differing(page, target)
        for start in range(0, len(missing), target.batch_size):
            target.write_rows(missing[start : start + target.batch_size])
        written += len(missing)
        done += len(page)
        tell(done)
    return written


def _verify(source: ChunkStore, target: ChunkStore, tell: Callable[[int], None]) -> None:
    done = 0
    for page in source.pages(_ROWS_PER_PAGE, vectors=True):
        different = _differing(page, target)
        if different:
            raise StorageError(
                f"{len(different)} chunks of {source.address}, {different[0].node_id} among them, are not the same in "
                f"{target.address}: repeat the command; if it says so again, that database cannot hold them."
            )
        done += len(page)
        tell(done)
    if target.count() != source.count():
        raise StorageError(
            f"{target.address} holds {target.count()} chunks in place of {source.count()}: repeat the command."
        )


def _differing(page: Sequence[StoredRow], target: ChunkStore) -> list[StoredRow]:
    """Return the rows that the target lacks, or holds otherwise."""
    held = {row.node_id: row for row in target.rows([row.node_id for row in page], vectors=True)}
    return [row for row in page if not _are_same(row, held.get(row.node_id))]


def _are_same(one: StoredRow, other: StoredRow | None) -> bool:
    if other is None or one.vector is None or other.vector is None:
        return False
    return (
        one.text == other.text
        and _comparable(one.metadata) == _comparable(other.metadata)
        and np.array_equal(one.vector, other.vector)
    )


def _comparable(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return metadata with fractions of 15 digits: Chroma keeps no more in the fields that filters see."""
    return {key: _rounded(value) for key, value in metadata.items()}


def _rounded(value: Any) -> Any:
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return (float, f"{value:.15g}") if type(value) is float else value
