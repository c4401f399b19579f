"""Clean sample -> sums by cluster: the seam between data and statistics."""
