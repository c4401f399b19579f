"""How wrong parallel trends may be: intervals of event-study effects that allow for deviations.

The deviation from parallel trends changes by s_j from one event time to the next before treatment.
An effect l'theta, K steps after the base period, is off by the sum of the steps after it. Every
interval here is that of a linear combination, with its own jackknife standard error and its own
reference distribution, so that it holds with few treated clusters as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from didjack._typing import Bools, Floats, Ints
from didjack.errors import OptionError
from didjack.imports import load
from didjack.inference.coefficients import Coefficients
from didjack.inference.combinations import Combinations, Sums
from didjack.inference.roots import TOLERANCE, roots
from didjack.wording import name_some

Restriction = Literal["relative_magnitudes", "smoothness"]

MULTIPLES = np.array([0.0, 0.5, 1.0, 1.5, 2.0])
"""Of the largest step before treatment: what is looked at if nothing else is asked for."""
LEAST_P = 1e-300
MOST_MULTIPLE = 1e12
"""Larger multiples of the largest step are refused: nothing is left of the effect."""

# ---- steps and targets ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """Changes of the deviation from one event time before treatment to the next.

    Attributes
    ----------
    weights : (J, M) each as a combination of coefficients, the last one first
    event_time : (J,) event times at which they end
    left_out : event times at which others would end, which have no standard error
    """

    weights: Floats
    event_time: Ints
    left_out: Ints

    @property
    def n_recent(self) -> int:
        """How many there are without a gap, from the last one back."""
        together = self.event_time[0] - self.event_time == np.arange(self.event_time.size)
        return int(together.size if together.all() else together.argmin())

    def means(self) -> Floats:
        """(P, M) means of the last p steps, p = 1, ..., P."""
        some = self.weights[: self.n_recent]
        return np.asarray(np.cumsum(some, axis=0) / np.arange(1, len(some) + 1)[:, None])


def steps_of(
    event_time: Ints, known: Bools, n_coefficients: int, anticipation: int, varying: bool
) -> Steps:
    """Find the steps before treatment, or raise.

    Parameters
    ----------
    event_time : (m,) of the first m coefficients, sorted
    known : (m,) which have a standard error
    n_coefficients : M
    anticipation : periods in which there may be effects already
    varying : whether coefficients before treatment are changes since the period before
    """
    base = -1 - anticipation
    last = base if varying else base - 1
    leads = [int(e) for e in event_time if e <= last]
    if not leads:
        raise OptionError(
            "trend_sensitivity() needs event times before treatment: there is none before "
            f"{last + 1}; widen min_e, or include earlier periods in the data"
        )
    rows, ends, left_out = [], [], []
    for end in range(base, leads[0] - (1 if varying else 0), -1):
        row, used = np.zeros(n_coefficients), [end] if varying else [end, end - 1]
        whole = True
        for sign, event in zip((1.0, -1.0), used, strict=False):
            if event == base and not varying:
                continue
            at = int(np.searchsorted(event_time, event))
            whole &= bool(at < event_time.size and event_time[at] == event and known[at])
            row[min(at, event_time.size - 1)] = sign
        if whole:
            rows.append(row)
            ends.append(end)
        else:
            left_out.append(end)
    if not rows:
        raise OptionError(
            "trend_sensitivity() needs a change between event times before treatment that has a "
            f"standard error: those up to event times {name_some(left_out, 10)} have none; see "
            "the status in tidy()"
        )
    return Steps(np.array(rows), np.array(ends), np.array(left_out, dtype=np.int64))


class Target(NamedTuple):
    """An effect whose interval is asked for.

    Attributes
    ----------
    label : its event time, or "overall"
    position : which coefficient it is
    weight, distance : (E,) event times that it is a mean of: their weights, and how many steps
        after the base period each is
    """

    label: Any
    position: int
    weight: Floats
    distance: Floats

    @property
    def n_steps(self) -> float:
        """K: steps from the base period, on average."""
        return float(self.weight @ self.distance)

    def bound(self, p: Ints) -> Floats:
        """Return how far off it may be by M = 1, less K times the mean of the last p steps."""
        own = self.weight @ (self.distance * (self.distance + 1.0))
        return np.asarray((own + self.n_steps * (p - 1.0)) / 2.0)


def targets_of(
    event_time: Ints, estimated: Bools, known: Bools, overall: bool, anticipation: int
) -> list[Target]:
    """List the event times from treatment on, and their mean, the overall effect.

    Parameters
    ----------
    event_time, known : as of `steps_of`
    estimated : (m,) which have an estimate
    overall : whether the overall effect has a standard error
    """
    found = [
        Target(int(e), at, np.ones(1), np.array([e + 1.0 + anticipation]))
        for at, e in enumerate(event_time)
        if e >= 0 and known[at]
    ]
    inside = event_time[(event_time >= 0) & estimated]
    if overall and inside.size:
        share = np.full(inside.size, 1.0 / inside.size)
        distance = np.asarray(inside, dtype=float) + 1.0 + anticipation
        found.append(Target("overall", event_time.size, share, distance))
    if not found:
        raise OptionError(
            "trend_sensitivity() needs an effect with a standard error: no event time from "
            "treatment on has one; see the status in tidy()"
        )
    return found


# ---- intervals -----------------------------------------------------------------------------------


class Intervals(NamedTuple):
    """Intervals of one target for n values of m, (n,) each.

    Attributes
    ----------
    low, high : their ends
    p_value : the smallest level at which they exclude zero
    critical_value : of the combination whose interval ends nearest to zero, or beyond it
    """

    low: Floats
    high: Floats
    p_value: Floats
    critical_value: Floats


class Analysis(NamedTuple):
    """Intervals of T targets for n values of m.

    Attributes
    ----------
    table : DataFrame, n rows for each target
    breakdown : (T,) the largest m at which the interval of each excludes zero
    nested : (T,) whether it does so at every smaller m that is looked at, zero among them
    """

    table: pd.DataFrame
    breakdown: pd.Series
    nested: pd.Series


class RelativeMagnitudes:
    """No step after treatment is larger than m times the largest step before.

    The hull of the intervals of l'theta + lambda m K s_j over the steps j and lambda = -1, 0, 1,
    each with the largest of the three critical values. In lambda, ends of intervals with one
    critical value are convex, so that the corners are enough; over j it is a union of intervals
    (Conley, Hansen & Rossi 2012), as one of the steps is the largest.
    """

    def __init__(self, coefficients: Coefficients, steps: Steps, targets: list[Target]) -> None:
        self._n_targets, self._n_steps = len(targets), len(steps.weights)
        self._size = np.array([target.n_steps for target in targets])
        at = np.array([target.position for target in targets])
        own = np.eye(steps.weights.shape[1])[at]
        self._combinations = Combinations(coefficients, np.vstack([own, steps.weights]))
        estimate = coefficients.targets.estimates.full[at]
        self._own = Sums(estimate, coefficients.own_variance.take(at), np.full(at.size, np.nan))

    def intervals(self, m: Floats, alpha: float) -> list[Intervals]:
        """Return the intervals of each target at several m."""
        positive = m[m > 0]
        shape = (self._n_targets, self._n_steps, positive.size)
        number, step, at = np.indices(shape).reshape(3, -1)
        hull = _hull(self._corners(number, step, positive[at], alpha), shape)
        ends = []
        for alone, of_positive in zip(self._alone(alpha), hull, strict=True):
            values = np.repeat(alone[:, None], m.size, axis=1)
            values[:, m > 0] = of_positive
            ends.append(values)
        return [Intervals(*one) for one in zip(*ends, strict=True)]

    def _alone(self, alpha: float) -> Intervals:
        """Return the intervals of all targets under parallel trends: those of `confint`."""
        estimate, variance = self._own.estimate, self._own.variance
        critical = variance.critical_value(alpha)
        margin = critical * variance.std_error
        p_value = variance.p_value(estimate / variance.std_error)
        return Intervals(estimate - margin, estimate + margin, p_value, critical)

    def _parts(self, number: Ints, step: Ints, m: Floats) -> list[Sums]:
        """Return lambda = -1, 0, 1 for targets, steps and values of m, (L,) each."""
        x, half = m * self._size[number], np.arange(m.size)
        first, second = np.tile(number, 2), self._n_targets + np.tile(step, 2)
        found = self._combinations.sums(first, second, np.concatenate([x, -x]))
        return [found.take(half), found.take(half + m.size), self._own.take(number)]

    def _corners(self, number: Ints, step: Ints, m: Floats, alpha: float) -> Intervals:
        """Return the hulls of lambda = -1, 0, 1 for targets, steps and values of m, (L,) each."""
        parts = self._parts(number, step, m)
        estimate = np.stack([part.estimate for part in parts])
        error = np.stack([part.variance.std_error for part in parts])
        critical = np.max([part.variance.critical_value(alpha) for part in parts], axis=0)
        return Intervals(
            (estimate - critical * error).min(axis=0),
            (estimate + critical * error).max(axis=0),
            _p_value(parts),
            critical,
        )

    def _excess(self, number: Ints, step: Ints, m: Floats, alpha: float) -> Floats:
        """Return how far hulls are from zero, roughly; negative where they contain it, (L,).

        P-values say the same as intervals, without a search for critical values.
        """
        parts = self._parts(number, step, m)
        error = np.max([part.variance.std_error for part in parts], axis=0)
        return np.asarray(error * _beyond(_p_value(parts), alpha))

    def breakdown(self, alpha: float) -> Floats:
        """Return the largest m at which the interval of each target excludes zero, (T,).

        The step that is the largest in the data is likely to decide. Where it breaks down, the
        others are looked at, and what is worse is looked for below.
        """
        low, high, p_value, _ = self._alone(alpha)
        best = np.where(np.isnan(low * high), np.nan, 0.0)
        number = np.flatnonzero(low * high > 0)
        error = self._own.variance.std_error
        start = error * np.maximum(_beyond(p_value, alpha), TOLERANCE)
        step = np.abs(self._combinations.estimates[self._n_targets :]).argmax()
        step = np.full(number.size, step)
        left = np.ones((self._n_targets, self._n_steps), dtype=bool)
        most = np.full(number.size, np.inf)
        while number.size:
            excess = partial(self._excess, alpha=alpha)
            best[number] = roots(excess, (number, step), start[number], most)
            left[number, step] = False
            number = number[np.isfinite(best[number])]
            pairs = np.argwhere(left[number])
            of, other = number[pairs[:, 0]], pairs[:, 1]
            values = np.full(left.shape, np.inf)
            values[of, other] = excess(of, other, best[of])
            best[np.isnan(values).any(axis=1)] = np.nan
            left &= values < -TOLERANCE * start[:, None]
            number = number[left[number].any(axis=1)]
            step, most = values[number].argmin(axis=1), best[number]
        return best


def _p_value(parts: list[Sums]) -> Floats:
    """Return the smallest levels at which hulls of three intervals exclude zero, (L,).

    Each of the three excludes zero, on the same side, where the least |t| is beyond all three
    critical values.
    """
    estimate = np.stack([part.estimate for part in parts])
    error = np.stack([part.variance.std_error for part in parts])
    least = np.min(np.abs(estimate / error), axis=0)
    p_value = np.max([part.variance.p_value(least) for part in parts], axis=0)
    one_side = (estimate > 0).all(axis=0) | (estimate < 0).all(axis=0)
    return np.where(one_side | np.isnan(p_value), p_value, 1.0)


def _beyond(p_value: Floats, alpha: float) -> Floats:
    """Return how far a normal statistic with that p-value is beyond its critical value."""
    special = load("scipy.special")

    return np.asarray(
        special.ndtri(alpha / 2.0) - special.ndtri(np.maximum(p_value, LEAST_P) / 2.0)
    )


def _hull(found: Intervals, shape: tuple[int, int, int]) -> Intervals:
    """Take the hull over the second of three axes; the worst decides the p-value.

    All of the intervals contain the estimate under parallel trends.
    """
    low, high, p_value, critical = (x.reshape(shape) for x in found)
    lowest, highest = low.min(axis=1), high.max(axis=1)
    nearest = np.where(np.abs(lowest) <= np.abs(highest), low.argmin(axis=1), high.argmax(axis=1))
    decides = np.take_along_axis(critical, nearest[:, None], axis=1)[:, 0]
    return Intervals(lowest, highest, p_value.max(axis=1), decides)


class Smoothness:
    """Neighbouring steps differ by at most m.

    The interval of l'theta - K m_p, with m_p the mean of the last p steps, is widened on both sides
    by what the restriction leaves open. p is that of the shortest interval expected under the
    working model; without one, of the shortest interval for the given standard errors.
    """

    def __init__(self, coefficients: Coefficients, steps: Steps, targets: list[Target]) -> None:
        self._coefficients, self._targets = coefficients, targets
        own = np.eye(steps.weights.shape[1])[[target.position for target in targets]]
        means = steps.means()
        self._p = np.arange(1, len(means) + 1)
        self._combinations = Combinations(coefficients, np.vstack([own, means]))

    def _adjusted(self, number: int) -> Sums:
        """Return l'theta - K m_p for every p."""
        first = np.full(self._p.size, number)
        second = len(self._targets) + self._p - 1
        x = np.full(self._p.size, -self._targets[number].n_steps)
        return self._combinations.sums(first, second, x)

    def _expected(self, found: Sums) -> Floats:
        """Return the standard errors that are expected, (P,)."""
        if np.isnan(found.expected).any():
            return found.variance.std_error
        design = self._coefficients.evidence.design
        scale = design.movements.scale(design.variance)
        known = found.expected * scale
        return found.variance.std_error if np.isnan(known).any() else known

    def _lengths(self, number: int, alpha: float) -> tuple[Sums, Floats, Floats, Floats]:
        """Return estimates, critical values, half lengths at m = 0, and what m adds to them."""
        found = self._adjusted(number)
        critical = found.variance.critical_value(alpha)
        half = critical * self._expected(found)
        # An interval that cannot be had is none to choose.
        return (
            found,
            critical,
            np.where(np.isnan(half), np.inf, half),
            self._targets[number].bound(self._p),
        )

    def intervals(self, m: Floats, alpha: float) -> list[Intervals]:
        """Return the intervals of each target at several m."""
        return [self._intervals(number, m, alpha) for number in range(len(self._targets))]

    def _intervals(self, number: int, m: Floats, alpha: float) -> Intervals:
        found, critical, half, bound = self._lengths(number, alpha)
        p = (half + m[:, None] * bound).argmin(axis=1)
        chosen = found.take(p)
        error, add = chosen.variance.std_error, m * bound[p]
        margin = critical[p] * error + add
        beyond = (np.abs(chosen.estimate) - add) / error
        p_value = np.where(beyond > 0, chosen.variance.p_value(np.fmax(beyond, 0.0)), 1.0)
        p_value = np.where(np.isnan(beyond), np.nan, p_value)
        low, high = chosen.estimate - margin, chosen.estimate + margin
        return Intervals(low, high, p_value, critical[p])

    def breakdown(self, alpha: float) -> Floats:
        """Return the largest m at which the interval of each target excludes zero, (T,).

        For each p, the interval excludes zero up to some m, and p is chosen between two values.
        """
        return np.array([self._breakdown(number, alpha) for number in range(len(self._targets))])

    def _breakdown(self, number: int, alpha: float) -> float:
        found, critical, half, bound = self._lengths(number, alpha)
        gap = np.abs(found.estimate) - critical * found.variance.std_error
        if np.isnan(gap).all():
            return np.nan
        best = 0.0
        for p, most in enumerate(gap / bound):
            with np.errstate(divide="ignore", invalid="ignore"):
                cross = (half - half[p]) / (bound[p] - bound)  # where another p is as short
            first = max(0.0, float(cross[bound > bound[p]].max(initial=0.0)))
            last = float(cross[bound < bound[p]].min(initial=np.inf))
            if np.isfinite(half[p]) and first <= last and most >= first:
                best = max(best, min(float(most), last))
        return best


