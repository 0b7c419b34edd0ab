"""A question in another language into English, and verified sentences back, each checked by translating it again.

May import ``llms``, ``verification``, ``prompts``, ``text`` and ``errors``.
"""
