"""Influence of every row on one estimate, summed by unit or by cluster."""

from __future__ import annotations

import numpy as np

from didjack._typing import Floats, Ints
from didjack.estimation.kernels import derivatives as kernels
from didjack.estimation.kernels.inputs import Contrast, Linear, OutcomeRows
from didjack.estimation.layout import Arm, Classes
from didjack.estimation.propensity_rows import LogitModel, OddsOf
from didjack.estimation.rows import RowArrays


class Tally:
    """Influence of every unit or cluster on one estimate, added up piece by piece."""

    def __init__(self, rows: RowArrays, codes: Ints, n_independent: int) -> None:
        self._rows, self._codes, self._n_independent = rows, codes, n_independent
        self._psi = np.zeros(rows.strata.start[-1])

    def _outcome(self, outcomes: Classes) -> Floats:
        """Return an outcome, or the first less the second of two, (n,)."""
        y = self._rows.y.T
        later = y[outcomes[0]]
        change = later - y[outcomes[1]] if len(outcomes) > 1 else later
        return np.ascontiguousarray(change)

    def add_linear(self, cohorts: Classes, arm: Arm, outcomes: Classes, linear: Linear) -> None:
        """Add what rows do to means and regressions."""
        r, chosen = self._rows, self._rows.strata.select(cohorts, arm.period)
        y = self._outcome(outcomes)
        rows = OutcomeRows(r.x[arm.x], r.w[arm.w], r.strata.start, y, chosen)
        kernels.linear_influence(rows, linear, self._psi)

    def _odds_rows(self, model: LogitModel, of: OddsOf) -> OutcomeRows:
        chosen = self._rows.strata.select(of.comparison, of.arm.period)
        y = self._outcome(tuple(of.outcomes.tolist()))
        return OutcomeRows(model.rows.x, model.rows.w, model.rows.start, y, chosen)

    def add_odds(self, model: LogitModel, of: OddsOf, contrast: Contrast, by_odds: float) -> None:
        """Add what control rows do to odds-weighted means."""
        kernels.odds_influence(self._odds_rows(model, of), contrast, by_odds, self._psi)

    def odds_gradient(self, model: LogitModel, of: OddsOf, contrast: Contrast) -> Floats:
        """Differentiate odds-weighted sums of residuals with respect to the logit, (k,)."""
        return kernels.odds_gradient(self._odds_rows(model, of), contrast)

    def add_score(self, model: LogitModel, logit: Floats, by_score: Floats) -> None:
        """Add what rows do to the logit."""
        kernels.score_influence(model.rows, logit, by_score, self._psi)

    def total(self) -> Floats:
        """Return the influence of each unit or cluster, (G,)."""
        total = np.bincount(self._codes, weights=self._psi, minlength=self._n_independent)
        return np.asarray(total, dtype=np.float64)
