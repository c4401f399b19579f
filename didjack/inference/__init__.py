"""Replicates or influence -> standard errors, tests and bands."""
