"""Measurements of answers: right, complete, cited, and where they are lost."""
