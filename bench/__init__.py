"""Benchmarks: each figure as a ratio or against a published truth, measured in one run."""
