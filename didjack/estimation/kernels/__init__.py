"""The inner loops, compiled with numba."""
