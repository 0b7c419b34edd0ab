"""The Chroma vector store, made fit for PubMed records."""

import asyncio
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import chromadb
import numpy as np
from chromadb.api import ClientAPI
from chromadb.api.collection_configuration import CreateCollectionConfiguration
from chromadb.errors import ChromaError, NotFoundError
from llama_index.core.bridge.pydantic import Field, PrivateAttr
from llama_index.core.schema import BaseNode, MetadataMode
from llama_index.core.vector_stores.types import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryResult,
)
from llama_index.core.vector_stores.utils import metadata_dict_to_node, node_to_metadata_dict
from llama_index.vector_stores.chroma import ChromaVectorStore

from llama_index_medqa.collection_state import CollectionState
from llama_index_medqa.errors import IndexIdentityError, IndexNotFoundError, InputError, ServerError

_Item = TypeVar("_Item")

DEFAULT_COLLECTION = "pubmed"
DATABASE_FILE = "chroma.sqlite3"

_COSINE: CreateCollectionConfiguration = {"hnsw": {"space": "cosine"}}
_OPERATORS = {
    FilterOperator.EQ: "$eq",
    FilterOperator.NE: "$ne",
    FilterOperator.GT: "$gt",
    FilterOperator.GTE: "$gte",
    FilterOperator.LT: "$lt",
    FilterOperator.LTE: "$lte",
    FilterOperator.IN: "$in",
    FilterOperator.NIN: "$nin",
    FilterOperator.CONTAINS: "$contains",
}
# Keys that LlamaIndex adds to the metadata of a row.
_LLAMA_INDEX_KEYS = ("_node_content", "_node_type", "document_id", "doc_id", "ref_doc_id")


class StoredChunk(NamedTuple):
    """A chunk as it is read without its vector: node id, text and the node's metadata."""

    node_id: str
    text: str
    metadata: dict[str, Any]


