"""LlamaIndex's postprocessors, run on retrieved chunks.

The score of a chunk is what it is ranked by. In hybrid mode that is a sum of reciprocal ranks, at most about 0.03, and
no similarity: ``SimilarityPostprocessor(similarity_cutoff=0.5)`` would drop everything. Here it sees the cosine.
"""

from collections.abc import Sequence

from llama_index.core.postprocessor import SimilarityPostprocessor
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import NodeWithScore, QueryBundle

from llama_index_medqa.redaction import logger_of

_logger = logger_of(__name__)


def postprocessed(
    nodes: list[NodeWithScore], postprocessors: Sequence[BaseNodePostprocessor], query_bundle: QueryBundle
) -> list[NodeWithScore]:
    """Return the chunks after all postprocessors, in order.

    Args:
        nodes: chunks, the best first; those of ``PubMedRetriever`` tell their cosine, where there is one.
        postprocessors: LlamaIndex's; its ``SimilarityPostprocessor`` compares cosines, the score where there is none.
        query_bundle: the question.
    """
    for postprocessor in postprocessors:
        if isinstance(postprocessor, SimilarityPostprocessor):
            nodes = _near_enough(nodes, postprocessor, query_bundle)
        else:
            nodes = postprocessor.postprocess_nodes(nodes, query_bundle=query_bundle)
    return nodes


def _near_enough(
    nodes: list[NodeWithScore], postprocessor: SimilarityPostprocessor, query_bundle: QueryBundle
) -> list[NodeWithScore]:
    compared = [NodeWithScore(node=item.node, score=_similarity(item)) for item in nodes]
    near = {item.node.node_id for item in postprocessor.postprocess_nodes(compared, query_bundle=query_bundle)}
    if nodes and not near:
        best = max((item.score for item in compared if item.score is not None), default=None)
        _logger.warning(
            "SimilarityPostprocessor left out all %d chunks: its similarity_cutoff is %g, and the nearest has %s.",
            len(nodes),
            postprocessor.similarity_cutoff,
            "no similarity" if best is None else f"{best:.2f}",
        )
    return [item for item in nodes if item.node.node_id in near]


def _similarity(item: NodeWithScore) -> float | None:
    cosine: float | None = getattr(item, "cosine", None)
    return item.score if cosine is None else cosine
