"""What a user should know of a fit before believing it: warnings, each given once."""

from __future__ import annotations

from typing import assert_never

import numpy as np

from didjack._typing import Bools
from didjack.errors import (
    FewClustersWarning,
    InferenceWarning,
    UndefinedReplicateError,
    warn,
)
from didjack.estimation.fit import Fit
from didjack.inference.diagnostics import (
    shares,
    treated_cohorts,
    treated_weight,
)
from didjack.inference.targets import LEAST_REPLICATES, Targets
from didjack.wording import name_labels, name_some, plural

FEW = 5
"""Fewer treated clusters than this, or clusters to compare with, are worth a warning."""
ONE_TREATED = " (see placebo_test())"
MOST = 0.5
"""So is one cluster with more than this share of the treated weight."""


def report_missing(fit: Fit, targets: Targets, title: str) -> None:
    """Warn of standard errors that are missing or skip replicates, or raise."""
    options, missing = fit.options.inference, targets.missing()
    if not options.jackknife or not missing.any():
        return
    columns, clusters = missing.any(axis=0), np.flatnonzero(missing.any(axis=1))
    labels = fit.layout.cluster_labels
    first = int(np.flatnonzero(columns)[0])
    gone = np.flatnonzero(missing[:, first])
    why = targets.why_missing(first, int(gone[0]))
    what = (
        f"{int(columns.sum())} of {columns.size} coefficients of the {title} "
        f"({name_labels(targets.index[np.flatnonzero(columns)], most=1)}) cannot be computed "
        f"without {'cluster' if clusters.size == 1 else 'some clusters:'} "
        f"{name_some(labels[clusters], most=1)} ({why})"
    )
    match options.missing_replicates:
        case "raise":
            raise UndefinedReplicateError(
                what + "; undefined='impute' imputes the missing replicates, 'nan' gives these no "
                "standard error, 'skip' leaves the replicates out"
            )
        case "impute":
            consequence = _imputed(targets.beyond_imputation()[columns])
        case "skip":
            consequence = "; standard errors leave these clusters out"
        case "nan":
            consequence = "; their standard errors are NaN"
        case _:
            assert_never(options.missing_replicates)
    warn(what + consequence, InferenceWarning)


def _imputed(beyond: Bools) -> str:
    """Say what is imputed, given for which coefficients it cannot be."""
    none = f"fewer than {LEAST_REPLICATES['impute']} replicates are left"
    if beyond.all():
        return f"; they have no standard error: {none}"
    said = "; these replicates are imputed"
    lost = int(beyond.sum())
    return said + (
        f"; {lost} {'has' if lost == 1 else 'have'} no standard error: {none}" if lost else ""
    )


def report_design(fit: Fit) -> None:
    """Warn of a design in which inference is driven by few clusters, by their counts."""
    if not treated_weight(fit).any():
        return
    options, counts = fit.options.inference, _counts(fit)
    found = [*_few(fit.layout.n_clusters, *counts), *_unequal(fit)]
    if not options.jackknife:
        found += _alone(fit)
    if not found:
        return
    use = ": t tests can reject far too often"
    if options.jackknife and options.reference == "model":
        n_left = fit.layout.n_clusters - counts.count(1)  # without the only one, nothing is
        use = ": tests and intervals allow for it" if n_left >= LEAST_REPLICATES["impute"] else ""
    warn(f"{'; '.join(found)}{use}; see result.clusters()", FewClustersWarning)


def _counts(fit: Fit) -> tuple[int, int]:
    """Count the treated clusters, and those to compare with."""
    made = zip(fit.estimates.cells, ~fit.estimates.empty, strict=True)
    compared = sorted({cohort for cell, there in made if there for cohort in cell.others})
    n_compared = (fit.layout.n_units[:, compared] > 0).any(axis=1).sum()
    return int((treated_weight(fit) > 0).sum()), int(n_compared)


def _few(n: int, n_treated: int, n_compared: int) -> list[str]:
    """Say how many of n clusters are treated, and how many there are to compare with, if few."""
    found = []
    if n_treated < FEW:
        are = "is" if n_treated == 1 else "are"
        tests = ONE_TREATED if n_treated == 1 else ""
        found.append(f"{n_treated} of {plural(n, 'cluster')} {are} treated{tests}")
    if n_compared < FEW:
        have = "has" if n_compared == 1 else "have"
        found.append(f"{n_compared} of {plural(n, 'cluster')} {have} units to compare with")
    return found


def _unequal(fit: Fit) -> list[str]:
    """Name a cluster that outweighs the other treated ones."""
    weight = treated_weight(fit)
    share = shares(weight)
    if not ((weight > 0).sum() > 1 and share.max() > MOST):
        return []
    largest = fit.layout.cluster_labels[int(share.argmax())]
    return [f"cluster {largest} holds {share.max():.0%} of the weight of treated units"]


def _alone(fit: Fit) -> list[str]:
    """Name cohorts that lie in one cluster: nothing tells how they vary between clusters."""
    n_units = fit.layout.n_units
    alone = np.flatnonzero(((n_units > 0).sum(axis=0) == 1) & treated_cohorts(fit))
    if fit.by_unit or not alone.size:
        return []
    cohorts = fit.layout.axis.labels(fit.layout.cohorts[alone])
    clusters = fit.layout.cluster_labels[(n_units[:, alone] > 0).argmax(axis=0)]
    pairs = [f"cohort {g} in cluster {h}" for g, h in zip(cohorts, clusters, strict=True)]
    where, their = "lie in one cluster each", "their"
    if alone.size == 1:
        where, their = "lies in one cluster", "its"
    return [
        f"{plural(alone.size, 'cohort')} {where} ({name_some(pairs, 3)}): standard errors of "
        f"{their} effects hold no variation between treated clusters"
    ]
