"""Sums by cluster -> ATT(g,t) in all replicates."""
