"""Results -> tables and pictures."""

from didjack.reporting.etable import etable

__all__ = ["etable"]
