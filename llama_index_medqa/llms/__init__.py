"""Language models behind servers: what they are asked and answer, and the proof that the trained adapter answers.

May import ``prompts``, ``_common``, ``text`` and ``errors``.
"""
