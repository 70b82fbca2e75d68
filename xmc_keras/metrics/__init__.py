"""Metrics of rankings, and baselines."""
