"""Orders to a model that stand in a text, and their disguises: the one detector of prompt injection.

May import the modules of ``text`` that import no other.
"""
