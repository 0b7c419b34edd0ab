"""Language models behind servers, and the proof of an adapter.

May import ``text``, ``_common``, ``prompts``, ``errors`` and ``redaction``.
"""
