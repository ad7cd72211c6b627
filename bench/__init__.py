"""Benchmarks: ratios from one run, each beside its bound."""
