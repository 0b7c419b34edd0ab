"""Measurements of judges, of their cost, and of the gate."""
