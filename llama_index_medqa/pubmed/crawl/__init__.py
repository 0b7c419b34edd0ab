"""Downloading the records of a PubMed query, resumable at any point.

May import ``pubmed.entrez`` and ``errors``.
"""
