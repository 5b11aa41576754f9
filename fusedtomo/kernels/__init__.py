"""Kernels in pairs: the same functions with the same arguments for NumPy arrays (numba) and CuPy arrays (cuda)."""
