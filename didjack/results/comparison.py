"""Variance estimators side by side."""

from __future__ import annotations

import numpy as np
import pandas as pd

from didjack._typing import Ints
from didjack.inference import statistics
from didjack.inference.coefficients import Coefficients
from didjack.inference.diagnostics import treated_clusters
from didjack.inference.statistics import Variance
from didjack.inference.variance.base import Evidence
from didjack.inference.variance.kinds import KINDS
from didjack.options import Reference
from didjack.results.result_view import View

COLUMNS = ["estimate", "std_error", "df", "statistic", "p_value", "conf_low", "conf_high"]
MOST_CLUSTERS = 200
"""With more clusters than this, permutations and placebos take long and add little."""
N_PERMUTATIONS = 199
REFERENCES: dict[Reference, str] = {"t": "t(R-1)", "model": "model"}
"""Reference distributions of the default kind of variance, as rows call them; the last is that
of the row to which standard errors are compared."""
ONE_TREATED = "one treated cluster: its own variation is not in the standard error"


def compare(
    view: View, at: Ints, alpha: float, labelled: bool, tests: dict[str, pd.Series] | None = None
) -> pd.DataFrame:
    """Tabulate coefficients, (m,) positions, under every variance that can be had.

    Rows are (coefficient, estimator) where they are `labelled`, otherwise estimators.
    Replicates are computed if the result has none; nothing else is estimated again.

    Parameters
    ----------
    tests : further rows of the last coefficient, by name
    """
    found, tests = _variances(view), tests or {}
    names = list(found)
    # One row for each coefficient and, within it, each estimator.
    which = np.repeat(at, len(names))
    tables = [statistics.statistics(view.targets.theta[0], one, alpha) for one in found.values()]
    values = {
        name: np.stack([table[name][at] for table in tables], axis=1).ravel() for name in tables[0]
    }
    table = pd.DataFrame(values)
    own = found.get("CV3, model")
    table["ratio"] = np.nan if own is None else table["std_error"] / own.std_error[which]
    alone = treated_clusters(view.fit, view.targets)[which] == 1
    modelled = np.tile([one.reference is not None for one in found.values()], at.size)
    table["invalid"] = np.where(alone & ~modelled & ~table["std_error"].isna(), ONE_TREATED, "")
    further = pd.DataFrame(list(tests.values()), columns=table.columns).astype(table.dtypes)
    further["invalid"] = ""
    key, rows = view.index[[*which, *[at[-1]] * len(tests)]], [*names * at.size, *tests]
    table = pd.concat([table, further]) if tests else table
    return table.set_axis(_labels(key, rows, labelled))[[*COLUMNS, "ratio", "invalid"]]


def _labels(key: pd.Index, rows: list[str], labelled: bool) -> pd.Index:
    """Label rows by their coefficient, if that is asked for, and their estimator."""
    if not labelled:
        return pd.Index(rows, name="vcov")
    levels = [key.get_level_values(level) for level in range(key.nlevels)]
    labels = [str(name or "coefficient") for name in key.names]
    return pd.MultiIndex.from_arrays([*levels, rows], names=[*labels, "vcov"])


def _variances(view: View) -> dict[str, Variance]:
    """Estimate the variance of all coefficients in every way that the data allow.

    Kinds that need replicates come last, the default of them at the end, with each reference.
    """
    sample, kinds = view.options.sample, [KINDS[name] for name in KINDS]
    found = {}
    for kind in kinds:
        if kind.needs_replicates:
            continue
        name = kind.name
        if kind.clustered and not sample.by_unit:
            if view.fit.source.layout.of_units:
                alone = view.fit.under(vcov=kind.name).with_independent_units()
                found[name] = Coefficients(Evidence(alone, view.targets)).variance(kind)
            name = kind.clustered
        found[name] = view.coefficients.variance(kind)
    if sample.panel or sample.cluster is not None:
        *others, default = [kind for kind in reversed(kinds) if kind.needs_replicates]
        coefficients = view.made_for(default)
        found |= {kind.name: coefficients.variance(kind) for kind in others}
        for reference, name in REFERENCES.items():
            fit = coefficients.evidence.fit.under(reference=reference)
            own = Coefficients(Evidence(fit, coefficients.targets))
            found[f"{default.name}, {name}"] = own.variance(default)
    return found
