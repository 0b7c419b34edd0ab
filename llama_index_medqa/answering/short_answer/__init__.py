"""Short answers from verified sentences: names, numbers, yes or no.

May import ``answering.questions``, ``verification`` and ``text``.
"""
