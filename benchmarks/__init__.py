"""Measurements, each a module to run: ``python -m benchmarks.NAME``; what they found lies in ``results/``."""
