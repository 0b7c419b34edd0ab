"""Language models behind servers: what they are asked, what they answer, and whether the adapter that was trained is the one that answers.

May import ``prompts``, ``_common``, ``text`` and ``errors``.
"""
