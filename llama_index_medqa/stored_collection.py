"""The rows of a Chroma collection: read and written in its own batches, with failures told in one line."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

import chromadb
import numpy as np
from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.vector_stores.chroma import ChromaVectorStore

from llama_index_medqa.chroma_client import failures_told
from llama_index_medqa.collection_state import CollectionState
from llama_index_medqa.errors import StorageError
from llama_index_medqa.stored_rows import RECORD_FIELDS, flat_metadata, rounded

_Item = TypeVar("_Item")

PAGE_SIZE = 2_000

# As `metadata_filters` translates it: the condition of every search that leaves out retracted papers and nothing else.
_NOT_RETRACTED = {"status": {"$ne": "retracted"}}
# So many times the rows wanted are looked at without that condition, before it is given to the database after all.
_LOOK_FURTHER = (2, 8)


class StoredRow(NamedTuple):
    """A row as the database holds it; see :mod:`llama_index_medqa.stored_rows`."""

    node_id: str
    text: str
    metadata: Mapping[str, Any]
    vector: np.ndarray | None


class StoredCollection(ChromaVectorStore):
    """What :class:`PubMedVectorStore` does with rows; what they mean as nodes is said there.

    Args:
        chroma_collection: the open collection.
        place: the database as a user knows it, for messages.
        kwargs: arguments of LlamaIndex's ``ChromaVectorStore``.
    """

    _max_batch_size: int = PrivateAttr()
    _state: CollectionState = PrivateAttr()
    _place: str = PrivateAttr()

    def __init__(self, chroma_collection: chromadb.Collection, place: str, **kwargs: Any) -> None:
        super().__init__(chroma_collection=chroma_collection, **kwargs)
        self._place = place
        self._state = CollectionState(chroma_collection)
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

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Makes one change of several, for :attr:`generation`: to be entered around them."""
        with failures_told(self._place), self._state.writing():
            yield

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
        """Reads rows a page at a time; see :meth:`chunks`.

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

    def metadata_of(self, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        """What is stored under the keys of those of the given nodes that are there, by node id."""
        found: dict[str, Mapping[str, Any]] = {}
        for batch in self._batches(list(ids)):
            with failures_told(self._place):
                rows = self._collection.get(ids=batch, include=["metadatas"])
            found.update(zip(rows["ids"], rows["metadatas"] or [], strict=True))
        return found

    def write_rows(self, rows: Iterable[StoredRow]) -> None:
        """Writes rows with vectors, one batch of the database at most, replacing those with the same ids."""
        batch = list(rows)
        stored = self.metadata_of([row.node_id for row in batch])
        with self.writing():
            self._note_keys(row.metadata for row in batch)
            self._collection.upsert(
                ids=[row.node_id for row in batch],
                embeddings=np.array([row.vector for row in batch], dtype=np.float32),
                metadatas=[_replacing(stored.get(row.node_id, {}), row.metadata) for row in batch],
                documents=[row.text for row in batch],
            )

    def rewrite_metadata(self, metadatas: Mapping[str, Mapping[str, Any]]) -> None:
        """Replaces what is stored beside texts and vectors.

        Args:
            metadatas: by the ids of nodes that are there.
        """
        for batch in self._batches(list(metadatas)):
            stored = self.metadata_of(batch)
            with self.writing():
                self._note_keys(metadatas[node_id] for node_id in batch)
                self._collection.update(
                    ids=batch, metadatas=[_replacing(stored[node_id], metadatas[node_id]) for node_id in batch]
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
        with failures_told(self._place):
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
        with failures_told(self._place):
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
        with failures_told(self._place):
            found: Any = self._collection.query(
                query_embeddings=np.array([embedding], np.float32), n_results=top_k, include=include, **scope
            )
        ids = found["ids"][0]
        texts, metadatas, vectors = (
            found[name][0] if name in include else [None] * len(ids)
            for name in ("documents", "metadatas", "embeddings")
        )
        columns = zip(ids, texts, metadatas, rounded(vectors) if "embeddings" in include else vectors, strict=True)
        rows = [StoredRow(node_id, text or "", metadata or {}, vector) for node_id, text, metadata, vector in columns]
        return [(row, 1.0 - distance) for row, distance in zip(rows, found["distances"][0], strict=True)]

    def _require_all(self, found: int) -> None:
        """Chroma says nothing where its files of vectors are gone: it just finds less."""
        if found < self.count():
            raise StorageError(
                f"The database at {self._place} has lost vectors: of {self.count()} chunks a search finds {found}. "
                "Import a copy with `medqa import`, or delete it and run `medqa index` again."
            )

    def _batches(self, items: list[_Item]) -> Iterator[list[_Item]]:
        for start in range(0, len(items), self._max_batch_size):
            yield items[start : start + self._max_batch_size]


def _replacing(stored: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """What replaces stored metadata by others: Chroma leaves keys alone that are not given, and removes with None."""
    return {**dict.fromkeys(stored), **given}
