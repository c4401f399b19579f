"""Standard errors: the cluster jackknife, analytic, and the multiplier bootstrap."""
