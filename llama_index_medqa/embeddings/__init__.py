"""Texts as vectors: encoders by backend, batches of tokens, and a cache.

May import ``_common``, ``text``, ``profiles`` and ``errors``.
"""
