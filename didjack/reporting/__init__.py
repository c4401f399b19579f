"""Results -> tables and pictures."""

from didjack.reporting.coefplot import coefplot
from didjack.reporting.etable import etable

__all__ = ["coefplot", "etable"]
