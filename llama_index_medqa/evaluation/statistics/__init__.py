"""Intervals, significance and power for scores of cases.

Imports nothing of the package but ``_common`` and ``errors``.
"""

from typing import TYPE_CHECKING

from llama_index_medqa._common.late_imports import late_attributes

if TYPE_CHECKING:
    from llama_index_medqa.evaluation.statistics.intervals import (
        Estimate,
        RepeatedScores,
        bootstrap_mean,
        group_sums,
        paired_bootstrap,
        repeated_scores,
        require_scipy,
    )

__all__ = [
    "Estimate",
    "RepeatedScores",
    "bootstrap_mean",
    "group_sums",
    "paired_bootstrap",
    "repeated_scores",
    "require_scipy",
]

__getattr__ = late_attributes(
    __name__,
    {
        "Estimate": "llama_index_medqa.evaluation.statistics.intervals",
        "RepeatedScores": "llama_index_medqa.evaluation.statistics.intervals",
        "bootstrap_mean": "llama_index_medqa.evaluation.statistics.intervals",
        "group_sums": "llama_index_medqa.evaluation.statistics.intervals",
        "paired_bootstrap": "llama_index_medqa.evaluation.statistics.intervals",
        "repeated_scores": "llama_index_medqa.evaluation.statistics.intervals",
        "require_scipy": "llama_index_medqa.evaluation.statistics.intervals",
    },
)
