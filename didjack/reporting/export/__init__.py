"""Results -> what other packages read."""
