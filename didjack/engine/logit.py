"""Propensity scores: logit fits of treated against comparison rows, for all replicates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from didjack._typing import Bools, Floats, Ints
from didjack.engine import taylor as expansion
from didjack.kernels import core as kernels
from didjack.sums.in_memory import Cohorts, Logit, LogitRows, Moments
from didjack.sums.layout import Arm

LONG_STEP = 0.5
"""A first Newton step of a replicate beyond this is not taken: halving cannot undo it."""
OVERLAP_LIMIT = 0.999
"""A cell with a fitted (unweighted) propensity at or above this has no overlap."""


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
            rows, beta = part.rows, self.logit.beta[todo]
            if rest.any():
                sums = expansion.odds_sums(moments, rows, comparison, arm, beta, todo, outcomes)
                result[rest], sums = sums[0], sums[1:]
            else:
                sums = moments.odds_sums(rows, comparison, arm, beta, todo, outcomes)
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
        logit.put(at, fit)
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
        if not part.excluded.size:
            yield _without_dependent(moments, part)
            continue
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
    """Fit a part's replicates, warm-started at the one that none of its clusters is missing from.

    Where the deleted cluster has no rows in the model, that fit is the replicate's.

    Returns
    -------
    Logit with r = the part's number of replicates
    """
    rows, replicates, keep = part.rows, part.replicates, part.keep
    start = np.zeros((replicates.size, rows.x.shape[1]))
    start[:, 0] = _log_odds(moments, part)
    involved = np.isin(replicates, moments.involved(rows.chosen))
    if involved.all():
        return moments.fit_logits(rows, replicates, keep, start)
    base = np.flatnonzero(~involved)[:1]
    full = moments.fit_logits(rows, replicates[base], keep[base], start[base])
    others = np.flatnonzero(involved)
    first, short = start[others], np.zeros(others.size, dtype=bool)
    if full.converged[0]:
        sums = moments.logit_sums(rows, full.beta[0])[replicates[others]]
        step, _ = kernels.logit_steps(sums, np.ascontiguousarray(keep[others]))
        short = np.abs(step).max(axis=1) <= LONG_STEP
        step[~short] = 0.0
        first = np.where(keep[others], full.beta[0] + step, 0.0)
    result = full.repeat(replicates.size)
    if short.any():
        near = np.flatnonzero(short & (keep[others] == keep[base]).all(axis=1))
        found, fits = expansion.fit_near(
            moments, rows, replicates[others[near]], keep[base[0]], first[near], full, OVERLAP_LIMIT
        )
        result.put(others[near], fits)
        left = np.ones(others.size, dtype=bool)
        left[near[found]] = False
        others, first = others[left], first[left]
    fits = moments.fit_logits(rows, replicates[others], keep[others], first)
    result.put(others, fits)
    lost = others[~fits.converged]
    if lost.size:  # the full sample is no good start where a cluster dominates it
        result.put(lost, moments.fit_logits(rows, replicates[lost], keep[lost], start[lost]))
    return result


def _log_odds(moments: Moments, part: Part) -> Floats:
    """Log odds of treatment, the fits without covariates, (r,)."""
    chosen, treated = part.rows.chosen, part.rows.treated
    zero, one = (
        moments.weight_of(part.rows, chosen[treated == side])[part.replicates]
        for side in (False, True)
    )
    some = (zero > 0) & (one > 0)
    odds = np.divide(one, zero, out=np.ones(zero.size), where=some)
    return np.log(odds)