class PubMedVectorStore(ChromaVectorStore):
    """A Chroma collection in cosine space, on disk or behind a Chroma server.

    Beside LlamaIndex's ``ChromaVectorStore``: nodes are written by ``upsert`` (a second write replaces the first
    instead of being dropped), in batches that the database accepts; metadata may hold lists, and the filter
    operators ``contains``, ``any`` and ``all`` work on them; similarities are true cosines in [-1, 1].

    Args:
        chroma_collection: an open collection; if given, the arguments below are only remembered.
        collection_name: name of the collection, which is created where it is missing.
        persist_dir: folder of an embedded database.
        host: host of a Chroma server, in place of ``persist_dir``.
        port: port of that server.
        ssl: whether to reach that server by TLS.
        headers: sent to that server, for authentication; never saved by ``to_dict``.
        create: whether to create a missing database or collection.

    Raises:
        InputError: neither ``chroma_collection`` nor ``persist_dir`` nor ``host`` is given.
        IndexNotFoundError: with ``create=False``, when there is no such database or collection.
        IndexIdentityError: the collection measures something else than cosine distance.
        ServerError: no Chroma server answers at ``host`` and ``port``.
    """

    flat_metadata: bool = False
    headers: dict[str, str] | None = Field(default=None, exclude=True, repr=False)

    _max_batch_size: int = PrivateAttr()
    _state: CollectionState = PrivateAttr()

    def __init__(
        self,
        chroma_collection: chromadb.Collection | None = None,
        collection_name: str = DEFAULT_COLLECTION,
        *,
        persist_dir: str | None = None,
        host: str | None = None,
        port: str | int | None = None,
        ssl: bool = False,
        headers: dict[str, str] | None = None,
        create: bool = True,
        **kwargs: Any,
    ) -> None:
        if chroma_collection is None:
            client = _connect(persist_dir, host, port, ssl=ssl, headers=headers, create=create)
            chroma_collection = _open_collection(
                client, collection_name, persist_dir or f"{host}:{port}", create=create
            )
        _require_cosine(chroma_collection)
        super().__init__(
            chroma_collection=chroma_collection,
            collection_name=chroma_collection.name,
            host=host,
            port=port,
            ssl=ssl,
            headers=headers,
            persist_dir=persist_dir,
            **kwargs,
        )
        self._max_batch_size = chroma_collection._client.get_max_batch_size()
        self._state = CollectionState(chroma_collection)

    @classmethod
    def class_name(cls) -> str:
        """The name under which LlamaIndex saves this component."""
        return "PubMedVectorStore"

    @classmethod
    def from_params(
        cls,
        collection_name: str = DEFAULT_COLLECTION,
        host: str | None = None,
        port: str | int | None = None,
        ssl: bool = False,
        headers: dict[str, str] | None = None,
        persist_dir: str | None = None,
        collection_kwargs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> "PubMedVectorStore":
        """Opens a collection, as the constructor does; here because LlamaIndex users expect it."""
        return cls(
            collection_name=collection_name, host=host, port=port, ssl=ssl, headers=headers, persist_dir=persist_dir,
            collection_kwargs=collection_kwargs, **kwargs,
        )  # fmt: skip

    @property
    def collection(self) -> chromadb.Collection:
        """The Chroma collection."""
        return self._collection

    @property
    def generation(self) -> str:
        """A value that is another after every write or removal by a ``PubMedVectorStore``, of any process.

        For whatever is derived from the collection and kept elsewhere: read the generation, derive, read it again. If
        both are equal, what was derived is of exactly this generation, and current for as long as the generation stays
        the same. It never becomes again what it once was.

        While a write is under way, each reading gives another value. So it does for two minutes after a writer was
        killed in the middle of a write, which may have arrived or not. Writes that go past this class are not noticed.
        """
        return self._state.generation()

    def writing(self) -> AbstractContextManager[None]:
        """Makes one change of several, for :attr:`generation`: to be entered around them."""
        return self._state.writing()

    def add(self, nodes: Sequence[BaseNode], **add_kwargs: Any) -> list[str]:
        """Writes nodes, replacing those with the same ids.

        Args:
            nodes: nodes with embeddings. Of several with one id the last counts.
            add_kwargs: none are known.

        Returns:
            The ids of the nodes, in the order given.
        """
        latest = list({node.node_id: node for node in nodes}.values())
        for batch in self._batches(latest):
            with self.writing():
                self._collection.upsert(
                    ids=[node.node_id for node in batch],
                    embeddings=np.array([node.get_embedding() for node in batch], dtype=np.float32),
                    metadatas=[_stored_metadata(node) for node in batch],
                    documents=[node.get_content(metadata_mode=MetadataMode.NONE) for node in batch],
                )
        return [node.node_id for node in nodes]

    async def async_add(self, nodes: Sequence[BaseNode], **kwargs: Any) -> list[str]:
        """As :meth:`add`, without blocking the event loop."""
        return await asyncio.to_thread(self.add, nodes, **kwargs)

    def query(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        """Finds the nodes nearest to a query.

        Returns:
            Nodes with ``similarities``: cosines in [-1, 1], the highest first.

        Raises:
            InputError: a filter uses an operator that Chroma does not have.
        """
        if query.filters is not None and query.filters.filters:
            kwargs["where"] = chroma_filter(query.filters)
        result = super().query(replace(query, filters=None), **kwargs)
        if result.similarities is not None:
            # The base class reports exp(-distance), and the distance is 1 - cosine.
            result.similarities = [1.0 + math.log(similarity) for similarity in result.similarities]
        return result

    async def aquery(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        """As :meth:`query`, without blocking the event loop."""
        return await asyncio.to_thread(self.query, query, **kwargs)

    def metadata_of(self, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        """The metadata of those of the given nodes that are stored, by node id."""
        found: dict[str, Mapping[str, Any]] = {}
        for batch in self._batches(list(ids)):
            rows = self._collection.get(ids=batch, include=["metadatas"])
            found.update(zip(rows["ids"], rows["metadatas"] or [], strict=True))
        return found

    def remove(self, ids: Sequence[str]) -> None:
        """Deletes nodes by id; ids that are not there are passed over."""
        for batch in self._batches(list(ids)):
            with self.writing():
                self._collection.delete(ids=batch)

    def delete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:
        """Deletes all nodes of a document."""
        with self.writing():
            self._collection.delete(where={"document_id": ref_doc_id})

    def delete_nodes(  # type: ignore[override]  # the base of the base takes one MetadataFilters, as this does
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None, **delete_kwargs: Any
    ) -> None:
        """Deletes those of the given nodes, or of all nodes, that match the filters.

        Raises:
            InputError: neither ids nor filters are given.
        """
        where = chroma_filter(filters) if filters is not None and filters.filters else None
        if where is None and node_ids is None:
            raise InputError("delete_nodes needs node_ids= or filters=; clear() deletes all nodes.")
        if where is None:
            self.remove(node_ids or [])
            return
        for batch in [None] if node_ids is None else self._batches(node_ids):
            with self.writing():
                self._collection.delete(ids=batch, where=where)

    def clear(self) -> None:
        """Deletes all nodes."""
        self.remove(self._collection.get(include=[])["ids"])

    def nodes(self, ids: Sequence[str]) -> list[BaseNode]:
        """The nodes of the given ids, in their order, without vectors; ids that are not there are passed over."""
        found: dict[str, BaseNode] = {}
        for batch in self._batches(list(ids)):
            for row in self._rows(ids=batch):
                found[row.node_id] = metadata_dict_to_node(row.metadata, text=row.text)
        return [found[node_id] for node_id in ids if node_id in found]

    def get_nodes(  # type: ignore[override]  # the base of the base takes one MetadataFilters, as this does
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None
    ) -> list[BaseNode]:
        """LlamaIndex's name for :meth:`nodes`; all nodes where no ids are given.

        Args:
            node_ids: which nodes.
            filters: only those that match.
        """
        if node_ids is not None and not node_ids:
            return []
        if filters is None or not filters.filters:
            ids = node_ids if node_ids is not None else self._collection.get(include=[])["ids"]
        else:
            ids = self._collection.get(ids=node_ids, where=chroma_filter(filters), include=[])["ids"]
        return self.nodes(ids)

    def chunks(self, batch_size: int = 2_000) -> Iterator[StoredChunk]:
        """Reads all chunks, a page at a time, in the order of the database.

        What is written or removed meanwhile may be read or not; :attr:`generation` tells whether anything was.

        Args:
            batch_size: chunks in a page; at most one page is held in memory.
        """
        size = min(batch_size, self._max_batch_size)
        offset = 0
        while page := self._rows(limit=size, offset=offset):
            for row in page:
                metadata = {key: value for key, value in row.metadata.items() if key not in _LLAMA_INDEX_KEYS}
                yield row._replace(metadata=metadata)
            offset += len(page)

    def _rows(self, **kwargs: Any) -> list[StoredChunk]:
        rows = self._collection.get(include=["metadatas", "documents"], **kwargs)
        columns = zip(rows["ids"], rows["documents"] or [], rows["metadatas"] or [], strict=True)
        return [StoredChunk(node_id, text or "", dict(metadata or {})) for node_id, text, metadata in columns]

    def _batches(self, items: list[_Item]) -> Iterator[list[_Item]]:
        for start in range(0, len(items), self._max_batch_size):
            yield items[start : start + self._max_batch_size]


def chroma_filter(filters: MetadataFilters) -> dict[str, Any]:
    """Translates LlamaIndex's metadata filters into Chroma's.

    Raises:
        InputError: an operator or condition that Chroma does not have.
    """
    clauses = [chroma_filter(part) if isinstance(part, MetadataFilters) else _clause(part) for part in filters.filters]
    if filters.condition is FilterCondition.NOT:
        raise InputError("Chroma cannot negate a group of filters: negate each filter (!=, nin) instead.")
    if len(clauses) == 1:
        return clauses[0]
    return {"$or" if filters.condition is FilterCondition.OR else "$and": clauses}


def _clause(part: MetadataFilter) -> dict[str, Any]:
    if part.operator in (FilterOperator.ANY, FilterOperator.ALL):
        if not isinstance(part.value, list) or not part.value:
            raise InputError(f"The filter {part.operator.value!r} on {part.key!r} needs a list of values.")
        clauses: list[dict[str, Any]] = [{part.key: {"$contains": value}} for value in part.value]
        if len(clauses) == 1:
            return clauses[0]
        return {"$or" if part.operator is FilterOperator.ANY else "$and": clauses}
    if part.operator not in _OPERATORS:
        supported = ", ".join(operator.value for operator in [*_OPERATORS, FilterOperator.ANY, FilterOperator.ALL])
        raise InputError(f"Chroma has no filter {part.operator.value!r} (on {part.key!r}). Use one of: {supported}.")
    return {part.key: {_OPERATORS[part.operator]: part.value}}


def _stored_metadata(node: BaseNode) -> dict[str, Any]:
    metadata = node_to_metadata_dict(node, remove_text=True, flat_metadata=False)
    # Chroma accepts neither None nor an empty list.
    return {key: value for key, value in metadata.items() if value is not None and value != []}


def _connect(
    persist_dir: str | None,
    host: str | None,
    port: str | int | None,
    *,
    ssl: bool,
    headers: dict[str, str] | None,
    create: bool,
) -> ClientAPI:
    if persist_dir is not None:
        if not create and not (Path(persist_dir).expanduser() / DATABASE_FILE).is_file():
            raise IndexNotFoundError(f"There is no index in {persist_dir}: build one first, with `medqa index FILE`.")
        # Chroma keeps one client a path and process, and would mistake a relative path after a change of folder.
        place = Path(persist_dir).expanduser().resolve()
        try:
            return chromadb.PersistentClient(path=place)
        except ChromaError as error:
            raise IndexNotFoundError(
                f"The database in {persist_dir} cannot be opened ({error}). If the file is damaged, delete the folder "
                "and run `medqa index` again."
            ) from error
    if host is None:
        raise InputError("PubMedVectorStore needs a place: give persist_dir=FOLDER, or host= and port= of a server.")
    try:
        return chromadb.HttpClient(host=host, port=int(port or 8000), ssl=ssl, headers=headers)
    except ValueError as error:
        raise ServerError(
            f"No Chroma server answers at {host}:{port or 8000} ({error}). Start one with `chroma run`."
        ) from error


def _open_collection(client: ClientAPI, name: str, place: str, *, create: bool) -> chromadb.Collection:
    if create:
        collection: chromadb.Collection = client.get_or_create_collection(
            name, configuration=_COSINE, embedding_function=None
        )
        return collection
    try:
        collection = client.get_collection(name, embedding_function=None)
    except NotFoundError as error:
        raise IndexNotFoundError(
            f"The database at {place} has no collection {name!r}: build it first, with `medqa index FILE`."
        ) from error
    return collection


def _require_cosine(collection: chromadb.Collection) -> None:
    space = (collection.configuration_json.get("hnsw") or {}).get("space")
    if space != "cosine":
        raise IndexIdentityError(
            f"The collection {collection.name!r} measures {space!r} distance, PubMedVectorStore needs 'cosine': "
            "use another collection name and index again."
        )
