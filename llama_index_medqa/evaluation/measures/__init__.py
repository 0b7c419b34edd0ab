"""Measures of an answer, one family a module; ``catalogue`` names them.

May import ``evaluation.cases``, ``answers`` and ``judges``, and what stands below them.
"""
