"""Search for chunks by meaning and by words, fused and filtered.

May import ``indexing`` and what stands below it.
"""
