"""Medical question answering over PubMed for LlamaIndex.

The public names below are imported when they are first used, so that ``import llama_index_medqa`` loads neither
torch nor chromadb.
"""

import os
from typing import TYPE_CHECKING

from llama_index_medqa._common.late_imports import late_attributes

# Nothing phones home. These switches are read when the libraries are imported, so they are set before that;
# a value that the user has set stays.
_TELEMETRY_SWITCHES = {
    "ANONYMIZED_TELEMETRY": "False",  # chromadb
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "RAGAS_DO_NOT_TRACK": "true",
    "RAY_USAGE_STATS_ENABLED": "0",
    "VLLM_NO_USAGE_STATS": "1",
}
for _name, _value in _TELEMETRY_SWITCHES.items():
    os.environ.setdefault(_name, _value)

if TYPE_CHECKING:
    from llama_index_medqa.answering.query_engine import MedQAQueryEngine
    from llama_index_medqa.embeddings.embedding import BgeEmbedding, E5Embedding, TransformerEmbedding
    from llama_index_medqa.indexing.index import PubMedIndex
    from llama_index_medqa.indexing.node_parser import TokenNodeParser
    from llama_index_medqa.indexing.reader import PubMedReader
    from llama_index_medqa.llms.llama_cpp_lora import LlamaCppLora
    from llama_index_medqa.llms.vllm_lora import VllmLora
    from llama_index_medqa.retrieval.retriever import PubMedRetriever
    from llama_index_medqa.vector_store.store import PubMedVectorStore

_MODULE_OF = {
    "BgeEmbedding": "embeddings.embedding",
    "E5Embedding": "embeddings.embedding",
    "LlamaCppLora": "llms.llama_cpp_lora",
    "MedQAQueryEngine": "answering.query_engine",
    "PubMedIndex": "indexing.index",
    "PubMedReader": "indexing.reader",
    "PubMedRetriever": "retrieval.retriever",
    "PubMedVectorStore": "vector_store.store",
    "TokenNodeParser": "indexing.node_parser",
    "TransformerEmbedding": "embeddings.embedding",
    "VllmLora": "llms.vllm_lora",
}

__all__ = [
    "BgeEmbedding",
    "E5Embedding",
    "LlamaCppLora",
    "MedQAQueryEngine",
    "PubMedIndex",
    "PubMedReader",
    "PubMedRetriever",
    "PubMedVectorStore",
    "TokenNodeParser",
    "TransformerEmbedding",
    "VllmLora",
]


__getattr__ = late_attributes(__name__, {name: f"{__name__}.{module}" for name, module in _MODULE_OF.items()})


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
