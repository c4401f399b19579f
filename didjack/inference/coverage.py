"""Which ATT(g,t) coefficients rest on, and which of them could not be estimated."""

from __future__ import annotations

import numpy as np

from didjack._typing import Bools, Ints
from didjack.engine.fit import Fit
from didjack.errors import EstimationWarning, warn
from didjack.inference.targets import LEAST_REPLICATES, Targets
from didjack.wording import label_text, name_some

REMEDIES = {"singular": "collinear='drop'", "overlap": "est_method='reg'"}
"""What may help where ATT(g,t) have no estimate, by their status."""


def unestimated(fit: Fit, targets: Targets) -> Ints:
    """Return which ATT(g,t) that coefficients are about have rows but no estimate, sorted."""
    bare = np.flatnonzero(np.isnan(fit.estimates.att[0]))
    if targets.averages is not None:
        bare = targets.averages.missing
    return bare[~fit.estimates.empty[bare]]


def absent(fit: Fit, targets: Targets) -> Bools:
    """Return which coefficients, (M,), are about ATT(g,t) without rows alone."""
    empty, averages = fit.estimates.empty, targets.averages
    if averages is None:
        return empty
    gone = np.asarray((averages.n_cells > 0) & (averages.n_estimated == 0))
    of_failed = averages.loading.component[unestimated(fit, targets)]
    gone[of_failed[of_failed >= 0]] = False
    return gone


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


def report_empty(fit: Fit) -> None:
    """Warn of ATT(g,t) without rows of the cohort or of its control group."""
    empty = np.flatnonzero(fit.estimates.empty)
    if empty.size:
        labels = fit.layout.axis.labels
        keys = zip(labels(fit.cell_cohort[empty]), labels(fit.cell_time[empty]), strict=True)
        names = name_some((f"ATT({label_text(key)})" for key in keys), most=3)
        have = "has" if empty.size == 1 else "have"
        warn(
            f"{empty.size:,} of {fit.estimates.empty.size:,} ATT(g,t) {have} no rows of the cohort "
            f"or of its control group: {names}; averages leave {'it' if have == 'has' else 'them'} "
            "out (see result.cells)",
            EstimationWarning,
        )


def report_failures(fit: Fit, targets: Targets) -> None:
    """Warn of ATT(g,t) that could not be estimated."""
    bad = unestimated(fit, targets)
    if bad.size:
        warn(
            f"{bad.size:,} of {fit.estimates.att.shape[1]:,} ATT(g,t) could not be estimated and "
            f"{'is' if bad.size == 1 else 'are'} NaN: {name_some(with_status(fit, bad), most=3)} "
            f"({_remedy(fit, bad)})",
            EstimationWarning,
        )


def report_partial(fit: Fit, targets: Targets, title: str) -> None:
    """Warn of averages that lack some of the ATT(g,t) that they are about."""
    averages, bad = targets.averages, unestimated(fit, targets)
    if averages is None or not bad.size:
        return
    n_cells, n_left = averages.n_cells, averages.n_estimated
    parts = [
        f"{bad.size:,} of {n_cells[targets.components].sum():,} ATT(g,t) of the {title} could not "
        f"be estimated: {name_some(with_status(fit, bad), most=3)}"
    ]
    for what, which in (
        ("averages of the others alone, of fewer cohorts or periods", n_left > 0),
        ("NaN, as none is left", n_left == 0),
    ):
        keys = targets.index[np.flatnonzero(which & (n_left < n_cells))]
        if len(keys):
            parts.append(f"{what}: {name_some(map(label_text, keys))}")
    warn(f"{'; '.join(parts)} ({_remedy(fit, bad)})", EstimationWarning)


def _remedy(fit: Fit, cells: Ints) -> str:
    """Say what may help where some ATT(g,t) have no estimate."""
    status = fit.cell_status()
    found = {status[j].split(":")[0] for j in cells}
    ways = ["fewer covariates", *(way for word, way in REMEDIES.items() if word in found)]
    return f"see result.cells; {' or '.join(ways)} may help"
