"""Design -> sums over rows, for the full sample and without each cluster.

This is the seam between data and statistics: what stands to the right of it asks for sums by
replicate and never sees a row. Row 0 of every result is the full sample, row 1 + h is the sample
without cluster h.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from didjack._typing import Bools, Floats, Ints
from didjack.kernels import core as kernels
from didjack.kernels import threads
from didjack.sums.layout import Arm, Design

Cohorts = tuple[int, ...]

EXPONENTIAL = 20
"""An exponential or logarithm takes about as long as so many multiplications."""


@dataclass(frozen=True, slots=True)
class Sums:
    """Weighted sums over the rows of some cohorts in one arm, by replicate.

    Attributes
    ----------
    gram : (R, k, k) sum of w x x'
    cross : (R, O, k) sum of w x y
    """

    gram: Floats
    cross: Floats

    @property
    def weight(self) -> Floats:
        """(R,) sum of w."""
        return self.gram[:, 0, 0]

    @property
    def x(self) -> Floats:
        """(R, k) sum of w x."""
        return self.gram[:, 0, :]

    @property
    def y(self) -> Floats:
        """(R, O) sum of w y."""
        return self.cross[:, :, 0]


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

    def repeat(self, count: int) -> Logit:
        """Return a single fit so many times."""
        return Logit(
            np.repeat(self.beta, count, axis=0),
            np.repeat(self.converged, count),
            np.repeat(self.top, count),
        )

    def put(self, at: Ints, fits: Logit) -> None:
        """Write other fits into some places."""
        self.beta[at], self.converged[at], self.top[at] = fits.beta, fits.converged, fits.top


@dataclass(frozen=True, slots=True)
class LogitRows:
    """The rows of one propensity model: treated and comparison cohorts over all its arms.

    Attributes
    ----------
    x : (n, k)
    w : (n,) weights; rows with weight zero do not take part
    count : (n,) the same without sampling weights
    chosen : (c,) strata, ordered by cluster
    treated : (c,) whether a stratum is of the treated cohort
    n : number of rows
    largest : (k,) largest absolute values of the covariates, over the whole sample
    """

    x: Floats
    w: Floats
    count: Floats
    chosen: Ints
    treated: Bools
    n: int
    largest: Floats


class Moments:
    """Sums over the rows of a design; those that are asked for twice are kept.

    `tick`, if it is set, is called with the number of replicates whose logit is done.
    """

    def __init__(self, design: Design, jackknife: bool = True) -> None:
        self.design = design
        self.n_deleted = design.n_clusters if jackknife else 0
        self.tick: Callable[[int], None] | None = None
        self._strata: dict[tuple[int, int], tuple[Floats, Floats]] = {}
        self._sums: dict[tuple[Cohorts, Arm], Sums] = {}
        self._counts: dict[tuple[Cohorts, Arm], Ints] = {}
        self._selected: dict[tuple[Cohorts, int], Ints] = {}
        self._largest: dict[int, Floats] = {}

    @property
    def n_replicates(self) -> int:
        """R = 1 + H: the full sample and one replicate a cluster (R = 1 without jackknife)."""
        return 1 + self.n_deleted

    def select(self, cohorts: Cohorts, period: int) -> Ints:
        """Return the strata of some cohorts in a period, ordered by cluster."""
        key = (cohorts, period)
        if key not in self._selected:
            self._selected[key] = self.design.strata.select(cohorts, period)
        return self._selected[key]

    def deleted(self, values: Floats, chosen: Ints) -> Floats:
        """Add up strata: (S, ...) -> (R, ...)."""
        flat = np.ascontiguousarray(values).reshape(len(values), -1)
        result = kernels.deleted_sums(flat, chosen, self.design.strata.cluster, self.n_deleted)
        return np.asarray(result.reshape(-1, *values.shape[1:]))

    def shares(self) -> Floats:
        """Return the weight of each cohort, (R, C)."""
        clusters = np.arange(self.design.n_clusters)
        return np.asarray(
            kernels.deleted_sums(self.design.share, clusters, clusters, self.n_deleted)
        )

    def involved(self, chosen: Ints) -> Ints:
        """Return the replicates whose deleted cluster has rows in the chosen strata."""
        if not self.n_deleted:
            return np.empty(0, dtype=np.int64)
        return 1 + np.unique(self.design.strata.cluster[chosen])

    def sums(self, cohorts: Cohorts, arm: Arm) -> Sums:
        """Return the sums over the rows of some cohorts in an arm."""
        key = (cohorts, arm)
        if key not in self._sums:
            gram, cross = self._stratum_sums(arm.x, arm.w)
            chosen = self.select(cohorts, arm.period)
            self._sums[key] = Sums(self.deleted(gram, chosen), self.deleted(cross, chosen))
        return self._sums[key]

    def _stratum_sums(self, x: int, w: int) -> tuple[Floats, Floats]:
        if (x, w) not in self._strata:
            self._strata[x, w] = self._sum_strata(self.design.x[x], self.design.w[w], self.design.y)
        return self._strata[x, w]

    def _sum_strata(self, x: Floats, w: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Sum w x x', (S, k, k), and w x y, (S, O, k), by stratum."""
        start, k = self.design.strata.start, x.shape[1]
        gram = np.zeros((start.size - 1, k, k))
        cross = np.zeros((start.size - 1, y.shape[1], k))
        work = x.size * (k + y.shape[1])
        threads.run(kernels.stratum_sums, start.size - 1, work, x, w, y, start, gram, cross)
        return gram, cross

    def counts(self, cohorts: Cohorts, arm: Arm) -> Ints:
        """Return the number of units (unit-periods) of some cohorts in an arm, (R,)."""
        key = (cohorts, arm)
        if key not in self._counts:
            count = self.design.count_at(arm)
            by_stratum = np.add.reduceat(count, self.design.strata.start[:-1])[:, None]
            total = self.deleted(by_stratum, self.select(cohorts, arm.period))[:, 0]
            self._counts[key] = np.rint(total).astype(np.int64)
        return self._counts[key]

    def logit_rows(self, group: int, comparison: Cohorts, arms: tuple[Arm, ...]) -> LogitRows:
        """Collect the rows of a propensity model."""
        d = self.design
        chosen = np.concatenate([self.select((group, *comparison), arm.period) for arm in arms])
        chosen = chosen[np.argsort(d.strata.cluster[chosen], kind="stable")]
        return LogitRows(
            x=d.x[arms[0].x],
            w=d.w[arms[0].w],
            count=d.count_at(arms[0]),
            chosen=chosen,
            treated=d.strata.cohort[chosen] == group,
            n=int((d.strata.start[chosen + 1] - d.strata.start[chosen]).sum()),
            largest=self._largest_covariates(arms[0].x),
        )

    def _largest_covariates(self, slot: int) -> Floats:
        if slot not in self._largest:
            x = self.design.x[slot]
            self._largest[slot] = np.maximum(x.max(axis=0), -x.min(axis=0))
        return self._largest[slot]

    def without(self, rows: LogitRows, excluded: Bools) -> LogitRows:
        """Take rows with some values of binary covariates out of a propensity model.

        Parameters
        ----------
        excluded : (b, 2) the lower and higher values of the binary columns
        """
        x, low = self._binary(rows)
        hit = ((x == low) & excluded[:, 0]) | ((x != low) & excluded[:, 1])
        keep = ~hit.any(axis=1)
        return replace(rows, w=rows.w * keep, count=rows.count * keep)

    def _binary(self, rows: LogitRows) -> tuple[Floats, Floats]:
        """Return the binary columns, (n, b), and their lower values, (b,)."""
        x = np.ascontiguousarray(rows.x[:, self.design.binary])
        return x, x.min(axis=0)

    def binary_counts(self, rows: LogitRows) -> Floats:
        """Count comparison and treated rows by value of the binary columns, (2, R, b, 2)."""
        x, low = self._binary(rows)
        start = self.design.strata.start
        by_stratum = kernels.binary_counts(x, rows.w, low, start, rows.chosen)
        sides = [rows.chosen[rows.treated == side] for side in (False, True)]
        return np.stack([self.deleted(by_stratum, chosen) for chosen in sides])

    def gram(self, rows: LogitRows) -> Floats:
        """Sum w x x' over all rows of a propensity model, (R, k, k)."""
        gram, _ = self._sum_strata(rows.x, rows.w, np.empty((len(rows.w), 0)))
        return self.deleted(gram, rows.chosen)

    def weight_of(self, rows: LogitRows, chosen: Ints) -> Floats:
        """Add up the weights of some strata of a propensity model, (R,)."""
        by_stratum = np.add.reduceat(rows.w, self.design.strata.start[:-1])[:, None]
        return self.deleted(by_stratum, chosen)[:, 0]

    def logit_sums(self, rows: LogitRows, beta: Floats) -> Floats:
        """Sum the terms of a logit at one (k,) vector in every replicate, (R, m).

        They are additive in clusters, so all replicates cost one pass over the rows. The layout
        is that of `kernels.logit_strata`.
        """
        n, width = rows.chosen.size, logit_width(beta.size)
        by_stratum, top = np.zeros((n, width)), np.empty(n)
        threads.run(
            kernels.logit_strata,
            n,
            rows.n * (width + EXPONENTIAL),
            rows.x,
            rows.w,
            self.design.strata.start,
            rows.chosen,
            rows.treated,
            beta,
            by_stratum,
            top,
        )
        values = np.zeros((self.design.strata.cluster.size, width))
        values[rows.chosen] = by_stratum
        return self.deleted(values, rows.chosen)

    def fit_logits(self, rows: LogitRows, replicates: Ints, keep: Bools, start: Floats) -> Logit:
        """Fit a logit in some replicates, (r,), from starting values (r, k)."""
        n, strata = replicates.size, self.design.strata
        beta, converged, top = start.copy(), np.zeros(n, dtype=bool), np.empty(n)
        threads.run(
            kernels.fit_logits,
            n,
            n * rows.n * 3 * (logit_width(start.shape[1]) + EXPONENTIAL),
            rows.x,
            rows.w,
            strata.start,
            rows.chosen,
            rows.treated,
            strata.cluster,
            replicates - 1,
            np.ascontiguousarray(keep),
            rows.largest,
            beta,
            converged,
            top,
            tick=self.tick,
        )
        return Logit(beta, converged, 1.0 / (1.0 + np.exp(-top)))

    def odds_sums(
        self,
        rows: LogitRows,
        comparison: Cohorts,
        arm: Arm,
        beta: Floats,
        replicates: Ints,
        outcomes: Ints,
    ) -> Floats:
        """Sum w p/(1-p) (x, y) over comparison rows of an arm, (r, k + o), with (r, k) logits."""
        d, width = self.design, beta.shape[1] + outcomes.size
        sums = np.zeros((len(beta), width))
        threads.run(
            kernels.odds_sums,
            len(beta),
            len(beta) * rows.n * (width + EXPONENTIAL),
            rows.x,
            rows.w,
            d.y,
            outcomes,
            d.strata.start,
            self.select(comparison, arm.period),
            d.strata.cluster,
            replicates - 1,
            np.ascontiguousarray(beta),
            sums,
        )
        return sums


def logit_width(k: int) -> int:
    """Return the number of logit sums with k covariates."""
    return k + k * (k + 1) // 2 + 1
