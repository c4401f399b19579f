"""What a user should know of a fit before believing it: warnings, each given once."""

from __future__ import annotations

from functools import partial
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
    OverallLaw,
    effective_number,
    overall_share,
    shares,
    treated_cohorts,
    treated_weight,
)
from didjack.inference.statistics import first_reason
from didjack.inference.targets import LEAST_REPLICATES, Targets
from didjack.wording import name_labels, name_some, plural

FEW = 5
"""Fewer treated clusters than this, or clusters to compare with, are worth a warning."""
ONE_TREATED = (
    " (tests for that: placebo_test() and randomization_test(statistic='estimate') of "
    "result.aggregate())"
)
MOST = 0.5
"""So is one cluster with more than this share of the treated weight, or of the variance."""

MOST_TIMES = 1.1
"""So is a critical value of more than so many times that of t(R - 1)."""


def report_missing(fit: Fit, targets: Targets, title: str) -> None:
    """Warn of standard errors that are missing or skip replicates, or raise."""
    options, missing = fit.options, targets.missing()
    if not options.jackknife or not missing.any():
        return
    columns, clusters = missing.any(axis=0), np.flatnonzero(missing.any(axis=1))
    labels = fit.layout.cluster_labels
    first = int(np.flatnonzero(columns)[0])
    why = first_reason(missing[:, first], labels, partial(targets.why_missing, first))
    what = (
        f"{int(columns.sum())} of {columns.size} coefficients of the {title} "
        f"({name_labels(targets.index[np.flatnonzero(columns)], most=3)}) cannot be computed "
        f"without {'cluster' if clusters.size == 1 else 'some clusters:'} "
        f"{name_some(labels[clusters], most=5)} ({why})"
    )
    match options.missing_replicates:
        case "raise":
            raise UndefinedReplicateError(
                what + "; undefined='model' makes up for the missing replicates, 'nan' gives these "
                "no standard error, 'skip' leaves the replicates out"
            )
        case "model":
            consequence = _made_up(targets.beyond_model()[columns])
        case "skip":
            consequence = "; their standard errors hold no variation from these clusters"
        case "nan":
            consequence = (
                "; their standard errors are NaN. undefined='skip' leaves these replicates out"
            )
        case _:
            assert_never(options.missing_replicates)
    warn(what + consequence, InferenceWarning)


def _made_up(beyond: Bools) -> str:
    """Say what the working model makes up for, given which coefficients are beyond it."""
    none = f"fewer than {LEAST_REPLICATES['model']} replicates are left to make up for them"
    if beyond.all():
        return f"; they have no standard error: {none}"
    said = (
        "; their standard errors and tests come from the other replicates and take the shocks of "
        "these clusters to be like the others'"
    )
    lost = int(beyond.sum())
    return said + (
        f"; {lost} of them {'has' if lost == 1 else 'have'} none: {none}" if lost else ""
    )


def report_design(fit: Fit, overall: Targets | None) -> None:
    """Warn of a design in which inference hinges on few clusters.

    Parameters
    ----------
    overall : Targets whose last coefficient is the overall ATT, if there is one
    """
    law = OverallLaw.of(fit, overall)
    found = concerns(fit, overall, law)
    if found:
        options = fit.options
        modelled = options.jackknife and options.reference == "model"
        modelled &= overall is None or law is not None  # without a law there is nothing that allows
        use = "t tests can reject far too often in such designs"
        if modelled:
            use = "Tests and intervals allow for it"
        warn(
            "; ".join(found) + f". {use}: see result.clusters(), result.compare_vcov() and "
            "result.plot(kind='replicates')",
            FewClustersWarning,
        )


def concerns(fit: Fit, overall: Targets | None, law: OverallLaw | None) -> list[str]:
    """Say what makes inference hinge on few clusters, if anything."""
    if not treated_weight(fit).any():
        return []
    found = [*_few(fit), *_unequal(fit)]
    if not fit.options.jackknife:
        return found + _alone(fit)
    dominant = _dominant(fit, overall)
    if law is None or overall is None:
        return found + dominant
    usual = law.critical_value <= MOST_TIMES * law.student and not overall.missing()[:, -1].any()
    if usual and not dominant:
        return []
    return [
        *([] if usual else found),
        *dominant,
        f"the critical value of the simple average is {law.critical_value:.2f} under the working "
        f"model, where t({law.df}) has {law.student:.2f}",
    ]


def _few(fit: Fit) -> list[str]:
    """Count the treated clusters, and those to compare with, if these are few."""
    n = fit.layout.n_clusters
    n_treated = int((treated_weight(fit) > 0).sum())
    made = zip(fit.estimates.cells, ~fit.estimates.empty, strict=True)
    compared = sorted({cohort for cell, there in made if there for cohort in cell.others})
    n_compared = int((fit.layout.n_units[:, compared] > 0).any(axis=1).sum())
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
    return [
        f"cluster {largest} holds {share.max():.0%} of the weight of treated units (as unequal "
        f"as {effective_number(weight):.1f} equal treated clusters)"
    ]


def _dominant(fit: Fit, overall: Targets | None) -> list[str]:
    """Name a cluster that makes up most of the variance of the simple average."""
    share = overall_share(fit, overall)
    if np.isnan(share).all() or not np.nanmax(share) > MOST:
        return []
    label = fit.layout.cluster_labels[int(np.nanargmax(share))]
    return [
        f"cluster {label} makes up {np.nanmax(share):.0%} of the {fit.options.vcov} variance "
        "of the simple average"
    ]


def _alone(fit: Fit) -> list[str]:
    """Name cohorts that lie in one cluster: nothing tells how they vary between clusters."""
    n_units = fit.layout.n_units
    alone = np.flatnonzero(((n_units > 0).sum(axis=0) == 1) & treated_cohorts(fit))
    if fit.options.by_unit or not alone.size:
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
