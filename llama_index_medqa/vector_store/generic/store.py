"""An index on any LlamaIndex vector store."""

import os
import threading
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.vector_stores.types import BasePydanticVectorStore, MetadataFilters

from llama_index_medqa.errors import IndexNotFoundError, InputError, StorageError
from llama_index_medqa.vector_store.chunk_store import ChunkStore
from llama_index_medqa.vector_store.client import DATABASE_FILE, SIDE_FILE, is_folder, require_no_file
from llama_index_medqa.vector_store.filters import Condition, translated
from llama_index_medqa.vector_store.generation import CollectionState
from llama_index_medqa.vector_store.generic.capabilities import StoreCapabilities
from llama_index_medqa.vector_store.generic.conditions import SqlCondition, SqlDialect
from llama_index_medqa.vector_store.generic.link import StoreLink
from llama_index_medqa.vector_store.generic.linked_store import LinkedStore
from llama_index_medqa.vector_store.generic.side_file import KeyedRow, SideFile
from llama_index_medqa.vector_store.port import PAGE_SIZE, Part, Scope, StoredRow
from llama_index_medqa.vector_store.row_codec import DOCUMENT_KEY, RECORD_FIELDS, flat_metadata
from llama_index_medqa.vector_store.write_lock import WriterLock

_BATCH_SIZE = 1_000
# So many vectors of the folder are compared with a question at most, where a filter leaves few.
_MOST_COMPARED = 20_000
# More than are wanted are asked for: a marker, and rows that a killed process left in the store.
_SPARE = 8
# So many chunks that a search did not find are asked for singly.
_MOST_MISSED = 16
# So many times as many as a filter should need are asked for, and then again.
_AMPLE = 2
_AGAIN = 4


