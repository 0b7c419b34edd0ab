"""Any query engine asked, each question once, its answers kept as they come.

May import the rest of ``evaluation`` and what stands below it.
"""
