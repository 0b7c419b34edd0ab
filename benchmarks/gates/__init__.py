"""The systems that continuous integration gates, their cases and their baselines."""
