"""Quadratic forms of coefficients -> null distributions of t statistics, scales of standard errors.

With undefined replicates and "impute", the root of CV3 over the R' kept ones is multiplied by the a
with a^2 = Var(theta) / ((R' - 1) / R' sum_j Var(theta_(j) - theta)), the variances those of the
working model, so that its square is unbiased under the model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from didjack._typing import Bools, Floats, Ints
from didjack.inference.reference.distribution import (
    TOP,
    Axes,
    NullDistributions,
    equivalent_df,
    null_distributions,
)
from didjack.inference.reference.loadings import Loadings
from didjack.inference.reference.working_model import Design
from didjack.memo import Memo


@dataclass(frozen=True, eq=False)
class Reference:
    """The null distributions of the t statistics of M coefficients.

    Attributes
    ----------
    distributions : the distinct ones
    which : (M,) that of each coefficient; -1 where there is none
    scale : (M,) what the root of CV3 over the kept replicates is multiplied by; 1 where all are
        defined
    """

    distributions: NullDistributions
    which: Ints
    scale: Floats
    _memo: Memo = field(default_factory=Memo, repr=False)

    @property
    def method(self) -> str:
        """How the distributions are computed, in words."""
        if not (self.distributions.bulk > 0).any():
            return "exact"
        if not self.distributions.delta.any():
            return "t(R - 1)"
        return f"the {TOP} largest deviations and the moments of the others"

    def take(self, rows: Ints) -> Reference:
        """Select coefficients; critical values of those alike are computed once."""
        return replace(self, which=self.which[rows], scale=self.scale[rows])

    def p_value(self, statistic: Floats) -> Floats:
        """Two-sided p-values of t statistics, (M,)."""
        some = self.which >= 0
        result = np.full(some.size, np.nan)
        result[some] = self.distributions.take(self.which[some]).p_value(statistic[some])
        return result

    def critical_value(self, alpha: float) -> Floats:
        """Two-sided critical values, (M,)."""
        return self._spread(self._critical(alpha))

    def df(self, alpha: float) -> Floats:
        """Degrees of freedom of the t distributions with these critical values, (M,)."""
        return self._spread(equivalent_df(self._critical(alpha), alpha))

    def _critical(self, alpha: float) -> Floats:
        """Critical values of the distributions; computed once."""
        return self._memo.get(alpha, partial(self.distributions.critical_value, alpha))

    def _spread(self, values: Floats) -> Floats:
        """Give each coefficient the value of its distribution, (M,)."""
        return np.append(values, np.nan)[self.which]


def reference(
    design: Design,
    loadings: Sequence[Callable[[], Loadings | None]],
    kept: Bools,
    centre_on_mean: bool,
    scaled: bool,
) -> Reference:
    """Find the null distributions of coefficients.

    Parameters
    ----------
    loadings : M functions that return the loadings of a coefficient
    kept : (H, M) replicates that are used; none where there is no standard error
    centre_on_mean : CV3J
    scaled : whether missing replicates are imputed
    """
    axes: list[Axes | None] = [None] * kept.shape[1]
    for m in np.flatnonzero(kept.any(axis=0)).tolist():
        axes[m] = design.t_axes(loadings[m](), kept[:, m], centre_on_mean)
    return collect(axes, kept, scaled)


def collect(axes: Sequence[Axes | None], kept: Bools, scaled: bool) -> Reference:
    """Put the reference distributions of M coefficients together; those alike are one.

    Parameters
    ----------
    axes : M of them; None where there is no standard error
    kept, scaled : as of `reference`
    """
    which = np.full(len(axes), -1, dtype=np.int64)
    scale, shrink = np.ones((2, which.size))
    number: dict[int, int] = {}
    found: list[Axes] = []
    counts = kept.sum(axis=0).tolist()
    for m, one in enumerate(axes):
        if one is None:
            continue
        if id(one) not in number:
            number[id(one)] = len(found)
            found.append(one)
        which[m] = number[id(one)]
        count = counts[m]
        shrink[m] = (count - 1.0) / count
        if scaled and count < len(kept):
            scale[m] = np.sqrt(1.0 / (shrink[m] * one.total))
    first = np.array([(which == k).argmax() for k in range(len(found))], dtype=np.int64)
    return Reference(null_distributions(found, (shrink * scale**2)[first]), which, scale)
