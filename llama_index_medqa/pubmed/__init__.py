"""What a PubMed record is, how files of records are read, and how PubMed is asked.

Knows nothing of LlamaIndex. May import ``text``, ``_common`` and ``errors``.
"""
