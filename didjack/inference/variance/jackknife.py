"""Replicates -> cluster jackknife: CV3, and CV3J, which is centred on their mean.

Sources: MacKinnon, Nielsen & Webb (2023), J. Applied Econometrics, doi:10.1002/jae.2969; Karim,
Nielsen, MacKinnon & Webb (2026).
"""

from __future__ import annotations

from functools import partial

import numpy as np

from didjack._typing import Bools, Floats, Ints
from didjack.inference.reference.t_statistics import Reference, reference
from didjack.inference.reference.working_model import Design
from didjack.inference.statistics import Variance, with_diagonal
from didjack.inference.targets import LEAST_REPLICATES, combine
from didjack.inference.variance.base import Evidence, VarianceInputs, VarianceKind
from didjack.leave_one_out import Replicates
from didjack.options import Undefined


def deviations(theta: Replicates[np.float64], centre_on_mean: bool) -> tuple[Floats, Bools]:
    """Replicates less their centre, (H, M), zero where missing; and where they are not missing."""
    replicates = theta.deleted
    valid = ~np.isnan(replicates)
    centre = theta.full
    if centre_on_mean:
        count = valid.sum(axis=0)
        total = np.where(valid, replicates, 0.0).sum(axis=0)
        centre = np.divide(total, count, out=np.full(count.size, np.nan), where=count > 0)
    return np.where(valid, replicates - centre, 0.0), valid


def jackknife(
    theta: Replicates[np.float64], undefined: Undefined, centre_on_mean: bool = False
) -> Variance:
    r"""Cluster jackknife standard errors, CV3 or CV3J.

    The square roots of the diagonal of

    .. math:: \frac{R-1}{R} \sum_h (\theta_{(h)} - c)(\theta_{(h)} - c)'

    with c the full-sample estimate (CV3) or the mean of the replicates (CV3J), and R the number
    of replicates. Tests use t(R - 1).

    Parameters
    ----------
    theta : (1 + H, M) estimates in the full sample and without each cluster
    undefined : what a missing replicate does: "skip" and "impute" leave it out (see `CV3`),
        otherwise the error is NaN
    centre_on_mean : CV3J

    References
    ----------
    MacKinnon, Nielsen & Webb (2023), J. Applied Econometrics, doi:10.1002/jae.2969; Karim,
    Nielsen, MacKinnon & Webb (2026).
    """
    deviation, valid = deviations(theta, centre_on_mean)
    count = valid.sum(axis=0)
    least = len(valid)
    bad = np.isnan(theta.full) | (count < 2)
    bad |= count < min(LEAST_REPLICATES.get(undefined, least), least)
    variance = _shrink(count) * (deviation**2).sum(axis=0)
    return Variance(
        np.where(bad, np.nan, np.sqrt(variance)), np.where(bad, np.nan, count - 1.0), count
    )


def jackknife_covariance(
    theta: Replicates[np.float64], undefined: Undefined, centre_on_mean: bool = False
) -> Floats:
    """Cluster jackknife covariance, (M, M); its diagonal is that of `jackknife`.

    Where replicates are skipped, a covariance uses those that both coefficients have.
    """
    deviation, valid = deviations(theta, centre_on_mean)
    both = valid.T.astype(float) @ valid.astype(float)
    error = jackknife(theta, undefined, centre_on_mean).std_error
    return with_diagonal(_shrink(both) * (deviation.T @ deviation), error)


def _shrink(count: Floats | Ints) -> Floats:
    """(R - 1) / R; NaN for R = 0."""
    count = np.asarray(count, dtype=float)
    shrink: Floats = np.divide(
        count - 1.0, count, out=np.full(count.shape, np.nan), where=count > 0
    )
    return shrink


class CV3(VarianceKind):
    """The cluster jackknife, centred on the full-sample estimate."""

    name = "CV3"
    needs_replicates = True
    parts = "replicates"
    no_variation = "the estimate is the same without any cluster that can be deleted"
    centre = "full-sample estimate"

    def rows(self, evidence: Evidence) -> Floats:
        """Return the estimates in all replicates, the full sample first."""
        return evidence.targets.theta

    def variance(self, inputs: VarianceInputs) -> Variance:
        """Return `jackknife`, with the null distributions under the working model.

        Where undefined replicates are imputed, errors are scaled to be unbiased under it.
        """
        options = inputs.evidence.options
        found = jackknife(Replicates(inputs.rows), options.missing_replicates, self.centre_on_mean)
        if options.reference == "t":
            return found
        distribution = inputs.reference
        if distribution is None:
            distribution = inputs.evidence.reference(
                self.name, inputs.weights, partial(self._reference, inputs)
            )
        none = distribution.which < 0
        return Variance(
            np.where(none, np.nan, distribution.scale * found.std_error),
            np.where(none, np.nan, found.df),
            found.n_replicates,
            distribution,
        )

    def _reference(self, inputs: VarianceInputs) -> Reference:
        """Find the null distributions of coefficients."""
        return self.reference_under(inputs.evidence.design, inputs)

    def reference_under(self, design: Design, inputs: VarianceInputs) -> Reference:
        """Find them under a working model, each with all its own replicates."""
        theta, rule = inputs.evidence.targets.estimates, inputs.evidence.options.missing_replicates
        if inputs.weights is not None:
            theta = theta.map(partial(combine, weights=inputs.weights))
        error = jackknife(theta, rule, self.centre_on_mean).std_error
        kept = ~np.isnan(theta.deleted) & ~np.isnan(error)
        loadings = [partial(inputs.loadings, m) for m in range(error.size)]
        scaled = rule == "impute"
        return reference(design, loadings, kept, self.centre_on_mean, scaled)

    def covariance(self, inputs: VarianceInputs) -> Floats:
        """Return `jackknife_covariance`, scaled as the errors are."""
        rule, found = inputs.evidence.options.missing_replicates, self.variance(inputs)
        matrix = jackknife_covariance(Replicates(inputs.rows), rule, self.centre_on_mean)
        if isinstance(found.reference, Reference):
            matrix *= found.reference.scale[:, None] * found.reference.scale
        return with_diagonal(matrix, found.std_error)

    def n_independent(self, inputs: VarianceInputs) -> int:
        """Count the replicates that have all of the coefficients or combinations."""
        return int((~np.isnan(Replicates(inputs.rows).deleted)).all(axis=1).sum())

    def note(self, inputs: VarianceInputs) -> str:
        """Say how many replicates are used, and what they are centred on."""
        found, evidence = self.variance(inputs), inputs.evidence
        most = int(found.n_replicates[~np.isnan(found.std_error)].max(initial=0))
        tests = f"P-values use t({most - 1})."
        if evidence.options.reference == "model":
            tests = (
                "P-values use the null distribution implied by the design, and are never below "
                f"those of t({most - 1})."
            )
        return (
            f"{self.name}: cluster jackknife by {evidence.independent}, {most} of "
            f"{evidence.n_clusters} leave-one-cluster-out estimates, centred on the {self.centre}. "
            f"{tests}"
        )


class CV3J(CV3):
    """The cluster jackknife, centred on the mean of the replicates."""

    name = "CV3J"
    centre = "mean of the replicates"
    centre_on_mean = True
