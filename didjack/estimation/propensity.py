"""Propensity scores: logit fits of treated against control rows, for all replicates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from didjack._typing import Bools, Floats, Ints
from didjack.estimation import linear_systems, taylor
from didjack.estimation.kernels import logit as kernels
from didjack.estimation.layout import Arm, Classes
from didjack.estimation.passes import Logit, LogitModel, LogitPasses, OddsOf
from didjack.estimation.sums import SumSource

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
    model : LogitModel
    excluded : (b, 2) values of binary covariates that predict treatment perfectly; their rows
        have no weight
    keep : (r, k) covariates that are used
    """

    replicates: Ints
    model: LogitModel
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

    def odds_sums(self, logits: LogitPasses, of: OddsOf, replicates: Ints) -> Floats:
        """Sum odds-weighted covariates and outcomes of control rows, (r, k + o).

        A cluster without rows in the model changes nothing: it is not summed again.
        """
        result = np.empty((replicates.size, self.keep.shape[1] + of.outcomes.size))
        for part in self.parts:
            mine = np.isin(replicates, part.replicates)
            touched = mine & np.isin(replicates, logits.involved(part.model))
            rest = mine & ~touched
            todo = replicates[touched]
            if rest.any():
                todo = np.append(replicates[rest][:1], todo)
            beta = self.logit.beta[todo]
            if rest.any():
                sums = taylor.odds_sums(logits, part.model, of, beta, todo)
                result[rest], sums = sums[0], sums[1:]
            else:
                sums = logits.odds(part.model, of, beta, todo)
            result[touched] = sums
        return result


def fit_propensity(source: SumSource, model: LogitModel, weighted: bool, drop: bool) -> Propensity:
    """Fit a propensity model in all replicates.

    Parameters
    ----------
    weighted : whether there are sampling weights; overlap is judged without them
    drop : whether to drop collinear covariates, and binary ones that predict perfectly together
        with the rows they predict
    """
    n_rep, k, logits = 1 + source.n_deleted, source.layout.k, source.logits
    whole = _whole(source, model)
    parts = tuple(_share_out(source, whole)) if drop else (whole,)
    logit = Logit(np.zeros((n_rep, k)), np.zeros(n_rep, dtype=bool), np.full(n_rep, np.nan))
    overlap, keep = np.zeros(n_rep, dtype=bool), np.ones((n_rep, k), dtype=bool)
    for part in parts:
        fit = _fit(logits, part)
        judge = fit
        if weighted:
            judge = _fit(logits, replace(part, model=logits.unweighted(part.model)))
        at = part.replicates
        logit.put(at, fit)
        overlap[at] = fit.converged & judge.converged & (judge.top < OVERLAP_LIMIT)
        keep[at] = part.keep
    return Propensity(parts, logit, overlap, keep)


def constant_overlap(
    source: SumSource, treated: int, others: Classes, arms: tuple[Arm, ...]
) -> Bools:
    """Judge overlap as `fit_propensity` and the odds would without covariates, (R,).

    Then the propensity is the share of treated rows. Where it reaches the limit, or by weight the
    one at which control rows are trimmed, which all of them are then, there is no estimate.
    """
    sides = (treated,), others
    rows = [sum(source.counts(side, arm) for arm in arms) for side in sides]
    weights = [sum(source.weights(side, arm) for arm in arms) for side in sides]
    with np.errstate(invalid="ignore"):  # without rows there is a status that says so
        below = rows[0] / (rows[0] + rows[1]) < OVERLAP_LIMIT
        return np.asarray(below & (weights[0] / (weights[0] + weights[1]) < kernels.TRIM))


def _whole(source: SumSource, model: LogitModel) -> Part:
    n_rep, layout = 1 + source.n_deleted, source.layout
    keep = np.ones((n_rep, layout.k), dtype=bool)
    return Part(np.arange(n_rep), model, np.zeros((int(layout.binary.sum()), 2), dtype=bool), keep)


