"""What any part may use and none owns: JSON lines, the cache folder, the timer of stages, names that are imported late.

May import ``errors`` only.
"""
