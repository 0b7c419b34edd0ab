"""Numbers with their units: how they are written, read and matched.

May import ``text`` and ``errors``.
"""
