"""Replicates of an unbalanced panel that are balanced ones.

Where the units that miss a period all lie in one cluster, the sample without this cluster is a
balanced panel, to which the estimators of balanced panels apply.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from didjack.intake.sample import CleanData
from didjack.options import Options


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


def without_cluster(clean: CleanData, cluster: int) -> CleanData:
    """Take a cluster out of the rows, and call the rest a balanced panel."""
    rest = clean.take(clean.cluster != cluster)
    last = int(rest.periods[-1])
    horizon = clean.horizon if last == clean.periods[-1] else last
    return replace(rest, horizon=horizon, pooled=False)
