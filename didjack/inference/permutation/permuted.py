"""Clusters in other cohorts: strata, assignments, and statistics by effect under the null.

With E = 1 where the actual assignment treats, estimates from Y - tau E are linear in tau: a - tau b
with a from Y and b from E. So a squared t statistic is a quadratic polynomial over another one, and
that of an assignment crosses the actual one in at most four places. Nothing is estimated again.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, Protocol

import numpy as np
import pandas as pd

from didjack._typing import Bools, Floats, Ints
from didjack.aggregation.aggregate import aggregate, overall
from didjack.aggregation.schemes import Window
from didjack.errors import DataError, OptionError
from didjack.estimation.fit import Fit
from didjack.estimation.relabelled import Assignments
from didjack.estimation.sums import SumSource
from didjack.inference.targets import cell_size, cell_table, table_of_cells
from didjack.leave_one_out import Replicates
from didjack.options import AggregationType, must_be
from didjack.wording import label_text, name_some, plural

# ---- strata --------------------------------------------------------------------------------------

HINT = (
    "a mapping or pandas Series from cluster to stratum, such as "
    "df.set_index('state')['region'] for clusters 'state'"
)


def strata_codes(strata: Any, clusters: pd.Index) -> Ints:
    """Give numbers to the strata of clusters, (H,), in the order in which they come.

    Parameters
    ----------
    strata : Mapping or Series by label of the cluster, in which a label may come several times;
        None: one stratum. Labels of other clusters are passed over
    clusters : (H,) labels of the clusters that are in the sample
    """
    if strata is None:
        return np.zeros(len(clusters), dtype=np.int64)
    if not isinstance(strata, (Mapping, pd.Series)):
        raise must_be("strata", HINT, strata)
    given = strata if isinstance(strata, pd.Series) else _series(strata)
    given = given[given.index.isin(clusters)]
    table = pd.DataFrame({"cluster": given.index, "stratum": given.to_numpy(dtype=object)})
    known = table[table["stratum"].notna()].drop_duplicates()
    _check_constant(known)
    missing = clusters[~clusters.isin(known["cluster"])].append(
        pd.Index(table.loc[table["stratum"].isna(), "cluster"].unique())
    )
    if len(missing):
        raise DataError(
            f"strata has no stratum for {_named(missing.unique())}: it has to be {HINT}"
        )
    of_cluster = known.set_index("cluster")["stratum"].loc[clusters]
    return pd.factorize(of_cluster.to_numpy(dtype=object))[0].astype(np.int64)


def _series(strata: Mapping[Any, Any]) -> pd.Series:
    return pd.Series(list(strata.values()), index=pd.Index(list(strata)), dtype=object)


def _check_constant(known: pd.DataFrame) -> None:
    """Raise if a cluster has several strata."""
    several = known.loc[known["cluster"].duplicated(), "cluster"].unique()
    if not several.size:
        return
    first = known.loc[known["cluster"] == several[0], "stratum"].tolist()
    raise DataError(
        f"strata varies within {_named(several)}: {label_text(several[0])} is in "
        f"{name_some(map(label_text, first), 3)}; a cluster is in one stratum"
    )


def _named(clusters: Any) -> str:
    """Count and name clusters."""
    return f"{plural(len(clusters), 'cluster')} ({name_some(map(label_text, clusters))})"


# ---- assignments ---------------------------------------------------------------------------------


def n_assignments(cohort: Ints, strata: Ints, most: int) -> int:
    """Count the distinct assignments of cohorts to clusters within strata, (H,) codes each.

    `most` + 1 stands for all larger numbers, of which there may be millions of digits.

    Examples
    --------
    >>> import numpy as np
    >>> one_of_12 = np.arange(12) == 0
    >>> n_assignments(one_of_12, np.zeros(12, dtype=int), most=999)
    12
    """
    counts = [
        np.sort(np.unique(cohort[strata == stratum], return_counts=True)[1])[::-1].tolist()
        for stratum in np.unique(strata)
    ]
    logarithm = sum(
        math.lgamma(sum(count) + 1) - sum(math.lgamma(n + 1) for n in count) for count in counts
    )
    if logarithm > math.log(most + 1) + 1.0:
        return most + 1
    total = 1
    for count in counts:
        for position, n in enumerate(count):
            total *= math.comb(sum(count[: position + 1]), n)
    return min(total, most + 1)


def assignments(cohort: Ints, strata: Ints, n_permutations: int, seed: int) -> Iterator[Ints]:
    """Yield assignments, (H,) cohorts of the clusters, the actual one first.

    All distinct ones if there are at most `n_permutations` + 1, otherwise so many random ones and
    the actual one.
    """
    yield cohort
    if n_assignments(cohort, strata, n_permutations + 1) <= n_permutations + 1:
        yield from _others(cohort, strata)
        return
    rng = np.random.default_rng(seed)
    groups = [np.flatnonzero(strata == stratum) for stratum in np.unique(strata)]
    for _ in range(n_permutations):
        drawn = cohort.copy()
        for members in groups:
            drawn[members] = rng.permutation(cohort[members])
        yield drawn


def _others(cohort: Ints, strata: Ints) -> Iterator[Ints]:
    """Yield all distinct assignments but the actual one."""
    groups = [np.flatnonzero(strata == stratum) for stratum in np.unique(strata)]
    ways = [list(_arrangements(cohort[members].tolist())) for members in groups]
    for parts in product(*ways):
        other = cohort.copy()
        for members, part in zip(groups, parts, strict=True):
            other[members] = part
        if not np.array_equal(other, cohort):
            yield other


def _arrangements(values: list[int]) -> Iterator[list[int]]:
    """Yield the distinct arrangements of a list in lexicographic order."""
    current = sorted(values)
    while True:
        yield current.copy()
        at = next((i for i in range(len(current) - 2, -1, -1) if current[i] < current[i + 1]), -1)
        if at < 0:
            return
        swap = next(j for j in range(len(current) - 1, at, -1) if current[j] > current[at])
        current[at], current[swap] = current[swap], current[at]
        current[at + 1 :] = current[at + 1 :][::-1]


# ---- overall -------------------------------------------------------------------------------------


Estimates = tuple[Replicates[np.float64], ...]
"""In all replicates, from the outcome and, where it is asked for, from E."""


class Permutable(Protocol):
    """An estimate that can be had under other assignments of cohorts to clusters."""

    def estimate(self, fit: Fit) -> Replicates[np.float64]:
        """Return it in all replicates that the options of the fit need, (R,)."""

    def under_assignments(self, fit: Fit, cohorts: Iterable[Ints]) -> Iterator[Estimates]:
        """Yield it under cohorts of the clusters, (H,) positions each, in their order."""

    def exchangeable(self, fit: Fit) -> Ints:
        """Return codes of clusters, (H,): only those that are alike can change places."""

    def size(self, fit: Fit) -> float:
        """Return the size of what it is made of, by which rounding errors go."""


@dataclass(frozen=True, slots=True)
class Overall:
    """Which aggregated effect it is.

    Attributes
    ----------
    kind, window, by_cell : as of `didjack.aggregation.aggregate.aggregate`
    """

    kind: AggregationType
    window: Window
    by_cell: bool

    def estimate(self, fit: Fit) -> Replicates[np.float64]:
        """Return it in all replicates that the options of the fit need, (R,)."""
        table = cell_table(fit, self.by_cell)
        found = aggregate(table, self.kind, self.window, self.by_cell)
        return Replicates(found.theta).take(-1)

    def under_assignments(
        self, fit: Fit, cohorts: Iterable[Ints], with_treatment: bool = True
    ) -> Iterator[Estimates]:
        """Yield it under cohorts of the clusters, (H,) positions each, in their order.

        Triple differences are estimated one assignment at a time, all else many at a time.
        """
        assignments = Assignments.from_fit(fit, with_treatment)
        if fit.layout.kinds > 1:
            for cohort in cohorts:
                moved = (source.relabelled(cohort) for source in assignments.sources)
                yield tuple(self.estimate_from(fit, source) for source in moved)
            return
        for some in assignments.batches(cohorts):
            for found in zip(*self._under(assignments, some), strict=True):
                yield tuple(map(Replicates, found))

    def exchangeable(self, fit: Fit) -> Ints:
        """Return codes of clusters, (H,): all can change places."""
        return np.zeros(fit.layout.n_clusters, dtype=np.int64)

    def size(self, fit: Fit) -> float:
        """Return the size of what it is made of, by which rounding errors go."""
        return float(np.nanmax(cell_size(fit), initial=0.0))

    def estimate_from(self, fit: Fit, source: SumSource) -> Replicates[np.float64]:
        """Return it for other sums under the options of a fit, (R,).

        NaN if nothing can be estimated from them, or nothing that it aggregates.
        """
        n_rep = 1 + source.layout.n_clusters * fit.options.inference.jackknife
        try:
            return self.estimate(Fit(fit.options, fit.ledger, source))
        except (DataError, OptionError):  # no ATT(g,t), or none in the window
            return Replicates(np.full(n_rep, np.nan))

    def _under(self, assignments: Assignments, cohort: Ints) -> Floats:
        """Return it under many assignments at once, (o, P, R), for each of o outcomes.

        NaN if nothing can be estimated, or nothing that it aggregates.

        Parameters
        ----------
        cohort : (P, H) positions of the cohorts of clusters
        """
        result = np.full((assignments.n_outcomes, len(cohort), assignments.n_rep), np.nan)
        for at, found in assignments.estimate(cohort):
            for outcome, (shown, extra, share) in enumerate(found):
                table = table_of_cells(assignments.layout, (shown, extra), share, self.by_cell)
                values = overall(table, self.kind, self.window, self.by_cell)
                result[outcome, at] = values.reshape(at.size, -1)
        return result


def one_cohort_each(fit: Fit, what: str) -> Ints:
    """Return the cohort of each cluster, (H,) positions of cohorts, -1 without units; or raise.

    Parameters
    ----------
    what : what needs clusters with one cohort each
    """
    layout, sample = fit.layout, fit.options.sample
    if sample.cluster is None and sample.idname is None:
        raise OptionError(
            f"{what} needs clusters: name the level at which treatment is assigned in "
            "csdid(cluster=)"
        )
    several = np.flatnonzero((layout.units_of_cohorts > 0).sum(axis=1) > 1)
    if several.size:
        shown = [label_text(key) for key in layout.cluster_labels[several]]
        verb = "has" if several.size == 1 else "have"
        raise DataError(
            f"{what} reassigns cohorts to other clusters, so a cluster can have one cohort only, "
            f"but {plural(several.size, 'cluster')} (column {sample.cluster!r}) {verb} several: "
            f"{name_some(shown)}"
        )
    return layout.cohort_of_clusters


# ---- curves --------------------------------------------------------------------------------------

TIE = 1e-9
"""Statistics that are smaller than the actual one by less than this share are as large: they tie
but for rounding errors."""
NEGLIGIBLE = 1e-13
"""Leading coefficients this small, relative to the largest, are rounding errors."""


@dataclass(frozen=True, eq=False)
class Curves:
    """Squared statistics, top / bottom, of P assignments, the actual one first.

    tau = centre + scale x; polynomials in x, lowest power first.

    Attributes
    ----------
    top, bottom : (P, 3)
    centre, scale : numbers; the actual estimate, and how far estimates lie apart
    """

    top: Floats
    bottom: Floats
    centre: float
    scale: float

    def _values(self, tau: float) -> tuple[Floats, Floats]:
        x = (tau - self.centre) / self.scale
        powers = np.array([1.0, x, x * x])
        return self.top @ powers, self.bottom @ powers

    def actual(self, tau: float) -> float:
        """Return the absolute value of the actual statistic."""
        top, bottom = self._values(tau)
        return float(np.sqrt(top[0] / bottom[0]))

    def p_value(self, tau: float) -> float:
        """Return the share of assignments with a statistic as large as the actual one."""
        top, bottom = self._values(tau)
        as_large = top * bottom[0] >= (1.0 - TIE) ** 2 * top[0] * bottom
        as_large[0] = True
        return float(as_large.mean())

    def interval(self, alpha: float) -> tuple[float, float]:
        """Return the hull of the tau that are not rejected; its ends may be infinite."""
        at, change, count = self._steps()
        share = (count + np.concatenate([[0], np.cumsum(change)])) / len(self.top)
        kept = np.flatnonzero(share > alpha)
        ends = np.concatenate([[-np.inf], self.centre + self.scale * at, [np.inf]])
        if not kept.size:  # only the estimate itself, where every statistic is as large
            return self.centre, self.centre
        return float(ends[kept[0]]), float(ends[kept[-1] + 1])

    def _steps(self) -> tuple[Floats, Floats, float]:
        """Return where the number of statistics as large as the actual one changes.

        Returns
        -------
        x, (n,) sorted; by how much the number changes there, (n,); and what it is to their left
        """
        excess = _product(self.top[1:], self.bottom[0])
        excess -= _product(self.bottom[1:], (1.0 - TIE) ** 2 * self.top[0])
        size = np.abs(excess).max(axis=1, keepdims=True, initial=0.0)
        excess = np.divide(excess, size, out=np.zeros(excess.shape), where=size > 0)
        roots = _real_parts(excess)
        large = _signs(excess, roots)
        change = large[:, 1:].astype(float) - large[:, :-1]
        moves = change != 0
        at, which = np.unique(roots[moves], return_inverse=True)
        total = np.bincount(which.ravel(), weights=change[moves], minlength=at.size)
        return at, total.astype(np.float64), 1.0 + float(large[:, 0].sum())


def _product(left: Floats, right: Floats) -> Floats:
    """Multiply polynomials of degree 2, (P, 3) and (3,): (P, 5)."""
    result = np.zeros((len(left), 5))
    for i in range(3):
        result[:, i : i + 3] += left[:, i : i + 1] * right
    return result


def _real_parts(polynomials: Floats) -> Floats:
    """Return the real parts of the roots, (P, 5) -> (P, 4), sorted; NaN for those there are not.

    Where a root is not real, its real part is one more place to look at, which does no harm.
    """
    found = np.full((len(polynomials), 4), np.nan)
    degree = 4 - (np.abs(polynomials[:, ::-1]) > NEGLIGIBLE).argmax(axis=1)
    degree[~polynomials.any(axis=1)] = 0
    for d in range(1, 5):
        rows = np.flatnonzero(degree == d)
        some = polynomials[rows, : d + 1]
        companion = np.zeros((rows.size, d, d))
        companion[:, np.arange(1, d), np.arange(d - 1)] = 1.0
        companion[:, :, -1] = -some[:, :-1] / some[:, -1:]
        found[rows, :d] = np.sort(np.linalg.eigvals(companion).real, axis=1)
    return found


def _signs(polynomials: Floats, roots: Floats) -> Bools:
    """Return whether polynomials are at least zero between their roots, (P, 5).

    Between roots that are not there, what is true beyond the last one.
    """
    last = np.fmax.reduce(roots, axis=1, initial=-np.inf)
    none = np.isinf(last)
    first = np.where(none, 0.0, roots[:, 0])
    last = np.where(none, 0.0, last)
    edges = np.column_stack([first, np.where(np.isnan(roots), last[:, None], roots), last])
    points = (edges[:, 1:] + edges[:, :-1]) / 2.0
    points[:, 0] -= np.fmax(1.0, np.abs(first))
    beyond = np.column_stack([np.isnan(roots), np.ones(len(roots), dtype=bool)])
    points = np.where(beyond, (last + np.fmax(1.0, np.abs(last)))[:, None], points)
    value = np.zeros(points.shape)
    for coefficient in polynomials.T[::-1]:
        value = value * points + coefficient[:, None]
    return np.asarray(value >= 0.0)
