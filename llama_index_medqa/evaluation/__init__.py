"""Cases, answers, measures, judges, statistics, runs and the gate.

May import everything but ``cli`` and ``testing``.
"""

from typing import TYPE_CHECKING

from llama_index_medqa._common.late_imports import late_attributes

if TYPE_CHECKING:
    from llama_index_medqa.evaluation.gate.comparison import compare
    from llama_index_medqa.evaluation.runs.evaluating import aevaluate, evaluate

__all__ = ["aevaluate", "compare", "evaluate"]

__getattr__ = late_attributes(
    __name__,
    {
        "aevaluate": "llama_index_medqa.evaluation.runs.evaluating",
        "compare": "llama_index_medqa.evaluation.gate.comparison",
        "evaluate": "llama_index_medqa.evaluation.runs.evaluating",
    },
)
