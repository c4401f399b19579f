"""Any table -> a clean sample."""
