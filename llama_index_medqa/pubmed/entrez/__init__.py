"""Requests to NCBI's E-utilities, with retries and rate limits.

Knows nothing of records. May import ``errors`` only.
"""
