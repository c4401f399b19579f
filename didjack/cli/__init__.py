"""The command line: ``didjack fit``, ``didjack demo``."""
