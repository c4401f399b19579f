"""Propensity scores: logit fits of treated against comparison rows, for all replicates."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from didjack import kernels
from didjack.columns import Bools, Floats, Ints
from didjack.design import Arm
from didjack.moments import Cohorts, LogitRows, LogitSums, Moments

MAX_ITERATIONS = 60
STEP_TOLERANCE = 1e-7
"""Newton converges quadratically: after a step this small the error is of the order 1e-14."""
DEVIANCE_TOLERANCE = 1e-8
FLAT_ITERATIONS = 3
"""So many iterations of flat deviance end a fit whose coefficients run off to infinity."""
OVERLAP_LIMIT = 0.999
"""A cell with a fitted (unweighted) propensity at or above this has no overlap."""

_Evaluate = Callable[[Floats, Ints], LogitSums]


@dataclass(frozen=True, slots=True)
class Logit:
    """Logit fits.

    Attributes
    ----------
    beta : (r, k) coefficients on the standardised covariates
    converged : (r,)
    top : (r,) the largest fitted propensity
    """

    beta: Floats
    converged: Bools
    top: Floats


@dataclass(frozen=True, slots=True)
class Part:
    """Replicates that fit the same model: the same rows and, among them, the same exclusions.

    Attributes
    ----------
    replicates : (r,) sorted
    rows : LogitRows
    excluded : (b, 2) values of binary covariates that predict treatment perfectly; their rows
        have no weight
    keep : (r, k) covariates that are used
    """

    replicates: Ints
    rows: LogitRows
    excluded: Bools
    keep: Bools


@dataclass(frozen=True, slots=True)
class Propensity:
    """The propensity model of one comparison in all replicates.

    Attributes
    ----------
    parts : models, which share out the replicates
    logit : Logit with r = R
    overlap : (R,) whether the fit converged with all propensities away from one
    keep : (R, k) covariates that are used
    """

    parts: tuple[Part, ...]
    logit: Logit
    overlap: Bools
    keep: Bools

    def odds_sums(
        self,
        moments: Moments,
        comparison: Cohorts,
        arm: Arm,
        replicates: Ints,
        outcomes: Ints,
    ) -> Floats:
        """Sum odds-weighted covariates and outcomes of comparison rows, (r, k + o).

        A cluster without rows in the model changes nothing: it is not summed again.
        """
        k = self.keep.shape[1]
        result = np.empty((replicates.size, k + outcomes.size))
        for part in self.parts:
            mine = np.isin(replicates, part.replicates)
            touched = mine & np.isin(replicates, moments.involved(part.rows.chosen))
            rest = mine & ~touched
            todo = replicates[touched]
            if rest.any():
                todo = np.append(replicates[rest][:1], todo)
            sums = moments.odds_sums(
                part.rows, comparison, arm, self.logit.beta[todo], todo, outcomes
            )
            if rest.any():
                result[rest], sums = sums[0], sums[1:]
            result[touched] = sums
        return result


def fit_propensity(moments: Moments, rows: LogitRows, weighted: bool, drop: bool) -> Propensity:
    """Fit a propensity model in all replicates.

    Parameters
    ----------
    weighted : whether there are sampling weights; overlap is judged without them
    drop : whether to drop collinear covariates, and binary ones that predict perfectly together
        with the rows they predict
    """
    n_rep, k = moments.n_replicates, rows.x.shape[1]
    parts = tuple(_share_out(moments, rows)) if drop else (_whole(moments, rows),)
    logit = Logit(np.zeros((n_rep, k)), np.zeros(n_rep, dtype=bool), np.full(n_rep, np.nan))
    overlap, keep = np.zeros(n_rep, dtype=bool), np.ones((n_rep, k), dtype=bool)
    for part in parts:
        fit = _fit(moments, part)
        judge = fit
        if weighted:
            counted = replace(part.rows, w=part.rows.count)
            judge = _fit(moments, replace(part, rows=counted))
        at = part.replicates
        logit.beta[at], logit.converged[at], logit.top[at] = fit.beta, fit.converged, fit.top
        overlap[at] = fit.converged & judge.converged & (judge.top < OVERLAP_LIMIT)
        keep[at] = part.keep
    return Propensity(parts, logit, overlap, keep)


def _whole(moments: Moments, rows: LogitRows) -> Part:
    n_rep, n_binary = moments.n_replicates, int(moments.design.binary.sum())
    keep = np.ones((n_rep, rows.x.shape[1]), dtype=bool)
    return Part(np.arange(n_rep), rows, np.zeros((n_binary, 2), dtype=bool), keep)


def _share_out(moments: Moments, rows: LogitRows) -> Iterator[Part]:
    """Share the replicates out by which values of binary covariates predict perfectly.

    Without the rows of such a value another one may predict perfectly, so this goes on until
    there are none.
    """
    pending = [_whole(moments, rows)]
    while pending:
        part = pending.pop()
        counts = moments.binary_counts(part.rows)[:, part.replicates]
        found = _perfect(counts) & ~part.excluded
        for pattern in np.unique(found.reshape(len(found), -1), axis=0):
            members = (found.reshape(len(found), -1) == pattern).all(axis=1)
            own = replace(part, replicates=part.replicates[members], keep=part.keep[members])
            if not pattern.any():
                yield _without_dependent(moments, own)
                continue
            excluded = part.excluded | pattern.reshape(part.excluded.shape)
            pending.append(replace(own, excluded=excluded, rows=moments.without(rows, excluded)))


def _perfect(counts: Floats) -> Bools:
    """Find the values of binary columns with rows of one side only, (r, b, 2).

    Parameters
    ----------
    counts : (2, r, b, 2) comparison and treated rows by value
    """
    both_values = (counts.sum(axis=0) > 0).all(axis=-1)
    one_side = (counts > 0).sum(axis=0) == 1
    return np.asarray(one_side & both_values[..., None])


def _without_dependent(moments: Moments, part: Part) -> Part:
    """Drop the excluded columns, and those that depend on others among the rows that are left."""
    keep = part.keep.copy()
    keep[:, np.flatnonzero(moments.design.binary)[part.excluded.any(axis=1)]] = False
    gram = np.ascontiguousarray(moments.gram(part.rows)[part.replicates])
    _, scale, _ = kernels.factor(gram, keep, True)
    return replace(part, keep=scale > 0)


def _fit(moments: Moments, part: Part) -> Logit:
    """Fit a part's replicates, warm-started at its first one.

    A replicate whose cluster has no rows in the model has the fit of the full sample.

    Returns
    -------
    Logit with r = the part's number of replicates
    """
    rows, replicates, keep = part.rows, part.replicates, part.keep
    start = np.zeros((1, rows.x.shape[1]))
    start[0, 0] = _log_odds(moments, rows)
    involved = np.isin(replicates, moments.involved(rows.chosen))
    if involved.all():  # the full sample is not among them
        start = np.repeat(start, replicates.size, axis=0)
        return _newton(_own(moments, part, np.arange(replicates.size)), start, keep)[0]
    base = int(np.flatnonzero(~involved)[0])
    seen: list[LogitSums] = []

    def together(beta: Floats, active: Ints) -> LogitSums:
        seen[:] = [moments.logit_at(rows, beta[0])]
        return _take(seen[0], np.zeros(1, dtype=np.int64))

    full, last = _newton(together, start, keep[base : base + 1])
    beta = np.repeat(full.beta, replicates.size, axis=0)
    converged = np.repeat(full.converged, replicates.size)
    top = np.repeat(full.top, replicates.size)
    others = np.flatnonzero(involved)
    if others.size:
        first = np.repeat(start, others.size, axis=0)
        if full.converged[0]:
            first = np.where(keep[others], last, 0.0)
            if (keep[others] == keep[base]).all():
                step, solvable = _steps(_take(seen[0], replicates[others]), keep[others])
                first = first + np.where(solvable[:, None], step, 0.0)
        fits, _ = _newton(_own(moments, part, others), first, keep[others])
        beta[others], converged[others], top[others] = fits.beta, fits.converged, fits.top
    return Logit(beta, converged, top)


def _own(moments: Moments, part: Part, members: Ints) -> _Evaluate:
    """Return what evaluates some of a part's replicates at coefficients of their own."""

    def evaluate(beta: Floats, active: Ints) -> LogitSums:
        return moments.logit_replicates(part.rows, beta, part.replicates[members[active]])

    return evaluate


