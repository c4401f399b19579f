"""The replicate of an unbalanced panel that is a balanced one.

Where all units that miss a period lie in one cluster, the sample without this cluster is a balanced
panel, to which the estimators of balanced panels apply.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from didjack.arrange import build_design
from didjack.att import CellEstimates, Code
from didjack.columns import Floats, Ints
from didjack.design import Design
from didjack.moments import Moments
from didjack.options import Options
from didjack.replicates import estimate
from didjack.validate import CleanData


def only_gappy_cluster(clean: CleanData, options: Options) -> int | None:
    """Return the cluster without which an unbalanced panel is balanced, if there is one."""
    if not clean.pooled or not options.panel or options.fix_weights == "varying":
        return None
    short = np.bincount(clean.unit)[clean.unit] < clean.periods.size
    clusters = np.unique(clean.cluster[short])
    return int(clusters[0]) if clusters.size == 1 else None


def put_balanced(
    clean: CleanData,
    design: Design,
    options: Options,
    estimates: tuple[CellEstimates, CellEstimates],
    share: Floats,
) -> None:
    """Write the estimates of the balanced replicate, if there is one, over the pooled ones."""
    cluster = only_gappy_cluster(clean, options)
    if cluster is None or len(share) == 1:
        return
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
    return replace(
        clean,
        y=clean.y[keep],
        period=clean.period[keep],
        cohort=clean.cohort[keep],
        unit=np.unique(clean.unit[keep], return_inverse=True)[1],
        cluster=clean.cluster[keep],
        weight=None if clean.weight is None else clean.weight[keep],
        x=None if clean.x is None else clean.x[keep],
        pooled=False,
    )
