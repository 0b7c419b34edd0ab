"""Measures, one family a file; each gives a value a case before any mean."""
