"""Answers to questions: context, draft, verification and response.

May import ``retrieval``, ``verification``, ``llms`` and what stands below them.
"""
