"""Which clusters carry the estimates, and how many there are in effect."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from didjack._typing import NEVER, Bools, Floats
from didjack.engine.fit import Fit
from didjack.errors import InferenceWarning, UndefinedReplicateError, warn
from didjack.inference.statistics import deviations, first_reason
from didjack.wording import name_some, plural

if TYPE_CHECKING:
    from didjack.results.base import Result
    from didjack.results.group_time import GroupTimeResult

FEW = 5
"""Fewer treated clusters than this, or clusters to compare with, are worth a warning."""
MOST = 0.5
"""So is one cluster with more than this share of the treated weight, or of the variance."""


def clusters(result: Result) -> pd.DataFrame:
    """Build the table of `Result.clusters`."""
    fit, design = result._fit, result._fit.layout
    options = result.options
    theta = result._overall_theta if options.jackknife else np.full(design.n_clusters + 1, np.nan)
    name = options.cluster or options.idname
    return pd.DataFrame(
        {
            "n_obs": design.n_rows,
            "n_units": design.n_units.sum(axis=1),
            "cohorts": _cohorts(fit),
            "treated": (design.n_units[:, _treated(fit)] > 0).any(axis=1),
            "treated_share": _share(treated_weight(fit)),
            "influence": theta[0] - theta[1:],
            "variance_share": share_of_variance(theta, options.vcov == "CV3J"),
        },
        index=design.cluster_labels.rename(name),
    )


def _treated(fit: Fit) -> Bools:
    """Return which cohorts have an ATT(g,t) from treatment on, (C,)."""
    post = fit.cell_cohort[fit.cell_time >= fit.cell_group]
    return np.isin(np.arange(fit.layout.cohorts.size), post)


def _cohorts(fit: Fit) -> list[tuple[object, ...]]:
    """List the labels of the cohorts in each cluster, the never-treated last."""
    design = fit.layout
    never = design.cohorts == NEVER
    labels = np.empty(never.size, dtype=object)
    labels[~never] = design.axis.labels(design.cohorts[~never]).tolist()
    labels[never] = "never"
    return [tuple(labels[row].tolist()) for row in design.n_units > 0]


def treated_weight(fit: Fit) -> Floats:
    """Return the weight of treated units by cluster, (H,)."""
    return np.asarray(fit.layout.share[:, _treated(fit)].sum(axis=1))


def _share(values: Floats) -> Floats:
    total = values.sum()
    return values / total if total > 0 else np.full(values.shape, np.nan)


def share_of_variance(theta: Floats, centre_on_mean: bool) -> Floats:
    """Return the share of each replicate, (R,) with the full sample first, in CV3; (H,).

    NaN where a replicate is missing.
    """
    deviation, valid = deviations(theta[:, None], centre_on_mean)
    return np.where(valid[:, 0], _share(deviation[:, 0] ** 2), np.nan)


def effective_number(weights: Floats) -> float:
    r"""Count clusters by their weights: :math:`(\sum_h w_h)^2 / \sum_h w_h^2`, (H,).

    The inverse of Herfindahl's index: H equal clusters count H. This is :math:`G^*` of Carter,
    Schnepel & Steigerwald (2017), doi:10.1162/REST_a_00639, for clusters whose contributions to
    the variance are proportional to `weights`, as those to a mean of independent units of equal
    variance are; in general it depends on the regressors and on an assumed error covariance.

    Examples
    --------
    >>> import numpy as np
    >>> effective_number(np.array([2.0, 2.0, 2.0])), effective_number(np.array([8.0, 1.0, 1.0]))
    (3.0, 1.5151515151515151)
    """
    square = (weights**2).sum()
    return float(weights.sum() ** 2 / square) if square > 0 else float("nan")


def effective_numbers(fit: Fit) -> dict[str, float]:
    """Count all clusters and the treated ones by their weight, for `glance`."""
    return {
        "effective_clusters": effective_number(fit.layout.share.sum(axis=1)),
        "effective_treated_clusters": effective_number(treated_weight(fit)),
    }


def concerns(result: GroupTimeResult) -> list[str]:
    """Say what makes inference hinge on few clusters, if anything."""
    fit, labels = result._fit, result._fit.layout.cluster_labels
    weight = treated_weight(fit)
    n_treated = int((weight > 0).sum())
    if not n_treated:
        return []
    found = []
    if n_treated < FEW:
        found.append(
            f"{n_treated} of {plural(labels.size, 'cluster')} "
            f"{'is' if n_treated == 1 else 'are'} treated"
        )
    compared = sorted({cohort for cell in fit.estimates.cells for cohort in cell.comparison})
    n_compared = int((fit.layout.n_units[:, compared] > 0).any(axis=1).sum())
    if n_compared < FEW:
        found.append(
            f"{n_compared} of {plural(labels.size, 'cluster')} "
            f"{'has' if n_compared == 1 else 'have'} units to compare with"
        )
    share = _share(weight)
    largest = labels[int(share.argmax())]
    if n_treated > 1 and share.max() > MOST:
        found.append(
            f"cluster {largest} holds {share.max():.0%} of the weight of treated "
            f"units (as unequal as {effective_number(weight):.1f} equal treated clusters)"
        )
    if result.options.jackknife:
        found.extend(_dominant(result))
    else:
        found.extend(_alone(fit))
    return found


def _dominant(result: Result) -> list[str]:
    """Name a cluster that makes up most of the variance of the overall ATT."""
    share = share_of_variance(result._overall_theta, result.options.vcov == "CV3J")
    if np.isnan(share).all() or not np.nanmax(share) > MOST:
        return []
    label = result._fit.layout.cluster_labels[int(np.nanargmax(share))]
    return [
        f"cluster {label} makes up {np.nanmax(share):.0%} of the {result.options.vcov} variance "
        "of the overall ATT"
    ]


def report_missing(result: Result) -> None:
    """Warn, once, of standard errors that are missing or skip replicates, or raise."""
    options, targets = result.options, result._targets
    missing = targets.missing()
    if not options.jackknife or not missing.any():
        return
    columns, clusters = missing.any(axis=0), np.flatnonzero(missing.any(axis=1))
    labels = result._fit.layout.cluster_labels
    first = int(np.flatnonzero(columns)[0])
    why = first_reason(missing[:, first], labels, partial(targets.why_missing, first))
    what = (
        f"{int(columns.sum())} of {columns.size} coefficients of the {result.title} "
        f"({name_some(targets.index[np.flatnonzero(columns)], most=3)}) cannot be computed without "
        f"{'cluster' if clusters.size == 1 else 'some clusters:'} "
        f"{name_some(labels[clusters], most=5)} ({why})"
    )
    if options.undefined == "raise":
        raise UndefinedReplicateError(
            what + "; undefined='nan' gives these no standard error, 'skip' leaves the "
            "replicates out"
        )
    consequence = "; their standard errors are NaN. undefined='skip' leaves these replicates out"
    if options.undefined == "skip":
        consequence = "; their standard errors hold no variation from these clusters"
    warn(what + consequence, InferenceWarning)


def _alone(fit: Fit) -> list[str]:
    """Name cohorts that lie in one cluster: nothing tells how they vary between clusters."""
    n_units = fit.layout.n_units
    alone = np.flatnonzero(((n_units > 0).sum(axis=0) == 1) & _treated(fit))
    if fit.options.by_unit or not alone.size:
        return []
    cohorts = fit.layout.axis.labels(fit.layout.cohorts[alone])
    clusters = fit.layout.cluster_labels[(n_units[:, alone] > 0).argmax(axis=0)]
    pairs = [f"cohort {g} in cluster {h}" for g, h in zip(cohorts, clusters, strict=True)]
    return [
        f"{plural(alone.size, 'cohort')} {'lies' if alone.size == 1 else 'lie'} in one cluster "
        f"each ({name_some(pairs, 3)}): standard errors of their effects hold no variation "
        "between treated clusters"
    ]