METHODS: dict[Restriction, Callable[..., RelativeMagnitudes | Smoothness]] = {
    "relative_magnitudes": RelativeMagnitudes,
    "smoothness": Smoothness,
}


def analyse(
    coefficients: Coefficients,
    steps: Steps,
    targets: list[Target],
    restriction: Restriction,
    m: Floats | None,
    alpha: float,
) -> Analysis:
    """Compute intervals and breakdown values of all targets; `m` None: a few values."""
    method = METHODS[restriction](coefficients, steps, targets)
    if m is None:
        m = MULTIPLES if restriction == "relative_magnitudes" else _changes(coefficients, steps)
    every = np.unique(np.append(m, 0.0))
    index = pd.Index([target.label for target in targets], dtype=object, name="target")
    columns = {"target": index.repeat(every.size), "m": np.tile(every, index.size)}
    found = zip(*method.intervals(every, alpha), strict=True)
    names = ("conf_low", "conf_high", "p_value", "critical_value")
    columns |= dict(zip(names, map(np.concatenate, found), strict=True))
    table = pd.DataFrame(columns)
    value = method.breakdown(alpha)
    outside = (table["conf_low"] * table["conf_high"] > 0).to_numpy().reshape(index.size, -1)
    nested = (outside | ((every > 0) & (every >= value[:, None]))).all(axis=1)
    table = table[table["m"].isin(m)].reset_index(drop=True)
    return Analysis(
        table,
        pd.Series(value, index, name="breakdown"),
        pd.Series(nested, index, name="nested"),
    )


def _changes(coefficients: Coefficients, steps: Steps) -> Floats:
    """Return changes of the steps to look at: up to the standard error of a step, rounded."""
    error = [
        coefficients.variance(coefficients.kind, row[None]).std_error[0] for row in steps.weights
    ]
    size = float(f"{np.nanmedian(error):.1g}")
    return np.linspace(0.0, size, 5)
