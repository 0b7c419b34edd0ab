"""Former path of :mod:`llama_index_medqa.evaluation.judges.model_calls`, kept for one minor version."""

from llama_index_medqa._common.late_imports import moved_to

__getattr__ = moved_to("llama_index_medqa.evaluation.judges.model_calls")
