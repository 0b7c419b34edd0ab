"""Comparison of two result files: margins, tests and reports.

May import ``evaluation.results``, ``evaluation.statistics``, ``_common`` and ``errors``.
"""

from typing import TYPE_CHECKING

from llama_index_medqa._common.late_imports import late_attributes

if TYPE_CHECKING:
    from llama_index_medqa.evaluation.gate.comparison import CaseDifference, Comparison, GateReport, compare

__all__ = ["CaseDifference", "Comparison", "GateReport", "compare"]

__getattr__ = late_attributes(
    __name__,
    {
        "CaseDifference": "llama_index_medqa.evaluation.gate.comparison",
        "Comparison": "llama_index_medqa.evaluation.gate.comparison",
        "GateReport": "llama_index_medqa.evaluation.gate.comparison",
        "compare": "llama_index_medqa.evaluation.gate.comparison",
    },
)
