"""Servers of models as supervised processes: vLLM and llama.cpp.

May import ``weights``, ``llms`` and what stands below them.
"""

from typing import TYPE_CHECKING

from llama_index_medqa._common.late_imports import late_attributes

if TYPE_CHECKING:
    from llama_index_medqa.serving.vllm_process import (
        VllmProcess,
        VllmSettings,
        lora_rank,
        shell_line,
        vllm_command,
        vllm_environment,
    )

__all__ = ["VllmProcess", "VllmSettings", "lora_rank", "shell_line", "vllm_command", "vllm_environment"]

__getattr__ = late_attributes(
    __name__,
    {
        "VllmProcess": "llama_index_medqa.serving.vllm_process",
        "VllmSettings": "llama_index_medqa.serving.vllm_process",
        "lora_rank": "llama_index_medqa.serving.vllm_process",
        "shell_line": "llama_index_medqa.serving.vllm_process",
        "vllm_command": "llama_index_medqa.serving.vllm_process",
        "vllm_environment": "llama_index_medqa.serving.vllm_process",
    },
)
