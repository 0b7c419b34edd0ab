"""Running a query engine over cases, each question once.

May import the rest of ``evaluation`` and what stands below it.
"""
