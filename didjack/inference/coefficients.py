"""A fit and its coefficients -> variance, tests and intervals, of whichever kind is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from didjack._typing import Floats, Ints
from didjack.errors import OptionError
from didjack.inference import joint_tests, statistics
from didjack.inference.bands import CriticalValues, LargestStatistic, enough_draws
from didjack.inference.joint_tests import JointTest
from didjack.inference.reference.joint import JointReference, JointTargets
from didjack.inference.reference.t_statistics import Reference
from didjack.inference.statistics import ReferenceDistribution, Variance
from didjack.inference.targets import Targets, combine, varies
from didjack.inference.variance import KINDS
from didjack.inference.variance.base import Evidence, VarianceInputs, VarianceKind
from didjack.leave_one_out import Replicates
from didjack.memo import Memo, key_of
from didjack.status import Status, StatusCode
from didjack.wording import name_labels, plural

WITH_ERROR = (StatusCode.OK, StatusCode.COMPOSITION, StatusCode.SKIPPED, StatusCode.IMPUTED)
"""With one of these a coefficient has a standard error, unless nothing varies."""
UNMOVED = "nothing to impute, as cluster-level shocks cancel out of the estimate"


class Largest(NamedTuple):
    """The largest absolute t statistic of some coefficients.

    Attributes
    ----------
    position : of the coefficient that has the smallest p-value
    statistic : its |t|
    critical_value : of its band
    p_value : probability that some coefficient is as far out if all are zero
    simulation_error : of the p-value
    """

    position: int
    statistic: float
    critical_value: float
    p_value: float
    simulation_error: float


@dataclass(frozen=True, eq=False)
class Coefficients:
    """Coefficients with their standard errors, and the tests made from these.

    What a kind of variance is made from is kept: it is the expensive part.

    Attributes
    ----------
    evidence : Evidence, M coefficients
    memo : what was computed from them
    """

    evidence: Evidence
    memo: Memo = field(default_factory=Memo, repr=False)

    @property
    def targets(self) -> Targets:
        """The coefficients in all replicates."""
        return self.evidence.targets

    @property
    def kind(self) -> VarianceKind:
        """The kind of variance that the call of `csdid` asked for."""
        return KINDS[self.evidence.options.vcov]

    def inputs(self, kind: VarianceKind, weights: Floats | None = None) -> VarianceInputs:
        """Return what a variance is made from.

        Parameters
        ----------
        weights : (L, M), optional
            Linear combinations; default: the coefficients themselves.
        """
        rows = self.memo.get(("rows", kind.name), partial(kind.rows, self.evidence))
        if weights is not None:
            rows = kind.together(combine(rows, weights), self.evidence.options)
        return VarianceInputs(rows, self.evidence, weights)

    def variance(self, kind: VarianceKind, weights: Floats | None = None) -> Variance:
        """Return standard errors and degrees of freedom of coefficients, or of combinations."""
        return self.variance_of(self.inputs(kind, weights), kind)

    def variance_of(self, inputs: VarianceInputs, kind: VarianceKind | None = None) -> Variance:
        """Return the same from what it is made from; none where that is rounding error alone."""
        found = (self.kind if kind is None else kind).variance(inputs)
        gone, size, weights = self.targets.base, self.evidence.size, inputs.weights
        if weights is not None:
            gone = ~(weights[:, ~gone] != 0).any(axis=1)
            size = np.abs(weights) @ size
        gone = gone | ~varies(found.std_error, size)
        return Variance(
            np.where(gone, np.nan, found.std_error),
            np.where(gone, np.nan, found.df),
            np.where(gone, 0, found.n_replicates),
            found.reference,
        )

    def covariance(self, kind: VarianceKind, weights: Floats | None = None) -> Floats:
        """Return the covariance matrix, (M, M) or (L, L); its diagonal is that of `variance`."""
        matrix = kind.covariance(self.inputs(kind, weights))
        return statistics.with_diagonal(matrix, self.variance(kind, weights).std_error)

    @cached_property
    def own_variance(self) -> Variance:
        """The variance of the kind that the call of `csdid` asked for."""
        return self.variance(self.kind)

    def note(self) -> str:
        """Say in one sentence how standard errors were made, or that there are none."""
        if np.isnan(self.own_variance.std_error).all():
            return f"{self.kind.name}: no coefficient has a standard error; the status says why."
        return self.kind.note(self.inputs(self.kind))

    # -- tables -------------------------------------------------------------------------------

    def table(self, alpha: float) -> pd.DataFrame:
        """Build the columns `STATISTICS` of all coefficients."""
        return self._table(self.targets, self.own_variance, alpha)

    def combination(self, weights: Floats, name: str, alpha: float) -> pd.DataFrame:
        """Build the same table for one linear combination, (M,) weights."""
        variance = self.variance(self.kind, weights[None])
        return self._table(self.targets.combine(weights, name), variance, alpha)

    def _table(self, targets: Targets, variance: Variance, alpha: float) -> pd.DataFrame:
        estimate = targets.estimates.full
        n_composition = targets.estimated_otherwise().sum(axis=0) * self.evidence.options.jackknife
        status = self._statuses(targets, variance, self.kind)
        return statistics.coefficient_table(estimate, variance, alpha, n_composition, status)

    @cached_property
    def statuses(self) -> list[Status]:
        """What is special about each coefficient, (M,)."""
        return self.statuses_under(self.kind)

    def statuses_under(self, kind: VarianceKind) -> list[Status]:
        """Return the same, (M,), with the standard errors of another kind."""
        return self._statuses(self.targets, self.variance(kind), kind)

    def _statuses(self, targets: Targets, variance: Variance, kind: VarianceKind) -> list[Status]:
        options = self.evidence.options
        found = targets.status_of(
            kind.needs_replicates,
            options.missing_replicates,
            self.evidence.fit.layout.cluster_labels,
        )
        bare = np.isnan(variance.std_error) & ~np.isnan(targets.estimates.full)
        for m in np.flatnonzero(bare).tolist():
            reference = variance.reference
            if found[m].code is StatusCode.IMPUTED and _unmoved(reference, m):
                found[m] = replace(found[m], code=StatusCode.UNDEFINED, detail=UNMOVED)
            elif found[m].code in WITH_ERROR:
                found[m] = Status(StatusCode.NO_VARIATION, detail=kind.no_variation)
        return targets.with_coverage(found)

    def critical_words(self, alpha: float) -> str:
        """Say which critical values are used, and which t has; of the overall if there is one."""
        variance, targets = self.own_variance, self.targets
        known = np.flatnonzero(~np.isnan(variance.std_error))
        if variance.reference is None or not known.size:
            return ""
        last = len(targets.index) - 1
        one = last in known and targets.aggregated is not None
        at = np.array([last]) if one else known
        values = _range(variance.critical_value(alpha)[at])
        student, df = _range(variance.student(alpha)[at]), _range(variance.df[at], "d")
        what = "Overall ATT: critical value" if one else "Critical values"
        return f"{what} {values} (t({df}): {student})."

    def critical_values(self, among: Ints, alpha: float) -> CriticalValues:
        """Return critical values of a band over some coefficients, (m,) positions.

        Those without a standard error are left out: theirs are NaN. Computed once.
        """
        return self.memo.get(("band", key_of(among), alpha), partial(self._band_of, among, alpha))

    def _band_of(self, among: Ints, alpha: float) -> CriticalValues:
        value, error = np.full((2, among.size), np.nan)
        known = ~np.isnan(self.own_variance.std_error[among])
        if not known.any():
            return CriticalValues(value, error, 0)
        reference = self._joint_reference(np.eye(len(self.targets.index))[among[known]])
        if reference is not None:
            found = reference.band(alpha)
            value[known], error[known] = found.value, found.error
            return CriticalValues(value, error, found.n_draws)
        common = self._largest_of(among[known], alpha).critical_value(alpha)
        value[known], error[known] = common.value, common.error
        return CriticalValues(value, error, common.n_draws)

    def band_values(self, among: Ints, alpha: float) -> CriticalValues:
        """Return those of `critical_values`, none smaller than that of the pointwise interval."""
        found = self.critical_values(among, alpha)
        own = self.own_variance.critical_value(alpha)[among]
        return replace(found, value=np.fmax(found.value, own))

    def _largest_of(self, among: Ints, alpha: float) -> LargestStatistic:
        """Return the distribution of their largest |t|, where no joint reference has it."""
        make = partial(self.kind.largest, self.inputs(self.kind), among, alpha)
        return self.memo.get(("largest of", key_of(among), alpha), make)

    def largest(self, among: Ints, alpha: float) -> Largest:
        """Test that all of some coefficients, (m,) positions, are zero, by the largest |t|; once.

        Each has to have a standard error. The p-value is below `alpha` where the band of one of
        them, see `band_values`, excludes zero.
        """
        make = partial(self._test_all, among, alpha)
        return self.memo.get(("largest", key_of(among), alpha), make)

    def _test_all(self, among: Ints, alpha: float) -> Largest:
        variance = self.own_variance
        statistic = np.abs(self.targets.estimates.full / variance.std_error)
        pointwise = variance.p_value(statistic)[among]
        reference = self._joint_reference(np.eye(len(self.targets.index))[among])
        if reference is not None:
            joint, n_draws = reference.largest_p_value(statistic[among]), reference.n_draws
        else:
            distribution = self._largest_of(among, alpha)
            joint, n_draws = distribution.p_value(statistic[among]), distribution.n_draws
        p_value = np.maximum(joint, pointwise)
        at = int(np.lexsort([-statistic[among], pointwise, p_value])[0])
        critical = self.band_values(among, alpha).value
        p = float(p_value[at])
        error = float(np.sqrt(p * (1.0 - p) / n_draws)) if n_draws else 0.0
        position = int(among[at])
        return Largest(position, float(statistic[position]), float(critical[at]), p, error)

    def intervals(self, alpha: float) -> Floats:
        """Return the ends of pointwise intervals, (M, 2)."""
        return self.table(alpha)[["conf_low", "conf_high"]].to_numpy(copy=True)

    def band(self, alpha: float) -> tuple[Floats, CriticalValues]:
        """Return the ends of simultaneous intervals, (M, 2), and critical values, (m,).

        An overall keeps its own interval. No interval is narrower than the pointwise one. Raises
        where `alpha` is too small for the number of draws: the band would be infinite.
        """
        which, variance = self.targets.components, self.own_variance
        found = self.band_values(which, alpha)
        if np.isinf(found.value).any() and not enough_draws(found.n_draws, alpha):
            raise OptionError(
                f"alpha={alpha:g} is too small for a simultaneous band from {found.n_draws:,} "
                f"draws: it must be above {1.0 / (found.n_draws + 1.0):.2g}; joint=False gives "
                "pointwise intervals, which are not simulated"
            )
        value = found.value
        estimate, margin = self.targets.estimates.full[which], value * variance.std_error[which]
        ends = self.intervals(alpha)
        ends[which] = np.column_stack([estimate - margin, estimate + margin])
        return ends, found

    # -- hypotheses ---------------------------------------------------------------------------

    def test(self, weights: Floats, values: Floats) -> JointTest:
        """Test that (L, M) linear combinations have the values (L,), or say why not; once."""
        key = ("test", key_of(weights), key_of(values), self.evidence.options.alpha)
        return self.memo.get(key, partial(self._test, weights, values))

    def _test(self, weights: Floats, values: Floats) -> JointTest:
        reason = self._untestable(weights)
        if reason:
            return joint_tests.untested(reason)
        distance = combine(self.targets.estimates.full[None], weights)[0] - values
        covariance = self.covariance(self.kind, weights)
        df = float(self.variance(self.kind, weights).df.min())
        return joint_tests.wald(
            distance, covariance, df, self.evidence.options.alpha, self._joint_reference(weights)
        )

    def model_covariance(self, weights: Floats) -> Floats | None:
        """Return a draw of the covariance of (L, M) combinations under the working model.

        None where they have no joint reference distribution.
        """
        reference = self._joint_reference(weights) if len(weights) else None
        return None if reference is None else reference.covariance

    def _joint_reference(self, weights: Floats) -> JointReference | None:
        """Return the joint null distribution of (L, M) combinations, if there is one."""
        key = ("joint reference", key_of(weights))
        return self.memo.get(key, partial(self._new_joint_reference, weights))

    def _new_joint_reference(self, weights: Floats) -> JointReference | None:
        inputs = self.inputs(self.kind, weights)
        reference = self.variance_of(inputs).reference
        if not isinstance(reference, Reference):
            return None
        loadings = [inputs.loadings(number) for number in range(len(weights))]
        found = [one for one in loadings if one is not None]
        if len(found) < len(loadings):
            return None
        kept = np.asarray(~np.isnan(Replicates(inputs.rows).deleted).any(axis=1))
        targets = JointTargets(found, kept, reference.scale, self.kind.centre_on_mean)
        return JointReference.from_design(self.evidence.design, targets, self.evidence.options.seed)

    def _untestable(self, weights: Floats) -> str:
        """Say why restrictions cannot be tested, if so."""
        targets = self.targets
        if not len(weights):
            return "there is no coefficient to test"
        used = (weights != 0).any(axis=0)
        bare = used & np.isnan(self.own_variance.std_error) & ~targets.base
        if bare.any():
            return (
                f"{plural(int(bare.sum()), 'coefficient')} without a standard error: "
                f"{name_labels(targets.index[np.flatnonzero(bare)], 2)}; name the others in R, as "
                "a list of labels"
            )
        if not (weights[:, ~targets.base] != 0).any(axis=1).all():
            return "a restriction is on base periods alone, which are zero by construction"
        rank = int(np.linalg.matrix_rank(weights))
        parts = self.kind.n_independent(self.inputs(self.kind, weights))
        most = parts - (1 if self.own_variance.reference is None else 2)
        if rank > most:
            return (
                f"{rank} restrictions with {parts} {self.kind.parts}, which allow {max(most, 0)} "
                "at most; test fewer at a time"
            )
        return ""


def _unmoved(reference: ReferenceDistribution | None, at: int) -> bool:
    """Whether the working model says nothing of a coefficient."""
    return isinstance(reference, Reference) and bool(reference.which[at] < 0)


def _range(values: Floats, form: str = ".2f") -> str:
    """Write the smallest and the largest value, or the one that there is."""
    ends = [float(values.min()), float(values.max())]
    texts = [format(int(end) if form == "d" else end, form) for end in ends]
    return " to ".join(dict.fromkeys(texts))
