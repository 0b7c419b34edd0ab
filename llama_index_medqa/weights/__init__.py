"""Model weights by path or out of packages, and the llama.cpp server that answers from them."""

from llama_index_medqa._common.cache_dir import cache_dir
from llama_index_medqa.weights.catalogue import PACKAGED, PackagedWeights
from llama_index_medqa.serving.llama_cpp_process import LlamaCppServer, require_llama_cpp
from llama_index_medqa.weights.store import cached, locate

__all__ = ["PACKAGED", "LlamaCppServer", "PackagedWeights", "cache_dir", "cached", "locate", "require_llama_cpp"]
