"""Results -> tables and pictures."""

from didjack.reporting.regression_table import regression_table

__all__ = ["regression_table"]
