"""Everything one call of `csdid` keeps: options, ledger, sums and estimates in all replicates."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, Self, TypeVar

import numpy as np
import pandas as pd

from didjack._typing import NEVER, Floats, Ints
from didjack.errors import EstimationWarning, warn
from didjack.estimation.cells import Cell, CellEstimates, Code, OtherCells, absence
from didjack.estimation.influence_functions import influence, treated_influence
from didjack.estimation.layout import Layout
from didjack.estimation.replicates import estimate, put_balanced, shares
from didjack.estimation.sums import InfluenceSource, SumSource
from didjack.leave_one_out import Replicates
from didjack.memo import Memo
from didjack.options import EstimationOptions, Options
from didjack.status import BASE, Status, StatusCode
from didjack.wording import name_some

T = TypeVar("T")

CELL_STATUS = {
    Code.OK: StatusCode.OK,
    Code.OVERLAP: StatusCode.NO_OVERLAP,
    Code.SINGULAR: StatusCode.COLLINEAR,
}
"""Of cells that have rows."""


@dataclass(frozen=True, slots=True)
class Estimated:
    """All cells in all replicates, R = 1 + H rows, or the full sample alone, R = 1.

    Attributes
    ----------
    shown : CellEstimates of the cells of the full sample
    extra : CellEstimates of cells that only some replicates have
    share : (1 + H, C) weight of each cohort
    others : replicates in which cells compare others than in the full sample, or do not exist;
        of two that have the same replicate, the last holds
    """

    shown: CellEstimates
    extra: CellEstimates
    share: Replicates[np.float64]
    others: tuple[OtherCells, ...]

    @property
    def cells(self) -> tuple[Cell, ...]:
        """All cells: those of the full sample, then those that only some replicates have."""
        return self.shown.cells + self.extra.cells

    def full_sample(self) -> Estimated:
        """Take the full sample out of all replicates: the same, to the last bit, as it is alone."""
        none = np.empty(0, dtype=np.int64)
        shown, extra = self.shown.full_sample(), self.extra.full_sample().take(none)
        return Estimated(shown, extra, self.share.full_sample(), ())


def _estimate(
    source: SumSource, options: EstimationOptions, jackknife: bool, progress: bool | None
) -> Estimated:
    """Estimate all cells, and cohort weights, in the full sample or in all replicates."""
    replicated = source.replicated(jackknife)
    shown, extra, others = estimate(replicated, options, progress)
    share = shares(replicated, shown.last)
    others += put_balanced(replicated, options, (shown, extra), share, progress)
    return Estimated(shown, extra, Replicates(share), tuple(others))


@dataclass(frozen=True, eq=False, repr=False)
class Fit:
    """An estimated sample.

    What is expensive is computed once, when it is asked for, and shared by all fits that differ in
    their inference only.

    Attributes
    ----------
    options : Options
    ledger : DataFrame, what the sample rules did
    source : SumSource
    independent_units : whether units are taken to be independent, whatever the clusters
    """

    options: Options
    ledger: pd.DataFrame
    source: SumSource
    independent_units: bool = False
    _memo: Memo = field(default_factory=Memo)

    @classmethod
    def from_source(cls, source: SumSource, options: Options, ledger: pd.DataFrame) -> Fit:
        """Estimate in all replicates that the options need."""
        fit = cls(options, ledger, source)
        fit.estimated(options.inference.jackknife)
        return fit

    def under(self, **inference: Any) -> Self:
        """Return the same fit under other `InferenceOptions`: vcov, alpha and the like.

        Replicates and influence functions are shared: nothing is estimated twice. Options that
        change the estimates are refused: they take another fit.
        """
        return replace(self, options=self.options.under(**inference))

    def with_independent_units(self) -> Self:
        """Return the same fit with influence functions of units, not of clusters.

        For standard errors that do without replicates: these leave out clusters as before.
        """
        return replace(self, independent_units=True)

    @property
    def by_unit(self) -> bool:
        """Whether units are taken to be independent, not only clusters."""
        return self.independent_units or self.options.sample.by_unit

    def once(self, what: Hashable, make: Callable[[], T]) -> T:
        """Return what depends on the sample and its estimates, not on the inference; made once.

        Parameters
        ----------
        what : names it, among all that is made of the fit
        make : makes it
        """
        return self._memo.get(self._key(what), make)

    def _key(self, what: Hashable) -> Hashable:
        return self.options.sample, self.options.estimation, what

    def estimated(self, jackknife: bool) -> Estimated:
        """Return the estimates of the full sample, or of all replicates; made once."""
        if not jackknife and self._key(("estimates", True)) in self._memo:
            return self.once(("estimates", False), self.estimated(True).full_sample)
        return self.once(("estimates", jackknife), partial(self._estimate, jackknife))

    def _estimate(self, jackknife: bool) -> Estimated:
        progress = self.options.inference.progress
        return _estimate(self.source, self.options.estimation, jackknife, progress)

    @property
    def estimates(self) -> CellEstimates:
        """The cells of the full sample, in all replicates that the options need."""
        return self.estimated(self.options.inference.jackknife).shown

    @property
    def layout(self) -> Layout:
        """Cohorts, periods, clusters and their labels."""
        return self.source.layout

    @cached_property
    def cell_cohort_position(self) -> Ints:
        """(K,) position of each cell's cohort in the layout."""
        return np.array([cell.cohort for cell in self.estimates.cells], dtype=np.int64)

    @cached_property
    def cell_cohort(self) -> Ints:
        """(K,) first treated period of each cell, on the integer axis."""
        return self.layout.cohorts[self.cell_cohort_position]

    @cached_property
    def cell_time(self) -> Ints:
        """(K,) period of each cell, on the integer axis."""
        return self.layout.periods[[cell.time for cell in self.estimates.cells]]

    def _independent(self, by_unit: bool) -> InfluenceSource:
        """Return sums by unit or by cluster, whichever is taken to be independent."""
        return self.once(("sums", by_unit), partial(self.source.influence, by_unit))

    @property
    def influence(self) -> Floats:
        """Influence of units or clusters, whichever are independent, on ATT(g,t), (G, K)."""
        return self.influence_by(self.by_unit)

    def influence_by(self, by_unit: bool) -> Floats:
        """Influence of units, or of clusters, on ATT(g,t), (G, K); computed once for each."""
        return self.once(("influence", by_unit), partial(self._find_influence, by_unit))

    def _find_influence(self, by_unit: bool) -> Floats:
        estimation, progress = self.options.estimation, self.options.inference.progress
        return influence(self._independent(by_unit), estimation, self.estimates.cells, progress)

    def weight_influence(self, by_cell: bool, by_unit: bool) -> Floats:
        """Influence of units or clusters on the weights of the cells, (G, K)."""
        source = self._independent(by_unit)
        if by_cell:
            return treated_influence(source, self.estimates.cells)
        return source.by_cohort()[:, self.cell_cohort_position]

    def cell_status(self) -> list[Status]:
        """Return why each cell has an estimate of the full sample or not, (K,)."""
        estimates, source = self.estimates, self.source.replicated(False)
        found = []
        for cell, code, column, empty in zip(
            estimates.cells,
            Replicates(estimates.code).full,
            Replicates(estimates.column).full,
            estimates.empty,
            strict=True,
        ):
            if empty:
                found.append(Status(StatusCode.NO_ROWS, detail=absence(source, cell)))
            elif cell.is_base and code == Code.OK:
                found.append(BASE)
            else:
                name = self.layout.x_names[column] if column >= 0 else ""
                found.append(Status(CELL_STATUS[Code(code)], detail=name))
        return found

    def cells(self) -> pd.DataFrame:
        """Describe the cells of the full sample, one row each."""
        layout, cells = self.layout, self.estimates.cells
        source = self.source.replicated(False)
        counts = np.array(
            [
                [
                    sum(int(source.counts(who, arm)[0]) for arm in layout.arms(*cell.periods))
                    for who in ((cell.cohort,), cell.others)
                ]
                for cell in cells
            ],
            dtype=np.int64,
        ).reshape(-1, 2)
        table = pd.DataFrame(
            {
                "group": layout.axis.labels(self.cell_cohort),
                "time": layout.axis.labels(self.cell_time),
                "base_period": layout.axis.labels(layout.periods[[c.base for c in cells]]),
                "n_treated": counts[:, 0],
                "n_comparison": counts[:, 1],
                "estimate": Replicates(self.estimates.att).full,
                "status": [str(status) for status in self.cell_status()],
            }
        )
        if self.options.estimation.collinear == "drop":
            table["dropped"] = self.dropped()
        return table

    def dropped(self) -> list[str]:
        """Name the covariates that a regression or logit of each cell left out, (K,)."""
        names = np.array(self.layout.x_names)
        return [", ".join(names[row]) for row in self.estimates.dropped]

    def report_dropped(self) -> None:
        """Warn, once, of covariates that were left out."""
        names = self.dropped()
        cells = [j for j, text in enumerate(names) if text]
        if not cells:
            return
        labels = self.layout.axis.labels
        shown = [
            f"({labels(self.cell_cohort[[j]])[0]}, {labels(self.cell_time[[j]])[0]}): {names[j]}"
            for j in cells
        ]
        warn(
            f"collinear='drop' left covariates out of {len(cells)} of {len(names)} ATT(g,t): "
            f"{name_some(shown, most=1)} (see the column 'dropped' of result.cells)",
            EstimationWarning,
        )

    def describe(self) -> dict[str, object]:
        """Describe sample and options, for `glance` and `summary`."""
        layout, sample = self.layout, self.options.sample
        estimation, inference = self.options.estimation, self.options.inference
        about: dict[str, object] = {
            "n_obs": layout.n_obs,
            "n_units": int(layout.n_units.sum()),
            "n_clusters": layout.n_clusters,
            "n_treated_clusters": int(layout.treated_clusters.sum()),
            "n_groups": int((layout.distinct_cohorts != NEVER).sum()),
            "n_periods": layout.periods.size,
            "control_group": estimation.control_group,
            "base_period": estimation.base_period,
            "anticipation": estimation.anticipation,
            "est_method": estimation.est_method,
            "xformla": sample.xformla or "~ 1",
            "cluster": sample.cluster or sample.idname,
            "weightsname": sample.weightsname,
            "panel": sample.panel,
            "vcov": inference.vcov,
            "reference": inference.reference if inference.jackknife else "t",
            "undefined": inference.undefined,
            "alpha": inference.alpha,
        }
        return about if sample.pname is None else about | {"pname": sample.pname}
