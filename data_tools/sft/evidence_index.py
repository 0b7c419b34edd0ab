"""A temporary index of the records, searched by the package's retriever."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

from llama_index_medqa.components import open_embedder, open_index
from llama_index_medqa.indexing.index import PubMedIndex
from llama_index_medqa.indexing.node_parser import TokenNodeParser
from llama_index_medqa.profiles import EMBEDDED
from llama_index_medqa.retrieval.retriever import PubMedRetriever
from llama_index_medqa.testing import HashEmbedding
from llama_index_medqa.weights import locate

# So many chunks hold most abstracts whole; a passage is a stretch of what they join to.
_CHUNKS_PER_PAPER = 12


def create_index(folder: Path, embedder: str, retrieval: Literal["lexical", "hybrid"]) -> PubMedIndex:
    """Create an empty index.

    Args:
        folder: where it goes.
        embedder: packaged weights, a model folder or a hub id.
        retrieval: ``lexical`` needs vectors only because Chroma stores no row without: the shortest will do.
    """
    if retrieval == "hybrid":
        profile = replace(EMBEDDED, embedder=embedder)
        return open_index(profile, str(folder), open_embedder(profile), create=True)
    model = embedder if "/" in embedder or Path(embedder).exists() else str(locate(embedder))
    parser = TokenNodeParser(tokenizer=model, chunk_size=EMBEDDED.chunk_size, chunk_overlap=EMBEDDED.chunk_overlap)
    stand_in = HashEmbedding(dimension=2)
    return PubMedIndex.open(str(folder), embed_model=stand_in, node_parser=parser, create=True)


def whole_papers(index: PubMedIndex, retrieval: Literal["lexical", "hybrid"], papers: int) -> PubMedRetriever:
    """Return a retriever of all chunks of the best papers."""
    return PubMedRetriever(
        index, mode=retrieval, similarity_top_k=papers * _CHUNKS_PER_PAPER, chunks_per_record=_CHUNKS_PER_PAPER
    )
