"""Numbers with their units: how they are written, read and matched.

Imports nothing else of the package.
"""
