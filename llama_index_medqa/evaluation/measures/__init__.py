"""Scores of a case, one family a module; ``catalogue`` names them.

May import ``evaluation.judges`` and what stands below them.
"""
