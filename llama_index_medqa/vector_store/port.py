"""The port: the few operations that an engine must have to hold an index.

Everything above asks for no more than this, and :class:`~llama_index_medqa.vector_store.chunk_store.ChunkStore` makes
nodes, filters and queries of it, the same for every engine. An adapter says how its engine does each of them, and where
it keeps the state record: the identity of the index, its generation, and the days of its sources.
"""

from abc import abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
from llama_index.core.vector_stores.types import BasePydanticVectorStore, MetadataFilters

from llama_index_medqa.vector_store.filters import Condition

_Item = TypeVar("_Item")

PAGE_SIZE = 2_000

# Where to look: everything, `where` with a condition in the engine's own form, or `ids`.
Scope = Mapping[str, Any]
# What of a row a search brings beside its id.
Part = Literal["text", "metadata", "vector"]


class StoredRow(NamedTuple):
    """A row of the database; see :mod:`llama_index_medqa.vector_store.row_codec`."""

    node_id: str
    text: str
    metadata: Mapping[str, Any]
    vector: np.ndarray | None


class RowStore(BasePydanticVectorStore):
    """Rows of one collection, and its state record.

    Rows are replaced as a whole and by their ids. What one process has written, all processes see at once, or after
    they were told to look again by :attr:`generation`.

    Attributes:
        collection_name: name of the collection.
        stores_text: that the texts lie beside the vectors, as LlamaIndex asks.
        flat_metadata: that metadata may hold lists and mappings, as LlamaIndex asks.
    """

    stores_text: bool = True
    flat_metadata: bool = False
    collection_name: str | None = None

    @property
    @abstractmethod
    def address(self) -> str:
        """Return the database's folder or address, for messages."""

    @property
    @abstractmethod
    def folder(self) -> Path | None:
        """Return the folder that may hold files derived from the rows; None where there is none to write to."""

    @property
    @abstractmethod
    def collection_id(self) -> str:
        """Return what tells the collection from another of its name, as part of a file's name."""

    @property
    @abstractmethod
    def generation(self) -> str:
        """Return a value that changes with every write of any process.

        For whatever is derived from the collection and kept elsewhere: read the generation, derive, read it again. If
        both are equal, what was derived is of exactly this generation, and current for as long as the generation stays
        the same. It never becomes again what it once was.

        While a write is under way, each reading gives another value. So it does for two minutes after a writer was
        killed in the middle of a write, which may have arrived or not. Writes that go past this class are not noticed.
        """

    @property
    @abstractmethod
    def is_read_only(self) -> bool:
        """Return whether this process cannot write."""

    @property
    @abstractmethod
    def batch_size(self) -> int:
        """Return how many rows the engine takes at once."""

    @abstractmethod
    def sole_writer(self, *, wait: bool = True) -> AbstractContextManager[None]:
        """Keep other processes from writing for a ``with`` block, which may be nested.

        Args:
            wait: whether to wait for another process that writes; the log says for which.

        Raises:
            IndexBusyError: another process writes, and ``wait`` is False.
            StorageError: the folder cannot be written.
            ServerError: the server went away.
        """

    @abstractmethod
    def writing(self) -> AbstractContextManager[None]:
        """Count several changes as one, for :attr:`generation`. To be entered around them."""

    @abstractmethod
    def count(self) -> int:
        """Return the number of nodes."""

    @abstractmethod
    def ids(self, where: Any | None = None, among: Sequence[str] | None = None) -> list[str]:
        """Return the ids of nodes, in the order of the database.

        Args:
            where: only nodes that meet this condition in the engine's form.
            among: only these nodes; one batch of the database at most.
        """

    @abstractmethod
    def rows(self, ids: Sequence[str], *, vectors: bool = False) -> list[StoredRow]:
        """Return the rows of the given nodes that are stored. In the order of the database."""

    @abstractmethod
    def pages(
        self, size: int = PAGE_SIZE, *, vectors: bool = False, where: Any | None = None
    ) -> Iterator[list[StoredRow]]:
        """Read rows by pages; see :meth:`ChunkStore.chunks`.

        Args:
            size: rows in a page.
            vectors: whether their vectors are wanted.
            where: only rows that meet this condition in the engine's form.
        """

    @abstractmethod
    def select(self, scope: Scope, limit: int) -> list[StoredRow]:
        """Return any rows in a scope, ``limit`` at most, without their vectors."""

    @abstractmethod
    def each_metadata(self, ids: Sequence[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield metadata of the given nodes that are stored. At most a page is held in memory."""

    @abstractmethod
    def search(
        self, embedding: Sequence[float], top_k: int, scope: Scope, parts: Collection[Part]
    ) -> list[tuple[StoredRow, float]]:
        """Return the rows nearest to an embedding with their cosines in [-1, 1], the nearest first.

        Args:
            embedding: the vector to look for.
            top_k: most rows.
            scope: where to look.
            parts: what of the rows is wanted; the rest of them may be empty.

        Raises:
            StorageError: fewer rows came back than there are, since the engine has lost some.
        """

    def discard_new(self) -> None:
        """Remove what opening made, where opening the index fails and nothing was written; by default nothing."""

    @abstractmethod
    def without_vectors(self, ids: Sequence[str]) -> list[str]:
        """Return the given nodes that have lost their vector. Those that are stored, in their order."""

    @abstractmethod
    def write_rows(self, rows: Iterable[StoredRow]) -> None:
        """Write rows with vectors, and replace equal ids. One batch of the database at most."""

    @abstractmethod
    def remove(self, ids: Sequence[str]) -> None:
        """Delete nodes by id; unknown ids are ignored."""

    @abstractmethod
    def condition(self, filters: MetadataFilters) -> Condition:
        """Translate metadata filters into a condition in the engine's form.

        Raises:
            InputError: a value does not fit its operator.
        """

    @abstractmethod
    def filter_fields(self) -> set[str]:
        """Return the fields that filters can use. Those of records, and others that were ever written."""

    @abstractmethod
    def collection_metadata(self) -> dict[str, Any]:
        """Read the metadata of the collection itself from the database."""

    @abstractmethod
    def set_collection_metadata(self, metadata: Mapping[str, Any]) -> None:
        """Replace the metadata of the collection itself."""

    @abstractmethod
    def source_days(self) -> dict[str, str]:
        """Return the days of the sources, by ids of their notes. As ISO dates, for :meth:`note_source_day`."""

    @abstractmethod
    def note_source_day(self, day: str, replacing: Collection[str] = ()) -> None:
        """Add the day of a source, then remove others.

        What other writers add meanwhile stays.

        Args:
            day: as an ISO date.
            replacing: ids of :meth:`source_days` that no longer hold.
        """

    def metadata_of(self, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        """Return stored metadata of the given nodes, by id. Those under the keys, of nodes that are stored."""
        return dict(self.each_metadata(ids))

    def _batches(self, items: list[_Item]) -> Iterator[list[_Item]]:
        size = self.batch_size
        for start in range(0, len(items), size):
            yield items[start : start + size]
