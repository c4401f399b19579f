"""How large the outcomes are that ATT(g,t) are differences of: what rounding errors go by."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np

from didjack._typing import Bools, Floats
from didjack.engine.fit import Fit
from didjack.inference.targets import Targets
from didjack.sums.layout import ALL_PERIODS, Arm, Layout
from didjack.sums.source import SumSource

ROUNDING = 1e-13
"""A standard error below this share of what was summed is rounding error: 450 units in the last
place, which sums and solved equations lose where nothing varies."""

_KNOWN: WeakKeyDictionary[Fit, Floats] = WeakKeyDictionary()
"""Sizes of fits, as long as these are in use: all averages of a fit ask for them."""


def cell_size(fit: Fit) -> Floats:
    """Return the size of the mean outcomes that each ATT(g,t) compares, (K,).

    The largest absolute mean of any cohort, in the period or its base period.
    """
    if fit not in _KNOWN:
        by_period = _by_period(fit.source.replicated(False))
        cells = fit.estimates.cells
        ends = np.array([(cell.base, cell.time) for cell in cells], dtype=np.int64).reshape(-1, 2)
        _KNOWN[fit] = by_period[ends].max(axis=1)
    return _KNOWN[fit]


def target_size(fit: Fit, targets: Targets) -> Floats:
    """Return the size of what each coefficient is made of, (M,)."""
    of_cells = cell_size(fit)
    if targets.averages is None:
        return of_cells
    return np.asarray(targets.averages.loading.magnitude().times(of_cells[None])[0])


def varies(error: Floats, size: Floats) -> Bools:
    """Return which standard errors, (M,), are more than rounding error; not where NaN."""
    return np.asarray(error > ROUNDING * size)


def _by_period(source: SumSource) -> Floats:
    """Return the largest absolute mean outcome of any cohort, (T,)."""
    layout = source.layout
    largest = np.zeros(layout.periods.size)
    for cohort in range(layout.cohorts.size):
        np.fmax(largest, np.abs(_means(source, layout, cohort)), out=largest)
    return largest


def _means(source: SumSource, layout: Layout, cohort: int) -> Floats:
    """Return the mean outcome of a cohort, (T,); NaN where it has no weight."""
    periods = [ALL_PERIODS] if layout.panel else range(layout.periods.size)
    found = [source.sums((cohort,), Arm(0, 0, period)) for period in periods]
    total = np.concatenate([sums.y[0] for sums in found])
    weight = np.array([sums.weight[0] for sums in found])
    weight = np.broadcast_to(weight, total.shape)
    means: Floats = np.divide(total, weight, out=np.full(total.shape, np.nan), where=weight > 0)
    return means
