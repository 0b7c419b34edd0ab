"""The names or numbers that answer a question, or yes or no, out of verified sentences.

May import ``answering.questions``, ``verification`` and ``text``.
"""
