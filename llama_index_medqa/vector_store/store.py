"""The Chroma vector store, made fit for PubMed records."""

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import chromadb
import numpy as np
import numpy.typing as npt
from llama_index.core.bridge.pydantic import Field, PrivateAttr
from llama_index.core.indices.query.embedding_utils import get_top_k_mmr_embeddings
from llama_index.core.schema import BaseNode, MetadataMode
from llama_index.core.vector_stores.types import (
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
    VectorStoreQueryResult,
)

from llama_index_medqa.errors import InputError
from llama_index_medqa.vector_store.client import (
    DEFAULT_PORT,
    connect,
    open_collection,
    place_arguments,
    require_cosine,
)
from llama_index_medqa.vector_store.collection import PAGE_SIZE, StoredCollection, StoredRow
from llama_index_medqa.vector_store.database import ChromaDatabase, database_in, database_of
from llama_index_medqa.vector_store.filter_values import Scalar, fitted, members, unmet
from llama_index_medqa.vector_store.filters import matches, require_known_fields, to_condition
from llama_index_medqa.vector_store.row_codec import (
    DOCUMENT_KEY,
    RECORD_FIELDS,
    rounded,
    to_node,
    to_node_metadata,
    to_row,
)

DEFAULT_COLLECTION = "pubmed"

_logger = logging.getLogger(__name__)

# LlamaIndex's own: so many times the nodes asked for are looked at for maximal marginal relevance.
_MMR_PREFETCH_FACTOR = 4.0


class StoredChunk(NamedTuple):
    """A chunk as it is read without its vector: node id, text and the node's metadata."""

    node_id: str
    text: str
    metadata: dict[str, Any]


