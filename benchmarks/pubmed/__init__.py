"""Measurements of reading records."""
