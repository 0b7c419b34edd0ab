"""The rows of a Chroma collection: read and written in its own batches, with failures told in one line."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, NamedTuple, TypeVar

import chromadb
import numpy as np
from chromadb.errors import ChromaError
from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.vector_stores.chroma import ChromaVectorStore

from llama_index_medqa.errors import StorageError
from llama_index_medqa.vector_store.client import failures_told
from llama_index_medqa.vector_store.database import ChromaDatabase, release_memory
from llama_index_medqa.vector_store.generation import CollectionState
from llama_index_medqa.vector_store.row_codec import RECORD_FIELDS, flat_metadata, replacing, rounded
from llama_index_medqa.vector_store.server_lock import ServerWriterLock, is_behind_server

_Item = TypeVar("_Item")

PAGE_SIZE = 2_000

# As `filters` translates it: the condition of every search that leaves out retracted papers and nothing else.
_NOT_RETRACTED = {"status": {"$ne": "retracted"}}
# So many times the rows wanted are looked at without that condition, before it is given to the database after all.
_LOOK_FURTHER = (2, 8)

# Rows whose vectors are looked for at once.
_ROWS_PER_CHECK = 256
# What Chroma says of a row that is there without its vector.
_NO_VECTOR = "Error finding id"
# How far a cosine distance of float32 vectors may lie outside its range.
_ROUNDING = 1e-3
_VECTORS_AGAIN = (
    "Make them again from the stored texts with `medqa doctor --repair`, or import a copy with `medqa import`."
)


class StoredRow(NamedTuple):
    """A row as the database holds it; see :mod:`llama_index_medqa.vector_store.row_codec`."""

    node_id: str
    text: str
    metadata: Mapping[str, Any]
    vector: np.ndarray | None


class StoredCollection(ChromaVectorStore):
    """What :class:`PubMedVectorStore` does with rows; what they mean as nodes is said there.

    Args:
        chroma_collection: the open collection.
        place: the database as a user knows it, for messages.
        database: the database, where it lies in a folder; a server lets all see what each writes.
        kwargs: arguments of LlamaIndex's ``ChromaVectorStore``.
    """

    _max_batch_size: int = PrivateAttr()
    _state: CollectionState = PrivateAttr()
    _place: str = PrivateAttr()
    _database: ChromaDatabase | None = PrivateAttr()
    _opening: int = PrivateAttr()
    _server_lock: ServerWriterLock | None = PrivateAttr()

    def __init__(
        self, chroma_collection: chromadb.Collection, place: str, database: ChromaDatabase | None = None, **kwargs: Any
    ) -> None:
        super().__init__(chroma_collection=chroma_collection, **kwargs)
        self._place = place
        self._database = database
        self._opening = database.times_opened if database else 0
        self._server_lock = ServerWriterLock(chroma_collection, place) if is_behind_server(chroma_collection) else None
        self._state = CollectionState(chroma_collection, database.settle if database else lambda _: None)
        with failures_told(place):
            self._max_batch_size = chroma_collection._client.get_max_batch_size()

    @property
    def collection(self) -> chromadb.Collection:
        """The Chroma collection."""
        return self._collection

    @property
    def place(self) -> str:
        """Where the database is, for messages: its folder, or the address of its server."""
        return self._place

    @property
    def generation(self) -> str:
        """A value that is another after every write or removal by a ``PubMedVectorStore``, of any process.

        For whatever is derived from the collection and kept elsewhere: read the generation, derive, read it again. If
        both are equal, what was derived is of exactly this generation, and current for as long as the generation stays
        the same. It never becomes again what it once was.

        While a write is under way, each reading gives another value. So it does for two minutes after a writer was
        killed in the middle of a write, which may have arrived or not. Writes that go past this class are not noticed.
        """
        with failures_told(self._place):
            return self._state.generation()

    @property
    def is_read_only(self) -> bool:
        """Whether the folder of the database cannot be written, so that a copy of it is read."""
        return self._database is not None and self._database.is_read_only

    @contextmanager
    def sole_writer(self, *, wait: bool = True) -> Iterator[None]:
        """Keeps other processes from writing for the length of the ``with`` block; may be nested.

        Args:
            wait: whether to wait for another process that writes; the log says for which.

        Raises:
            IndexBusyError: another process writes, and ``wait`` is False.
            StorageError: the folder cannot be written.
            ServerError: the server went away.
        """
        with failures_told(self._place), self._locked(wait=wait):
            yield

    def _locked(self, *, wait: bool = True) -> AbstractContextManager[None]:
        if self._database is not None:
            return self._database.sole_writer(wait=wait)
        return self._server_lock.held(wait=wait) if self._server_lock else nullcontext()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Makes one change of several, for :attr:`generation`: to be entered around them."""
        with failures_told(self._place), self._locked(), self._changing(), self._state.writing():
            yield

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Around whatever writes to the database: no other process does, and all that they wrote is known."""
        with self._database.writing() if self._database else nullcontext():
            self._move()
            yield

    def _follow(self) -> None:
        """Before vectors are read: takes up what other processes have written."""
        if self._database is not None:
            self._database.follow()
            self._move()

    def _move(self) -> None:
        """Goes on with the collection of a database that was opened anew."""
        if self._database is None or self._opening == self._database.times_opened:
            return
        self._opening = self._database.times_opened
        self._collection = self._database.collection(self._collection.name)
        self._state.move_to(self._collection)
        release_memory()

    def count(self) -> int:
        """The number of nodes."""
        with failures_told(self._place):
            return self._collection.count()

    def ids(self, where: Mapping[str, Any] | None = None, among: Sequence[str] | None = None) -> list[str]:
        """The ids of nodes, in the order of the database.

        Args:
            where: only nodes that meet this condition of Chroma's.
            among: only these nodes; one batch of the database at most.
        """
        condition = dict(where) if where else None
        with failures_told(self._place):
            found = self._collection.get(None if among is None else list(among), where=condition, include=[])
        return list(found["ids"])

    def rows(self, ids: Sequence[str], *, vectors: bool = False) -> list[StoredRow]:
        """The rows of those of the given nodes that are there, in the order of the database."""
        return [row for batch in self._batches(list(ids)) for row in self._rows(ids=batch, vectors=vectors)]

    def pages(
        self, size: int = PAGE_SIZE, *, vectors: bool = False, where: Mapping[str, Any] | None = None
    ) -> Iterator[list[StoredRow]]:
        """Reads rows a page at a time; see :meth:`PubMedVectorStore.chunks`.

        Args:
            size: rows in a page.
            vectors: whether their vectors are wanted.
            where: only rows that meet this condition of Chroma's.
        """
        size = min(size, self._max_batch_size)
        offset = 0
        scope = {"where": where} if where else {}
        while page := self._rows(vectors=vectors, limit=size, offset=offset, **scope):
            yield page
            offset += len(page)

    def nearest(self, embedding: Sequence[float], top_k: int, scope: Mapping[str, Any]) -> list[tuple[str, float]]:
        """The ids of the nodes nearest to an embedding with their cosines in [-1, 1], the nearest first.

        Args:
            embedding: the vector to look for.
            top_k: most nodes.
            scope: where to look, as Chroma takes it: ``where`` or ``ids``.
        """
        return [(row.node_id, cosine) for row, cosine in self._search(embedding, top_k, scope, ["distances"])]

    def without_vectors(self, ids: Sequence[str]) -> list[str]:
        """Those of the given nodes that are there and have lost their vector, in their order."""
        self._follow()
        lacking: list[str] = []
        for start in range(0, len(ids), _ROWS_PER_CHECK):
            lacking += self._lacking(list(ids[start : start + _ROWS_PER_CHECK]))
        return lacking

    def _lacking(self, ids: list[str]) -> list[str]:
        """Chroma does not say which of the rows lacks its vector: so they are halved until only such ones are left."""
        with failures_told(self._place):
            try:
                self._collection.get(ids=ids, include=["embeddings"])
            except ChromaError as error:
                if _NO_VECTOR not in str(error):
                    raise
            else:
                return []
        half = len(ids) // 2
        return [*self._lacking(ids[:half]), *self._lacking(ids[half:])] if half else ids

    def metadata_of(self, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        """What is stored under the keys of those of the given nodes that are there, by node id."""
        return dict(self.each_metadata(ids))

    def each_metadata(self, ids: Sequence[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """As :meth:`metadata_of`, one node after the other: at most a page of them is held in memory."""
        for start in range(0, len(ids), PAGE_SIZE):
            with failures_told(self._place):
                rows = self._collection.get(ids=list(ids[start : start + PAGE_SIZE]), include=["metadatas"])
            yield from zip(rows["ids"], rows["metadatas"] or [], strict=True)

    def write_rows(self, rows: Iterable[StoredRow]) -> None:
        """Writes rows with vectors, one batch of the database at most, replacing those with the same ids."""
        batch = list(rows)
        with self.writing():
            stored = self.metadata_of([row.node_id for row in batch])
            self._note_keys(row.metadata for row in batch)
            self._collection.upsert(
                ids=[row.node_id for row in batch],
                embeddings=np.array([row.vector for row in batch], dtype=np.float32),
                metadatas=[replacing(stored.get(row.node_id, {}), row.metadata) for row in batch],
                documents=[row.text for row in batch],
            )

    def rewrite_metadata(self, metadatas: Mapping[str, Mapping[str, Any]]) -> None:
        """Replaces what is stored beside texts and vectors.

        Args:
            metadatas: by the ids of nodes that are there.
        """
        for batch in self._batches(list(metadatas)):
            with self.writing():
                stored = self.metadata_of(batch)
                self._note_keys(metadatas[node_id] for node_id in batch)
                self._collection.update(
                    ids=batch, metadatas=[replacing(stored[node_id], metadatas[node_id]) for node_id in batch]
                )

    def remove(self, ids: Sequence[str]) -> None:
        """Deletes nodes by id; ids that are not there are passed over."""
        for batch in self._batches(list(ids)):
            with self.writing():
                self._collection.delete(ids=batch)

    def collection_metadata(self) -> dict[str, Any]:
        """What the collection itself carries, read anew: another process may have written it."""
        collection = self._collection
        with failures_told(self._place):
            model = collection._client.get_collection(
                collection.name, tenant=collection.tenant, database=collection.database
            )
        return dict(model.metadata or {})

    def set_collection_metadata(self, metadata: Mapping[str, Any]) -> None:
        """Replaces what the collection itself carries."""
        with failures_told(self._place), self._changing():
            self._collection.modify(metadata=dict(metadata))

    def source_days(self) -> dict[str, str]:
        """The days of the sources of its rows, as ISO dates, by ids for :meth:`note_source_day`."""
        with failures_told(self._place):
            return self._state.days()

    def note_source_day(self, day: str, replacing: Collection[str] = ()) -> None:
        """Adds the day of a source, then removes others; what other writers note meanwhile stays.

        Args:
            day: as an ISO date.
            replacing: ids of :meth:`source_days` that no longer hold.
        """
        with failures_told(self._place), self._changing():
            self._state.note_day(day, replacing)

    def filter_fields(self) -> set[str]:
        """The fields that filters can look at: those of records, and others that were ever written."""
        with failures_told(self._place):
            return {*RECORD_FIELDS, *self._state.keys()}

    def _note_keys(self, metadatas: Iterable[Mapping[str, Any]]) -> None:
        self._state.note_keys({key for metadata in metadatas for key in flat_metadata(metadata)} - RECORD_FIELDS)

    def _rows(self, *, vectors: bool = False, **kwargs: Any) -> list[StoredRow]:
        if kwargs.get("ids") == []:
            return []
        include: Any = ["metadatas", "documents", *(["embeddings"] if vectors else [])]
        if vectors:
            self._follow()
        with failures_told(self._place):
            rows = self._collection.get(include=include, **kwargs)
        texts, metadatas = rows["documents"] or [], rows["metadatas"] or []
        embeddings: Any = rounded(rows["embeddings"]) if vectors else [None] * len(texts)
        columns = zip(rows["ids"], texts, metadatas, embeddings, strict=True)
        return [StoredRow(node_id, text or "", metadata or {}, vector) for node_id, text, metadata, vector in columns]

    def _nearest(
        self, embedding: Sequence[float], top_k: int, scope: Mapping[str, Any], *, vectors: bool = False
    ) -> tuple[list[StoredRow], list[float]]:
        """The rows nearest to an embedding, the nearest first, and their cosines."""
        include = ["metadatas", "documents", "distances", *(["embeddings"] if vectors else [])]
        found = self._search(embedding, top_k, scope, include)
        return [row for row, _ in found], [cosine for _, cosine in found]

    def _search(
        self, embedding: Sequence[float], top_k: int, scope: Mapping[str, Any], include: list[str]
    ) -> list[tuple[StoredRow, float]]:
        """What a search in a scope finds, the nearest first.

        Chroma looks up every row that meets a condition before it searches, and nearly every row meets the one that
        leaves out retracted papers: so they are dropped here. Where too many of the nearest are retracted, Chroma does
        it after all, so there are never fewer than it would find.
        """
        if scope != {"where": _NOT_RETRACTED}:
            return self._found(embedding, top_k, scope, include)
        for factor in _LOOK_FURTHER:
            found = self._found(embedding, factor * top_k, {}, list({*include, "metadatas"}))
            kept = [hit for hit in found if hit[0].metadata.get("status") != "retracted"]
            if len(kept) >= top_k or len(found) < factor * top_k:
                return kept[:top_k]
        return self._found(embedding, top_k, scope, include)

    def _found(
        self, embedding: Sequence[float], top_k: int, scope: Mapping[str, Any], include: Any
    ) -> list[tuple[StoredRow, float]]:
        """The rows that Chroma finds, with those of their parts that are included, and their cosines."""
        self._follow()
        with failures_told(self._place):
            found: Any = self._collection.query(
                query_embeddings=np.array([embedding], np.float32), n_results=top_k, include=include, **scope
            )
        ids = found["ids"][0]
        texts, metadatas, vectors = (
            found[name][0] if name in include else [None] * len(ids)
            for name in ("documents", "metadatas", "embeddings")
        )
        distances = found["distances"][0]
        self._require_distances(distances)
        vectors = rounded(vectors) if "embeddings" in include else vectors
        columns = zip(ids, texts, metadatas, vectors, distances, strict=True)
        return [
            (StoredRow(node_id, text or "", metadata or {}, vector), 1.0 - distance)
            for node_id, text, metadata, vector, distance in columns
            # A row that another process deletes at this moment has neither text nor metadata.
            if "documents" not in include or text is not None or metadata
        ]

    def _require_distances(self, distances: Sequence[float]) -> None:
        """Cosine distances lie between 0 and 2, unless a vector is damaged."""
        if not all(-_ROUNDING <= distance <= 2 + _ROUNDING for distance in distances):
            raise StorageError(
                f"The database at {self._place} has damaged vectors: one has a cosine that cannot be. {_VECTORS_AGAIN}"
            )

    def _require_all(self, found: int) -> None:
        """Chroma says nothing where its files of vectors are gone: it just finds less."""
        if found < self.count():
            raise StorageError(
                f"The database at {self._place} has lost vectors: of {self.count()} chunks a search finds {found}. "
                f"{_VECTORS_AGAIN}"
            )

    def _batches(self, items: list[_Item]) -> Iterator[list[_Item]]:
        for start in range(0, len(items), self._max_batch_size):
            yield items[start : start + self._max_batch_size]