def _share_out(source: SumSource, whole: Part) -> Iterator[Part]:
    """Share the replicates out by which values of binary covariates predict perfectly.

    Without the rows of such a value another one may predict perfectly, so this goes on until
    there are none.
    """
    logits, pending = source.logits, [whole]
    while pending:
        part = pending.pop()
        if not part.excluded.size:
            yield _without_dependent(source, part)
            continue
        counts = logits.binary_counts(part.model)[:, part.replicates]
        found = _perfect(counts) & ~part.excluded
        for pattern in np.unique(found.reshape(len(found), -1), axis=0):
            members = (found.reshape(len(found), -1) == pattern).all(axis=1)
            own = replace(part, replicates=part.replicates[members], keep=part.keep[members])
            if not pattern.any():
                yield _without_dependent(source, own)
                continue
            excluded = part.excluded | pattern.reshape(part.excluded.shape)
            model = logits.without(whole.model, excluded)
            pending.append(replace(own, excluded=excluded, model=model))


def _perfect(counts: Floats) -> Bools:
    """Find the values of binary columns with rows of one side only, (r, b, 2).

    Parameters
    ----------
    counts : (2, r, b, 2) control and treated rows by value
    """
    both_values = (counts.sum(axis=0) > 0).all(axis=-1)
    one_side = (counts > 0).sum(axis=0) == 1
    return np.asarray(one_side & both_values[..., None])


def _without_dependent(source: SumSource, part: Part) -> Part:
    """Drop the excluded columns, and those that depend on others among the rows that are left."""
    keep = part.keep.copy()
    keep[:, np.flatnonzero(source.layout.binary)[part.excluded.any(axis=1)]] = False
    gram = np.ascontiguousarray(source.logits.gram(part.model)[part.replicates])
    _, scale, _ = linear_systems.factor(gram, keep, True)
    return replace(part, keep=scale > 0)


def _fit(logits: LogitPasses, part: Part) -> Logit:
    """Fit a part's replicates, warm-started at the one that none of its clusters is missing from.

    Where the deleted cluster has no rows in the model, that fit is the replicate's.

    Returns
    -------
    Logit with r = the part's number of replicates
    """
    model, replicates, keep = part.model, part.replicates, part.keep
    start = np.zeros(keep.shape)
    start[:, 0] = _log_odds(logits, part)
    involved = np.isin(replicates, logits.involved(model))
    if involved.all():
        return logits.fit(model, replicates, keep, start)
    whole = np.flatnonzero(~involved)[:1]
    full = logits.fit(model, replicates[whole], keep[whole], start[whole])
    others = np.flatnonzero(involved)
    first, short = _first_steps(logits, part, full, others)
    result = full.repeat(replicates.size)
    if short.any():
        near = np.flatnonzero(short & (keep[others] == keep[whole]).all(axis=1))
        asked = taylor.Near(replicates[others[near]], keep[whole[0]], first[near], OVERLAP_LIMIT)
        found, fits = taylor.fit_near(logits, model, asked, full)
        result.put(others[near], fits)
        left = np.ones(others.size, dtype=bool)
        left[near[found]] = False
        others, first = others[left], first[left]
    fits = logits.fit(model, replicates[others], keep[others], first)
    result.put(others, fits)
    lost = others[~fits.converged]
    if lost.size:  # the full sample is no good start where a cluster dominates it
        result.put(lost, logits.fit(model, replicates[lost], keep[lost], start[lost]))
    return result


def _first_steps(
    logits: LogitPasses, part: Part, full: Logit, others: Ints
) -> tuple[Floats, Bools]:
    """Take one Newton step from the full sample's fit, where it is short.

    Parameters
    ----------
    others : (o,) positions of replicates in the part

    Returns
    -------
    starting values, (o, k), and whether the step was taken, (o,)
    """
    keep = part.keep[others]
    first, short = np.zeros(keep.shape), np.zeros(others.size, dtype=bool)
    if not full.converged[0]:
        first[:, 0] = _log_odds(logits, part)[others]
        return first, short
    sums = logits.score(part.model, full.beta[0])[part.replicates[others]]
    step, _ = kernels.logit_steps(sums, np.ascontiguousarray(keep))
    short = np.abs(step).max(axis=1) <= LONG_STEP
    step[~short] = 0.0
    return np.where(keep, full.beta[0] + step, 0.0), short


def _log_odds(logits: LogitPasses, part: Part) -> Floats:
    """Log odds of treatment, the fits without covariates, (r,)."""
    zero, one = logits.weights(part.model)[:, part.replicates]
    some = (zero > 0) & (one > 0)
    odds = np.divide(one, zero, out=np.ones(zero.size), where=some)
    return np.asarray(np.log(odds))
