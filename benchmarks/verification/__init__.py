"""Measurements of the verifier: does it separate supported claims from others?"""
