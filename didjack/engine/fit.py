"""Everything one call of `csdid` keeps: options, design, ledger and estimates in all replicates."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from didjack._typing import NEVER, Floats, Ints
from didjack.averaging.average import CellTable
from didjack.engine.estimate import CellEstimates, Code
from didjack.engine.influence import cohort_influence, influence, treated_influence
from didjack.engine.rebalance import clusters_to_balance, put_balanced
from didjack.engine.replan import estimate
from didjack.errors import EstimationWarning, warn
from didjack.intake.sample import CleanData
from didjack.options import Options
from didjack.sums.arrange import build_design
from didjack.sums.in_memory import Moments
from didjack.sums.layout import Design
from didjack.wording import name_some

CELL_STATUS = {Code.OK: "ok", Code.OVERLAP: "overlap", Code.SINGULAR: "singular"}


@dataclass(frozen=True, slots=True)
class Estimated:
    """All cells in all replicates, R = 1 + H rows, or the full sample alone, R = 1.

    Attributes
    ----------
    shown : CellEstimates of the cells of the full sample
    extra : CellEstimates of cells that only some replicates have
    share : (R, C) weight of each cohort
    """

    shown: CellEstimates
    extra: CellEstimates
    share: Floats


def _estimate(
    design: Design, rows: CleanData | None, options: Options, jackknife: bool
) -> Estimated:
    """Estimate all cells, and cohort weights, in the full sample or in all replicates."""
    moments = Moments(design, jackknife=jackknife)
    estimates, share = estimate(design, moments, options), moments.shares()
    if rows is not None:
        put_balanced(rows, design, options, estimates, share)
    return Estimated(*estimates, share)


@dataclass(frozen=True, eq=False, repr=False)
class Fit:
    """An estimated design.

    Attributes
    ----------
    options : Options
    ledger : DataFrame, what the sample rules did
    rows : CleanData, where the rows of the design stand for several or a replicate needs them
    design : Design
    """

    options: Options
    ledger: pd.DataFrame
    rows: CleanData | None
    design: Design
    _estimated: dict[bool, Estimated] = field(default_factory=dict)
    _influence: dict[bool, Floats] = field(default_factory=dict)

    @classmethod
    def of(cls, clean: CleanData, options: Options, design: Design | None = None) -> Fit:
        """Estimate a clean sample in all replicates that its options need."""
        design = build_design(clean, options) if design is None else design
        needed = design.unit.size == 0 or bool(clusters_to_balance(clean, options))
        fit = cls(options, clean.ledger, clean if needed else None, design)
        fit.estimated(options.jackknife)
        return fit

    def under(self, **options: Any) -> Fit:
        """Return the same fit under other inference: vcov, cluster=None, alpha and the like.

        Replicates and influence functions are shared: nothing is estimated twice.
        """
        return replace(self, options=replace(self.options, **options))

    def estimated(self, jackknife: bool) -> Estimated:
        """Return the estimates of the full sample, or of all replicates; made once."""
        if jackknife not in self._estimated:
            self._estimated[jackknife] = _estimate(self.design, self.rows, self.options, jackknife)
        return self._estimated[jackknife]

    @property
    def estimates(self) -> CellEstimates:
        """The cells of the full sample, in all replicates that the options need."""
        return self.estimated(self.options.jackknife).shown

    @property
    def layout(self) -> Design:
        """Cohorts, periods, clusters and their labels."""
        return self.design

    @cached_property
    def cell_cohort(self) -> Ints:
        """(K,) position of each cell's cohort in the design."""
        return np.array([cell.group for cell in self.estimates.cells], dtype=np.int64)

    @cached_property
    def cell_group(self) -> Ints:
        """(K,) first treated period of each cell, on the integer axis."""
        return self.design.cohorts[self.cell_cohort]

    @cached_property
    def cell_time(self) -> Ints:
        """(K,) period of each cell, on the integer axis."""
        return self.design.periods[[cell.time for cell in self.estimates.cells]]

    @cached_property
    def _rows(self) -> Design:
        """The design in which each row is a unit or observation of its own, if need be."""
        if self.options.by_unit and self.rows is not None and self.design.unit.size == 0:
            return build_design(self.rows, self.options, collapse=False)
        return self.design

    @cached_property
    def _codes(self) -> Ints:
        """(n,) the unit or cluster of each row, whichever is taken to be independent."""
        if self.options.by_unit:
            return self._rows.unit
        return self._rows.strata.cluster_of_rows

    @property
    def influence(self) -> Floats:
        """Influence of units or clusters on ATT(g,t), (G, K); computed once for each."""
        by_unit = self.options.by_unit
        if by_unit not in self._influence:
            cells = self.estimates.cells
            self._influence[by_unit] = influence(self._rows, self.options, cells, self._codes)
        return self._influence[by_unit]

    def weight_influence(self, by_cell: bool) -> Floats:
        """Influence of units or clusters on the weights of the cells, (G, K)."""
        if by_cell:
            return treated_influence(self._rows, self.estimates.cells, self._codes)
        return cohort_influence(self._rows, self._codes)[:, self.cell_cohort]

    def cell_table(self, by_cell: bool = False) -> CellTable:
        """Hand the cells to aggregation, with their own weights or those of their cohorts."""
        estimated = self.estimated(self.options.jackknife)
        parts = (estimated.shown, estimated.extra)
        cells = estimated.shown.cells + estimated.extra.cells
        cohort = np.array([cell.group for cell in cells], dtype=np.int64)
        treated = np.hstack([part.treated for part in parts])
        return CellTable(
            group=self.design.cohorts[cohort],
            time=self.design.periods[[cell.time for cell in cells]],
            att=np.hstack([part.att for part in parts]),
            changed=np.hstack([part.changed for part in parts]),
            weight=treated if by_cell else estimated.share[:, cohort],
            first=estimated.shown.first,
            last=estimated.shown.last,
            n_shown=len(estimated.shown.cells),
        )

    def cell_status(self) -> list[str]:
        """Write why each cell has an estimate of the full sample or not, (K,)."""
        estimates = self.estimates
        texts = []
        for cell, code, column in zip(
            estimates.cells, estimates.code[0], estimates.column[0], strict=True
        ):
            text = "reference" if cell.reference and code == Code.OK else CELL_STATUS[Code(code)]
            texts.append(text + (f": {self.design.x_names[column]}" if column >= 0 else ""))
        return texts

    def cells(self) -> pd.DataFrame:
        """Describe the cells of the full sample, one row each."""
        design, cells = self.design, self.estimates.cells
        moments = Moments(design, jackknife=False)
        counts = np.array(
            [
                [
                    sum(
                        int(moments.counts(who, arm)[0])
                        for arm in design.arms(cell.base, cell.time)
                    )
                    for who in ((cell.group,), cell.comparison)
                ]
                for cell in cells
            ],
            dtype=np.int64,
        ).reshape(-1, 2)
        table = pd.DataFrame(
            {
                "group": design.axis.labels(self.cell_group),
                "time": design.axis.labels(self.cell_time),
                "base_period": design.axis.labels(design.periods[[c.base for c in cells]]),
                "n_treated": counts[:, 0],
                "n_comparison": counts[:, 1],
                "estimate": self.estimates.att[0],
                "status": self.cell_status(),
            }
        )
        if self.options.collinear == "drop":
            table["dropped"] = self.dropped()
        return table

    def dropped(self) -> list[str]:
        """Name the covariates that a regression or logit of each cell left out, (K,)."""
        names = np.array(self.design.x_names)
        return [", ".join(names[row]) for row in self.estimates.dropped]

    def report_dropped(self) -> None:
        """Warn, once, of covariates that were left out."""
        names = self.dropped()
        cells = [j for j, text in enumerate(names) if text]
        if not cells:
            return
        labels = self.design.axis.labels
        shown = [
            f"({labels(self.cell_group[[j]])[0]}, {labels(self.cell_time[[j]])[0]}): {names[j]}"
            for j in cells
        ]
        warn(
            f"collinear='drop' left covariates out of {len(cells)} of {len(names)} ATT(g,t): "
            f"{name_some(shown, most=3)} (see the column 'dropped' of result.cells)",
            EstimationWarning,
        )

    def describe(self) -> dict[str, object]:
        """Describe sample and options, for `glance` and `summary`."""
        design, options = self.design, self.options
        return {
            "n_obs": design.n_obs,
            "n_units": int(design.n_units.sum()),
            "n_clusters": design.n_clusters,
            "n_treated_clusters": int(design.treated_clusters.sum()),
            "n_groups": int((design.cohorts != NEVER).sum()),
            "n_periods": design.periods.size,
            "control_group": options.control_group,
            "base_period": options.base_period,
            "anticipation": options.anticipation,
            "est_method": options.est_method,
            "xformla": options.xformla or "~ 1",
            "cluster": options.cluster or options.idname,
            "weightsname": options.weightsname,
            "panel": options.panel,
            "vcov": options.vcov,
            "undefined": options.undefined,
            "alpha": options.alpha,
        }
