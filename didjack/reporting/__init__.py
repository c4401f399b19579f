"""Results -> tables and pictures."""

from didjack.reporting.tables import regression_table

__all__ = ["regression_table"]
