"""Formats of record files: detection, reading and writing, one corpus of many.

Knows nothing of the network. May import the other modules of ``pubmed``, ``_common`` and ``errors``.
"""

from typing import TYPE_CHECKING

from llama_index_medqa._common.late_imports import late_attributes

if TYPE_CHECKING:
    from llama_index_medqa.pubmed.formats.reading import (
        expand_sources,
        newest_positions,
        read_identities_of,
        read_newest,
        read_records,
    )

__all__ = ["expand_sources", "newest_positions", "read_identities_of", "read_newest", "read_records"]

__getattr__ = late_attributes(
    __name__,
    {
        "expand_sources": "llama_index_medqa.pubmed.formats.reading",
        "newest_positions": "llama_index_medqa.pubmed.formats.reading",
        "read_identities_of": "llama_index_medqa.pubmed.formats.reading",
        "read_newest": "llama_index_medqa.pubmed.formats.reading",
        "read_records": "llama_index_medqa.pubmed.formats.reading",
    },
)
