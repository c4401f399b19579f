"""A fit and its coefficients -> variance, tests and intervals, of whichever kind is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from didjack._typing import Floats, Ints
from didjack.inference import statistics, wald
from didjack.inference.bands import CriticalValue
from didjack.inference.evidence import Evidence, Material
from didjack.inference.kinds import KINDS
from didjack.inference.size import target_size, varies
from didjack.inference.statistics import Variance
from didjack.inference.targets import Targets, combine
from didjack.inference.variance_kind import VarianceKind
from didjack.wording import name_some, plural

WITH_ERROR = ("ok", "retargeted", "skipped")
"""With one of these a coefficient has a standard error, unless nothing varies."""


@dataclass(frozen=True, eq=False)
class Coefficients:
    """Coefficients with their standard errors, and the tests made from these.

    What a kind of variance is made from is kept: it is the expensive part.

    Attributes
    ----------
    evidence : Evidence, M coefficients
    """

    evidence: Evidence
    _rows: dict[str, Floats] = field(default_factory=dict, repr=False)

    @property
    def targets(self) -> Targets:
        """The coefficients in all replicates."""
        return self.evidence.targets

    @property
    def kind(self) -> VarianceKind:
        """The kind of variance that the call of `csdid` asked for."""
        return KINDS[self.evidence.options.vcov]

    def material(self, kind: VarianceKind, weights: Floats | None = None) -> Material:
        """Return what a variance is made from.

        Parameters
        ----------
        weights : (L, M), optional
            Linear combinations; default: the coefficients themselves.
        """
        if kind.name not in self._rows:
            self._rows[kind.name] = kind.rows(self.evidence)
        rows = self._rows[kind.name]
        if weights is not None:
            rows = kind.together(combine(rows, weights), self.evidence.options)
        return Material(rows, self.evidence)

    def variance(self, kind: VarianceKind, weights: Floats | None = None) -> Variance:
        """Return standard errors and degrees of freedom of coefficients, or of combinations."""
        found = kind.variance(self.material(kind, weights))
        gone, size = self.targets.reference, self._size
        if weights is not None:
            gone = ~(weights[:, ~gone] != 0).any(axis=1)
            size = np.abs(weights) @ size
        gone = gone | ~varies(found.std_error, size)
        return Variance(
            np.where(gone, np.nan, found.std_error),
            np.where(gone, np.nan, found.df),
            np.where(gone, 0, found.n_replicates),
        )

    @cached_property
    def _size(self) -> Floats:
        """The size of what the coefficients are made of, (M,): rounding errors go by it."""
        return target_size(self.evidence.fit, self.targets)

    def covariance(self, kind: VarianceKind, weights: Floats | None = None) -> Floats:
        """Return the covariance matrix, (M, M) or (L, L); its diagonal is that of `variance`."""
        matrix = kind.covariance(self.material(kind, weights))
        return statistics.with_diagonal(matrix, self.variance(kind, weights).std_error)

    @cached_property
    def own_variance(self) -> Variance:
        """The variance of the kind that the call of `csdid` asked for."""
        return self.variance(self.kind)

    def note(self) -> str:
        """Say in one sentence how standard errors were made, or that there are none."""
        if np.isnan(self.own_variance.std_error).all():
            return f"{self.kind.name}: no coefficient has a standard error; the status says why."
        return self.kind.note(self.material(self.kind))

    # -- tables -------------------------------------------------------------------------------

    def table(self, alpha: float) -> pd.DataFrame:
        """Build the columns `STATISTICS` of all coefficients."""
        return self._table(self.targets, self.own_variance, alpha)

    def combination(self, weights: Floats, name: str, alpha: float) -> pd.DataFrame:
        """Build the same table for one linear combination, (M,) weights."""
        variance = self.variance(self.kind, weights[None])
        return self._table(self.targets.combine(weights, name), variance, alpha)

    def _table(self, targets: Targets, variance: Variance, alpha: float) -> pd.DataFrame:
        options = self.evidence.options
        turned = targets.retargeted[1:] & ~np.isnan(targets.theta[1:])
        status = targets.status_of(
            options.jackknife,
            options.undefined == "skip",
            self.evidence.fit.layout.cluster_labels,
        )
        bare = np.isnan(variance.std_error) & ~np.isnan(targets.theta[0])
        for m in np.flatnonzero(bare).tolist():
            if status[m].split(":")[0] in WITH_ERROR:
                status[m] = f"no variation: {self.kind.no_variation}"
        n_retargeted = turned.sum(axis=0) * options.jackknife
        return statistics.coefficient_table(targets.theta[0], variance, alpha, n_retargeted, status)

    def critical_value(self, among: Ints, alpha: float) -> CriticalValue:
        """Return the critical value of a band over some coefficients, (m,) positions.

        Those without a standard error are left out; NaN where that leaves none.
        """
        among = among[~np.isnan(self.own_variance.std_error[among])]
        if not among.size:
            return CriticalValue(np.nan, np.nan, 0)
        return self.kind.critical_value(self.material(self.kind), among, alpha)

    def intervals(self, alpha: float) -> Floats:
        """Return the ends of pointwise intervals, (M, 2)."""
        return self.table(alpha)[["conf_low", "conf_high"]].to_numpy(copy=True)

    def band(self, alpha: float) -> tuple[Floats, CriticalValue]:
        """Return the ends of simultaneous intervals, (M, 2), and their critical value.

        An overall keeps its own interval. No interval is narrower than the pointwise one.
        """
        which, variance = self.targets.components, self.own_variance
        found = self.critical_value(which, alpha)
        value = np.fmax(found.value, statistics.critical_value(alpha, variance.df[which]))
        estimate, margin = self.targets.theta[0, which], value * variance.std_error[which]
        ends = self.intervals(alpha)
        ends[which] = np.column_stack([estimate - margin, estimate + margin])
        return ends, found

    # -- hypotheses ---------------------------------------------------------------------------

    def test(self, weights: Floats, values: Floats) -> pd.Series:
        """Test that (L, M) linear combinations have the values (L,), or say why not."""
        reason = self._untestable(weights)
        if reason:
            return wald.untested(reason)
        distance = combine(self.targets.theta[:1], weights)[0] - values
        covariance = self.covariance(self.kind, weights)
        df = float(self.variance(self.kind, weights).df.min())
        return wald.wald(distance, covariance, df)

    def _untestable(self, weights: Floats) -> str:
        """Say why restrictions cannot be tested, if so."""
        targets = self.targets
        if not len(weights):
            return "there is no coefficient to test"
        used = (weights != 0).any(axis=0)
        bare = used & np.isnan(self.own_variance.std_error) & ~targets.reference
        if bare.any():
            return (
                f"{plural(int(bare.sum()), 'coefficient')} without a standard error: "
                f"{name_some(targets.index[np.flatnonzero(bare)], 5)}; name the others in R, as a "
                "list of labels"
            )
        if not (weights[:, ~targets.reference] != 0).any(axis=1).all():
            return "a restriction is on reference periods alone, which are zero by construction"
        rank = int(np.linalg.matrix_rank(weights))
        parts = self.kind.n_independent(self.material(self.kind, weights))
        if rank > parts - 1:
            return (
                f"{rank} restrictions with {parts} {self.kind.parts}, which allow {parts - 1} at "
                "most; test fewer at a time"
            )
        return ""
