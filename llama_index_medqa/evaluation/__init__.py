"""Cases, answers and scores; runs, measures, judges, statistics and the gate that compares two results.

May import everything but ``cli`` and ``testing``.
"""
