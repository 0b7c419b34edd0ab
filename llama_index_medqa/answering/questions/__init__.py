"""Analysis of a question: subject, aspect, parts, and what "yes" asserts.

May import ``text``, and from ``verification`` how names are found.
"""
