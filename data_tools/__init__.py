"""Tools that prepare data; run from the repository, as ``python -m data_tools <verb>``."""
