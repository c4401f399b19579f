"""Randomisation test: cohorts permuted over clusters (MacKinnon & Webb 2020).

Under the null the effect is the same constant in all treated unit-periods, and clusters are
exchangeable (within strata). Each assignment is estimated by the code that made the estimate.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from didjack._typing import Bools, Floats, Ints
from didjack.engine.fit import Fit
from didjack.engine.progress import Progress
from didjack.errors import DataError, OptionError
from didjack.inference.jackknife import deviations
from didjack.inference.kinds import KINDS
from didjack.inference.permutation.assignments import assignments, n_assignments
from didjack.inference.permutation.curves import Curves
from didjack.inference.permutation.overall import Overall
from didjack.options import RandomizationStatistic
from didjack.wording import label_text, name_some

MOST_UNDEFINED = 0.05
"""There is no p-value if more assignments than this share have no statistic."""
ROUNDING = 1e-13
"""A standard error this small, relative to the estimates, is zero but for rounding."""


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
                "there is but one assignment of cohorts to clusters"
                + (" within strata" if self.strata.any() else "")
                + ": the smallest p-value there can be is 1"
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


@dataclass(frozen=True, slots=True)
class RandomizationTest:
    """The result of a test.

    Attributes
    ----------
    estimate, statistic : of the actual assignment
    p_value : NaN if too many assignments have no statistic
    low, high : the interval
    n_assignments : assignments with a statistic, the actual one included
    n_failed : assignments without
    """

    estimate: float
    statistic: float
    p_value: float
    low: float
    high: float
    n_assignments: int
    n_failed: int

    @property
    def smallest_p(self) -> float:
        """The smallest p-value there can be."""
        return 1.0 / self.n_assignments


def randomization_test(
    fit: Fit, overall: Overall, draws: Draws, statistic: RandomizationStatistic, null: float
) -> RandomizationTest:
    """Compare the actual assignment of cohorts with the others.

    Parameters
    ----------
    fit : Fit; its options say how the jackknife is centred and what missing replicates do
    overall : the average that is tested
    draws : the assignments
    statistic : the t statistic with the jackknife standard error, or the estimate itself
    null : the effect under the null
    """
    kind = KINDS[fit.options.vcov]
    if statistic == "estimate":
        silent = fit.under(vcov="analytic", progress=False)
    else:
        silent = fit.under(vcov=kind.name if kind.needs_replicates else "CV3", progress=False)
    centre = _actual(silent, overall, statistic)
    moments = np.empty((draws.count, 5))
    sources = silent.source, silent.source.of_treatment()
    with Progress(fit.options.progress, draws.count) as progress:
        for row, cohort in zip(moments, draws, strict=True):
            a, b = (overall.of_source(silent, source.relabelled(cohort)) for source in sources)
            row[:] = _moments(a, b, centre, silent, statistic)
            progress.advance(1)
    return _compare(moments, centre, fit.options.alpha, null)


def _compare(moments: Floats, centre: float, alpha: float, null: float) -> RandomizationTest:
    """Compare the first of (P, 5) `_moments` with the others."""
    defined = ~np.isnan(moments).any(axis=1)
    n, n_failed = int(defined.sum()), int((~defined).sum())
    curves = _curves(moments[defined], centre)
    statistic = float(np.copysign(curves.actual(null), centre - null))
    p_value, ends = np.nan, (np.nan, np.nan)
    if n_failed <= MOST_UNDEFINED * defined.size:
        p_value, ends = curves.p_value(null), curves.interval(alpha)
    return RandomizationTest(centre, statistic, p_value, *ends, n, n_failed)


def _actual(fit: Fit, overall: Overall, statistic: RandomizationStatistic) -> float:
    """Return the actual estimate, or say why there is none or no t statistic."""
    theta = overall.of(fit)
    if np.isnan(theta[0]):
        raise OptionError("there is no estimate of the overall ATT to test")
    if statistic == "estimate":
        return float(theta[0])
    layout, missing = fit.layout, np.flatnonzero(np.isnan(theta[1:]))
    if missing.size and not _enough(~np.isnan(theta[1:]), fit):
        alone = layout.treated_clusters.sum() == 1
        named = name_some(map(label_text, layout.cluster_labels[missing]), 3)
        raise OptionError(
            f"there is no t statistic: the overall ATT cannot be estimated without cluster {named}"
            + (", the only treated one" if alone else "")
            + "; use statistic='estimate'"
            + (", or placebo_test()" if alone else "")
        )
    if np.isnan(_moments(theta, np.zeros(theta.size), 0.0, fit, "t")).any():
        raise OptionError(
            "there is no t statistic: the standard error is zero but for rounding; use "
            "statistic='estimate'"
        )
    return float(theta[0])


def _enough(valid: Bools, fit: Fit) -> bool:
    """Whether replicates, (H,), give a standard error."""
    skip = fit.options.undefined == "skip"
    return bool(valid.sum() > 1 if skip else valid.all())


def _moments(
    y: Floats, b: Floats, centre: float, fit: Fit, statistic: RandomizationStatistic
) -> tuple[float, float, float, float, float]:
    """Return what the statistic of an assignment is made of, at any effect under the null.

    Parameters
    ----------
    y, b : (R,) estimates from the outcome and from E
    centre : an effect, from which others are measured

    Returns
    -------
    a = y - `centre` b and b of the full sample, the variance of a, their covariance, and the
    variance of b; NaN if there is no statistic
    """
    a = y - centre * b
    if statistic == "estimate":
        return float(a[0]), float(b[0]), 1.0, 0.0, 0.0
    nothing = (np.nan,) * 5
    deviation, valid = deviations(np.column_stack([a, b]), KINDS[fit.options.vcov].centre_on_mean)
    both = np.asarray(valid.all(axis=1))
    if np.isnan(a[0]) or not _enough(both, fit):
        return nothing
    used = deviation[both]
    shrink = (len(used) - 1.0) / len(used)
    aa, ab, bb = (shrink * float(used[:, i] @ used[:, j]) for i, j in ((0, 0), (0, 1), (1, 1)))
    size = np.nanmax(np.abs(y)) + abs(centre) * np.nanmax(np.abs(b))
    if aa <= (ROUNDING * size) ** 2:
        return nothing
    return float(a[0]), float(b[0]), aa, ab, bb


def _curves(moments: Floats, centre: float) -> Curves:
    """Write (P, 5) moments as polynomials in units of the estimates."""
    a, b, aa, ab, bb = moments.T
    scale = float(np.abs(a).max()) or 1.0
    b, ab, bb = scale * b, scale * ab, scale**2 * bb
    top = np.column_stack([a**2, -2.0 * a * b, b**2])
    return Curves(top, np.column_stack([aa, -2.0 * ab, bb]), centre, scale)
