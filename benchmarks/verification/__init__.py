"""Measurements of the verifier: does it tell what a text supports from what it does not?"""
