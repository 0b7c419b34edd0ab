"""What commands show on a terminal: answers, reports, progress.

No markup or control character of others is obeyed.

May import ``rendering``, ``evaluation`` and what stands below them.
"""
