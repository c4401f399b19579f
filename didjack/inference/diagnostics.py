"""Which clusters drive the estimates, how many there are in effect, and the warnings about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

import numpy as np
import pandas as pd

from didjack._typing import NEVER, Bools, Floats, Ints
from didjack.errors import (
    FewClustersWarning,
    InferenceWarning,
    UndefinedReplicateError,
    warn,
)
from didjack.estimation.fit import Fit
from didjack.inference.targets import LEAST_REPLICATES, ROUNDING, Targets
from didjack.inference.variance import KINDS
from didjack.inference.variance.base import Evidence, VarianceInputs
from didjack.inference.variance.jackknife import deviations
from didjack.leave_one_out import Replicates
from didjack.options import Vcov
from didjack.wording import label_text, name_labels, plural, short

# ---- what each cluster does ----------------------------------------------------------------------


def clusters(fit: Fit, overall: Evidence | None) -> pd.DataFrame:
    """Describe the clusters, one row each; see `Result.clusters`.

    Parameters
    ----------
    overall : Evidence whose last coefficient is the overall ATT, if there is one
    """
    layout, sample = fit.layout, fit.options.sample
    theta = overall_theta(fit, overall)
    reference = OverallReference.from_evidence(overall)
    return pd.DataFrame(
        {
            "n_obs": layout.n_rows,
            "n_units": layout.n_units.sum(axis=1),
            "cohorts": _cohorts(fit),
            "treated": (layout.n_units[:, treated_cohorts(fit)] > 0).any(axis=1),
            "treated_share": shares(treated_weight(fit)),
            "influence": theta.full - theta.deleted,
            "variance_share": overall_share(fit, overall),
            "partial_leverage": np.full(layout.n_clusters, np.nan)
            if reference is None
            else reference.leverage,
        },
        index=layout.cluster_labels.rename(sample.cluster or sample.idname),
    )


def overall_theta(fit: Fit, overall: Evidence | None) -> Replicates[np.float64]:
    """Return the overall ATT in all replicates, (1 + H,); NaN where there is none."""
    if overall is None or not fit.options.inference.jackknife:
        return Replicates(np.full(1 + fit.layout.n_clusters, np.nan))
    return overall.targets.estimates.take(-1)


def overall_share(fit: Fit, overall: Evidence | None) -> Floats:
    """Return the share of each cluster in the variance of the overall ATT, (H,), or NaN."""
    if overall is None or not fit.options.inference.jackknife:
        return np.full(fit.layout.n_clusters, np.nan)
    return share_in_target(overall, -1)


def share_in_target(evidence: Evidence, at: int) -> Floats:
    """Return the share of each cluster in the variance of a coefficient, (H,).

    NaN where a replicate is missing; all of them if replicates differ by rounding errors only.
    """
    theta = evidence.targets.estimates.take(at)
    share = share_of_variance(theta, evidence.options.vcov)
    spread = np.sqrt(np.nansum((theta.deleted - theta.full) ** 2))
    return share if spread > ROUNDING * evidence.size[at] else share * np.nan


def treated_cohorts(fit: Fit) -> Bools:
    """Return which cohorts have an ATT(g,t) from treatment on, (C,)."""
    post = fit.cell_cohort_position[fit.cell_time >= fit.cell_cohort]
    return np.isin(np.arange(fit.layout.cohorts.size), post)


def treated_clusters(fit: Fit, targets: Targets) -> Ints:
    """Count the clusters of the cohorts that each coefficient is an effect on, (M,)."""
    there = (fit.layout.n_units > 0).astype(np.int64)
    return np.asarray((there @ _treated_by(fit, targets) > 0).sum(axis=0))


def _treated_by(fit: Fit, targets: Targets) -> Bools:
    """Return which cohorts each coefficient is an effect on, (C, M)."""
    position = fit.cell_cohort_position
    cohorts = np.arange(fit.layout.cohorts.size)
    if targets.aggregated is None:
        return np.asarray(cohorts[:, None] == position)
    loading = targets.aggregated.loading
    return np.array([loading.touches(position == c) for c in cohorts])


def unseen_variation(fit: Fit, targets: Targets) -> list[str]:
    """Say what variation between clusters analytic standard errors miss, (M,); empty: none known.

    The mean of a cohort in one cluster has no residual between clusters, whatever its shocks are.
    """
    treated, (_, n_control) = treated_clusters(fit, targets), _counts(fit)
    single = (fit.layout.n_units > 0).sum(axis=0) == 1
    behind = _treated_by(fit, targets)
    all_single = behind.any(axis=0) & ~(behind & ~single[:, None]).any(axis=0)
    found = np.where(all_single, SINGLE_COHORTS, "").astype(object)
    found[treated == 1] = ONE_TREATED_CLUSTER
    if n_control == 1:
        found[found == ""] = ONE_CONTROL_CLUSTER
    return [str(reason) for reason in found]


def _cohorts(fit: Fit) -> list[tuple[object, ...]]:
    """List the labels of the cohorts in each cluster, the never-treated last."""
    layout = fit.layout
    cohorts = layout.distinct_cohorts
    never = cohorts == NEVER
    labels = np.empty(never.size, dtype=object)
    labels[~never] = layout.axis.labels(cohorts[~never]).tolist()
    labels[never] = "never"
    return [tuple(labels[row].tolist()) for row in layout.units_of_cohorts > 0]


def treated_weight(fit: Fit) -> Floats:
    """Return the weight of treated units by cluster, (H,)."""
    return np.asarray(fit.layout.share[:, treated_cohorts(fit)].sum(axis=1))


def shares(values: Floats) -> Floats:
    """Divide by the sum; NaN where that is not positive."""
    total = values.sum()
    return values / total if total > 0 else np.full(values.shape, np.nan)


def share_of_variance(theta: Replicates[np.float64], kind: Vcov) -> Floats:
    """Return the share of each replicate in the variance of one coefficient, (H,).

    NaN where a replicate is missing.
    """
    deviation, valid = deviations(
        theta.map(lambda column: column[:, None]), KINDS[kind].centre_on_mean
    )
    return np.where(valid[:, 0], shares(deviation[:, 0] ** 2), np.nan)


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


def at_a_glance(fit: Fit, overall: Evidence | None) -> dict[str, object]:
    """Tell what the overall ATT is driven by, for `glance`.

    Parameters
    ----------
    overall : Evidence whose last coefficient is the overall ATT, if there is one
    """
    reference = OverallReference.from_evidence(overall)
    return {
        "n_empty_clusters": int((fit.layout.n_units.sum(axis=1) == 0).sum()),
        "effective_clusters": effective_number(fit.layout.share.sum(axis=1)),
        "effective_treated_clusters": effective_number(treated_weight(fit)),
        "g_star": np.nan if reference is None else effective_number(reference.leverage),
        "critical_value": np.nan if reference is None else reference.critical_value,
        "critical_value_t": np.nan if reference is None else reference.student,
        "reference_method": "" if reference is None else reference.method,
        "composition_share": composition_share(overall),
    }


# ---- overall -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class OverallReference:
    """The reference distribution of the t statistic of the overall ATT, the last of M coefficients.

    Attributes
    ----------
    critical_value : of the working model
    student : of t(df)
    df : R - 1
    method : how it is computed, in words
    leverage : (H,) share of each cluster in the variance of the estimate
    """

    critical_value: float
    student: float
    df: int
    method: str
    leverage: Floats

    @classmethod
    def from_evidence(cls, overall: Evidence | None) -> OverallReference | None:
        """Compute it; None where there is no standard error or no reference distribution.

        Parameters
        ----------
        overall : Evidence whose last coefficient is the overall ATT, if there is one
        """
        if overall is None or not overall.options.jackknife:
            return None
        evidence = overall.under(reference="model")
        inputs = _last(evidence)
        variance = KINDS[evidence.options.vcov].variance(inputs)
        loadings = inputs.loadings(0)
        if np.isnan(variance.std_error[0]) or loadings is None:
            return None
        alpha = evidence.options.alpha
        return cls(
            critical_value=float(variance.critical_value(alpha)[0]),
            student=float(variance.student(alpha)[0]),
            df=int(variance.df[0]),
            method=variance.reference.method if variance.reference else "",
            leverage=loadings.leverage(evidence.design.variance),
        )


def _last(evidence: Evidence) -> VarianceInputs:
    """Return what the variance of the last coefficient is made from."""
    weights = np.zeros((1, evidence.targets.theta.shape[1]))
    weights[0, -1] = 1.0
    return VarianceInputs(evidence.targets.theta[:, [-1]], evidence, weights)


def composition_share(overall: Evidence | None) -> float:
    """Return the share of the overall ATT's variance from replicates that aggregate other cells."""
    if overall is None or not overall.options.jackknife:
        return np.nan
    centre_on_mean, targets = KINDS[overall.options.vcov].centre_on_mean, overall.targets
    square = deviations(targets.estimates.take([-1]), centre_on_mean)[0][:, 0] ** 2
    total, turned = square.sum(), targets.changed()[:, -1]
    return float(square[turned].sum() / total) if total > 0 else np.nan


