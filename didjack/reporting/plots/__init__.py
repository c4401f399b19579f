"""Results -> matplotlib figures."""
