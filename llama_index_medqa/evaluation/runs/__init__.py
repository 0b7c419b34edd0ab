"""Any query engine asked, each question once, its answers kept as they come.

May import ``evaluation.cases``, ``answers`` and ``score``.
"""
