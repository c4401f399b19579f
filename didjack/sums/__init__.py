"""Clean sample -> sums by cluster."""
