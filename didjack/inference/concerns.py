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
from didjack.wording import label_text, name_labels, plural, short

FEW = 5
"""Fewer treated clusters than this, or clusters with control units, are worth a warning."""
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
    name, label = name_labels(targets.index[[first]], most=1), short(labels[gone[0]])
    without = f"cluster {label} ({why})"
    if clusters.size > 1:
        without = f"{clusters.size:,} clusters (first: {label}, {why})"
    what = (
        f"{int(columns.sum())} of {columns.size} coefficients of the {title} "
        f"({'first: ' if columns.sum() > 1 else ''}{name}) cannot be computed without {without}"
    )
    match options.missing_replicates:
        case "raise":
            raise UndefinedReplicateError(
                what + "; undefined='impute' imputes the missing jackknife replicates, 'nan' gives "
                "these no standard error, 'skip' leaves the replicates out"
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
    least = LEAST_REPLICATES["impute"]
    if beyond.all():
        return f"; no standard error with fewer than {least} replicates"
    if beyond.any():
        return f"; imputed where {least} replicates are left"
    return "; these jackknife replicates are imputed"


def report_design(fit: Fit) -> None:
    """Warn of a design in which inference is driven by few clusters, by their counts."""
    if not treated_weight(fit).any():
        return
    options, counts = fit.options.inference, _counts(fit)
    few, alone = _few(fit.layout.n_clusters, *counts), [] if options.jackknife else _alone(fit)
    found = [*few, *(alone or _unequal(fit))]
    if not found:
        return
    use = ": t tests can reject far too often"
    if alone:
        use = ": standard errors miss variation between treated clusters"
    elif options.jackknife and options.reference == "model":
        n_left = fit.layout.n_clusters - counts.count(1)  # without the only one, nothing is
        use = ": tests and intervals allow for it" if n_left >= LEAST_REPLICATES["impute"] else ""
    warn(f"{'; '.join(found)}{use}; see result.clusters()", FewClustersWarning)


def _counts(fit: Fit) -> tuple[int, int]:
    """Count the treated clusters, and those with control units."""
    made = zip(fit.estimates.cells, ~fit.estimates.empty, strict=True)
    compared = sorted({cohort for cell, there in made if there for cohort in cell.others})
    n_compared = (fit.layout.n_units[:, compared] > 0).any(axis=1).sum()
    return int((treated_weight(fit) > 0).sum()), int(n_compared)


def _few(n: int, n_treated: int, n_compared: int) -> list[str]:
    """Say how many of n clusters are treated, and how many have control units, if few."""
    found = []
    if n_treated < FEW:
        found.append(f"{'is' if n_treated == 1 else 'are'} treated")
    if n_compared < FEW:
        found.append(f"{'has' if n_compared == 1 else 'have'} control units")
    if not found:
        return []
    first = f"{n_treated if n_treated < FEW else n_compared} of {plural(n, 'cluster')} {found[0]}"
    tests = ONE_TREATED if n_treated == 1 else ""
    return [first + tests + "".join(f", {n_compared} {more}" for more in found[1:])]


def _unequal(fit: Fit) -> list[str]:
    """Name a cluster that outweighs the other treated ones."""
    weight = treated_weight(fit)
    share = shares(weight)
    if not ((weight > 0).sum() > 1 and share.max() > MOST):
        return []
    largest = fit.layout.cluster_labels[int(share.argmax())]
    return [f"cluster {short(largest)} has {share.max():.0%} of the treated weight"]


def _alone(fit: Fit) -> list[str]:
    """Name cohorts that lie in one cluster: nothing tells how they vary between clusters."""
    n_units = fit.layout.n_units
    alone = np.flatnonzero(((n_units > 0).sum(axis=0) == 1) & treated_cohorts(fit))
    if fit.by_unit or not alone.size:
        return []
    cohorts = fit.layout.axis.labels(fit.layout.cohorts[alone])
    clusters = fit.layout.cluster_labels[(n_units[:, alone] > 0).argmax(axis=0)]
    cohort, cluster = label_text(cohorts[0]), short(clusters[0])
    if alone.size == 1:
        return [f"cohort {cohort} is in cluster {cluster} only"]
    return [f"{alone.size:,} cohorts are in one cluster each (first: {cohort})"]