def _take(sums: LogitSums, rows: Ints) -> LogitSums:
    return LogitSums(sums.score[rows], sums.information[rows], sums.deviance[rows], sums.top[rows])


def _log_odds(moments: Moments, rows: LogitRows) -> float:
    """Log odds of treatment in the full sample, the fit without covariates."""
    zero, one = moments.weight_of(rows)
    return float(np.log(one / zero)) if one > 0 and zero > 0 else 0.0


def _steps(sums: LogitSums, keep: Bools) -> tuple[Floats, Bools]:
    """Return Newton steps (r, k), and where the information can be inverted."""
    information = np.ascontiguousarray(sums.information)
    lower, scale, dependent = kernels.factor(information, keep, False)
    solvable = dependent < 0
    lower[~solvable] = 0.0
    score = np.ascontiguousarray(sums.score[:, None, :])
    return kernels.solve(lower, scale, score)[:, 0, :], solvable


def _newton(evaluate: _Evaluate, start: Floats, keep: Bools) -> tuple[Logit, Floats]:
    """Maximise r likelihoods by Newton steps, halved where the deviance rises.

    A fit converges when its step is small. Where a covariate predicts the comparison status of
    some rows perfectly, coefficients grow without end while deviance and all other fitted values
    settle; such a fit counts as converged too.

    Returns
    -------
    Logit, and the (r, k) coefficients at which `evaluate` was last called.
    """
    n_fit = len(start)
    beta, accepted, last = start.copy(), start.copy(), start.copy()
    deviance, null = np.full(n_fit, np.inf), np.full(n_fit, np.nan)
    flat = np.zeros(n_fit, dtype=np.int64)
    converged, top = np.zeros(n_fit, dtype=bool), np.full(n_fit, np.nan)
    active = np.arange(n_fit)
    for _ in range(MAX_ITERATIONS):
        if not active.size:
            break
        sums = evaluate(np.ascontiguousarray(beta[active]), active)
        last[active] = beta[active]
        null[active] = np.fmax(null[active], sums.deviance)
        slack = DEVIANCE_TOLERANCE * (sums.deviance + 1e-3 * null[active])
        fall = deviance[active] - sums.deviance
        rising = fall < -slack
        flat[active] = np.where(np.abs(fall) <= slack, flat[active] + 1, 0)
        step, solvable = _steps(sums, np.ascontiguousarray(keep[active]))
        small = solvable & (np.abs(step).max(axis=1) < STEP_TOLERANCE)
        top[active] = 1.0 / (1.0 + np.exp(-sums.top))
        settled = ~rising & (small | (flat[active] >= FLAT_ITERATIONS))
        stuck = ~rising & ~settled & ~solvable
        converged[active] = settled | (stuck & (flat[active] > 0))
        move = ~rising & solvable & (small | ~settled)
        here = active[~rising]
        accepted[here], deviance[here] = beta[here], sums.deviance[~rising]
        beta[active[move]] += step[move]
        back = active[rising]
        beta[back] = 0.5 * (beta[back] + accepted[back])
        active = active[~(settled | stuck)]
    return Logit(beta, converged, top), last
