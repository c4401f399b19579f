"""Results -> tables and plots."""

from didjack.reporting.plots.coefplot import coefplot
from didjack.reporting.tables.etable import etable

__all__ = ["coefplot", "etable"]
