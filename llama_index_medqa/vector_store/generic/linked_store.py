"""A LlamaIndex vector store as this adapter uses it: nodes written, taken away, and the nearest found.

Nodes have ids made of the index's own id and the chunk's, in the form of UUIDs, which all stores take. A marker, one
node more, tells in which state the store is: a store that lacks it is another one, or an older copy, or was written to
by way of another folder.
"""

import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.core.vector_stores.types import (
    BasePydanticVectorStore,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
)

from llama_index_medqa.errors import InputError, MedQAError, StorageError
from llama_index_medqa.vector_store.generic.capabilities import StoreCapabilities
from llama_index_medqa.vector_store.generic.side_file import KeyedRow
from llama_index_medqa.vector_store.row_codec import DOCUMENT_KEY, flat_metadata

_NAMESPACE = uuid.UUID("5f6b7c1e-8d0a-4c53-9a0e-2f1f6f0d7a31")
_ROLE, _MARKER, _PROBE = "medqa_role", "marker", "probe"
# More of what is near the marker than an index ever has there.
_NEAR_MARKER = 16
# More than there are chunks of one text.
_NEAR_ITSELF = 64
# A store may need some time before it finds what was written.
_PATIENCE_S, _POLL_S = 10.0, 0.25
_PROBE_COSINE = 0.6


