"""Replicates of an unbalanced panel that are balanced ones.

Where the units that miss a period all lie in one cluster, the sample without this cluster is a
balanced panel, to which the estimators of balanced panels apply.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from didjack._typing import Floats, Ints
from didjack.engine.estimate import CellEstimates, Code
from didjack.engine.replan import estimate
from didjack.intake.sample import CleanData
from didjack.options import Options
from didjack.sums.arrange import build_design
from didjack.sums.in_memory import Moments
from didjack.sums.layout import Design


def clusters_to_balance(clean: CleanData, options: Options) -> list[int]:
    """List the clusters without which an unbalanced panel is balanced.

    Without such a cluster all units are seen in all periods that are left: either it holds all
    units with gaps, or it alone has rows in the periods that the others miss.
    """
    if not clean.pooled or not options.panel or options.fix_weights == "varying":
        return []
    n_periods = clean.periods.size
    seen = np.zeros((len(clean.cluster_labels), n_periods), dtype=bool)
    seen[clean.cluster, clean.period] = True
    sole = np.flatnonzero(seen[:, seen.sum(axis=0) == 1].any(axis=1))
    times = np.bincount(clean.unit)[clean.unit]
    gappy = np.unique(clean.cluster[times < n_periods])
    candidates = np.union1d(sole, gappy if gappy.size == 1 else gappy[:0])
    return [
        h
        for h in candidates.tolist()
        if (times[clean.cluster != h] == np.delete(seen, h, axis=0).any(axis=0).sum()).all()
    ]


def put_balanced(
    clean: CleanData,
    design: Design,
    options: Options,
    estimates: tuple[CellEstimates, CellEstimates],
    share: Floats,
) -> None:
    """Write the estimates of balanced replicates over the pooled ones."""
    if len(share) == 1:
        return
    for cluster in clusters_to_balance(clean, options):
        panel = build_design(_without(clean, cluster), options)
        moments = Moments(panel, jackknife=False)
        own, _ = estimate(panel, moments, options)
        row, axes = 1 + cluster, (panel.cohorts, panel.periods)
        position = {_label(cell.group, cell.time, *axes): j for j, cell in enumerate(own.cells)}
        for part in estimates:
            for j, cell in enumerate(part.cells):
                at = position.get(_label(cell.group, cell.time, design.cohorts, design.periods))
                if at is not None:
                    for name in ("att", "code", "column", "treated"):
                        getattr(part, name)[row, j] = getattr(own, name)[0, at]
                elif part.code[row, j] == Code.OK:
                    part.att[row, j], part.code[row, j] = np.nan, Code.NO_PERIOD
        share[row] = 0.0
        share[row, np.searchsorted(design.cohorts, panel.cohorts)] = moments.shares()[0]


def _label(cohort: int, period: int, cohorts: Ints, periods: Ints) -> tuple[int, int]:
    return int(cohorts[cohort]), int(periods[period])


def _without(clean: CleanData, cluster: int) -> CleanData:
    """Take a cluster out of the rows, and call the rest a balanced panel."""
    keep = clean.cluster != cluster
    left, period = np.unique(clean.period[keep], return_inverse=True)
    return replace(
        clean,
        y=clean.y[keep],
        period=period,
        periods=clean.periods[left],
        horizon=clean.horizon
        if left[-1] + 1 == clean.periods.size
        else int(clean.periods[left[-1]]),
        cohort=clean.cohort[keep],
        unit=np.unique(clean.unit[keep], return_inverse=True)[1],
        cluster=clean.cluster[keep],
        weight=None if clean.weight is None else clean.weight[keep],
        x=None if clean.x is None else clean.x[keep],
        pooled=False,
    )
