"""A question in another language into English, and verified sentences back, each checked by translating it again.

May import ``answering.questions``, ``answering.draft_reading``, ``retrieval``, ``llms``, ``verification`` and what
stands below them.
"""
