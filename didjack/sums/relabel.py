"""Rows whose clusters are in other cohorts, or whose outcome is whether they are treated.

No row moves: strata stay what they are, and are of another cohort.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from didjack._typing import Ints
from didjack.intake.sample import CleanData
from didjack.sums.layout import Layout
from didjack.sums.rows import RowArrays


def relabelled_rows(rows: RowArrays, cohort: Ints) -> RowArrays:
    """Put clusters, each in one cohort, into other ones, (H,) positions."""
    strata = replace(rows.strata, cohort=cohort[rows.strata.cluster])
    return replace(rows, layout=rows.layout.relabelled(cohort), strata=strata)


def relabelled_sample(clean: CleanData, layout: Layout, cohort: Ints) -> CleanData:
    """Do the same to the sample that the rows were made of."""
    return replace(clean, cohort=layout.cohorts[cohort[clean.cluster]])


def treatment_rows(rows: RowArrays) -> RowArrays:
    """Make the indicator of treatment, t >= g, the outcome."""
    strata, periods = rows.strata, rows.layout.periods
    cohort = rows.layout.cohorts[strata.cohort][:, None]
    on = periods >= cohort if rows.layout.panel else periods[strata.period][:, None] >= cohort
    y = np.repeat(on.astype(np.float64), strata.sizes, axis=0)
    return replace(rows, y=y, level=np.empty(0))


def treatment_sample(clean: CleanData) -> CleanData:
    """Do the same to the sample that the rows were made of."""
    treated = clean.periods[clean.period] >= clean.cohort
    return replace(clean, y=treated.astype(np.float64))
