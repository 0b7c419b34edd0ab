"""Vectors that a killed process left damaged are made again from the stored texts."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

from llama_index_medqa.errors import DamagedVectorsError
from llama_index_medqa.redaction import logger_of
from llama_index_medqa.vector_store.chunk_store import ChunkStore
from llama_index_medqa.vector_store.database import sole_writer

_logger = logger_of(__name__)


class Repairable(Protocol):
    """An index that can make lost vectors again."""

    def repair(self) -> int:
        """Embed the chunks again whose vectors were lost."""
        ...


_Index = TypeVar("_Index", bound=Repairable)


def repaired(folder: str, opened: Callable[[], _Index]) -> _Index:
    """Return an index that is opened to be written, with damaged vectors made again.

    Args:
        folder: of the index.
        opened: opens it.
    """
    try:
        return opened()
    except DamagedVectorsError:
        with sole_writer(folder) as set_aside:
            _log_moved_folders(set_aside)
            index = opened()
            index.repair()
        return index


@contextmanager
def undone_on_failure(store: ChunkStore) -> Iterator[None]:
    """Remove what opening a store made, where the index cannot be opened."""
    try:
        yield
    except Exception:
        store.discard_new()
        raise


def set_aside_damaged(store: ChunkStore) -> bool:
    """Move vector files aside that a killed process left damaged, where another process has written.

    Args:
        store: the collection; what is damaged, its vectors, are lost then.

    Returns:
        Whether there were any.
    """
    try:
        # It looks at what others have written, and at nothing else.
        store.without_vectors([])
    except DamagedVectorsError:
        with sole_writer(store.address) as set_aside:
            _log_moved_folders(set_aside)
        return True
    return False


def _log_moved_folders(folders: Sequence[Path]) -> None:
    for folder in folders:
        _logger.warning("Damaged vectors were moved to %s; they are made again from the texts.", folder)
