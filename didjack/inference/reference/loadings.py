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
from didjack.leave_one_out import Replicates, without
from didjack.memo import key_of

SIGNS = np.array([1.0, -1.0, -1.0, 1.0])
"""Treated at `time`, control at `time`, treated at `base`, control at `base`."""


MOST_DENSE = 2**22
"""A matrix with more numbers than this, nearly all of which are zero, is not formed."""


class Mean(NamedTuple):
    """A weighted mean of the outcome.

    Attributes
    ----------
    period : number of the period whose outcome is averaged, and so of the shocks in it; other and
        eligible rows of a period have numbers, and shocks, of their own
    cohorts : positions of the cohorts over whose rows it is averaged
    weights : which table of weights by cluster and cohort
    """

    period: int
    cohorts: tuple[int, ...]
    weights: int


Comparison = tuple[int, int, int, int]
"""A 2x2 comparison: the numbers of its means, in the order of `SIGNS`."""
Version = tuple[tuple[int, Comparison, int], ...]
"""What a cell is: 2x2 comparisons, each with its sign, and which share it counts by, or `FULLY`."""
FULLY = -1


class Tables(NamedTuple):
    """What numbers in versions stand for.

    Attributes
    ----------
    means : those that the versions are made of, each once
    weights : (H, C) each, weights by cluster and cohort
    shares : (R,) each, how much a comparison counts in each replicate
    spread : (C, H) standard deviation of the shocks on rows of each class, over the working model's
        of the cluster; None where it is one
    """

    means: Sequence[Mean]
    weights: Sequence[Floats]
    shares: Sequence[Floats]
    spread: Floats | None = None


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
    spread : (D, H) standard deviation of the shocks on these rows, or None, as of `Tables`
    row : (Q,) which of them each of the Q means has
    period : (Q,) number of the period of each mean, sorted
    terms : (V, m) the means of each distinct version of a cell, four for each comparison
    signs : (V, m) how they count; 0 where a version has fewer than m
    share_of : (V, m) by which of the shares they count, or `FULLY`
    shares : (R,) each, as of `Tables`
    usual : (K,) the version that each cell is; -1 for none
    changed : where replicates differ from that
    """

    weight: Floats
    spread: Floats | None
    row: Ints
    period: Ints
    terms: Ints
    signs: Floats
    share_of: Ints
    shares: Sequence[Floats]
    usual: Ints
    changed: tuple[Changed, ...]

    @classmethod
    def from_versions(
        cls,
        versions: Sequence[Version],
        usual: Ints,
        changed: Sequence[Changed],
        tables: Tables,
    ) -> Means:
        """Collect the means of some versions."""
        order = sorted(range(len(tables.means)), key=tables.means.__getitem__)
        means, position = [tables.means[q] for q in order], np.argsort(order)
        shape = (len(versions), max(map(len, versions), default=1), SIGNS.size)
        terms, signs = np.zeros(shape, dtype=np.int64), np.zeros(shape)
        share_of = np.full(shape, FULLY)
        for v, version in enumerate(versions):
            terms[v] = version[0][1][0]  # counts as often as the signs say, or not at all
            for number, (sign, four, share) in enumerate(version):
                terms[v, number] = four
                signs[v, number] = sign * SIGNS
                share_of[v, number] = share
        rows: dict[tuple[int, tuple[int, ...]], int] = {}
        row = [rows.setdefault((mean.weights, mean.cohorts), len(rows)) for mean in means]
        weights, spread = tables.weights, tables.spread
        weight = np.array([weights[table][:, cohorts].sum(axis=1) for table, cohorts in rows])
        if spread is not None:
            spread = np.array([spread[cohorts[0]] for _, cohorts in rows])
        flat = shape[0], shape[1] * shape[2]
        return cls(
            weight,
            spread,
            np.array(row),
            np.array([mean.period for mean in means]),
            position[terms.reshape(flat)],
            signs.reshape(flat),
            share_of.reshape(flat),
            tables.shares,
            usual,
            tuple(changed),
        )

    @classmethod
    def stacked(
        cls, parts: Sequence[Means], places: Sequence[Ints], roots: Floats, n_periods: int
    ) -> Means:
        """Put the cells of several designs one after the other.

        Parameters
        ----------
        places : where the clusters of each design are among all, (H_p,)
        roots : (P, H) standard deviation of the shocks of all clusters, in each of P designs
        n_periods : what the numbers of periods are moved by from one design to the next; 0 where
            shocks of a cluster in a period are the same in all designs
        """
        period = np.concatenate([p.period + n_periods * i for i, p in enumerate(parts)])
        order = np.argsort(period, kind="stable")
        rank = np.empty_like(order)
        rank[order] = np.arange(order.size)
        width = max(part.terms.shape[1] for part in parts)
        first = dict.fromkeys(("mean", "row", "version", "cell", "share"), 0)
        weight, spread, row, terms, signs, share_of, usual = [], [], [], [], [], [], []
        shares: list[Floats] = []
        changed: list[Changed] = []
        for part, place, root in zip(parts, places, roots, strict=True):
            weight.append(np.zeros((len(part.weight), root.size)))
            weight[-1][:, place] = part.weight
            spread.append(np.tile(root, (len(part.weight), 1)))
            spread[-1][:, place] *= 1.0 if part.spread is None else part.spread
            row.append(part.row + first["row"])
            filler = np.repeat(part.terms[:, :1], width - part.terms.shape[1], axis=1)
            terms.append(rank[np.hstack([part.terms, filler]) + first["mean"]])
            more = ((0, 0), (0, width - part.signs.shape[1]))
            signs.append(np.pad(part.signs, more))
            numbers = _moved(part.share_of, first["share"])
            share_of.append(np.pad(numbers, more, constant_values=FULLY))
            for share in part.shares:  # without a cluster that a design lacks, as in full
                shares.append(np.full(1 + root.size, share[0]))
                shares[-1][without(place)] = share[1:]
            usual.append(_moved(part.usual, first["version"]))
            for group in part.changed:
                cells, versions = group.cells + first["cell"], group.versions
                rows = without(place[group.replicates - 1])
                changed.append(Changed(rows, cells, _moved(versions, first["version"])))
            arrays = (part.period, part.weight, part.terms, part.usual, part.shares)
            sizes = map(len, arrays)
            first = {name: n + size for (name, n), size in zip(first.items(), sizes, strict=True)}
        return cls(
            np.vstack(weight),
            np.vstack(spread),
            np.concatenate(row)[order],
            period[order],
            np.vstack(terms),
            np.vstack(signs),
            np.vstack(share_of),
            shares,
            np.concatenate(usual),
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
        self._add_shared(alpha, np.arange(len(share)), share, usual, used)
        for replicates, columns, versions in others:
            own, before = share[np.ix_(replicates, columns)], usual[columns]
            if columns.size * used.size <= MOST_DENSE:
                change = self._signs(versions, used) - self._signs(before, used)
                alpha[replicates] += own @ change
            else:
                alpha[replicates] += self._count(own, versions, used)
                alpha[replicates] -= self._count(own, before, used)
            self._add_shared(alpha, replicates, own, versions, used)
            self._add_shared(alpha, replicates, -own, before, used)
        row = self.row[used]
        left = self.left[row].T
        beta = np.divide(alpha, left, out=np.zeros(alpha.shape), where=left > 0)
        weight = self.weight[row] if self.spread is None else self.weight[row] * self.spread[row]
        return Loadings(used, row, Replicates(beta), weight, self.period[used])

    def _add_shared(
        self, alpha: Floats, replicates: Ints, share: Floats, versions: Ints, used: Ints
    ) -> None:
        """Add the comparisons that count by a share of their own in each replicate.

        Parameters
        ----------
        alpha : (R, q) how much used means count
        share : (r, n) how much cells count in some replicates
        versions : (n,) what these cells are
        """
        if not self.shares:
            return
        there = np.flatnonzero(versions >= 0)
        of_cells = self.share_of[versions[there]]
        for number in np.unique(of_cells[of_cells != FULLY]).tolist():
            cells = there[(of_cells == number).any(axis=1)]
            own = share[:, cells] * self.shares[number][replicates, None]
            alpha[replicates] += self._count(own, versions[cells], used, number)

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

    def _count(self, share: Floats, versions: Ints, used: Ints, number: int = FULLY) -> Floats:
        """Return how much each used mean counts in sums of some versions, (r, n) -> (r, q).

        Of their comparisons, those that count by some share, or fully.
        """
        if versions.size * used.size <= MOST_DENSE:
            return share @ self._signs(versions, used, number)
        some = np.flatnonzero(versions >= 0)
        at, signs = self._terms(versions[some], used, number)
        result = np.empty((len(share), used.size))
        for row, own in zip(result, share[:, some], strict=True):
            row[:] = np.bincount(at.ravel(), (own[:, None] * signs).ravel(), used.size)
        return result

    def _signs(self, versions: Ints, used: Ints, number: int = FULLY) -> Floats:
        """Return how each used mean counts in some versions, (n, q), fully or by some share."""
        some, size = np.flatnonzero(versions >= 0), versions.size * used.size
        at, signs = self._terms(versions[some], used, number)
        flat = np.bincount((at + some[:, None] * used.size).ravel(), signs.ravel(), size)
        return np.asarray(flat.reshape(versions.size, used.size), dtype=np.float64)

    def _terms(self, versions: Ints, used: Ints, number: int) -> tuple[Ints, Floats]:
        """Return which used means are in some versions, (n, m), and how they count."""
        signs = self.signs[versions] * (self.share_of[versions] == number)
        return np.searchsorted(used, self.terms[versions]), signs


def _moved(versions: Ints, by: int) -> Ints:
    """Return the numbers of versions further on; -1 stands for none."""
    return np.where(versions < 0, -1, versions + by)


@dataclass(frozen=True, eq=False)
class Loadings:
    """The loadings of one target, by the q means it uses.

    Attributes
    ----------
    used : (q,) which of the means of the design, sorted
    row : (q,) which weights of the design each mean has
    beta : (1 + H, q) how much a mean counts, per unit of weight, in each replicate
    weight : (q, H) weight of each cluster in each mean, times the standard deviation of the shocks
        on its rows where that is not the same for all
    period : (q,) number of the period of each mean, sorted
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