# ---- warnings ------------------------------------------------------------------------------------

_UNSEEN = "own variation is not in the standard error"
ONE_TREATED_CLUSTER = f"one treated cluster: its {_UNSEEN}"
SINGLE_COHORTS = f"every treated cohort is in a single cluster: their {_UNSEEN}"
ONE_CONTROL_CLUSTER = f"one control cluster: its {_UNSEEN}"

FEW = 5
"""Fewer treated clusters than this, or clusters with control units, are worth a warning."""
ONE_TREATED = " (see placebo_test())"
MOST = 0.5
"""So is one cluster with more than this share of the treated weight."""


def report_missing(fit: Fit, targets: Targets, title: str) -> None:
    """Warn of standard errors that are missing, imputed or skip replicates, or raise.

    Of ATT(g,t), which few people read one by one, the status and the summary say it.
    """
    options, missing = fit.options.inference, targets.missing()
    if not options.jackknife or not missing.any():
        return
    if targets.aggregated is None and options.missing_replicates != "raise":
        return
    columns, clusters = missing.any(axis=0), np.flatnonzero(missing.any(axis=1))
    labels = fit.layout.cluster_labels
    first = int(np.flatnonzero(columns)[0])
    gone = np.flatnonzero(missing[:, first])
    why = targets.why_missing(first, int(gone[0]))
    name, label = name_labels(targets.index[[first]], most=1), short(labels[gone[0]])
    without = f"cluster {label} ({why})"
    if clusters.size > 1:
        without = f"{clusters.size:,} clusters (first: {label})"
    what = (
        f"{int(columns.sum())} of {columns.size} coefficients of the {title} "
        f"({'first: ' if columns.size > 1 else ''}{name}) cannot be computed without {without}"
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
    options, counts = fit.options.inference, _counts(fit)
    if not treated_weight(fit).any() or (options.jackknife and options.reference == "model"):
        return  # nothing is treated, or tests and intervals allow for it
    few, alone = _few(fit.layout.n_clusters, *counts), [] if options.jackknife else _alone(fit)
    found = [*few, *(alone or _unequal(fit))]
    if not found:
        return
    use = ": t tests can reject far too often"
    if alone:
        use = ": standard errors miss variation between treated clusters"
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
