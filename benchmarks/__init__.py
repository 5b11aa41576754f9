"""Benchmarks of the kernels and of whole reconstructions; benchmarks/README.md says how to run them."""
