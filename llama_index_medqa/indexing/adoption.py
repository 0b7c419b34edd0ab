"""Adoption of a collection that LlamaIndex's IngestionPipeline filled.

Nothing says with which embedder and splitter it was filled. So a sample is embedded and split again by those that it is
opened with: where that gives what is stored, they are noted, and it is an index like any other.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.schema import BaseNode, MetadataMode

from llama_index_medqa.errors import IndexIdentityError
from llama_index_medqa.indexing.identity import identity_of, write_identity
from llama_index_medqa.indexing.node_parser import TokenNodeParser
from llama_index_medqa.redaction import logger_of
from llama_index_medqa.vector_store.chunk_store import ChunkStore

_logger = logger_of(__name__)

_DOCUMENTS = 8
# Vectors of one model in float32 and bfloat16 have 0.9999, those of two models far less.
_LEAST_COSINE = 0.995


def adopt(store: ChunkStore, embed_model: BaseEmbedding, parser: TokenNodeParser) -> None:
    """Write the identity of a filled collection.

    A sample of its chunks must show that the embedder and the splitter made them.

    Args:
        store: holds chunks but no identity.
        embed_model: what should have embedded them.
        parser: what should have split their documents.

    Raises:
        IndexIdentityError: they were made by something else; the message says what differs.
    """
    documents = _sample(store)
    if not documents:
        raise _refusal(store, "its chunks are not those of a TokenNodeParser")
    chunks = [node for nodes in documents.values() for node in nodes]
    _require_vectors(store, chunks, embed_model)
    _require_spans(store, documents, parser)
    with store.sole_writer():
        write_identity(store, identity_of(embed_model, parser))
    _logger.warning(
        "The index in %s did not say what it was filled with. %d of its chunks were embedded and split again, and are "
        "the same: the embedder and the splitter that it was opened with are noted in it.",
        store.address,
        len(chunks),
    )


def _sample(store: ChunkStore) -> dict[str, list[BaseNode]]:
    """Return some documents with all their chunks, in order.

    Those of several chunks come first.
    """
    heads = [node_id for node_id in store.ids() if node_id.endswith("#0")]
    found: list[tuple[str, int]] = []
    for node_id, row in _spread(store, heads, 8 * _DOCUMENTS).items():
        if type(row.get("chunk_count")) is int:
            found.append((node_id.removesuffix("#0"), row["chunk_count"]))
    found.sort(key=lambda item: item[1] == 1)
    sampled = {name: store.nodes([f"{name}#{number}" for number in range(count)]) for name, count in found[:_DOCUMENTS]}
    return {name: nodes for name, nodes in sampled.items() if nodes}


def _spread(store: ChunkStore, ids: Sequence[str], count: int) -> dict[str, Mapping[str, Any]]:
    return store.metadata_of(ids[:: max(1, len(ids) // count)][:count])


def _require_vectors(store: ChunkStore, chunks: Sequence[BaseNode], embed_model: BaseEmbedding) -> None:
    made = embed_model.get_text_embedding_batch([node.get_content(MetadataMode.EMBED) for node in chunks])
    stored = store.vectors([node.node_id for node in chunks])
    for node, vector in zip(chunks, made, strict=True):
        known = stored.get(node.node_id)
        if known is None or len(known) != len(vector):
            lengths = "none" if known is None else str(len(known))
            raise _refusal(store, f"{node.node_id} has a vector of {lengths} numbers, the embedder's has {len(vector)}")
        cosine = float(known @ vector / max(float(np.linalg.norm(known) * np.linalg.norm(vector)), 1e-12))
        if cosine < _LEAST_COSINE:
            raise _refusal(store, f"the embedder gives {node.node_id} another vector (cosine {cosine:.3f})")


def _require_spans(store: ChunkStore, documents: Mapping[str, Sequence[BaseNode]], parser: TokenNodeParser) -> None:
    for name, nodes in documents.items():
        spans = [(getattr(node, "start_char_idx", None), getattr(node, "end_char_idx", None)) for node in nodes]
        text = _text_of(nodes, spans)
        if text is not None and parser.split_spans(text) != spans:
            raise _refusal(
                store,
                f"{name} has {len(spans)} chunks, which are not those of chunk_size={parser.chunk_size} and "
                f"chunk_overlap={parser.chunk_overlap}; give the pipeline's splitter as node_parser=",
            )


def _text_of(nodes: Sequence[BaseNode], spans: Sequence[tuple[int | None, int | None]]) -> str | None:
    """Return the text that was split.

    None where the chunks leave gaps, so that what stood there is unknown.
    """
    text = ""
    for node, (start, end) in zip(nodes, spans, strict=True):
        if start is None or end is None or start > len(text):
            return None
        text = text[:start] + node.get_content(MetadataMode.NONE)
    return text if all(one < other for one, other in pairwise(spans)) else None


def _refusal(store: ChunkStore, seen: str) -> IndexIdentityError:
    return IndexIdentityError(
        f"The collection {store.collection_name!r} was not built by llama-index-medqa, or not with what it is opened "
        f"with: {seen}. Open it with the embedder and the TokenNodeParser that filled it, or build a new index in "
        "another folder."
    )
