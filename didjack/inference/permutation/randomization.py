"""Randomisation test: cohorts permuted over clusters (MacKinnon & Webb 2020).

Under the null the effect is the same constant in all treated unit-periods, and clusters are
exchangeable (within strata). Each assignment is estimated by the code that made the estimate.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np

from didjack._typing import Bools, Floats, Ints
from didjack.errors import DataError, OptionError
from didjack.estimation.fit import Fit
from didjack.fields import Fields
from didjack.inference.permutation.permuted import Curves, Permutable, assignments, n_assignments
from didjack.inference.targets import ROUNDING
from didjack.inference.variance import KINDS
from didjack.inference.variance.jackknife import deviations
from didjack.leave_one_out import Replicates
from didjack.progress import Progress
from didjack.wording import label_text, name_some

Statistic = Literal["t", "estimate"]
MOST_UNDEFINED = 0.05
"""There is no p-value if more assignments than this share have no statistic."""


@dataclass(frozen=True, slots=True)
class Draws:
    """How assignments are drawn.

    Attributes
    ----------
    cohort : (H,) positions of the cohorts of the clusters; -1 without units
    strata : (H,) codes
    n_permutations, seed : as of `AggregateResult.randomization_test`
    """

    cohort: Ints
    strata: Ints
    n_permutations: int
    seed: int

    def __post_init__(self) -> None:
        if self.count == 1:
            raise DataError(
                "there is only one assignment of cohorts to clusters"
                + (" within strata" if self.strata.any() else "")
                + ": the smallest possible p-value is 1"
            )

    @property
    def _strata(self) -> Ints:
        """Strata, with clusters without units in one of their own."""
        return np.where(self.cohort < 0, -1, self.strata)

    @property
    def count(self) -> int:
        """How many assignments there will be."""
        most = self.n_permutations + 1
        return min(n_assignments(self.cohort, self._strata, most), most)

    def __iter__(self) -> Iterator[Ints]:
        return assignments(self.cohort, self._strata, self.n_permutations, self.seed)


@dataclass(frozen=True, repr=False)
class RandomizationTest(Fields):
    """A test of the overall ATT by reassigning cohorts to other clusters.

    Attributes
    ----------
    estimate, statistic : of the actual assignment
    p_value : NaN if too many assignments have no statistic
    conf_low, conf_high : ends of the effects that are not rejected
    n_assignments : assignments with a statistic, the actual one included
    n_failed : assignments without a statistic
    """

    _title: ClassVar[str] = "Randomization test of the overall ATT"
    _more: ClassVar[tuple[str, ...]] = ("smallest_p",)

    estimate: float
    statistic: float
    p_value: float
    conf_low: float
    conf_high: float
    n_assignments: int
    n_failed: int
    _statistics: Floats = field(default_factory=lambda: np.empty(0), compare=False)
    """(n_assignments,) of all assignments, the actual one first."""

    @property
    def smallest_p(self) -> float:
        """The smallest possible p-value."""
        return 1.0 / self.n_assignments


@dataclass(frozen=True, slots=True)
class _Rule:
    """What the statistic of an assignment is made of.

    Attributes
    ----------
    studentised : whether it is a t statistic
    centre_on_mean : whether deviations of replicates are taken from their mean
    skip : whether missing replicates are left out
    rounding : standard errors up to this are zero but for rounding
    """

    studentised: bool
    centre_on_mean: bool
    skip: bool
    rounding: float

    def enough(self, valid: Bools) -> bool:
        """Whether replicates, (H,), give a standard error."""
        return bool(valid.sum() > 1 if self.skip else valid.all())

    def moments(
        self, y: Replicates[np.float64], b: Replicates[np.float64], centre: float
    ) -> tuple[float, ...]:
        """Return what gives the statistic at any effect under the null.

        Parameters
        ----------
        y, b : (R,) estimates from the outcome and from E
        centre : an effect, from which others are measured

        Returns
        -------
        a = y - `centre` b and b of the full sample, the variance of a, their covariance, and the
        variance of b; NaN if there is no statistic
        """
        a = Replicates(y.stacked - centre * b.stacked)
        if not self.studentised:
            return float(a.full), float(b.full), 1.0, 0.0, 0.0
        nothing = (np.nan,) * 5
        columns = Replicates(np.column_stack([a.stacked, b.stacked]))
        deviation, valid = deviations(columns, self.centre_on_mean)
        both = np.asarray(valid.all(axis=1))
        if np.isnan(a.full) or not self.enough(both):
            return nothing
        used = deviation[both]
        shrink = (len(used) - 1.0) / len(used)
        aa, ab, bb = (shrink * float(used[:, i] @ used[:, j]) for i, j in ((0, 0), (0, 1), (1, 1)))
        return (float(a.full), float(b.full), aa, ab, bb) if aa > self.rounding**2 else nothing


def randomization_test(
    fit: Fit, overall: Permutable, draws: Draws, statistic: Statistic, null: float
) -> RandomizationTest:
    """Compare the actual assignment of cohorts with the others.

    Parameters
    ----------
    fit : Fit; its options say how the jackknife is centred and what missing replicates do
    overall : the aggregated effect that is tested
    draws : the assignments
    statistic : the t statistic with the jackknife standard error, or the estimate itself
    null : the effect under the null
    """
    kind, silent = KINDS[fit.options.inference.vcov], fit.under(progress=False)
    if statistic == "estimate":
        silent = silent.under(vcov="analytic")
    elif not kind.needs_replicates:
        silent = silent.under(vcov="CV3")
    rule = _Rule(
        studentised=statistic == "t",
        centre_on_mean=kind.centre_on_mean,
        skip=fit.options.inference.undefined == "skip",
        rounding=ROUNDING * overall.size(silent),
    )
    centre = _actual(silent, overall, rule)
    moments = np.empty((draws.count, 5))
    with Progress(fit.options.inference.progress, draws.count) as progress:
        found = overall.under_assignments(silent, draws)
        for row, (y, b) in zip(moments, found, strict=True):
            row[:] = rule.moments(y, b, centre)
            progress.advance(1)
    return _compare(moments, centre, fit.options.inference.alpha, null)


def _actual(fit: Fit, overall: Permutable, rule: _Rule) -> float:
    """Return the actual estimate, or say why there is none or no t statistic."""
    theta = overall.estimate(fit)
    if np.isnan(theta.full):
        raise OptionError("there is no estimate of the overall ATT to test")
    if not rule.studentised:
        return float(theta.full)
    layout, missing = fit.layout, np.isnan(theta.deleted)
    if not rule.enough(~missing):
        alone = layout.treated_clusters.sum() == 1
        named = name_some(map(label_text, layout.cluster_labels[missing]), 3)
        raise OptionError(
            f"there is no t statistic: the overall ATT cannot be estimated without cluster {named}"
            + (", the only treated one" if alone else "")
            + "; use statistic='estimate'"
            + (", or placebo_test()" if alone else "")
        )
    if np.isnan(rule.moments(theta, theta.map(np.zeros_like), 0.0)[0]):
        raise OptionError(
            "there is no t statistic: leaving out a cluster never changes the estimate, except "
            "for rounding; use statistic='estimate'"
        )
    return float(theta.full)


def _compare(moments: Floats, centre: float, alpha: float, null: float) -> RandomizationTest:
    """Compare the first of (P, 5) moments with the others."""
    defined = ~np.isnan(moments).any(axis=1)
    n, n_failed = int(defined.sum()), int((~defined).sum())
    curves = _curves(moments[defined], centre)
    statistic = float(np.copysign(curves.actual(null), centre - null))
    p_value, ends = np.nan, (np.nan, np.nan)
    if n_failed <= MOST_UNDEFINED * defined.size:
        p_value, ends = curves.p_value(null), curves.interval(alpha)
    every = _statistics(moments[defined], null - centre)
    return RandomizationTest(centre, statistic, p_value, *ends, n, n_failed, every)


def _statistics(moments: Floats, shift: float) -> Floats:
    """Return the statistics of (P, 5) moments if the effect is so much larger than their centre."""
    a, b, aa, ab, bb = moments.T
    variance = aa - 2.0 * shift * ab + shift**2 * bb
    return np.asarray((a - shift * b) / np.sqrt(np.where(variance > 0.0, variance, np.nan)))


def _curves(moments: Floats, centre: float) -> Curves:
    """Write (P, 5) moments as polynomials in units of the estimates."""
    a, b, aa, ab, bb = moments.T
    scale = float(np.abs(a).max()) or 1.0
    b, ab, bb = scale * b, scale * ab, scale**2 * bb
    top = np.column_stack([a**2, -2.0 * a * b, b**2])
    return Curves(top, np.column_stack([aa, -2.0 * ab, bb]), centre, scale)