class LinkedStore:
    """A LlamaIndex vector store that holds the vectors of an index.

    Args:
        store: the store.
        folder: of the index, for messages.
        owner: the id of the index.
    """

    def __init__(self, store: BasePydanticVectorStore, folder: Path, owner: str) -> None:
        self._store = store
        self._folder = folder
        self._owner = owner

    @property
    def name(self) -> str:
        """Return the name of the store's class."""
        return type(self._store).__name__

    def key_of(self, node_id: str) -> str:
        """Return the id that a chunk's node has in the store."""
        return str(uuid.uuid5(_NAMESPACE, f"{self._owner} {node_id}"))

    def marker_keys(self, dimension: int, epochs: Sequence[str]) -> set[str]:
        """Return the ids that the markers of some epochs have in the store."""
        return {self._marker(dimension, epoch).node_id for epoch in epochs}

    def introduce(
        self, dimension: int, epoch: str, are_ours: Callable[[Sequence[str]], set[str]], former: Collection[str] = ()
    ) -> StoreCapabilities:
        """Write the first marker to a store, and see what the store can do.

        Args:
            dimension: of the vectors.
            epoch: names the marker.
            are_ours: returns which ids of nodes belong to the index; none do of a new one.
            former: ids of markers of the index, which are taken away.

        Raises:
            InputError: the store holds something else, or cannot hold an index; the message says what it lacks.
        """
        marker, probe = self._marker(dimension, epoch), self._probe(dimension)
        self._add([marker, probe])
        ids = [marker.node_id, probe.node_id]
        self._wait_for(marker, lambda found: found >= set(ids), "find what was added, by query()")
        self._require_own(marker, ids, are_ours, former)
        self._add([marker])
        replaces = self._near(marker).count(marker.node_id) == 1
        filters, is_cosine = self._takes_filters(marker), self._has_cosines(marker, probe)
        deletes_by_id = self._delete_probe(marker, [probe.node_id])
        if not replaces:
            self._delete([marker], by_id=deletes_by_id)
            self._wait_for(marker, lambda found: marker.node_id not in found, "delete, by delete_nodes() or delete()")
            self._add([marker])
        return StoreCapabilities(
            store=self.name,
            deletes_by_id=deletes_by_id,
            replaces=replaces,
            gives_nodes=self._gives(marker.node_id),
            filters=filters,
            gives_cosines=is_cosine,
            keeps_texts=bool(self._store.stores_text),
        )

    def holds_marker(self, dimension: int, epochs: Sequence[str], able: StoreCapabilities) -> bool:
        """Return whether the store holds the marker of one of some epochs."""
        markers = [self._marker(dimension, epoch) for epoch in epochs]
        if able.gives_nodes and any(self._gives(marker.node_id) for marker in markers):
            return True
        return not {marker.node_id for marker in markers}.isdisjoint(self._near(markers[0]))

    def put_marker(self, dimension: int, epoch: str) -> None:
        """Write the marker of an epoch."""
        self._add([self._marker(dimension, epoch)])

    def remove_markers(self, dimension: int, epochs: Sequence[str], able: StoreCapabilities) -> None:
        """Take the markers of some epochs away."""
        self._delete([self._marker(dimension, epoch) for epoch in epochs], by_id=able.deletes_by_id)

    def put(self, rows: Sequence[KeyedRow], able: StoreCapabilities) -> None:
        """Write nodes of rows, whose keys the store does not hold, or replaces."""
        self._add([self._node_of(one, by_id=able.deletes_by_id) for one in rows])

    def remove(self, keys: Mapping[str, str], able: StoreCapabilities) -> None:
        """Take nodes away.

        Args:
            keys: of the nodes, with the ids of their chunks.
            able: what the store can do.
        """
        self._delete([TextNode(id_=key, text="") for key in keys], by_id=able.deletes_by_id)

    def nearest(self, embedding: Sequence[float], count: int) -> list[str]:
        """Return the keys of the nodes nearest to an embedding, the nearest first."""
        return self._query(VectorStoreQuery(query_embedding=_unit(embedding), similarity_top_k=count))[0]

    def holds(self, one: KeyedRow, able: StoreCapabilities | None) -> bool:
        """Return whether the store holds the node of a row: by its id, or as one of those nearest to its vector."""
        if able is not None and able.gives_nodes and self._gives(one.key):
            return True
        return one.row.vector is not None and one.key in self.nearest(one.row.vector.tolist(), _NEAR_ITSELF)

    def _require_own(
        self,
        marker: TextNode,
        ids: Sequence[str],
        are_ours: Callable[[Sequence[str]], set[str]],
        former: Collection[str],
    ) -> None:
        """Raise if there are nodes of others near a marker; take former markers away. See :meth:`introduce`."""
        found = [name for name in self._near(marker) if name not in ids]
        former = set(found).intersection(former)
        if foreign := set(found) - are_ours(found) - former:
            self._delete_probe(marker, ids)
            raise InputError(
                f"The {self.name} for the index in {self._folder} already holds other nodes ({len(foreign)} or more): "
                "of another index, of another folder, or of another program. Give an empty collection, or open the "
                "index in the folder that it was made with. If it is an older copy of this index, delete the "
                "collection, and give an empty one with refill=True."
            )
        if former:
            self._delete_probe(marker, sorted(former))

    def _marker(self, dimension: int, epoch: str) -> TextNode:
        text = f"Marks the state {epoch} of the index {self._owner} of llama-index-medqa: do not delete it."
        return self._own_node(f"marker {epoch}", text, _MARKER, _direction(dimension))

    def _probe(self, dimension: int) -> TextNode:
        marker, other = _direction(dimension), _direction(dimension, seed=1)
        across = other - (other @ marker) * marker
        across /= max(float(np.linalg.norm(across)), 1e-9)
        vector = _PROBE_COSINE * marker + (1 - _PROBE_COSINE**2) ** 0.5 * across
        return self._own_node("probe", "A trial of llama-index-medqa.", _PROBE, vector)

    def _own_node(self, name: str, text: str, role: str, vector: npt.NDArray[np.float64]) -> TextNode:
        node = TextNode(id_=self.key_of(name), text=text, metadata={_ROLE: role}, embedding=_unit(vector))
        return _of_document(node, node.node_id)

    def _node_of(self, one: KeyedRow, *, by_id: bool) -> TextNode:
        """Return the node of a row, as other programs find it in the store."""
        metadata = {**flat_metadata(one.row.metadata), "chunk_id": one.row.node_id}
        if getattr(self._store, "flat_metadata", False):
            metadata = {key: _flat(value) for key, value in metadata.items()}
        vector = np.zeros(0) if one.row.vector is None else one.row.vector
        node = TextNode(
            id_=one.key,
            text=one.row.text,
            metadata=metadata,
            embedding=_unit(vector),
            # For other programs too, a passage is its text.
            excluded_embed_metadata_keys=list(metadata),
            excluded_llm_metadata_keys=list(metadata),
        )
        # Where a store deletes by document alone, each node is a document of its own.
        return _of_document(node, str(one.row.metadata.get(DOCUMENT_KEY, "")) if by_id else one.key)

    def _near(self, marker: TextNode) -> list[str]:
        query = VectorStoreQuery(query_embedding=marker.embedding, similarity_top_k=_NEAR_MARKER)
        return self._query(query)[0]

    def _gives(self, key: str) -> bool:
        """Return whether the store gives a node by its id."""
        try:
            with self._raise_store_errors():
                return any(node.node_id == key for node in self._store.get_nodes(node_ids=[key]))
        except NotImplementedError:
            return False

    def _takes_filters(self, marker: TextNode) -> bool:
        filters = MetadataFilters(filters=[MetadataFilter(key=_ROLE, value=_MARKER)])
        query = VectorStoreQuery(query_embedding=marker.embedding, similarity_top_k=_NEAR_MARKER, filters=filters)
        try:
            return set(self._query(query)[0]) == {marker.node_id}
        except NotImplementedError:
            return False

    def _has_cosines(self, marker: TextNode, probe: TextNode) -> bool:
        query = VectorStoreQuery(query_embedding=marker.embedding, similarity_top_k=_NEAR_MARKER)
        ids, similarities = self._query(query)
        scores = dict(zip(ids, similarities, strict=False))
        return abs(float(scores.get(probe.node_id, -1.0)) - _PROBE_COSINE) < 1e-3

    def _delete_probe(self, marker: TextNode, keys: Sequence[str]) -> bool:
        """Take own nodes away, and return whether that goes by their ids."""
        nodes = [TextNode(id_=key, text="") for key in keys]
        try:
            self._delete(nodes, by_id=True)
            if set(self._near(marker)).isdisjoint(keys):
                return True
        except NotImplementedError:
            pass
        self._delete(nodes, by_id=False)
        self._wait_for(marker, lambda found: found.isdisjoint(keys), "delete, by delete_nodes() or delete()")
        return False

    def _wait_for(self, marker: TextNode, condition: Callable[[set[str]], bool], lacking: str) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while not condition(set(self._near(marker))):
            if time.monotonic() > deadline:
                raise InputError(f"{self.name} cannot hold an index: it does not {lacking}. Take another store.")
            time.sleep(_POLL_S)

    def _add(self, nodes: Sequence[TextNode]) -> None:
        if nodes:
            with self._raise_store_errors():
                self._store.add(list(nodes))

    def _delete(self, nodes: Sequence[TextNode], *, by_id: bool) -> None:
        with self._raise_store_errors():
            if by_id and nodes:
                self._store.delete_nodes([node.node_id for node in nodes])
            elif not by_id:
                for node in nodes:
                    self._store.delete(node.node_id)

    def _query(self, query: VectorStoreQuery) -> tuple[list[str], list[float]]:
        with self._raise_store_errors():
            result = self._store.query(query)
        ids = result.ids if result.ids is not None else [node.node_id for node in result.nodes or []]
        return [str(name) for name in ids], list(result.similarities or [])

    @contextmanager
    def _raise_store_errors(self) -> Iterator[None]:
        """Raise whatever a store raises as an error that says where; that it lacks a method stays as it is."""
        try:
            yield
        except (NotImplementedError, MedQAError):
            raise
        except Exception as error:
            reason = " ".join(str(error).split())
            raise StorageError(
                f"The {self.name} of the index in {self._folder} failed ({type(error).__name__}: {reason}). See that "
                "it is the collection that the folder was filled with, and that it can be reached. Or give an empty "
                "one once with refill=True: it is filled from the folder."
            ) from error


def _direction(dimension: int, seed: int = 0) -> npt.NDArray[np.float64]:
    """Return a direction that no text has: float64, shape (dimension,), norm 1."""
    vector = np.random.default_rng([_NAMESPACE.int % 2**32, dimension, seed]).standard_normal(dimension)
    return vector / float(np.linalg.norm(vector))


def _unit(vector: Any) -> list[float]:
    """Return a vector of norm 1: cosine, product and distance then give the same order."""
    values = np.asarray(vector, np.float64)
    norm = float(np.linalg.norm(values))
    return (values / norm if norm else values).tolist()  # type: ignore[no-any-return]  # a list of floats


def _of_document(node: TextNode, document_id: str) -> TextNode:
    if document_id:
        node.relationships[NodeRelationship.SOURCE] = RelatedNodeInfo(node_id=document_id)
    return node


def _flat(value: Any) -> Any:
    return "; ".join(map(str, value)) if isinstance(value, list) else value
