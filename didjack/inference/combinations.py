"""Many combinations a + x b of few coefficients, each with a test of its own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from didjack._typing import Bools, Floats, Ints
from didjack.inference.coefficients import Coefficients
from didjack.inference.reference.distribution import MOST_EXACT, Axes
from didjack.inference.reference.lines import Line, Moments, axes_on, on_common_means
from didjack.inference.reference.t_statistics import Reference, collect
from didjack.inference.statistics import Variance
from didjack.inference.targets import combine
from didjack.inference.variance.base import VarianceInputs
from didjack.inference.variance.jackknife import jackknife
from didjack.leave_one_out import Replicates
from didjack.memo import Memo, key_of


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """L combinations with their own standard errors and reference distributions.

    Attributes
    ----------
    estimate : (L,)
    variance : Variance of them
    expected : (L,) standard error expected under the working model, for shocks with the relative
        variances v; NaN where there is no working model
    """

    estimate: Floats
    variance: Variance
    expected: Floats

    def take(self, rows: Ints) -> Sums:
        """Select combinations."""
        return Sums(self.estimate[rows], self.variance.take(rows), self.expected[rows])


class Combinations:
    """Combinations of V vectors of weights, each formed in all the replicates that it has itself.

    Parameters
    ----------
    coefficients : Coefficients, M of them
    vectors : (V, M) weights
    """

    def __init__(self, coefficients: Coefficients, vectors: Floats) -> None:
        self._coefficients, self._vectors = coefficients, vectors
        self._rows = combine(coefficients.inputs(coefficients.kind).rows, vectors)
        self.estimates = combine(coefficients.targets.estimates.full[None], vectors)[0]
        self._memo = Memo()

    def sums(self, first: Ints, second: Ints, x: Floats) -> Sums:
        """Estimate vectors[first] + x vectors[second], (L,) each.

        The same as `lincomb` of each. Where x is zero, the second does not count.
        """
        alone = x == 0.0
        weights = self._vectors[first] + x[:, None] * self._vectors[second]
        rows = self._rows[:, first] + x * np.where(alone, 0.0, self._rows[:, second])
        values = self.estimates[first] + x * np.where(alone, 0.0, self.estimates[second])
        made = self._reference(rows, weights, first, second, x)
        reference, expected = (None, np.full(x.size, np.nan)) if made is None else made
        inputs = VarianceInputs(rows, self._coefficients.evidence, weights, reference)
        return Sums(values, self._coefficients.variance_of(inputs), expected)

    def _reference(
        self, rows: Floats, weights: Floats, first: Ints, second: Ints, x: Floats
    ) -> tuple[Reference, Floats] | None:
        """Return reference distributions and expected standard errors; None without any."""
        kind, evidence = self._coefficients.kind, self._coefficients.evidence
        options = evidence.options
        if not options.jackknife:
            return None
        theta = Replicates(rows)
        error = jackknife(theta, options.missing_replicates, kind.centre_on_mean).std_error
        kept = ~np.isnan(theta.deleted) & ~np.isnan(error)
        axes: list[Axes | None] = [None] * x.size
        spread = np.zeros(x.size)
        patterns, of = np.ones((len(kept), 1), dtype=bool), np.zeros(x.size, dtype=np.int64)
        if not kept.all():
            patterns, of = np.unique(kept, axis=1, return_inverse=True)
        for number, pattern in enumerate(patterns.T):
            at = np.flatnonzero(of.ravel() == number)
            if pattern.any() and at.size:
                found = self._axes(pattern, weights[at], first[at], second[at], x[at])
                spread[at] = found[1]
                for place, one in zip(at.tolist(), found[0], strict=True):
                    axes[place] = one
        scaled = options.missing_replicates == "impute"
        reference = collect(axes, kept, scaled)
        total = np.array([np.nan if one is None else one.total for one in axes])
        count = np.maximum(kept.sum(axis=0), 1)
        mean = total * spread * reference.scale**2 * (count - 1.0) / count
        return reference, np.sqrt(mean)

    def _axes(
        self, kept: Bools, weights: Floats, first: Ints, second: Ints, x: Floats
    ) -> tuple[list[Axes | None], Floats]:
        """Return the axes of combinations that use the same replicates, and their variances."""
        design = self._coefficients.evidence.design
        centre_on_mean = self._coefficients.kind.centre_on_mean
        axes: list[Axes | None] = [None] * x.size
        spread = np.zeros(x.size)
        moments = self._moments(kept)
        if moments is not None and kept.sum() <= MOST_EXACT:
            n = len(self._vectors)
            key = key_of(kept)
            pairs, which = np.unique(first * n + second, return_inverse=True)
            lines = [
                self._memo.get(
                    ("line", key, a, b),
                    partial(Line.through, moments[a], moments[b], centre_on_mean),
                )
                for a, b in zip(*divmod(pairs, n), strict=True)
            ]
            axes, spread = axes_on(lines, which, x)
        rows = np.empty((0, 0))  # only what shocks do to the combinations is asked for
        inputs = VarianceInputs(rows, self._coefficients.evidence, weights)
        for at, one in enumerate(axes):
            if one is None:  # too many replicates, or a statistic that is t or a constant
                loadings = inputs.loadings(at)
                axes[at] = design.t_axes(loadings, kept, centre_on_mean)
                if loadings is not None:
                    spread[at] = loadings.parts(design.variance, np.flatnonzero(kept)).estimate
        return axes, spread

    def _moments(self, kept: Bools) -> list[Moments] | None:
        """Return the moments of all vectors; None where loadings would be too many."""
        return self._memo.get(("moments", key_of(kept)), partial(self._new_moments, kept))

    def _new_moments(self, kept: Bools) -> list[Moments] | None:
        evidence = self._coefficients.evidence
        inputs = VarianceInputs(np.empty((0, 0)), evidence, self._vectors)
        loadings = [inputs.loadings(number) for number in range(len(self._vectors))]
        known = [one for one in loadings if one is not None]
        if len(known) < len(loadings):
            return None
        v, rows = evidence.design.variance, np.flatnonzero(kept)
        return [Moments.from_loadings(one, v, rows) for one in on_common_means(known)]
