"""Language models behind servers: what they are asked and answer, and the proof that the trained adapter answers.

May import ``text``, ``_common``, ``prompts``, ``errors`` and ``redaction``.
"""
