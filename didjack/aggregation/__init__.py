"""ATT(g,t) in all replicates -> averages of them."""
