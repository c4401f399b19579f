"""Variance estimators side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from didjack._typing import Ints
from didjack.inference import statistics as inference
from didjack.inference.coefficients import Uncertainty
from didjack.inference.statistics import Variance

if TYPE_CHECKING:
    from didjack.results.base import Result

COLUMNS = ["estimate", "std_error", "df", "statistic", "p_value", "conf_low", "conf_high"]


def compare(result: Result, at: Ints, alpha: float | None, labelled: bool) -> pd.DataFrame:
    """Tabulate coefficients, (m,) positions, under every variance that can be had.

    Rows are (coefficient, estimator) where they are `labelled`, otherwise estimators.
    Replicates are computed if the result has none; nothing else is estimated again.
    """
    found = _variances(result)
    names = list(found)
    # One row for each coefficient and, within it, each estimator.
    which = np.repeat(at, len(names))
    variance = Variance(
        np.stack([one.std_error[at] for one in found.values()], axis=1).ravel(),
        np.stack([one.df[at] for one in found.values()], axis=1).ravel(),
        np.zeros(which.size, dtype=np.int64),
    )
    estimate = result._targets.theta[0, which]
    values = inference.statistics(estimate, variance, result._level(alpha))
    reference = found["CV3"].std_error if "CV3" in found else np.full(at.max() + 1, np.nan)
    values["ratio"] = variance.std_error / reference[which]
    rows = pd.Index(names * at.size, name="vcov")
    if labelled:
        key = result._targets.index[which]
        levels = [key.get_level_values(level) for level in range(key.nlevels)]
        labels = [str(name or "coefficient") for name in key.names]
        rows = pd.MultiIndex.from_arrays([*levels, rows], names=[*labels, "vcov"])
    return pd.DataFrame(values, index=rows)[[*COLUMNS, "ratio"]]


def _variances(result: Result) -> dict[str, Variance]:
    """Estimate the variance of all coefficients in every way that the data allow."""
    options, here = result.options, result._uncertainty
    found = {}
    if not result._fit.options.by_unit:
        alone = result._fit.under(vcov="analytic", cluster=None)
        found["analytic"] = Uncertainty(alone, result._targets).variance("analytic")
    found["analytic" if result._fit.options.by_unit else "clustered"] = here.variance("analytic")
    found["bootstrap"] = here.variance("bootstrap")
    if options.panel or options.cluster is not None:
        jackknife = result._uncertainty_for("CV3")
        found["CV3J"], found["CV3"] = jackknife.variance("CV3J"), jackknife.variance("CV3")
    return found
