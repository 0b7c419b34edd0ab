"""Measurements of servers."""
