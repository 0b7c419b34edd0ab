"""Measurements of chunking, embedding and writing an index."""
