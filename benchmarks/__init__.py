"""Measurements, each a module to run: ``python -m benchmarks.FOLDER.NAME``; what they found lies in ``results/``."""
