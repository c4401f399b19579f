"""Variance estimators side by side."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from didjack import inference
from didjack.columns import Ints
from didjack.inference import Variance
from didjack.uncertainty import Uncertainty

if TYPE_CHECKING:
    from didjack.base import Result

COLUMNS = ["estimate", "std_error", "df", "statistic", "p_value", "conf_low", "conf_high"]


def compare(result: Result, at: Ints, alpha: float | None) -> pd.DataFrame:
    """Tabulate coefficients, (m,) positions, under every variance that can be had.

    Replicates are computed if the result has none; nothing else is estimated again.
    """
    level = result._level(alpha)
    parts = []
    for name, variance in _variances(result).items():
        table = inference.coefficient_table(
            result._targets.theta[0],
            variance,
            level,
            np.zeros(len(variance.df), dtype=np.int64),
            [""] * len(variance.df),
        )
        parts.append(table.iloc[at][COLUMNS].assign(vcov=name, position=at))
    table = pd.concat(parts).sort_values("position", kind="stable").reset_index(drop=True)
    reference = table[table["vcov"] == "CV3"].set_index("position")["std_error"]
    table["ratio"] = table["std_error"] / table["position"].map(reference)
    rows = pd.Index(table["vcov"])
    if at.size > 1 or result._components.size == len(result._targets.index):
        levels = _levels(result._targets.index[table["position"]])
        rows = pd.MultiIndex.from_arrays([*levels, rows], names=[*_names(result), "vcov"])
    return table[[*COLUMNS, "ratio"]].set_axis(rows)


def _variances(result: Result) -> dict[str, Variance]:
    """Estimate the variance of all coefficients in every way that the data allow."""
    options, here = result.options, result._uncertainty
    found = {}
    if not result._fit.by_unit:
        alone = replace(result._fit, options=replace(options, vcov="analytic", cluster=None))
        found["analytic"] = Uncertainty(alone, result._targets).variance("analytic")
    found["analytic" if result._fit.by_unit else "clustered"] = here.variance("analytic")
    found["bootstrap"] = here.variance("bootstrap")
    if options.panel or options.cluster is not None:
        jackknife = result._uncertainty_for("CV3")
        found["CV3J"], found["CV3"] = jackknife.variance("CV3J"), jackknife.variance("CV3")
    return found


def _levels(index: pd.Index) -> list[pd.Index]:
    if isinstance(index, pd.MultiIndex):
        return [index.get_level_values(level) for level in range(index.nlevels)]
    return [index]


def _names(result: Result) -> list[str]:
    index = result._targets.index
    return [str(name or "coefficient") for name in index.names]