class GenericStore(ChunkStore):
    """A LlamaIndex vector store, and a folder that keeps what such a store cannot tell.

    The store holds every chunk as a node, and finds the nearest. The folder holds texts, metadata, vectors and the
    state record: filters, counts, pages and cosines come from there. Both are written together, and a run that was
    killed in between is made good by the next one that writes.

    Args:
        folder: the folder; it belongs to this collection of the store alone.
        store: any LlamaIndex vector store, empty or filled by way of this very folder.
        create: whether to make a missing index.
        refill: whether to write everything that the folder holds to the store, which is empty or has lost nodes.
        check_filter_fields: whether a filter on a field that no record has is an error.

    Raises:
        InputError: the folder is none, or holds another index; the store takes no vectors.
        IndexNotFoundError: with ``create=False``, when there is no such index.
        StorageError: the store is not in the state that the folder tells, or failed; so may every method.
    """

    _path: Path = PrivateAttr()
    _file: SideFile = PrivateAttr()
    _linked: LinkedStore = PrivateAttr()
    _link: StoreLink = PrivateAttr()
    _state: CollectionState = PrivateAttr()
    _writer: WriterLock = PrivateAttr()
    _guard: Any = PrivateAttr(default_factory=threading.RLock)
    _holders: int = PrivateAttr(default=0)
    # Whether this made the index, and which folders for it, the innermost first.
    _is_new: bool = PrivateAttr(default=False)
    _made: list[Path] = PrivateAttr(default_factory=list)
    _store: BasePydanticVectorStore = PrivateAttr()

    def __init__(
        self,
        folder: str,
        store: BasePydanticVectorStore,
        *,
        create: bool = True,
        refill: bool = False,
        check_filter_fields: bool = True,
        **kwargs: Any,
    ) -> None:
        path = _checked_folder(folder)
        _require_usable(store)
        super().__init__(
            collection_name=getattr(store, "collection_name", None), check_filter_fields=check_filter_fields
        )
        if not create and not (path / SIDE_FILE).is_file():
            raise IndexNotFoundError(
                f"There is no index in {path}: build one first, with PubMedIndex.open(FOLDER, vector_store=..., "
                "create=True), as `medqa index FILE` does in Chroma."
            )
        self._path, self._store = path, store
        self._make_folder()
        self._file = SideFile(path / SIDE_FILE, is_read_only=self.is_read_only)
        if not self.is_read_only:
            self._file.identify(uuid.uuid4().hex)
        self._linked = LinkedStore(store, path, self._file.collection_id)
        self._link = StoreLink(self._file, self._linked, path)
        self._state = CollectionState(self._file)
        self._writer = WriterLock(path)
        if refill:
            self.refill()
        self._link.require_marker()

    @classmethod
    def class_name(cls) -> str:
        """Return the name under which LlamaIndex saves it."""
        return "GenericStore"

    @property
    def client(self) -> Any:
        """Return the client of the LlamaIndex store."""
        return self._store.client

    @property
    def vector_store(self) -> BasePydanticVectorStore:
        """Return the LlamaIndex store."""
        return self._store

    @property
    def capabilities(self) -> StoreCapabilities | None:
        """Return what the LlamaIndex store can do; None before the first chunk was written."""
        return self._link.capabilities

    @property
    def address(self) -> str:
        """Return the folder, for messages."""
        return str(self._path)

    @property
    def folder(self) -> Path | None:
        """Return the folder, where it can be written to."""
        return None if self.is_read_only else self._path

    @property
    def collection_id(self) -> str:
        """Return the random text that the index got when it was made."""
        return self._file.collection_id

    @property
    def generation(self) -> str:
        """Return a value that changes with every write of any process; see :attr:`RowStore.generation`."""
        return self._state.generation()

    @property
    def is_read_only(self) -> bool:
        """Return whether this process cannot write to the folder."""
        return not os.access(self._path, os.W_OK)

    @property
    def batch_size(self) -> int:
        """Return how many rows are sent at once."""
        return _BATCH_SIZE

    @contextmanager
    def sole_writer(self, *, wait: bool = True) -> Iterator[None]:
        """Keep other processes of this machine from writing; see :meth:`RowStore.sole_writer`."""
        if self.is_read_only:
            raise StorageError(f"The index in {self._path} cannot be written: make its folder writable.")
        with self._writer.held(wait=wait):
            with self._guard:
                if self._holders == 0:
                    self._link.settle()
                self._holders += 1
            try:
                yield
            finally:
                with self._guard:
                    self._holders -= 1

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Count several changes as one, for :attr:`generation`. To be entered around them."""
        with self.sole_writer(), self._state.writing():
            yield

    def count(self) -> int:
        """Return the number of nodes."""
        return self._file.count()

    def ids(self, where: Any | None = None, among: Sequence[str] | None = None) -> list[str]:
        """Return the ids of nodes; see :meth:`RowStore.ids`."""
        return self._file.ids(where, among)

    def rows(self, ids: Sequence[str], *, vectors: bool = False) -> list[StoredRow]:
        """Return the rows of the given nodes that are stored."""
        return self._file.chunks(ids, vectors=vectors)

    def pages(
        self, size: int = PAGE_SIZE, *, vectors: bool = False, where: Any | None = None
    ) -> Iterator[list[StoredRow]]:
        """Read rows by pages; see :meth:`RowStore.pages`."""
        for page in self._file.pages(size, vectors=vectors, where=where):
            yield [one.row for one in page]

    def select(self, scope: Scope, limit: int) -> list[StoredRow]:
        """Return any rows in a scope, without their vectors."""
        if limit <= 0:
            return []
        if "ids" in scope:
            return self.rows(scope["ids"][:limit])
        return next(self.pages(limit, where=scope.get("where")), [])

    def each_metadata(self, ids: Sequence[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield metadata of the given nodes that are stored. At most a batch is held in memory."""
        for batch in self._batches(list(ids)):
            yield from self._file.metadatas(batch)

    def search(
        self, embedding: Sequence[float], top_k: int, scope: Scope, parts: Collection[Part]
    ) -> list[tuple[StoredRow, float]]:
        """Return the nearest rows and their cosines; see :meth:`RowStore.search`.

        Where a filter leaves few rows, all of them are compared; else the store is asked for so many that enough of
        them meet it.
        """
        total = self.count()
        if top_k <= 0 or not total:
            return []
        where, ids = scope.get("where"), scope.get("ids")
        if where is None and ids is None:
            found = self._asked(embedding, top_k + _SPARE, None)[:top_k]
            if len(found) >= min(top_k, total):
                return found
            self._require_nodes({row.node_id for row, _ in found})
            return self._compared(embedding, top_k, None, None) if total <= _MOST_COMPARED else found
        left = self._file.count(where) if ids is None else len(ids)
        if left <= _MOST_COMPARED or ids is not None:
            return self._compared(embedding, top_k, where, ids)
        wanted = top_k * _AMPLE * total // left + _SPARE
        while wanted < total:
            found = self._asked(embedding, wanted, where)
            if len(found) >= top_k:
                return found[:top_k]
            wanted *= _AGAIN
        return self._compared(embedding, top_k, where, None)

    def without_vectors(self, ids: Sequence[str]) -> list[str]:
        """Return nothing: the folder keeps a row with its vector, or none."""
        return []

    def write_rows(self, rows: Iterable[StoredRow]) -> None:
        """Write rows with vectors, and replace equal ids. One batch at most."""
        latest = {row.node_id: row for row in rows}
        keyed = [KeyedRow(self._linked.key_of(row.node_id), row) for row in latest.values()]
        if not keyed:
            return
        dimensions = {len(one.row.vector) for one in keyed if one.row.vector is not None}
        with self.writing():
            with self._guard:
                self._link.begin(dimensions)
            keys = {key for one in keyed for key in flat_metadata(one.row.metadata)}
            self._state.note_keys(keys - RECORD_FIELDS)
            self._link.put(keyed)

    def remove(self, ids: Sequence[str]) -> None:
        """Delete nodes by id; unknown ids are ignored."""
        for batch in self._batches(list(ids)):
            known = self._file.ids(None, batch)
            if known:
                with self.writing():
                    with self._guard:
                        self._link.begin(frozenset())
                    self._link.remove([self._linked.key_of(name) for name in known])

    def delete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:
        """Delete all nodes of a document."""
        self.remove(self.ids(SqlCondition(f"{DOCUMENT_KEY} = ?", (ref_doc_id,))))

    def refill(self) -> int:
        """Write everything that the folder holds to the store, which is empty, or holds this index.

        For a store that was lost or damaged, or another one in its place. Killed at any moment, it can be called again.

        Returns:
            The number of chunks written.

        Raises:
            InputError: the store holds something else.
        """
        if self.is_read_only:
            raise StorageError(f"The index in {self._path} cannot be written: make its folder writable.")
        with self._writer.held():
            return self._link.refill(_BATCH_SIZE)

    def condition(self, filters: MetadataFilters) -> Condition:
        """Translate metadata filters into a condition of SQLite."""
        return translated(filters, SqlDialect())

    def filter_fields(self) -> set[str]:
        """Return the fields that filters can use. Those of records, and others that were ever written."""
        return {*RECORD_FIELDS, *self._state.keys()}

    def collection_metadata(self) -> dict[str, Any]:
        """Read the metadata of the index."""
        return self._file.metadata()

    def set_collection_metadata(self, metadata: Mapping[str, Any]) -> None:
        """Replace the metadata of the index."""
        self._file.set_metadata(metadata)

    def source_days(self) -> dict[str, str]:
        """Return the days of the sources, by ids of their notes."""
        return self._state.days()

    def note_source_day(self, day: str, replacing: Collection[str] = ()) -> None:
        """Add the day of a source, then remove others; see :meth:`RowStore.note_source_day`."""
        self._state.note_day(day, replacing)

    def _asked(
        self, embedding: Sequence[float], count: int, where: SqlCondition | None
    ) -> list[tuple[StoredRow, float]]:
        """Return the rows that the store finds and that meet a condition, with their cosines, the nearest first."""
        rows = self._file.by_keys(self._linked.nearest(embedding, count), where)
        if not rows:
            return []
        cosines = _cosines(embedding, np.array([row.vector for row in rows]))
        order = np.argsort(-cosines, kind="stable")
        return [(rows[number], float(cosines[number])) for number in order]

    def _compared(
        self, embedding: Sequence[float], top_k: int, where: SqlCondition | None, ids: Sequence[str] | None
    ) -> list[tuple[StoredRow, float]]:
        """Return the nearest of all rows that meet a condition, or are among ids."""
        names, vectors = self._file.vectors(where, ids)
        if not names:
            return []
        cosines = _cosines(embedding, vectors)
        best = {names[number]: float(cosines[number]) for number in np.argsort(-cosines, kind="stable")[:top_k]}
        rows = {row.node_id: row for row in self._file.chunks(list(best), vectors=True)}
        return [(rows[name], cosine) for name, cosine in best.items() if name in rows]

    def discard_new(self) -> None:
        """Remove the folder, where this made it and nothing was written; files of others stay."""
        if self._is_new and not self.count() and not self.collection_metadata():
            self._file.discard()
            self._writer.discard()
            with suppress(OSError):  # not empty: somebody else uses it
                for made in self._made:
                    made.rmdir()

    def _require_nodes(self, found: Collection[str]) -> None:
        """Raise if the store has lost nodes that a search of everything did not find.

        Not every store finds all that it holds: an index of neighbours may stop early. So some are asked for singly.
        """
        missing = self._file.settled(found, _MOST_MISSED)
        lost = [one for one in missing if not self._linked.holds(one, self.capabilities)]
        # What another process changes at this moment is not lost.
        if lost and self._file.any_settled([one.key for one in lost]):
            raise StorageError(
                f"The {self._linked.name} of the index in {self._path} has lost vectors: of {self.count()} chunks a "
                f"search finds {len(found)}. Open the index once with refill=True: it is filled again from the folder."
            )

    def _make_folder(self) -> None:
        self._is_new = not (self._path / SIDE_FILE).exists()
        self._made = [folder for folder in (self._path, *self._path.parents) if not folder.exists()]
        try:
            self._path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"The folder {self._path} cannot be made ({error}): give another place.") from error


