"""An index in Milvus."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.vector_stores.types import MetadataFilters

from llama_index_medqa.errors import IndexNotFoundError
from llama_index_medqa.vector_store.chunk_store import ChunkStore
from llama_index_medqa.vector_store.filters import Condition, translated
from llama_index_medqa.vector_store.generation import CollectionState
from llama_index_medqa.vector_store.milvus.address import MilvusAddress, parse_address
from llama_index_medqa.vector_store.milvus.conditions import MilvusDialect, id_in, literal
from llama_index_medqa.vector_store.milvus.connection import connect, raise_engine_errors
from llama_index_medqa.vector_store.milvus.schema import (
    output_fields,
    rows_indexes,
    rows_schema,
    to_entity,
    to_stored_row,
)
from llama_index_medqa.vector_store.milvus.state import StateCollection
from llama_index_medqa.vector_store.milvus.writer_lock import StateRowLock
from llama_index_medqa.vector_store.port import PAGE_SIZE, Part, Scope, StoredRow
from llama_index_medqa.vector_store.row_codec import DOCUMENT_KEY, RECORD_FIELDS, flat_metadata

if TYPE_CHECKING:
    from pymilvus import MilvusClient

_BATCH_SIZE = 1_000
# Milvus's limits for one answer.
_MOST_ROWS = 16_384
# Ids of a condition that a search is given at once.
_IDS_PER_SEARCH = 8_000
# Candidates that the graph of vectors is searched with, at least.
_LEAST_CANDIDATES = 128


class MilvusStore(ChunkStore):
    """A collection of a Milvus server or cluster, or of Milvus Lite in this process.

    Milvus Lite lets in one process at a time, for reading too.

    Args:
        location: ``milvus://HOST:PORT[/COLLECTION]``, ``milvus+tls://...`` or ``milvus:PATH.db[#COLLECTION]``.
        create: whether to create a missing file or collection.
        check_filter_fields: whether a filter on a field that no record has is an error.

    Raises:
        InputError: the location is no address of Milvus.
        MissingExtraError: pymilvus or Milvus Lite is not installed.
        IndexNotFoundError: with ``create=False``, when there is no such index.
        IndexBusyError: another process has the file of Milvus Lite open.
        ServerError: no server answers; so may every method.
        StorageError: the database refuses; so may every method.
    """

    location: str

    _address: MilvusAddress = PrivateAttr()
    _client: "MilvusClient" = PrivateAttr()
    _table: StateCollection = PrivateAttr()
    _state: CollectionState = PrivateAttr()
    _lock: StateRowLock | None = PrivateAttr()
    _has_rows: bool = PrivateAttr(default=False)

    def __init__(self, location: str, *, create: bool = True, check_filter_fields: bool = True, **kwargs: Any) -> None:
        address = parse_address(location)
        super().__init__(  # type: ignore[call-arg]  # pydantic takes the fields
            location=location, collection_name=address.collection, check_filter_fields=check_filter_fields
        )
        self._address = address
        self._client = connect(address, create=create)
        self._table = StateCollection(self._client, address.collection)
        with raise_engine_errors(location):
            if not create and not self._table.exists:
                raise IndexNotFoundError(
                    f"The database at {location} has no index {address.collection!r}: build it first, with "
                    "`medqa index FILE`."
                )
            self._table.open()
            self._look_for_rows()
        self._state = CollectionState(self._table)
        self._lock = None if address.file else StateRowLock(self._table, location)

    @classmethod
    def class_name(cls) -> str:
        """Return the name under which LlamaIndex saves it."""
        return "MilvusStore"

    @property
    def client(self) -> "MilvusClient":
        """Return pymilvus's client."""
        return self._client

    @property
    def address(self) -> str:
        """Return the address, for messages."""
        return self.location

    @property
    def folder(self) -> Path | None:
        """Return the folder of Milvus Lite; None for a server."""
        return self._address.file

    @property
    def collection_id(self) -> str:
        """Return the random text that the index got when it was made."""
        with raise_engine_errors(self.location):
            return self._table.collection_id

    @property
    def generation(self) -> str:
        """Return a value that changes with every write of any process; see :attr:`RowStore.generation`."""
        with raise_engine_errors(self.location):
            return self._state.generation()

    @property
    def is_read_only(self) -> bool:
        """Return False: Milvus says at a write whether it may be written."""
        return False

    @property
    def batch_size(self) -> int:
        """Return how many rows are sent at once."""
        return _BATCH_SIZE

    @contextmanager
    def sole_writer(self, *, wait: bool = True) -> Iterator[None]:
        """Keep other processes from writing; of Milvus Lite there are none. See :meth:`RowStore.sole_writer`."""
        with raise_engine_errors(self.location), self._lock.held(wait=wait) if self._lock else nullcontext():
            yield

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Count several changes as one, for :attr:`generation`. To be entered around them."""
        with raise_engine_errors(self.location), self.sole_writer(), self._state.writing():
            yield

    def count(self) -> int:
        """Return the number of nodes."""
        if not self._look_for_rows():
            return 0
        with raise_engine_errors(self.location):
            return int(self._client.query(self._name, filter="", output_fields=["count(*)"])[0]["count(*)"])

    def ids(self, where: Any | None = None, among: Sequence[str] | None = None) -> list[str]:
        """Return the ids of nodes; see :meth:`RowStore.ids`."""
        if among is None:
            return [str(entity["id"]) for page in self._pages(_MOST_ROWS, ["id"], where or "") for entity in page]
        if not among or not self._look_for_rows():
            return []
        condition = id_in(list(among))
        with raise_engine_errors(self.location):
            found = self._client.query(
                self._name, filter=f"({where}) and {condition}" if where else condition, output_fields=["id"]
            )
        return [str(entity["id"]) for entity in found]

    def rows(self, ids: Sequence[str], *, vectors: bool = False) -> list[StoredRow]:
        """Return the rows of the given nodes that are stored."""
        fields = output_fields(text=True, metadata=True, vector=vectors)
        return [to_stored_row(entity) for batch in self._batches(list(ids)) for entity in self._get(batch, fields)]

    def pages(
        self, size: int = PAGE_SIZE, *, vectors: bool = False, where: Any | None = None
    ) -> Iterator[list[StoredRow]]:
        """Read rows by pages; see :meth:`RowStore.pages`."""
        fields = output_fields(text=True, metadata=True, vector=vectors)
        for page in self._pages(size, fields, where or ""):
            yield [to_stored_row(entity) for entity in page]

    def select(self, scope: Scope, limit: int) -> list[StoredRow]:
        """Return any rows in a scope, without their vectors."""
        if "ids" in scope:
            return self.rows(scope["ids"][:limit])
        if limit <= 0 or not self._look_for_rows():
            return []
        fields = list(output_fields(text=True, metadata=True, vector=False))
        with raise_engine_errors(self.location):
            found = self._client.query(
                self._name, filter=scope.get("where", ""), output_fields=fields, limit=min(limit, _MOST_ROWS)
            )
        return [to_stored_row(entity) for entity in found]

    def each_metadata(self, ids: Sequence[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield metadata of the given nodes that are stored. At most a batch is held in memory."""
        fields = output_fields(text=False, metadata=True, vector=False)
        for batch in self._batches(list(ids)):
            for row in map(to_stored_row, self._get(batch, fields)):
                yield row.node_id, row.metadata

    def search(
        self, embedding: Sequence[float], top_k: int, scope: Scope, parts: Collection[Part]
    ) -> list[tuple[StoredRow, float]]:
        """Return the nearest rows and their cosines; see :meth:`RowStore.search`. At most 16,384."""
        if top_k <= 0 or not self._look_for_rows():
            return []
        conditions = [scope.get("where", "")]
        if "ids" in scope:
            ids = list(scope["ids"])
            conditions = [id_in(ids[start : start + _IDS_PER_SEARCH]) for start in range(0, len(ids), _IDS_PER_SEARCH)]
        top_k = min(top_k, _MOST_ROWS)
        found = [hit for condition in conditions for hit in self._found(embedding, top_k, condition, parts)]
        found.sort(key=lambda hit: -hit[1])
        return found[:top_k]

    def without_vectors(self, ids: Sequence[str]) -> list[str]:
        """Return nothing: Milvus keeps a row with its vector, or none."""
        return []

    def write_rows(self, rows: Iterable[StoredRow]) -> None:
        """Write rows with vectors, and replace equal ids. One batch at most."""
        batch = list(rows)
        if not batch:
            return
        entities = [to_entity(row) for row in batch]
        with self.writing():
            self._make_rows(len(entities[0]["vector"]))
            keys = {key for row in batch for key in flat_metadata(row.metadata)}
            self._state.note_keys(keys - RECORD_FIELDS)
            self._client.upsert(self._name, entities)

    def remove(self, ids: Sequence[str]) -> None:
        """Delete nodes by id; unknown ids are ignored."""
        for batch in self._batches(list(ids)):
            self._delete(id_in(batch))

    def delete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:
        """Delete all nodes of a document."""
        self._delete(f"{DOCUMENT_KEY} == {literal(ref_doc_id)}")

    def condition(self, filters: MetadataFilters) -> Condition:
        """Translate metadata filters into an expression of Milvus."""
        return translated(filters, MilvusDialect())

    def filter_fields(self) -> set[str]:
        """Return the fields that filters can use. Those of records, and others that were ever written."""
        with raise_engine_errors(self.location):
            return {*RECORD_FIELDS, *self._state.keys()}

    def collection_metadata(self) -> dict[str, Any]:
        """Read the metadata of the index from the database."""
        with raise_engine_errors(self.location):
            return self._table.metadata()

    def set_collection_metadata(self, metadata: Mapping[str, Any]) -> None:
        """Replace the metadata of the index."""
        with raise_engine_errors(self.location):
            self._table.set_metadata(metadata)

    def source_days(self) -> dict[str, str]:
        """Return the days of the sources, by ids of their notes."""
        with raise_engine_errors(self.location):
            return self._state.days()

    def note_source_day(self, day: str, replacing: Collection[str] = ()) -> None:
        """Add the day of a source, then remove others; see :meth:`RowStore.note_source_day`."""
        with raise_engine_errors(self.location):
            self._state.note_day(day, replacing)

    @property
    def _name(self) -> str:
        return self._address.collection

    def _look_for_rows(self) -> bool:
        """Return whether the collection of rows is there: the first write makes it, when the dimension is known."""
        if not self._has_rows:
            with raise_engine_errors(self.location):
                if self._client.has_collection(self._name):
                    self._client.load_collection(self._name)
                    self._has_rows = True
        return self._has_rows

    def _make_rows(self, dimension: int) -> None:
        if self._look_for_rows():
            return
        schema, indexes = rows_schema(self._client, dimension), rows_indexes(self._client)
        self._client.create_collection(self._name, schema=schema, index_params=indexes, consistency_level="Strong")
        self._has_rows = True

    def _get(self, ids: list[str], fields: Sequence[str]) -> list[Any]:
        if not ids or not self._look_for_rows():
            return []
        with raise_engine_errors(self.location):
            return list(self._client.query(self._name, filter=id_in(ids), output_fields=list(fields)))

    def _pages(self, size: int, fields: Sequence[str], where: str) -> Iterator[list[Any]]:
        if not self._look_for_rows():
            return
        with raise_engine_errors(self.location):
            pages = self._client.query_iterator(
                self._name, batch_size=min(size, _MOST_ROWS), filter=where, output_fields=list(fields)
            )
            page = pages.next()
        while page:
            yield page
            with raise_engine_errors(self.location):
                page = pages.next()
        pages.close()

    def _found(
        self, embedding: Sequence[float], top_k: int, condition: str, parts: Collection[Part]
    ) -> list[tuple[StoredRow, float]]:
        fields = output_fields(text="text" in parts, metadata="metadata" in parts, vector="vector" in parts)
        candidates = {"ef": max(_LEAST_CANDIDATES, 2 * top_k)}
        with raise_engine_errors(self.location):
            [hits] = self._client.search(
                self._name,
                data=[np.asarray(embedding, np.float32).tolist()],
                filter=condition,
                limit=top_k,
                output_fields=list(fields),
                search_params={"metric_type": "COSINE", "params": candidates},
                anns_field="vector",
            )
        return [(to_stored_row({**hit["entity"], "id": hit["id"]}), float(hit["distance"])) for hit in hits]

    def _delete(self, condition: str) -> None:
        if self._look_for_rows():
            with self.writing():
                self._client.delete(self._name, filter=condition)
