"""How much noisier the treated clusters may be than the others.

Nothing can tell whether the shocks of treated clusters are like those of the others. But the
reference distribution can be computed for treated clusters whose standard deviation is kappa times
as large; and untreated rows tell how much the treated clusters moved before their treatment.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
import pandas as pd

from didjack._typing import Bools, Floats, Ints
from didjack.errors import OptionError
from didjack.imports import load
from didjack.inference.coefficients import Coefficients
from didjack.inference.diagnostics import treated_weight
from didjack.inference.reference.working_model import Design
from didjack.inference.statistics import Variance, statistics
from didjack.inference.variance.base import VarianceInputs
from didjack.inference.variance.jackknife import CV3
from didjack.memo import Memo

RATIOS = np.array([1.0, 1.25, 1.5, 2.0, 3.0, 5.0])
"""Standard deviation of treated clusters' shocks over the others', if nothing else is asked for."""
GRID = 2.0 ** np.arange(-4, 11)
"""Between the last of these ratios at which p <= alpha and the next one is the breakdown value."""
MOST_RATIO = 1e6
N_SETS = 999
COLUMNS = ["conf_low", "conf_high", "p_value"]


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """How treated clusters moved before treatment, compared with never-treated ones.

    Attributes
    ----------
    ratio : root of the mean square of their movements over that of never-treated clusters, each
        over its working variance; NaN where there is none
    percentile : share of sets of as many never-treated clusters whose ratio to the others is not
        larger, in percent
    n_sets : how many sets there are, or were drawn
    """

    ratio: float
    percentile: float
    n_sets: int

    @property
    def words(self) -> str:
        """Say how noisy treated clusters were; empty where the data do not tell."""
        if np.isnan(self.ratio):
            return ""
        return f"before treatment they were {self.ratio:.3g} times as noisy"


def need_reference(coefficients: Coefficients, treated: Bools) -> CV3:
    """Return the kind of variance, or raise unless it is a jackknife with the working model."""
    options, kind = coefficients.evidence.options, coefficients.kind
    if not isinstance(kind, CV3) or options.reference != "model":
        raise OptionError(
            "noise_sensitivity() needs the reference distribution of the working model; this "
            f"result has vcov={options.vcov!r}, reference={options.reference!r}: "
            "result.with_options(vcov='CV3', reference='model')"
        )
    if treated.all():
        raise OptionError(
            "noise_sensitivity() needs never-treated clusters, that is clusters without treated "
            f"units; all {treated.size} have some"
        )
    return kind


class NoiseRatios:
    """Tests of M coefficients if treated clusters are noisier.

    Parameters
    ----------
    coefficients : Coefficients, with a jackknife and the working model
    """

    def __init__(self, coefficients: Coefficients) -> None:
        self._coefficients = coefficients
        self.treated = treated_weight(coefficients.evidence.fit) > 0
        self._kind = need_reference(coefficients, self.treated)
        self._rows = coefficients.inputs(self._kind).rows

    def variance(self, ratio: float, at: int | None = None) -> Variance:
        """Return standard errors and reference distributions; of one coefficient, or of all."""
        evidence, rows, weights = self._coefficients.evidence, self._rows, None
        if at is not None:
            rows, weights = rows[:, [at]], np.eye(rows.shape[1])[[at]]
        inputs = VarianceInputs(rows, evidence, weights)
        design = evidence.design
        v = np.where(self.treated, ratio**2, 1.0) * design.variance
        noisier = replace(design, variance=v, _memo=Memo())
        reference = self._kind.reference_under(noisier, inputs)
        return self._coefficients.variance_of(replace(inputs, reference=reference))

    def table(self, ratios: Floats, at: list[int], labels: list[Any], alpha: float) -> pd.DataFrame:
        """Build intervals and p-values of some coefficients, one after the other, by ratio."""
        estimate = self._coefficients.targets.estimates.full
        found = []
        for ratio in ratios.tolist():
            variance = self.variance(ratio)
            columns = statistics(estimate, variance, alpha)
            critical = variance.critical_value(alpha)
            found.append([*(columns[name] for name in COLUMNS), critical])
        values = np.array(found)[:, :, at].transpose(2, 0, 1).reshape(-1, len(COLUMNS) + 1)
        table = pd.DataFrame(values, columns=[*COLUMNS, "critical_value"])
        table.insert(0, "ratio", np.tile(ratios, len(at)))
        table.insert(0, "target", pd.Series(np.repeat(np.array(labels, dtype=object), ratios.size)))
        return table

    @property
    def observed(self) -> Observed:
        """What the data say; computed once."""
        evidence = self._coefficients.evidence
        make = partial(observed, evidence.design, self.treated, evidence.options.seed)
        return self._coefficients.memo.get("observed noise", make)

    def breakdown(self, at: int, alpha: float) -> float:
        """Return the largest ratio at which a coefficient is significant; 0 if at none; once."""
        search = partial(self._breakdown, at, alpha)
        return self._coefficients.memo.get(("breakdown ratio", at, alpha), search)

    def _breakdown(self, at: int, alpha: float) -> float:
        optimize = load("scipy.optimize")
        estimate = self._coefficients.targets.estimates.full[[at]]

        def margin(log_ratio: float) -> float:
            variance = self.variance(float(np.exp(log_ratio)), at)
            p_value = variance.p_value(estimate / variance.std_error)[0]
            return float(np.log(alpha) - np.log(max(p_value, 1e-300)))

        grid = np.log(GRID)
        margins = np.array([margin(place) for place in grid.tolist()])
        if np.isnan(margins).any():
            return np.nan
        significant = np.flatnonzero(margins >= 0)
        if not significant.size:
            return 0.0
        last = int(significant[-1])
        if last == grid.size - 1:
            return np.inf
        return float(np.exp(optimize.brentq(margin, grid[last], grid[last + 1], xtol=1e-9)))


def reading(what: str, breakdown: float, alpha: float) -> str:
    """Say in a sentence what a breakdown value means.

    Examples
    --------
    >>> reading("overall ATT", 0.0, 0.05)
    'The overall ATT is not significant at 5%, however noisy treated clusters are.'
    """
    level = f"{100 * alpha:g}%"
    if np.isnan(breakdown):
        return f"The {what} has no standard error."
    if breakdown == 0.0 or np.isinf(breakdown):
        verb = "is" if breakdown else "is not"
        return f"The {what} {verb} significant at {level}, however noisy treated clusters are."
    verb, only, be = ("is", "", "are") if breakdown >= 1.0 else ("would be", "only ", "were")
    return (
        f"The {what} {verb} significant at {level} {only}if treated clusters {be} at most "
        f"{breakdown:.3g} times as noisy as the others."
    )


# ---- what the data say ---------------------------------------------------------------------------


def observed(design: Design, treated: Bools, seed: int) -> Observed:
    """Compare how treated and never-treated clusters move, over the same pairs of periods.

    Parameters
    ----------
    treated : (H,)
    seed : of random sets, where there are more than `N_SETS`
    """
    change = design.movements.change
    pairs = np.asarray((~np.isnan(change[:, treated])).any(axis=1))
    movement = design.movements.standardised(pairs).squares() / design.variance
    own, others = movement[treated], movement[~treated]
    own, others = own[~np.isnan(own)], others[~np.isnan(others)]
    if not own.size or not others.size or not others.sum() > 0:
        return Observed(np.nan, np.nan, 0)
    ratio = float(np.sqrt(own.mean() / others.mean()))
    size = own.size
    if others.size <= size:
        return Observed(ratio, np.nan, 0)
    ratios = np.array([_ratio(others, chosen) for chosen in _sets(others.size, size, seed)])
    share = float((ratios <= ratio * (1.0 + 1e-12)).mean())
    return Observed(ratio, 100.0 * share, ratios.size)


def _ratio(movement: Floats, chosen: Ints) -> float:
    """Return the ratio of some clusters to all others."""
    inside = np.zeros(movement.size, dtype=bool)
    inside[chosen] = True
    with np.errstate(divide="ignore"):
        return float(np.sqrt(movement[inside].mean() / movement[~inside].mean()))


def _sets(n: int, size: int, seed: int) -> Iterator[Ints]:
    """Yield all sets of `size` of n clusters, or `N_SETS` random ones."""
    if comb(n, size) <= N_SETS:
        yield from (np.array(chosen) for chosen in combinations(range(n), size))
        return
    rng = np.random.default_rng(seed)
    yield from (rng.choice(n, size, replace=False) for _ in range(N_SETS))
