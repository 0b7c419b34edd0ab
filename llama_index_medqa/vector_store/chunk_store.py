"""Chunks of records over any engine: nodes written, found and filtered, the same whichever adapter stores them."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

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
from llama_index_medqa.redaction import logger_of
from llama_index_medqa.vector_store.filter_values import Scalar, fitted, members, unmet
from llama_index_medqa.vector_store.filters import matches, require_known_fields, without_retracted
from llama_index_medqa.vector_store.port import PAGE_SIZE, Part, RowStore, Scope, StoredRow
from llama_index_medqa.vector_store.row_codec import (
    RECORD_FIELDS,
    rounded,
    to_node,
    to_node_metadata,
    to_row,
)

_logger = logger_of(__name__)

# LlamaIndex's own: so many times the nodes asked for are looked at for maximal marginal relevance.
_MMR_PREFETCH_FACTOR = 4.0
# So many times the rows wanted are looked at without the condition that leaves out retracted papers, before it is given
# to the database after all.
_LOOK_FURTHER = (2, 8)


class StoredChunk(NamedTuple):
    """A chunk without its vector: id, text and metadata."""

    node_id: str
    text: str
    metadata: dict[str, Any]


class ChunkStore(RowStore):
    """What an index is kept in: the port of an engine, and nodes on top of it.

    A second write of a node replaces the first, whole; metadata may hold anything that JSON can; all filter operators
    and conditions work (:mod:`llama_index_medqa.vector_store.filters`); similarities are true cosines in [-1, 1].

    Attributes:
        check_filter_fields: whether a filter on a field that no record has is an error.
    """

    check_filter_fields: bool = Field(default=True, description="Whether a filter on an unknown field is an error.")

    # What fields hold, by their keys, and the generation of which that is.
    _values: dict[str, tuple[str, frozenset[Scalar]]] = PrivateAttr(default_factory=dict)

    def add(self, nodes: Sequence[BaseNode], **add_kwargs: Any) -> list[str]:
        """Write nodes and replace those with the same ids.

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
        """Write nodes without blocking, as :meth:`add`."""
        return await asyncio.to_thread(self.add, nodes, **kwargs)

    def query(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        """Find the nodes nearest to a query.

        Without an embedding, any nodes that meet the filters.

        Args:
            query: LlamaIndex's query; its mode may be ``default`` or ``mmr``.
            kwargs: ``where``, a condition in the engine's form, in place of filters; for ``mmr`` also
                ``mmr_threshold`` (0 to 1) and ``mmr_prefetch_factor`` or ``mmr_prefetch_k``: how many nodes are looked
                at.

        Returns:
            Nodes with ``similarities``: cosines in [-1, 1], the highest first, or in the order of ``mmr``.

        Raises:
            InputError: a filter has a value that does not fit, or looks at a field that no record has.
            StorageError: the engine finds fewer nodes than there are: it has lost some.
        """
        scope = self.scope(query.filters, kwargs.get("where"))
        result = self._query_within(query, scope, **kwargs)
        if scope and not result.ids and (reason := self.unmet_filters(query.filters)):
            _logger.warning(reason)
        return result

    def _query_within(self, query: VectorStoreQuery, scope: dict[str, Any], **kwargs: Any) -> VectorStoreQueryResult:
        if query.query_embedding is None:
            nodes = [_node_of(row) for row in self.select(scope, query.similarity_top_k)]
            return VectorStoreQueryResult(nodes=nodes, ids=[node.node_id for node in nodes])
        if query.mode is VectorStoreQueryMode.MMR:
            return self._mmr(query, scope, **kwargs)
        return _result(*self._nearest(query.query_embedding, query.similarity_top_k, scope))

    async def aquery(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        """Find nodes without blocking, as :meth:`query`."""
        return await asyncio.to_thread(self.query, query, **kwargs)

    def nearest(self, embedding: Sequence[float], top_k: int, scope: Scope) -> list[tuple[str, float]]:
        """Return the ids nearest to an embedding, with their cosines.

        Args:
            embedding: the vector to look for.
            top_k: most nodes.
            scope: of :meth:`scope`.

        Raises:
            StorageError: the engine finds fewer nodes than there are: it has lost some.
        """
        return [(row.node_id, cosine) for row, cosine in self._search(embedding, top_k, scope, frozenset())]

    def delete_nodes(
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None, **delete_kwargs: Any
    ) -> None:
        """Delete the given nodes, or all nodes, that meet filters.

        Raises:
            InputError: neither ids nor filters are given.
        """
        if node_ids is None and (filters is None or not filters.filters):
            raise InputError("delete_nodes needs node_ids= or filters=; clear() deletes all nodes.")
        self.remove(self._ids(node_ids, filters))

    def clear(self) -> None:
        """Delete all nodes."""
        self.remove(self.ids())

    def nodes(self, ids: Sequence[str]) -> list[BaseNode]:
        """Return the nodes of ids, in their order. Without vectors; unknown ids are ignored."""
        found = {row.node_id: _node_of(row) for row in self.rows(list(dict.fromkeys(ids)))}
        return [found[node_id] for node_id in ids if node_id in found]

    def get_nodes(self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None) -> list[BaseNode]:
        """Return nodes, or all nodes, under LlamaIndex's name.

        Args:
            node_ids: which nodes.
            filters: only those that meet them.
        """
        return self.nodes(self._ids(node_ids, filters))

    def texts(self, ids: Sequence[str]) -> dict[str, str]:
        """Return the texts of stored nodes, by node id."""
        return {row.node_id: row.text for row in self.rows(ids)}

    def vectors(self, ids: Sequence[str]) -> dict[str, npt.NDArray[np.float32]]:
        """Return the vectors of stored nodes, by node id. float32, shape (dimension,)."""
        return {row.node_id: row.vector for row in self.rows(ids, vectors=True) if row.vector is not None}

    def within(self, ids: Sequence[str], scope: Scope) -> set[str]:
        """Return the given ids whose nodes lie in a :meth:`scope`."""
        if "ids" in scope:
            return set(ids).intersection(scope["ids"])
        return {node_id for batch in self._batches(list(ids)) for node_id in self.ids(scope.get("where"), batch)}

    def chunks(self, batch_size: int = PAGE_SIZE) -> Iterator[StoredChunk]:
        """Read all chunks in the order of the database, by pages.

        What is written or removed meanwhile may be read or not; :attr:`generation` tells whether anything was.

        Args:
            batch_size: chunks in a page; at most one page is held in memory.
        """
        for page in self.pages(batch_size):
            for row in page:
                yield StoredChunk(row.node_id, row.text, to_node_metadata(row.metadata))

    def scope(self, filters: MetadataFilters | None, where: Any | None = None) -> dict[str, Any]:
        """Return where to search, in the engine's form.

        A condition, or the ids of what meets the filters now.

        Args:
            filters: LlamaIndex's metadata filters.
            where: a condition in the engine's form, in their place.

        Raises:
            InputError: a filter has a value that does not fit, or looks at a field that no record has.
        """
        if filters is None or not filters.filters:
            return {"where": where} if where else {}
        if where:
            raise InputError("Give either filters or where=, not both.")
        if self.check_filter_fields:
            require_known_fields(filters, self.filter_fields())
        return self._scope_of(fitted(filters, self))

    def meet(self, filters: MetadataFilters) -> bool:
        """Return whether any chunk meets filters, as they are."""
        return bool(self.select(self._scope_of(filters), 1))

    def values(self, key: str) -> frozenset[Scalar]:
        """Return the values of chunks under a metadata key.

        Members of lists one by one; they are kept until something is written.
        """
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
        """Describe the filters that no chunk meets.

        In a sentence, with what there is instead; empty where any chunk meets all.

        Args:
            filters: as for :meth:`scope`.
        """
        if filters is None or not filters.filters or not self.count():
            return ""
        return unmet(fitted(filters, self), self)

    def _scope_of(self, filters: MetadataFilters) -> dict[str, Any]:
        condition = self.condition(filters)
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
        scope: Scope,
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

    def _nearest(
        self, embedding: Sequence[float], top_k: int, scope: Scope, *, vectors: bool = False
    ) -> tuple[list[StoredRow], list[float]]:
        """Return the nearest rows and their cosines. The nearest first."""
        parts: frozenset[Part] = frozenset(("text", "metadata", "vector") if vectors else ("text", "metadata"))
        found = self._search(embedding, top_k, scope, parts)
        return [row for row, _ in found], [cosine for _, cosine in found]

    def _search(
        self, embedding: Sequence[float], top_k: int, scope: Scope, parts: frozenset[Part]
    ) -> list[tuple[StoredRow, float]]:
        """Search in a scope; the nearest come first.

        Engines look up every row that meets a condition before they search, and nearly every row meets the one that
        leaves out retracted papers: so they are dropped here. Where too many of the nearest are retracted, the engine
        does it after all, so there are never fewer than it would find.
        """
        if scope != {"where": self.condition(without_retracted(None)).where}:
            return self.search(embedding, top_k, scope, parts)
        for factor in _LOOK_FURTHER:
            found = self.search(embedding, factor * top_k, {}, parts | {"metadata"})
            kept = [hit for hit in found if hit[0].metadata.get("status") != "retracted"]
            if len(kept) >= top_k or len(found) < factor * top_k:
                return kept[:top_k]
        return self.search(embedding, top_k, scope, parts)


def _node_of(row: StoredRow) -> BaseNode:
    return to_node(row.node_id, row.text, row.metadata)


def _result(rows: Sequence[StoredRow], cosines: list[float]) -> VectorStoreQueryResult:
    nodes = [_node_of(row) for row in rows]
    return VectorStoreQueryResult(nodes=nodes, similarities=cosines, ids=[row.node_id for row in rows])
