"""Weights of clusters -> how much each cluster-level shock of a period moves an estimate.

Without covariates ATT(g,t) is a difference of weighted means of the outcome, and an average of
them is a sum of such means. Deleting a cluster changes the weights of these means and how much
each of them counts. So with shocks u[h, t], common to the rows of cluster h in period t,

    estimate without cluster j = sum over means q, clusters h other than j, of
                                 beta[j, q] w[q, h] u[h, period of q]

and all that is needed are the weights w of the clusters in every mean, and beta, how much a mean
counts in each replicate per unit of weight. A target uses few means, so everything about it comes
from small matrices; the loadings themselves, (H, T) a replicate, are never formed.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from didjack._typing import Floats, Ints
from didjack.inference.reference.by_period import ByPeriod
from didjack.inference.reference.distribution import Parts
from didjack.leave_one_out import Replicates
from didjack.memo import key_of

SIGNS = np.array([1.0, -1.0, -1.0, 1.0])
"""Treated at `time`, control at `time`, treated at `base`, control at `base`."""


MOST_DENSE = 2**22
"""A matrix with more numbers than this, nearly all of which are zero, is not formed."""


class Mean(NamedTuple):
    """A weighted mean of the outcome.

    Attributes
    ----------
    period : position of the period whose outcome is averaged
    cohorts : positions of the cohorts over whose rows it is averaged
    weights : which table of weights by cluster and cohort
    """

    period: int
    cohorts: tuple[int, ...]
    weights: int


Comparison = tuple[Mean, Mean, Mean, Mean]
"""A 2x2 comparison, in the order of `SIGNS`."""
Version = tuple[tuple[int, Comparison], ...]
"""What a cell is: 2x2 comparisons, each with its sign."""


class Changed(NamedTuple):
    """Replicates in which some cells are made of other comparisons than in the full sample.

    Attributes
    ----------
    replicates : (r,) rows
    cells : (c,) which cells
    versions : (c,) the versions that they are; -1 for none
    """

    replicates: Ints
    cells: Ints
    versions: Ints


@dataclass(frozen=True, eq=False)
class Means:
    """The design: which means every cell is made of, in each replicate.

    Attributes
    ----------
    weight : (D, H) weight of each cluster in the means of the same rows and weights
    row : (Q,) which of them each of the Q means has
    period : (Q,) position of the period of each mean, sorted
    terms : (V, m) the means of each distinct version of a cell, four for each comparison
    signs : (V, m) how they count; 0 where a version has fewer than m
    usual : (K,) the version that each cell is; -1 for none
    changed : where replicates differ from that
    """

    weight: Floats
    row: Ints
    period: Ints
    terms: Ints
    signs: Floats
    usual: Ints
    changed: tuple[Changed, ...]

    @classmethod
    def from_versions(
        cls,
        versions: Sequence[Version],
        usual: Ints,
        changed: Sequence[Changed],
        tables: Sequence[Floats],
    ) -> Means:
        """Collect the means of some versions; `tables`: weights by cluster, (H, C) each."""
        means = sorted({mean for version in versions for _, four in version for mean in four})
        position = {mean: q for q, mean in enumerate(means)}
        shape = (len(versions), max(map(len, versions), default=1), SIGNS.size)
        terms, signs = np.zeros(shape, dtype=np.int64), np.zeros(shape)
        for v, version in enumerate(versions):
            terms[v] = position[version[0][1][0]]  # counts as often as the signs say, or not at all
            for number, (sign, four) in enumerate(version):
                terms[v, number] = [position[mean] for mean in four]
                signs[v, number] = sign * SIGNS
        rows: dict[tuple[int, tuple[int, ...]], int] = {}
        row = [rows.setdefault((mean.weights, mean.cohorts), len(rows)) for mean in means]
        weight = np.array([tables[table][:, cohorts].sum(axis=1) for table, cohorts in rows])
        return cls(
            weight,
            np.array(row),
            np.array([mean.period for mean in means]),
            terms.reshape(shape[0], shape[1] * shape[2]),
            signs.reshape(shape[0], shape[1] * shape[2]),
            usual,
            tuple(changed),
        )

    @cached_property
    def left(self) -> Floats:
        """(D, R) weight left in each replicate; column 0 is the full sample.

        Others are added up, not subtracted from the total, so that no digits are lost.
        """
        before = np.cumsum(self.weight, axis=1)
        after = np.cumsum(self.weight[:, ::-1], axis=1)[:, ::-1]
        zero = np.zeros((len(self.weight), 1))
        without = np.hstack([zero, before[:, :-1]]) + np.hstack([after[:, 1:], zero])
        return np.hstack([before[:, -1:], without])

    def target(self, share: Floats, cells: Ints) -> Loadings:
        """Return the loadings of a weighted sum of cells.

        Parameters
        ----------
        share : (R, K') how much each cell counts in each replicate; 0 where it does not exist
        cells : (K',) which of the K cells, sorted
        """
        usual = self.usual[cells]
        others = [one for one in (self._among(cells, group) for group in self.changed) if one]
        used = self._used(np.concatenate([usual, *(group.versions for group in others)]))
        alpha = self._count(share, usual, used)
        for replicates, columns, versions in others:
            own, before = share[np.ix_(replicates, columns)], usual[columns]
            if columns.size * used.size <= MOST_DENSE:
                change = self._signs(versions, used) - self._signs(before, used)
                alpha[replicates] += own @ change
            else:
                alpha[replicates] += self._count(own, versions, used)
                alpha[replicates] -= self._count(own, before, used)
        row = self.row[used]
        left = self.left[row].T
        beta = np.divide(alpha, left, out=np.zeros(alpha.shape), where=left > 0)
        return Loadings(used, row, Replicates(beta), self.weight[row], self.period[used])

    @staticmethod
    def _among(cells: Ints, group: Changed) -> Changed | None:
        """Return what changes of some cells, by their position among these; None if nothing."""
        found = np.isin(group.cells, cells)
        if not found.any():
            return None
        at = np.searchsorted(cells, group.cells[found])
        return Changed(group.replicates, at, group.versions[found])

    def _used(self, versions: Ints) -> Ints:
        """Return the means of some versions, sorted; -1 stands for none."""
        mark = np.zeros(self.row.size, dtype=bool)
        mark[self.terms[versions[versions >= 0]]] = True
        return np.flatnonzero(mark)

    def _count(self, share: Floats, versions: Ints, used: Ints) -> Floats:
        """Return how much each used mean counts in sums of some versions, (r, n) -> (r, q)."""
        if versions.size * used.size <= MOST_DENSE:
            return share @ self._signs(versions, used)
        some = np.flatnonzero(versions >= 0)
        at = np.searchsorted(used, self.terms[versions[some]]).ravel()
        signs, result = self.signs[versions[some]], np.empty((len(share), used.size))
        for row, own in zip(result, share[:, some], strict=True):
            row[:] = np.bincount(at, (own[:, None] * signs).ravel(), used.size)
        return result

    def _signs(self, versions: Ints, used: Ints) -> Floats:
        """Return how each used mean counts in some versions, (n, q)."""
        some = np.flatnonzero(versions >= 0)
        at = np.searchsorted(used, self.terms[versions[some]]) + some[:, None] * used.size
        size = versions.size * used.size
        signs = np.bincount(at.ravel(), self.signs[versions[some]].ravel(), size)
        return np.asarray(signs.reshape(versions.size, used.size), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Loadings:
    """The loadings of one target, by the q means it uses.

    Attributes
    ----------
    used : (q,) which of the means of the design, sorted
    row : (q,) which weights of the design each mean has
    beta : (1 + H, q) how much a mean counts, per unit of weight, in each replicate
    weight : (q, H) weight of each cluster in each mean
    period : (q,) position of the period of each mean, sorted
    """

    used: Ints
    row: Ints
    beta: Replicates[np.float64]
    weight: Floats
    period: Ints

    @cached_property
    def periods(self) -> Ints:
        """(T',) the periods that take part."""
        new = np.append(True, self.period[1:] != self.period[:-1])
        return np.asarray(self.period[new[: self.period.size]])  # there may be none

    @cached_property
    def place(self) -> Ints:
        """(q,) position of the period of each mean among those that take part."""
        return np.searchsorted(self.periods, self.period)

    @property
    def key(self) -> Hashable:
        """The same for targets with one null distribution, such as ATT(g,t) that differ in t only.

        The distribution depends on the equality of periods, not on which they are, nor on the sign.
        """
        beta = self.beta.stacked
        beta = -beta if self.beta.full[:1].sum() < 0 else beta
        return key_of(beta), key_of(self.row), key_of(self.place)

    @cached_property
    def deleted(self) -> Floats:
        """(H, T') loadings that deleting a cluster takes away, on its own shocks."""
        indicator = (self.period[:, None] == self.periods).astype(float)
        return np.asarray((self.beta.deleted * self.weight.T) @ indicator)

    @cached_property
    def estimate(self) -> Floats:
        """(H, T') loadings of the full-sample estimate."""
        indicator = (self.period[:, None] == self.periods).astype(float)
        return np.asarray((self.beta.full * self.weight.T) @ indicator)

    @staticmethod
    def common_means(several: Sequence[Loadings]) -> tuple[Ints, Ints, Floats, Ints]:
        """Return used, row, weight and period of the means that any of several targets uses."""
        used, at = np.unique(np.concatenate([one.used for one in several]), return_index=True)
        row = np.concatenate([one.row for one in several])[at]
        weight = np.concatenate([one.weight for one in several])[at]
        return used, row, weight, np.concatenate([one.period for one in several])[at]

    def parts(self, v: Floats, kept: Ints) -> Parts:
        """Return second moments with variances v, (H,), of the kept replicates, (R',)."""
        own = self.deleted[kept]
        return Parts(
            psi=self._psi(v),
            shift=self.beta.deleted[kept] - self.beta.full,
            mixed=v[kept, None] * own[:, self.place] * self.weight.T[kept],
            own=v[kept] * (own**2).sum(axis=1),
            first=self.beta.full,
        )

    def _psi(self, v: Floats) -> Floats | ByPeriod:
        """Return the covariance of the means' sums, (q, q), which is zero between periods."""
        if self.period.size**2 <= MOST_DENSE:
            same = self.period[:, None] == self.period
            return np.asarray((self.weight * v) @ self.weight.T * same)
        ends = np.append(np.searchsorted(self.period, self.periods), self.period.size)
        parts = [self.weight[first:last] for first, last in pairwise(ends)]
        return ByPeriod(ends, [(part * v) @ part.T for part in parts])

    def leverage(self, v: Floats) -> Floats:
        """(H,) share of each cluster in the variance of the estimate under the working model."""
        part = v * (self.estimate**2).sum(axis=1)
        total = part.sum()
        return np.asarray(part / total if total > 0 else np.full(part.size, np.nan))
