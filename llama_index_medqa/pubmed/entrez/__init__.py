"""How NCBI's E-utilities are asked: requests, their answers, retries and limits of rate.

May import the record of ``pubmed``.
"""
