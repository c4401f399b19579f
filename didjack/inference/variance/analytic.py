"""Influence functions -> analytic standard errors, of independent units or by cluster."""

from __future__ import annotations

import numpy as np

from didjack._typing import Floats
from didjack.inference.statistics import Variance, with_diagonal
from didjack.inference.variance.base import Evidence, VarianceInputs, VarianceKind


def analytic(influence: Floats, df: float) -> Variance:
    """Square roots of the sums of squared influence of units or clusters, (G, M).

    Coefficients with no influence at all (base periods, zero by construction) get NaN.
    """
    total = (influence**2).sum(axis=0)
    bad = ~(total > 0)
    none = np.zeros(total.size, dtype=np.int64)
    return Variance(np.where(bad, np.nan, np.sqrt(total)), np.where(bad, np.nan, df), none)


def analytic_covariance(influence: Floats) -> Floats:
    """Sum of products of the influence of units or clusters, (G, M) -> (M, M)."""
    return with_diagonal(influence.T @ influence, analytic(influence, np.inf).std_error)


class Analytic(VarianceKind):
    """Sums of squared influence of units or clusters."""

    name = "analytic"
    needs_replicates = False
    parts = "clusters or units"
    clustered = "clustered"
    no_variation = "no unit or cluster has any influence on the estimate"
    normal_by_unit = True

    def rows(self, evidence: Evidence) -> Floats:
        """Return the influence of units or clusters."""
        return evidence.influence

    def _df(self, evidence: Evidence) -> float:
        """Return H - 1 if clustered, infinity by units."""
        return np.inf if evidence.fit.by_unit else evidence.n_clusters - 1.0

    def variance(self, inputs: VarianceInputs) -> Variance:
        """Return `analytic`."""
        return analytic(inputs.rows, self._df(inputs.evidence))

    def covariance(self, inputs: VarianceInputs) -> Floats:
        """Return `analytic_covariance`."""
        return analytic_covariance(inputs.rows)

    def n_independent(self, inputs: VarianceInputs) -> int:
        """Count the units or clusters."""
        return len(inputs.rows)

    def note(self, inputs: VarianceInputs) -> str:
        """Say what is taken to be independent."""
        evidence = inputs.evidence
        if evidence.fit.by_unit:
            unit = evidence.fit.options.sample.idname
            what = f"units ({unit})" if unit else "rows"
            return f"Analytic standard errors of independent {what}; normal."
        by, df = evidence.independent, evidence.n_clusters - 1
        return f"Analytic standard errors clustered by {by}; t({df})."
