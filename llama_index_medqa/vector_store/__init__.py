"""Chunks and vectors in an engine: the port, what is the same over all, and the adapters of its engines.

May import ``pubmed.record``, ``_common``, ``text`` and ``errors``.
"""

from typing import TYPE_CHECKING

from llama_index_medqa._common.late_imports import late_attributes

if TYPE_CHECKING:
    from llama_index_medqa.vector_store.store import PubMedVectorStore

__all__ = ["PubMedVectorStore"]

__getattr__ = late_attributes(
    __name__,
    {
        "PubMedVectorStore": "llama_index_medqa.vector_store.store",
    },
)
