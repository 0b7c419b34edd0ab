"""JSON lines, files, the cache folder, the timer of stages and late imports.

May import ``errors`` only.
"""
