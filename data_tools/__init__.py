"""Tools that prepare data.

Run from the repository, as ``python -m data_tools <verb>``.
"""
