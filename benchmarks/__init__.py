"""Measurements, run as ``python -m benchmarks.FOLDER.NAME``; results lie in ``results/``."""
