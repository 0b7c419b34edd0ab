"""Embeddings: encoders by backend, token batches, and a cache.

May import ``_common``, ``text``, ``profiles`` and ``errors``.
"""
