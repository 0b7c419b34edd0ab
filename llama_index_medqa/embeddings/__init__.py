"""Encoders: how the models that turn texts into vectors are run."""
