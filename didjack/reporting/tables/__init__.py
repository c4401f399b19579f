"""Results -> tables: summaries, one or several results, and the formats they are written in."""
