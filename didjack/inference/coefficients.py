"""A fit and its coefficients -> their variance, of whichever kind is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from didjack._typing import Floats, Ints
from didjack.engine.fit import Fit
from didjack.inference import bands, bootstrap
from didjack.inference import statistics as inference
from didjack.inference.statistics import Variance
from didjack.inference.targets import Targets, combine
from didjack.options import Vcov

JACKKNIFE = ("CV3", "CV3J")


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """Standard errors and covariance of coefficients, or of linear combinations of them.

    All kinds start from rows by coefficient: replicates for the jackknife, influence of clusters
    or units for the analytic variance, draws for the bootstrap. A linear combination is formed in
    these rows, so its variance follows the same rules as that of a coefficient.

    Attributes
    ----------
    fit : Fit
    targets : Targets, M coefficients
    """

    fit: Fit
    targets: Targets

    @cached_property
    def influence(self) -> Floats:
        """Influence of units or clusters on the coefficients, (G, M).

        The derivative with respect to their weight; standard errors are root sums of squares.
        """
        on_att = self.fit.influence
        averages = self.targets.averages
        if averages is None:
            return on_att
        on_weight = self.fit.weight_influence(averages.by_cell)
        by_att = combine(on_att, averages.loading)
        return np.asarray(by_att + combine(on_weight, averages.weight_loading))

    @cached_property
    def draws(self) -> Floats:
        """Draws of the multiplier bootstrap, (n_boot, M)."""
        options = self.fit.options
        return bootstrap.multiplier_draws(self.influence, options.n_boot, options.seed)

    @property
    def analytic_df(self) -> float:
        """Degrees of freedom of analytic tests: H - 1 if clustered, infinite by units."""
        return np.inf if self.fit.options.by_unit else self.fit.layout.n_clusters - 1.0

    def _rows(self, kind: Vcov, weights: Floats | None) -> Floats:
        """Return what a variance is made from, by coefficient or by combination.

        With ``undefined="skip"``, several combinations use the replicates that all of them have.
        """
        if kind == "bootstrap":
            rows = self.draws
        elif kind == "analytic":
            rows = self.influence
        else:
            rows = self.targets.theta
        if weights is None:
            return rows
        rows = combine(rows, weights)
        if kind in JACKKNIFE and self.fit.options.undefined == "skip":
            whole = np.flatnonzero(~np.isnan(rows[1:]).any(axis=1))
            rows = np.concatenate([rows[:1], rows[1 + whole]])
        return rows

    def variance(self, kind: Vcov, weights: Floats | None = None) -> Variance:
        """Return standard errors and degrees of freedom.

        Parameters
        ----------
        kind : Vcov
        weights : (L, M), optional
            Linear combinations; default: the coefficients themselves.
        """
        rows = self._rows(kind, weights)
        if kind == "bootstrap":
            found = bootstrap.variance(rows)
        elif kind == "analytic":
            found = inference.analytic(rows, self.analytic_df)
        else:
            found = inference.jackknife(rows, self.fit.options.undefined, kind == "CV3J")
        gone = self.targets.reference
        if weights is not None:
            gone = ~(weights[:, ~gone] != 0).any(axis=1)
        return Variance(
            np.where(gone, np.nan, found.std_error),
            np.where(gone, np.nan, found.df),
            found.n_replicates,
        )

    def covariance(self, kind: Vcov, weights: Floats | None = None) -> Floats:
        """Return the covariance matrix, (M, M) or (L, L); its diagonal is that of `variance`."""
        rows = self._rows(kind, weights)
        if kind == "bootstrap":
            matrix = bootstrap.covariance(rows)
        elif kind == "analytic":
            matrix = inference.analytic_covariance(rows)
        else:
            matrix = inference.jackknife_covariance(
                rows, self.fit.options.undefined, kind == "CV3J"
            )
        return inference.with_diagonal(matrix, self.variance(kind, weights).std_error)

    def n_independent(self, kind: Vcov, weights: Floats) -> int:
        """Count the replicates, clusters or units that a covariance is made from."""
        if kind in JACKKNIFE:
            return len(self._rows(kind, weights)) - 1
        return len(self.influence)

    def critical_value(self, kind: Vcov, among: Ints, alpha: float) -> bands.CriticalValue:
        """Return the critical value of a band over some coefficients, (m,) positions.

        Those without a standard error are left out; NaN where that leaves none.
        """
        variance = self.variance(kind)
        among = among[~np.isnan(variance.std_error[among])]
        if not among.size:
            return bands.CriticalValue(np.nan, np.nan, 0)
        if kind == "bootstrap":
            value = bootstrap.uniform_critical_value(self.draws[:, among], alpha)
            return bands.CriticalValue(value, np.nan, len(self.draws))
        error = variance.std_error[among]
        correlation = self.covariance(kind)[np.ix_(among, among)] / np.outer(error, error)
        seed = self.fit.options.seed
        return bands.max_t(
            correlation,
            float(variance.df[among].min()),
            1.0 - alpha,
            bootstrap.DEFAULT_SEED if seed is None else seed,
        )
