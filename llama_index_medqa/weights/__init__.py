"""Model weights by path or out of packages: found, verified, converted.

May import ``_common`` and ``errors``.
"""

from typing import TYPE_CHECKING

from llama_index_medqa._common.late_imports import late_attributes

if TYPE_CHECKING:
    from llama_index_medqa._common.cache_dir import cache_dir
    from llama_index_medqa.weights.catalogue import PACKAGED, PackagedWeights
    from llama_index_medqa.weights.store import cached, locate

__all__ = ["PACKAGED", "PackagedWeights", "cache_dir", "cached", "locate"]

__getattr__ = late_attributes(
    __name__,
    {
        "LlamaCppServer": "llama_index_medqa.serving.llama_cpp_process",
        "require_llama_cpp": "llama_index_medqa.serving.llama_cpp_process",
        "cache_dir": "llama_index_medqa._common.cache_dir",
        "PACKAGED": "llama_index_medqa.weights.catalogue",
        "PackagedWeights": "llama_index_medqa.weights.catalogue",
        "cached": "llama_index_medqa.weights.store",
        "locate": "llama_index_medqa.weights.store",
    },
)
