"""The overall average of a fit, and of the same sample with its clusters in other cohorts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from didjack._typing import Floats, Ints
from didjack.averaging.average import aggregate
from didjack.averaging.window import Window
from didjack.engine.fit import Fit
from didjack.errors import DataError, OptionError
from didjack.inference.cell_table import cell_table
from didjack.options import AggregationType
from didjack.sums.source import SumSource
from didjack.wording import label_text, name_some, plural


@dataclass(frozen=True, slots=True)
class Overall:
    """Which average of ATT(g,t) it is.

    Attributes
    ----------
    kind, window, by_cell : as of `didjack.averaging.average.aggregate`
    """

    kind: AggregationType
    window: Window
    by_cell: bool

    def of(self, fit: Fit) -> Floats:
        """Return it in all replicates that the options of the fit need, (R,)."""
        table = cell_table(fit, self.by_cell)
        return aggregate(table, self.kind, self.window, self.by_cell).theta[:, -1]

    def of_source(self, fit: Fit, source: SumSource) -> Floats:
        """Return it for other sums under the options of a fit, (R,).

        NaN if nothing can be estimated from them, or nothing that it averages.
        """
        n_rep = 1 + source.layout.n_clusters * fit.options.jackknife
        try:
            return self.of(Fit(fit.options, fit.ledger, source))
        except (DataError, OptionError):  # no ATT(g,t), or none in the window
            return np.full(n_rep, np.nan)


def one_cohort_each(fit: Fit, what: str) -> Ints:
    """Return the cohort of each cluster, (H,) positions, -1 without units; or raise.

    Parameters
    ----------
    what : what needs clusters with one cohort each
    """
    layout, options = fit.layout, fit.options
    if options.cluster is None and options.idname is None:
        raise OptionError(
            f"{what} needs clusters: name the level at which treatment is assigned in "
            "csdid(cluster=)"
        )
    several = np.flatnonzero((layout.n_units > 0).sum(axis=1) > 1)
    if several.size:
        shown = [label_text(key) for key in layout.cluster_labels[several]]
        verb = "has" if several.size == 1 else "have"
        raise DataError(
            f"{what} gives cohorts to other clusters, so a cluster needs one cohort, but "
            f"{plural(several.size, 'cluster')} (column {options.cluster!r}) {verb} several: "
            f"{name_some(shown)}"
        )
    return layout.cohort_of_clusters
