"""The chunks of the first records that a search left out."""

from collections.abc import Sequence

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.schema import NodeWithScore

from llama_index_medqa.retrieval.retriever import PubMedRetriever
from llama_index_medqa.verification.passages import document_id_of


def whole_records(
    retriever: BaseRetriever, nodes: Sequence[NodeWithScore], most_records: int = 3
) -> list[NodeWithScore]:
    """Return retrieved chunks, and behind those of each of the first records its others.

    A search brings the chunks that are nearest a question; what a study found seldom repeats it.

    Args:
        retriever: that found them; of another than :class:`PubMedRetriever` nothing is read.
        nodes: the chunks, the best first.
        most_records: how many records are read whole.
    """
    if not isinstance(retriever, PubMedRetriever):
        return list(nodes)
    last = {document_id_of(item.node): item for item in nodes}
    first = list(dict.fromkeys(document_id_of(item.node) for item in nodes))[:most_records]
    known = {item.node.node_id for item in nodes}
    wanted = [
        f"{name}#{number}" for name in first for number in range(int(last[name].node.metadata.get("chunk_count", 0)))
    ]
    # One that is deleted at this moment is passed over.
    read = retriever._index.store.nodes([node_id for node_id in wanted if node_id not in known])
    rest: dict[str, list[NodeWithScore]] = {}
    for node in read:
        name = document_id_of(node)
        rest.setdefault(name, []).append(NodeWithScore(node=node, score=last[name].score))
    found: list[NodeWithScore] = []
    for item in nodes:
        found.append(item)
        if item is last[document_id_of(item.node)]:
            found += rest.get(document_id_of(item.node), [])
    return found
