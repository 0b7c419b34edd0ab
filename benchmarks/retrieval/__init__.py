"""Measurements of retrieval: which papers each way of searching finds, and what it costs."""
