"""Doubles for tests, ours and yours: they need no network, no model and no key."""

from llama_index_medqa.testing.eutils import EutilsDouble, ReceivedRequest
from llama_index_medqa.testing.eutils_faults import Fault, random_faults
from llama_index_medqa.testing.models import HashEmbedding, ScriptedLLM
from llama_index_medqa.testing.synthetic import synthetic_records
from llama_index_medqa.testing.virtual_time import VirtualTime

__all__ = [
    "EutilsDouble",
    "Fault",
    "HashEmbedding",
    "ReceivedRequest",
    "ScriptedLLM",
    "VirtualTime",
    "random_faults",
    "synthetic_records",
]
