"""A PubMed query brought onto disk whole: its plan, its slices, and a ledger that survives interruption.

May import ``pubmed.entrez`` and ``errors``.
"""
