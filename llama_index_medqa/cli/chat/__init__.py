"""A conversation on a terminal or in a pipe.

Knows what can be typed and what it does. May import what stands below the commands of ``cli``.
"""
