"""Benchmarks: their world of a million or ten million events, and what is measured on it (benchmarks/README.md)."""
