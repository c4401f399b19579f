"""Results -> tables and plots."""

from didjack.reporting.plots.coefplot import coefplot
from didjack.reporting.plots.timing_plot import timing_plot
from didjack.reporting.tables.etable import etable

__all__ = ["coefplot", "etable", "timing_plot"]
