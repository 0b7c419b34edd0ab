"""PubMed records, files of records, and requests to PubMed.

Knows nothing of LlamaIndex. May import ``text``, ``_common`` and ``errors``.
"""
