"""Translation of questions into English and of answers back.

Each sentence is checked by translating it again.

May import ``answering.questions``, ``answering.draft_reading``, ``retrieval``, ``llms``, ``verification`` and what
stands below them.
"""
