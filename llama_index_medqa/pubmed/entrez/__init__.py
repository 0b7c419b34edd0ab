"""How NCBI's E-utilities are asked: requests, their answers, retries and limits of rate.

Knows nothing of records. May import ``errors`` only.
"""
