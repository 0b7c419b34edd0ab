"""How good answers and retrieval are: cases, measures, and what a difference is worth."""
