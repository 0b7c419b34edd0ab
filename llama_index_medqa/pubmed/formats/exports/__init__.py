"""Exports of reference managers and databases: RIS, EndNote, Ovid, tables, text.

May import the record schema of ``pubmed.formats`` and what stands below it.
"""
