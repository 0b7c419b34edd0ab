"""Numbers with their units, read and matched.

Imports nothing else of the package.
"""