def _cosines(embedding: Sequence[float], vectors: np.ndarray) -> np.ndarray:
    question = np.asarray(embedding, np.float64)
    norms = np.linalg.norm(vectors, axis=1) * float(np.linalg.norm(question))
    cosines: np.ndarray = np.clip((vectors @ question) / np.maximum(norms, 1e-30), -1.0, 1.0)
    return cosines


def _checked_folder(folder: str) -> Path:
    if not is_folder(folder):
        raise InputError(
            f"With vector_store= an index needs a folder for what the store cannot tell, not the address {folder!r}."
        )
    path = Path(folder).expanduser().resolve()
    require_no_file(path)
    if (path / DATABASE_FILE).exists():
        raise InputError(
            f"The folder {path} holds an index in Chroma: give another folder for the one on the vector store, or "
            "leave vector_store= out."
        )
    return path


def _require_usable(store: object) -> None:
    if not isinstance(store, BasePydanticVectorStore) or isinstance(store, ChunkStore):
        raise InputError(
            f"vector_store= takes a vector store of LlamaIndex's, not a {type(store).__name__}. A PubMedVectorStore is "
            "opened by its folder or address alone."
        )
    if not store.is_embedding_query:
        raise InputError(
            f"{type(store).__name__} cannot hold an index: it takes no vectors in queries (is_embedding_query is "
            "False). Take another store."
        )
