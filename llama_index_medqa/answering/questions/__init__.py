"""What a question is about, which aspect it asks for, what it asks in parts, and what "yes" to it asserts.

May import ``text``, and from ``verification`` how names are found.
"""
