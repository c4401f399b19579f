"""Variance estimators side by side."""

from __future__ import annotations

import numpy as np
import pandas as pd

from didjack._typing import Ints
from didjack.inference import statistics
from didjack.inference.coefficients import Coefficients
from didjack.inference.evidence import Evidence
from didjack.inference.kinds import KINDS
from didjack.inference.statistics import Variance
from didjack.results.view import View

COLUMNS = ["estimate", "std_error", "df", "statistic", "p_value", "conf_low", "conf_high"]


def compare(view: View, at: Ints, alpha: float, labelled: bool) -> pd.DataFrame:
    """Tabulate coefficients, (m,) positions, under every variance that can be had.

    Rows are (coefficient, estimator) where they are `labelled`, otherwise estimators.
    Replicates are computed if the result has none; nothing else is estimated again.
    """
    found = _variances(view)
    names = list(found)
    # One row for each coefficient and, within it, each estimator.
    which = np.repeat(at, len(names))
    tables = [statistics.statistics(view.targets.theta[0], one, alpha) for one in found.values()]
    values = {
        name: np.stack([table[name][at] for table in tables], axis=1).ravel() for name in tables[0]
    }
    reference = found["CV3"].std_error if "CV3" in found else np.full(at.max() + 1, np.nan)
    values["ratio"] = values["std_error"] / reference[which]
    rows = pd.Index(names * at.size, name="vcov")
    if labelled:
        key = view.index[which]
        levels = [key.get_level_values(level) for level in range(key.nlevels)]
        labels = [str(name or "coefficient") for name in key.names]
        rows = pd.MultiIndex.from_arrays([*levels, rows], names=[*labels, "vcov"])
    return pd.DataFrame(values, index=rows)[[*COLUMNS, "ratio"]]


def _variances(view: View) -> dict[str, Variance]:
    """Estimate the variance of all coefficients in every way that the data allow.

    Kinds that need replicates come last, the default of them at the end.
    """
    options, kinds = view.options, [KINDS[name] for name in KINDS]
    found = {}
    for kind in kinds:
        if kind.needs_replicates:
            continue
        name = kind.name
        if kind.clustered and not options.by_unit:
            alone = view.fit.under(vcov=kind.name, cluster=None)
            found[name] = Coefficients(Evidence(alone, view.targets)).variance(kind)
            name = kind.clustered
        found[name] = view.coefficients.variance(kind)
    if options.panel or options.cluster is not None:
        replicated = [kind for kind in reversed(kinds) if kind.needs_replicates]
        coefficients = view.made_for(replicated[-1])
        found |= {kind.name: coefficients.variance(kind) for kind in replicated}
    return found
