"""Influence of units or clusters, from the rows."""

from __future__ import annotations

import numpy as np

from didjack._typing import Floats, Ints
from didjack.estimation.kernels import derivatives as kernels
from didjack.estimation.kernels.inputs import Contrast, Linear, OutcomeRows
from didjack.estimation.layout import Arm, Cohorts
from didjack.estimation.propensity_rows import RowModel
from didjack.estimation.rows import RowArrays
from didjack.estimation.sum_source import OddsOf, SumSource


class InfluenceRows:
    """Sums of the full sample, and by unit or cluster.

    Attributes
    ----------
    sums : source of the full sample's sums
    rows : RowArrays
    codes : (n,) what each row is summed to: its unit or its cluster
    """

    def __init__(self, sums: SumSource, rows: RowArrays, codes: Ints) -> None:
        self.sums, self.rows, self.codes = sums, rows, codes
        self.n_independent = int(codes.max()) + 1

    def tally(self) -> TallyOfRows:
        """Begin with no influence."""
        return TallyOfRows(self.rows, self.codes, self.n_independent)

    def by_cohort(self) -> Floats:
        """Add up the weights of cohort shares, (G, C)."""
        shape = (self.n_independent, self.rows.layout.cohorts.size)
        key = self.codes * shape[1] + self.rows.strata.cohort_of_rows
        flat = np.bincount(key, weights=self.rows.share_weight, minlength=shape[0] * shape[1])
        return np.asarray(flat, dtype=np.float64).reshape(shape)

    def treated(self, cohort: int, arms: tuple[Arm, ...]) -> Floats:
        """Add up the weights of the rows of a cohort in some arms, (G,)."""
        total = np.zeros(self.n_independent)
        for arm in arms:
            rows = self.rows.strata.rows_of(self.rows.strata.select((cohort,), arm.period))
            weight = self.rows.w[arm.w][rows]
            total += np.bincount(self.codes[rows], weights=weight, minlength=self.n_independent)
        return total


class TallyOfRows:
    """Influence of every row on one estimate, added up piece by piece."""

    def __init__(self, rows: RowArrays, codes: Ints, n_independent: int) -> None:
        self._rows, self._codes, self._n_independent = rows, codes, n_independent
        self._psi = np.zeros(rows.strata.start[-1])

    def _outcome(self, outcomes: Cohorts) -> Floats:
        """Return an outcome, or the first less the second of two, (n,)."""
        y = self._rows.y.T
        later = y[outcomes[0]]
        change = later - y[outcomes[1]] if len(outcomes) > 1 else later
        return np.ascontiguousarray(change)

    def add_linear(self, cohorts: Cohorts, arm: Arm, outcomes: Cohorts, linear: Linear) -> None:
        """Add what rows do to means and regressions."""
        r, chosen = self._rows, self._rows.strata.select(cohorts, arm.period)
        y = self._outcome(outcomes)
        rows = OutcomeRows(r.x[arm.x], r.w[arm.w], r.strata.start, y, chosen)
        kernels.linear_influence(rows, linear, self._psi)

    def _odds_rows(self, model: RowModel, of: OddsOf) -> OutcomeRows:
        chosen = self._rows.strata.select(of.comparison, of.arm.period)
        y = self._outcome(tuple(of.outcomes.tolist()))
        return OutcomeRows(model.rows.x, model.rows.w, model.rows.start, y, chosen)

    def add_odds(self, model: RowModel, of: OddsOf, contrast: Contrast, by_odds: float) -> None:
        """Add what comparison rows do to odds-weighted means."""
        kernels.odds_influence(self._odds_rows(model, of), contrast, by_odds, self._psi)

    def odds_gradient(self, model: RowModel, of: OddsOf, contrast: Contrast) -> Floats:
        """Differentiate odds-weighted sums of residuals with respect to the logit, (k,)."""
        return kernels.odds_gradient(self._odds_rows(model, of), contrast)

    def add_score(self, model: RowModel, logit: Floats, by_score: Floats) -> None:
        """Add what rows do to the logit."""
        kernels.score_influence(model.rows, logit, by_score, self._psi)

    def total(self) -> Floats:
        """Return the influence of each unit or cluster, (G,)."""
        total = np.bincount(self._codes, weights=self._psi, minlength=self._n_independent)
        return np.asarray(total, dtype=np.float64)
