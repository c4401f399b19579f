"""ATT(g,t) in all replicates -> aggregated effects."""
