"""Measurements of retrieval: the papers found, and the cost."""
