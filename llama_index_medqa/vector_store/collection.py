"""Rows of a Chroma collection, read and written in batches."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import chromadb
import numpy as np
from chromadb.errors import ChromaError
from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.vector_stores.types import MetadataFilters
from llama_index.vector_stores.chroma import ChromaVectorStore

from llama_index_medqa.errors import StorageError
from llama_index_medqa.vector_store.chunk_store import ChunkStore
from llama_index_medqa.vector_store.client import raise_storage_errors
from llama_index_medqa.vector_store.database import ChromaDatabase, release_memory
from llama_index_medqa.vector_store.filters import Condition, to_condition
from llama_index_medqa.vector_store.generation import CollectionState, CompanionCollection
from llama_index_medqa.vector_store.port import PAGE_SIZE, Part, Scope, StoredRow
from llama_index_medqa.vector_store.row_codec import RECORD_FIELDS, flat_metadata, replacing, rounded
from llama_index_medqa.vector_store.server_lock import ServerWriterLock, is_behind_server

# Rows whose vectors are looked for at once.
_ROWS_PER_CHECK = 256
# What Chroma says of a row that is there without its vector.
_NO_VECTOR = "Error finding id"
# How far a cosine distance of float32 vectors may lie outside its range.
_ROUNDING = 1e-3
_CHROMA_PARTS: Mapping[Part, str] = {"text": "documents", "metadata": "metadatas", "vector": "embeddings"}
_VECTORS_AGAIN = (
    "Make them again from the stored texts with `medqa doctor --repair`, or import a copy with `medqa import`."
)


class StoredCollection(ChunkStore, ChromaVectorStore):  # type: ignore[misc]  # LlamaIndex's takes a list of filters
    """The rows of :class:`PubMedVectorStore`, which knows their meaning as nodes.

    Args:
        chroma_collection: the open collection.
        location: the database as a user knows it, for messages.
        database: the database, where it lies in a folder; a server lets all see what each writes.
        kwargs: arguments of LlamaIndex's ``ChromaVectorStore``.
    """

    _max_batch_size: int = PrivateAttr()
    _companion: CompanionCollection = PrivateAttr()
    _state: CollectionState = PrivateAttr()
    _location: str = PrivateAttr()
    _database: ChromaDatabase | None = PrivateAttr()
    _opening: int = PrivateAttr()
    _server_lock: ServerWriterLock | None = PrivateAttr()

    def __init__(
        self,
        chroma_collection: chromadb.Collection,
        location: str,
        database: ChromaDatabase | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(chroma_collection=chroma_collection, **kwargs)  # type: ignore[call-arg]  # by way of Chroma's class
        self._location = location
        self._database = database
        self._opening = database.times_opened if database else 0
        is_remote = is_behind_server(chroma_collection)
        self._server_lock = ServerWriterLock(chroma_collection, location) if is_remote else None
        self._companion = CompanionCollection(chroma_collection, database.settle if database else lambda _: None)
        self._state = CollectionState(self._companion)
        with raise_storage_errors(location):
            self._max_batch_size = chroma_collection._client.get_max_batch_size()

    @property
    def collection(self) -> chromadb.Collection:
        """Return the Chroma collection."""
        return self._collection

    @property
    def address(self) -> str:
        """Return the database's folder or address, for messages."""
        return self._location

    @property
    def generation(self) -> str:
        """Return a value that changes with every write of any process; see :attr:`RowStore.generation`."""
        with raise_storage_errors(self._location):
            return self._state.generation()

    @property
    def folder(self) -> Path | None:
        """Return the folder of an embedded database that can be written to."""
        if self.persist_dir is None or self.is_read_only:
            return None
        return Path(self.persist_dir).expanduser().resolve()

    @property
    def collection_id(self) -> str:
        """Return Chroma's id of the collection."""
        return str(self._collection.id)

    @property
    def batch_size(self) -> int:
        """Return how many rows Chroma takes at once."""
        return self._max_batch_size

    def condition(self, filters: MetadataFilters) -> Condition:
        """Translate metadata filters for Chroma."""
        return to_condition(filters)

    @property
    def is_read_only(self) -> bool:
        """Return whether the database's folder is read-only. A copy of the database is read then."""
        return self._database is not None and self._database.is_read_only

    @contextmanager
    def sole_writer(self, *, wait: bool = True) -> Iterator[None]:
        """Keep other processes from writing; see :meth:`RowStore.sole_writer`."""
        with raise_storage_errors(self._location), self._locked(wait=wait):
            yield

    def _locked(self, *, wait: bool = True) -> AbstractContextManager[None]:
        if self._database is not None:
            return self._database.sole_writer(wait=wait)
        return self._server_lock.held(wait=wait) if self._server_lock else nullcontext()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Count several changes as one, for :attr:`generation`. To be entered around them."""
        with raise_storage_errors(self._location), self._locked(), self._changing(), self._state.writing():
            yield

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Keep other processes from writing while this one writes, and read what they wrote."""
        with self._database.writing() if self._database else nullcontext():
            self._move()
            yield

    def _follow(self) -> None:
        """Read what other processes have written. Before vectors are read."""
        if self._database is not None:
            self._database.follow()
            self._move()

    def _move(self) -> None:
        """Go on with the collection of a reopened database."""
        if self._database is None or self._opening == self._database.times_opened:
            return
        self._opening = self._database.times_opened
        self._collection = self._database.collection(self._collection.name)
        self._companion.move_to(self._collection)
        release_memory()

    def count(self) -> int:
        """Return the number of nodes."""
        with raise_storage_errors(self._location):
            return self._collection.count()

    def ids(self, where: Any | None = None, among: Sequence[str] | None = None) -> list[str]:
        """Return the ids of nodes, in the order of the database.

        Args:
            where: only nodes that meet this condition of Chroma's.
            among: only these nodes; one batch of the database at most.
        """
        condition = dict(where) if where else None
        with raise_storage_errors(self._location):
            found = self._collection.get(None if among is None else list(among), where=condition, include=[])
        return list(found["ids"])

    def rows(self, ids: Sequence[str], *, vectors: bool = False) -> list[StoredRow]:
        """Return the rows of the given nodes that are stored. In the order of the database."""
        return [row for batch in self._batches(list(ids)) for row in self._rows(ids=batch, vectors=vectors)]

    def select(self, scope: Scope, limit: int) -> list[StoredRow]:
        """Return any rows in a scope, without their vectors."""
        return self._rows(limit=limit, **scope)

    def pages(
        self, size: int = PAGE_SIZE, *, vectors: bool = False, where: Any | None = None
    ) -> Iterator[list[StoredRow]]:
        """Read rows by pages; see :meth:`PubMedVectorStore.chunks`.

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

    def without_vectors(self, ids: Sequence[str]) -> list[str]:
        """Return the given nodes that have lost their vector. Those that are stored, in their order."""
        self._follow()
        lacking: list[str] = []
        for start in range(0, len(ids), _ROWS_PER_CHECK):
            lacking += self._lacking(list(ids[start : start + _ROWS_PER_CHECK]))
        return lacking

    def _lacking(self, ids: list[str]) -> list[str]:
        """Return the rows that lack a vector: Chroma does not say which, so they are halved."""
        with raise_storage_errors(self._location):
            try:
                self._collection.get(ids=ids, include=["embeddings"])
            except ChromaError as error:
                if _NO_VECTOR not in str(error):
                    raise
            else:
                return []
        half = len(ids) // 2
        return [*self._lacking(ids[:half]), *self._lacking(ids[half:])] if half else ids

    def each_metadata(self, ids: Sequence[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield metadata node by node, as :meth:`metadata_of`. At most a page is held in memory."""
        for start in range(0, len(ids), PAGE_SIZE):
            with raise_storage_errors(self._location):
                rows = self._collection.get(ids=list(ids[start : start + PAGE_SIZE]), include=["metadatas"])
            yield from zip(rows["ids"], rows["metadatas"] or [], strict=True)

    def write_rows(self, rows: Iterable[StoredRow]) -> None:
        """Write rows with vectors, and replace equal ids. One batch of the database at most."""
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
        """Replace what is stored beside texts and vectors.

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
        """Delete nodes by id; unknown ids are ignored."""
        for batch in self._batches(list(ids)):
            with self.writing():
                self._collection.delete(ids=batch)

    def collection_metadata(self) -> dict[str, Any]:
        """Read the metadata of the collection itself from the database."""
        collection = self._collection
        with raise_storage_errors(self._location):
            model = collection._client.get_collection(
                collection.name, tenant=collection.tenant, database=collection.database
            )
        return dict(model.metadata or {})

    def set_collection_metadata(self, metadata: Mapping[str, Any]) -> None:
        """Replace the metadata of the collection itself."""
        with raise_storage_errors(self._location), self._changing():
            self._collection.modify(metadata=dict(metadata))

    def source_days(self) -> dict[str, str]:
        """Return the days of the sources, by ids of their notes. As ISO dates, for :meth:`note_source_day`."""
        with raise_storage_errors(self._location):
            return self._state.days()

    def note_source_day(self, day: str, replacing: Collection[str] = ()) -> None:
        """Add the day of a source, then remove others.

        What other writers add meanwhile stays.

        Args:
            day: as an ISO date.
            replacing: ids of :meth:`source_days` that no longer hold.
        """
        with raise_storage_errors(self._location), self._changing():
            self._state.note_day(day, replacing)

    def filter_fields(self) -> set[str]:
        """Return the fields that filters can use. Those of records, and others that were ever written."""
        with raise_storage_errors(self._location):
            return {*RECORD_FIELDS, *self._state.keys()}

    def _note_keys(self, metadatas: Iterable[Mapping[str, Any]]) -> None:
        self._state.note_keys({key for metadata in metadatas for key in flat_metadata(metadata)} - RECORD_FIELDS)

    def _rows(self, *, vectors: bool = False, **kwargs: Any) -> list[StoredRow]:
        if kwargs.get("ids") == []:
            return []
        include: Any = ["metadatas", "documents", *(["embeddings"] if vectors else [])]
        if vectors:
            self._follow()
        with raise_storage_errors(self._location):
            rows = self._collection.get(include=include, **kwargs)
        texts, metadatas = rows["documents"] or [], rows["metadatas"] or []
        embeddings: Any = rounded(rows["embeddings"]) if vectors else [None] * len(texts)
        columns = zip(rows["ids"], texts, metadatas, embeddings, strict=True)
        return [StoredRow(node_id, text or "", metadata or {}, vector) for node_id, text, metadata, vector in columns]

    def search(
        self, embedding: Sequence[float], top_k: int, scope: Scope, parts: Collection[Part]
    ) -> list[tuple[StoredRow, float]]:
        """Return the rows that Chroma finds and their cosines; see :meth:`RowStore.search`."""
        self._follow()
        include: Any = ["distances", *(_CHROMA_PARTS[part] for part in parts)]
        with raise_storage_errors(self._location):
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
        if len(ids) < top_k:
            self._require_vectors(ids, scope)
        vectors = rounded(vectors) if "embeddings" in include else vectors
        columns = zip(ids, texts, metadatas, vectors, distances, strict=True)
        return [
            (StoredRow(node_id, text or "", metadata or {}, vector), 1.0 - distance)
            for node_id, text, metadata, vector, distance in columns
            # A row that another process deletes at this moment has neither text nor metadata.
            if "documents" not in include or text is not None or metadata
        ]

    def _require_distances(self, distances: Sequence[float]) -> None:
        """Raise on a distance outside 0 to 2: a vector is damaged."""
        if not all(-_ROUNDING <= distance <= 2 + _ROUNDING for distance in distances):
            raise StorageError(
                f"The database at {self._location} has damaged vectors: one has a cosine that cannot be. "
                f"{_VECTORS_AGAIN}"
            )

    def _require_vectors(self, found: Collection[str], scope: Scope) -> None:
        """Raise if rows that a search did not find have lost their vectors.

        Chroma says nothing where its files of vectors are gone. That its graph of vectors does not lead to a row, as
        happens among equal vectors, is no loss.

        Args:
            found: ids of rows, fewer than were asked for.
            scope: where was searched.
        """
        if not scope and len(found) >= self.count():
            return
        there = list(scope["ids"]) if "ids" in scope else self.ids(scope.get("where"))
        missing = set(there).difference(found)
        if missing and self.without_vectors(sorted(missing)[:_ROWS_PER_CHECK]):
            raise StorageError(
                f"The database at {self._location} has lost vectors: of {len(there)} chunks a search finds "
                f"{len(found)}. {_VECTORS_AGAIN}"
            )
