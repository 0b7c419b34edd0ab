"""From a question to chunks: nearest by meaning and by words, fused, filtered, weighed.

May import ``indexing`` and what stands below it.
"""
