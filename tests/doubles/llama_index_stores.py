"""Vector stores of LlamaIndex's, for tests: one that can do no more than it must, and Qdrant where it is installed."""

from typing import Any

import numpy as np
import pytest
from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.vector_stores.types import BasePydanticVectorStore, VectorStoreQueryResult


class MinimalStore(BasePydanticVectorStore):
    """Adds nodes, deletes them by document and finds the nearest: what LlamaIndex asks of every store.

    It adds a node of a known id beside the first, gives ids alone and the opposite of a distance as similarity.

    Args:
        nodes: what lies in it; two stores over one list are two clients of one collection.
        failing: called before each operation with its name, to fail.
    """

    stores_text: bool = False

    _nodes: list = PrivateAttr()
    _failing: Any = PrivateAttr()

    def __init__(self, nodes=None, failing=lambda _: None):
        super().__init__()
        self._nodes = [] if nodes is None else nodes
        self._failing = failing

    @property
    def client(self):
        return None

    @property
    def nodes(self):
        return self._nodes

    def add(self, nodes, **kwargs):
        for node in nodes:
            self._failing("add")
            self._nodes.append(node)
        return [node.node_id for node in nodes]

    def delete(self, ref_doc_id, **kwargs):
        self._failing("delete")
        self._nodes[:] = [node for node in self._nodes if node.ref_doc_id != ref_doc_id]

    def query(self, query, **kwargs):
        if not self._nodes:
            return VectorStoreQueryResult(ids=[], similarities=[])
        vectors = np.array([node.embedding for node in self._nodes])
        distances = np.linalg.norm(vectors - np.array(query.query_embedding), axis=1)
        order = np.argsort(distances, kind="stable")[: query.similarity_top_k]
        return VectorStoreQueryResult(
            ids=[self._nodes[number].node_id for number in order],
            similarities=[-float(distances[number]) for number in order],
        )


def qdrant_client(folder=None):
    """A Qdrant of this process, in memory or in a folder."""
    qdrant = pytest.importorskip("qdrant_client")
    pytest.importorskip("llama_index.vector_stores.qdrant")
    return qdrant.QdrantClient(path=str(folder)) if folder else qdrant.QdrantClient(":memory:")


def qdrant_store(client, collection):
    from llama_index.vector_stores.qdrant import QdrantVectorStore

    # It warns that an index of document ids is of no use in this process.
    return QdrantVectorStore(collection, client=client, index_doc_id=False)
