"""Whether a retrieved text supports a claim: passages with spans, citation marks and verdicts on sentences.

Knows nothing of retrieval, drafting or servers, so that it can be tested, measured and swapped without them. Imports
``text``, ``errors`` and outside libraries only.
"""
