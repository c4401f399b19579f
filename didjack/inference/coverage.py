"""Which ATT(g,t) coefficients rest on, and which of them could not be estimated."""

from __future__ import annotations

import numpy as np

from didjack._typing import Bools, Ints
from didjack.engine.fit import Fit
from didjack.errors import EstimationWarning, warn
from didjack.inference.targets import LEAST_REPLICATES, Targets
from didjack.wording import label_text, name_some

REMEDY = (
    "see result.cells; fewer covariates, or collinear='drop' for status singular, or "
    "est_method='reg' for status overlap, may help"
)


def unestimated(fit: Fit, targets: Targets) -> Ints:
    """Return which ATT(g,t) that coefficients are about have no estimate, sorted."""
    if targets.averages is not None:
        return targets.averages.missing
    return np.flatnonzero(np.isnan(fit.estimates.att[0]))


def with_status(fit: Fit, cells: Ints) -> list[str]:
    """Write ATT(g,t) and why they have no estimate."""
    labels, status = fit.layout.axis.labels, fit.cell_status()
    keys = zip(labels(fit.cell_cohort[cells]), labels(fit.cell_time[cells]), strict=True)
    return [f"({label_text(key)}): {status[j]}" for key, j in zip(keys, cells, strict=True)]


def skipped(fit: Fit, targets: Targets) -> Bools:
    """Return whose variation a standard error lacks, as a replicate is left out, (H or 0, M)."""
    missing = targets.missing()
    options = fit.options
    if not options.jackknife or options.missing_replicates != "skip":
        return np.zeros_like(missing)
    return np.asarray(missing & ((~missing).sum(axis=0) >= LEAST_REPLICATES["skip"]))


def report_failures(fit: Fit, targets: Targets) -> None:
    """Warn of ATT(g,t) that could not be estimated."""
    bad = unestimated(fit, targets)
    if bad.size:
        warn(
            f"{_some_of(bad.size, fit.estimates.att.shape[1])} could not be estimated and "
            f"{'is' if bad.size == 1 else 'are'} NaN: {name_some(with_status(fit, bad), most=3)} "
            f"({REMEDY})",
            EstimationWarning,
        )


def report_partial(fit: Fit, targets: Targets, title: str) -> None:
    """Warn of averages that lack some of the ATT(g,t) that they are about."""
    averages, bad = targets.averages, unestimated(fit, targets)
    if averages is None or not bad.size:
        return
    n_cells, n_left = averages.n_cells, averages.n_estimated
    partial, empty = (
        name_some(label_text(key) for key in targets.index[np.flatnonzero(which)])
        for which in ((n_left > 0) & (n_left < n_cells), n_left == 0)
    )
    warn(
        f"{_some_of(bad.size, int(n_cells[targets.components].sum()))} of the {title} could not be "
        f"estimated: {name_some(with_status(fit, bad), most=3)}"
        + (
            f"; averages of the others alone, of fewer cohorts or periods: {partial}"
            * bool(partial)
        )
        + (f"; NaN, as none is left: {empty}" * bool(empty))
        + f" ({REMEDY})",
        EstimationWarning,
    )


def _some_of(count: int, total: int) -> str:
    """Write how many of all ATT(g,t)."""
    return f"{count:,} of {total:,} ATT(g,t)"
