"""Chunks and their vectors in Chroma: rows, filters, generations, one writer at a time, and repair.

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
