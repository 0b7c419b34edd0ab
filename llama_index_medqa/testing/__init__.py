"""Doubles for tests, without network, model or key.

May import everything but ``cli`` and ``evaluation``.
"""

from typing import TYPE_CHECKING, Any

from llama_index_medqa.testing.eutils import EutilsDouble, ReceivedRequest
from llama_index_medqa.testing.eutils_faults import Fault, random_faults
from llama_index_medqa.testing.synthetic import synthetic_records
from llama_index_medqa.testing.virtual_time import VirtualTime

__all__ = [
    "EutilsDouble",
    "Fault",
    "HashEmbedding",
    "ReceivedRequest",
    "ScriptedEntailment",
    "ScriptedLLM",
    "VirtualTime",
    "random_faults",
    "synthetic_records",
]

if TYPE_CHECKING:
    from llama_index_medqa.testing.entailment import ScriptedEntailment
    from llama_index_medqa.testing.models import HashEmbedding, ScriptedLLM


def __getattr__(name: str) -> Any:
    # Only these need numpy, or LlamaIndex, which takes seconds to import.
    if name == "ScriptedEntailment":
        from llama_index_medqa.testing import entailment

        return entailment.ScriptedEntailment
    if name in ("HashEmbedding", "ScriptedLLM"):
        from llama_index_medqa.testing import models

        return getattr(models, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
