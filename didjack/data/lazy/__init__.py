"""Tables that lie in an engine -> few rows that stand for many."""
