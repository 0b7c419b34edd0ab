"""Answers as text, Markdown, HTML, data and references.

May import ``answering`` and what stands below it.
"""

from typing import TYPE_CHECKING

from llama_index_medqa._common.late_imports import late_attributes

if TYPE_CHECKING:
    from llama_index_medqa.rendering.text import (
        Source,
        as_data,
        as_markdown,
        as_text,
        made_by,
        notes,
        reason,
        reasons,
        short_answer,
        sources,
    )

__all__ = [
    "Source",
    "as_data",
    "as_markdown",
    "as_text",
    "made_by",
    "notes",
    "reason",
    "reasons",
    "short_answer",
    "sources",
]

__getattr__ = late_attributes(
    __name__,
    {
        "Source": "llama_index_medqa.rendering.text",
        "as_data": "llama_index_medqa.rendering.text",
        "as_markdown": "llama_index_medqa.rendering.text",
        "as_text": "llama_index_medqa.rendering.text",
        "made_by": "llama_index_medqa.rendering.text",
        "notes": "llama_index_medqa.rendering.text",
        "reason": "llama_index_medqa.rendering.text",
        "reasons": "llama_index_medqa.rendering.text",
        "short_answer": "llama_index_medqa.rendering.text",
        "sources": "llama_index_medqa.rendering.text",
    },
)
