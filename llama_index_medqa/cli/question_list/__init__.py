"""Answering a file of questions into another file.

A killed run leaves the file whole, and the next run completes it.

Knows both files. May import what stands below the commands of ``cli``.
"""
