"""Detection of prompt injection, disguised or not.

May import the modules of ``text`` that import no other.
"""