class PubMedVectorStore(StoredCollection):
    """A Chroma collection in cosine space, on disk or behind a Chroma server.

    Beside LlamaIndex's ``ChromaVectorStore``: a second write of a node replaces the first, whole, instead of being
    dropped; nodes go in batches that the database accepts, and are stored once instead of twice; metadata may hold
    anything that JSON can; all filter operators and conditions work
    (:mod:`llama_index_medqa.vector_store.filters`); similarities are true cosines in [-1, 1].

    Args:
        chroma_collection: an open collection; if given, the arguments below are only remembered.
        collection_name: name of the collection, which is created where it is missing.
        persist_dir: folder of an embedded database.
        host: host of a Chroma server, in place of ``persist_dir``.
        port: port of that server.
        ssl: whether to reach that server by TLS.
        headers: sent to that server, for authentication; never saved by ``to_dict``.
        create: whether to create a missing database or collection.
        check_filter_fields: whether a filter on a field that no record has is an error.

    Raises:
        InputError: neither ``chroma_collection`` nor ``persist_dir`` nor ``host`` is given.
        IndexNotFoundError: with ``create=False``, when there is no such database or collection.
        IndexIdentityError: the collection measures something else than cosine distance.
        ServerError: no Chroma server answers at ``host`` and ``port``; so may every method.
        StorageError: the database is damaged; so may every method, also when the disk is full.
    """

    flat_metadata: bool = False
    headers: dict[str, str] | None = Field(default=None, exclude=True, repr=False)
    check_filter_fields: bool = Field(default=True, description="Whether a filter on an unknown field is an error.")

    # What fields hold, by their keys, and the generation of which that is.
    _values: dict[str, tuple[str, frozenset[Scalar]]] = PrivateAttr(default_factory=dict)

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
        check_filter_fields: bool = True,
        **kwargs: Any,
    ) -> None:
        address = f"{'https' if ssl else 'http'}://{host}:{port or DEFAULT_PORT}"
        place = persist_dir or (address if host else "the given collection")
        database: ChromaDatabase | None = None
        if chroma_collection is not None:
            database = database_of(chroma_collection)
        elif persist_dir is not None:
            database = database_in(persist_dir)
            chroma_collection = database.collection(collection_name, create=create)
        elif host is not None:
            client = connect(host, port, ssl=ssl, headers=headers)
            chroma_collection = open_collection(client, collection_name, place, create=create)
        else:
            raise InputError("PubMedVectorStore needs a place: give persist_dir=FOLDER, or host= and port=.")
        require_cosine(chroma_collection)
        super().__init__(
            chroma_collection,
            place,
            database,
            collection_name=chroma_collection.name,
            host=host,
            port=port,
            ssl=ssl,
            headers=headers,
            persist_dir=persist_dir,
            **kwargs,
        )
        self.check_filter_fields = check_filter_fields

    @classmethod
    def class_name(cls) -> str:
        """The name under which LlamaIndex saves this component."""
        return "PubMedVectorStore"

    @classmethod
    def at(cls, place: str, *, create: bool = True) -> "PubMedVectorStore":
        """Opens the collection at a place.

        Args:
            place: a folder, or the address of a Chroma server, ``http://HOST:PORT`` or ``http://HOST:PORT/COLLECTION``.
            create: whether to create a missing database or collection.

        Raises:
            InputError: an address cannot be understood.
        """
        return cls(**place_arguments(place), create=create)

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
            self.write_rows(
                StoredRow(
                    node.node_id,
                    node.get_content(metadata_mode=MetadataMode.NONE),
                    to_row(node),
                    rounded(node.get_embedding()),
                )
                for node in batch
            )
        return [node.node_id for node in nodes]

    async def async_add(self, nodes: Sequence[BaseNode], **kwargs: Any) -> list[str]:
        """As :meth:`add`, without blocking the event loop."""
        return await asyncio.to_thread(self.add, nodes, **kwargs)

    def query(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        """Finds the nodes nearest to a query; without an embedding, any nodes that meet the filters.

        Args:
            query: LlamaIndex's query; its mode may be ``default`` or ``mmr``.
            kwargs: ``where``, a condition of Chroma's, in place of filters; for ``mmr`` also ``mmr_threshold`` (0 to 1)
                and ``mmr_prefetch_factor`` or ``mmr_prefetch_k``: how many nodes are looked at.

        Returns:
            Nodes with ``similarities``: cosines in [-1, 1], the highest first, or in the order of ``mmr``.

        Raises:
            InputError: a filter has a value that does not fit, or looks at a field that no record has.
        """
        scope = self.scope(query.filters, kwargs.get("where"))
        result = self._query_within(query, scope, **kwargs)
        if scope and not result.ids and (told := self.unmet_filters(query.filters)):
            _logger.warning(told)
        return result

    def _query_within(self, query: VectorStoreQuery, scope: dict[str, Any], **kwargs: Any) -> VectorStoreQueryResult:
        if query.query_embedding is None:
            nodes = [_node_of(row) for row in self._rows(limit=query.similarity_top_k, **scope)]
            return VectorStoreQueryResult(nodes=nodes, ids=[node.node_id for node in nodes])
        if query.mode is VectorStoreQueryMode.MMR:
            return self._mmr(query, scope, **kwargs)
        rows, cosines = self._nearest(query.query_embedding, query.similarity_top_k, scope)
        if len(rows) < query.similarity_top_k and not scope:
            self._require_all(len(rows))
        return _result(rows, cosines)

    async def aquery(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        """As :meth:`query`, without blocking the event loop."""
        return await asyncio.to_thread(self.query, query, **kwargs)

    def delete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:
        """Deletes all nodes of a document."""
        with self.writing():
            self._collection.delete(where={DOCUMENT_KEY: ref_doc_id})

    def delete_nodes(  # type: ignore[override]  # the base of the base takes one MetadataFilters, as this does
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None, **delete_kwargs: Any
    ) -> None:
        """Deletes those of the given nodes, or of all nodes, that meet the filters.

        Raises:
            InputError: neither ids nor filters are given.
        """
        if node_ids is None and (filters is None or not filters.filters):
            raise InputError("delete_nodes needs node_ids= or filters=; clear() deletes all nodes.")
        self.remove(self._ids(node_ids, filters))

    def clear(self) -> None:
        """Deletes all nodes."""
        self.remove(self.ids())

    def nodes(self, ids: Sequence[str]) -> list[BaseNode]:
        """The nodes of the given ids, in their order, without vectors; ids that are not there are passed over."""
        found = {row.node_id: _node_of(row) for row in self.rows(list(dict.fromkeys(ids)))}
        return [found[node_id] for node_id in ids if node_id in found]

    def get_nodes(  # type: ignore[override]  # the base of the base takes one MetadataFilters, as this does
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None
    ) -> list[BaseNode]:
        """LlamaIndex's name for :meth:`nodes`; all nodes where no ids are given.

        Args:
            node_ids: which nodes.
            filters: only those that meet them.
        """
        return self.nodes(self._ids(node_ids, filters))

    def texts(self, ids: Sequence[str]) -> dict[str, str]:
        """The texts of those of the given nodes that are stored, by node id."""
        return {row.node_id: row.text for row in self.rows(ids)}

    def vectors(self, ids: Sequence[str]) -> dict[str, npt.NDArray[np.float32]]:
        """The vectors of those of the given nodes that are stored, by node id; float32, shape (dimension,)."""
        return {row.node_id: row.vector for row in self.rows(ids, vectors=True) if row.vector is not None}

    def within(self, ids: Sequence[str], scope: Mapping[str, Any]) -> set[str]:
        """Those of the given ids whose nodes lie in a :meth:`scope`."""
        if "ids" in scope:
            return set(ids).intersection(scope["ids"])
        return {node_id for batch in self._batches(list(ids)) for node_id in self.ids(scope.get("where"), batch)}

    def chunks(self, batch_size: int = PAGE_SIZE) -> Iterator[StoredChunk]:
        """Reads all chunks, a page at a time, in the order of the database.

        What is written or removed meanwhile may be read or not; :attr:`generation` tells whether anything was.

        Args:
            batch_size: chunks in a page; at most one page is held in memory.
        """
        for page in self.pages(batch_size):
            for row in page:
                yield StoredChunk(row.node_id, row.text, to_node_metadata(row.metadata))

    def scope(self, filters: MetadataFilters | None, where: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Where to look, as Chroma takes it: a condition, or the ids of what meets the filters now.

        Args:
            filters: LlamaIndex's metadata filters.
            where: a condition of Chroma's, in their place.

        Raises:
            InputError: a filter has a value that does not fit, or looks at a field that no record has.
        """
        if filters is None or not filters.filters:
            return {"where": dict(where)} if where else {}
        if where:
            raise InputError("Give either filters or where=, not both.")
        if self.check_filter_fields:
            require_known_fields(filters, self.filter_fields())
        return self._scope_of(fitted(filters, self))

    def meet(self, filters: MetadataFilters) -> bool:
        """Whether any chunk meets filters, as they are."""
        return bool(self._rows(limit=1, **self._scope_of(filters)))

    def values(self, key: str) -> frozenset[Scalar]:
        """What chunks have under a metadata key, members of lists one by one; kept until something is written."""
        generation = self.generation
        kept_of, kept = self._values.get(key, ("", frozenset()))
        if kept_of == generation:
            return kept
        ids = self.ids()
        if key in RECORD_FIELDS - {"section"}:
            # All chunks of a record have the same, so its first one tells.
            present = set(ids)
            ids = [one for one in ids if one.endswith("#0") or f"{one.rpartition('#')[0]}#0" not in present]
        found: set[Scalar] = set()
        for batch in self._batches(ids):
            found.update(value for row in self.metadata_of(batch).values() for value in members(row.get(key)))
        self._values[key] = (generation, frozenset(found))
        return frozenset(found)

    def unmet_filters(self, filters: MetadataFilters | None) -> str:
        """Says in a sentence which filters no chunk meets, and what there is instead; empty where any meets all.

        Args:
            filters: as for :meth:`scope`.
        """
        if filters is None or not filters.filters or not self.count():
            return ""
        return unmet(fitted(filters, self), self)

    def _scope_of(self, filters: MetadataFilters) -> dict[str, Any]:
        condition = to_condition(filters)
        if condition.exact:
            return {"where": condition.where} if condition.where else {}
        pages = self.pages(where=condition.where)
        return {"ids": [row.node_id for page in pages for row in page if matches(filters, row.metadata)]}

    def _ids(self, node_ids: Sequence[str] | None, filters: MetadataFilters | None) -> list[str]:
        if filters is None or not filters.filters:
            return self.ids() if node_ids is None else list(node_ids)
        scope = self.scope(filters)
        meeting = scope["ids"] if "ids" in scope else self.ids(scope.get("where"))
        return meeting if node_ids is None else [node_id for node_id in node_ids if node_id in set(meeting)]

    def _mmr(
        self,
        query: VectorStoreQuery,
        scope: Mapping[str, Any],
        *,
        mmr_threshold: float | None = None,
        mmr_prefetch_factor: float = _MMR_PREFETCH_FACTOR,
        mmr_prefetch_k: int | None = None,
        **kwargs: Any,
    ) -> VectorStoreQueryResult:
        embedding = query.query_embedding or []
        looked_at = int(mmr_prefetch_k or query.similarity_top_k * mmr_prefetch_factor)
        top_k = max(looked_at, query.similarity_top_k)
        rows, cosines = self._nearest(embedding, top_k, scope, vectors=True)
        _, chosen = get_top_k_mmr_embeddings(
            query_embedding=embedding,
            embeddings=[list(row.vector) for row in rows if row.vector is not None],
            similarity_top_k=query.similarity_top_k,
            embedding_ids=list(range(len(rows))),
            mmr_threshold=query.mmr_threshold if mmr_threshold is None else mmr_threshold,
        )
        return _result([rows[number] for number in chosen], [cosines[number] for number in chosen])


def _node_of(row: StoredRow) -> BaseNode:
    return to_node(row.node_id, row.text, row.metadata)


def _result(rows: Sequence[StoredRow], cosines: list[float]) -> VectorStoreQueryResult:
    nodes = [_node_of(row) for row in rows]
    return VectorStoreQueryResult(nodes=nodes, similarities=cosines, ids=[row.node_id for row in rows])
