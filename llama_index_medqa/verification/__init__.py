"""Verification of claims against retrieved texts.

Knows nothing of retrieval, drafting or servers, so that it can be tested, measured and swapped without them. Imports
``text``, ``errors`` and outside libraries only.
"""
