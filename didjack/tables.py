"""Results -> printed tables, with the table writer of statsmodels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from didjack.errors import name_some, plural

if TYPE_CHECKING:
    from statsmodels.iolib.summary import Summary

    from didjack.results import Result

METHODS = {
    "dr": "doubly robust",
    "ipw": "inverse probability weighting",
    "reg": "outcome regression",
}
COMPARISONS = {"nevertreated": "never treated", "notyettreated": "not yet treated"}


def summary(result: Result, alpha: float) -> Summary:
    """Write the design, the coefficients and the notes of a result."""
    from statsmodels.iolib.summary import Summary
    from statsmodels.iolib.table import SimpleTable
    from statsmodels.iolib.tableformatting import fmt_2cols, fmt_params

    left, right = _design_cells(result)
    printed = Summary()
    printed.tables.append(
        SimpleTable(
            [[*a, *b] for a, b in zip(left, right, strict=True)],
            title=f"Callaway-Sant'Anna difference in differences: {result.title}",
            txt_fmt=fmt_2cols,
        )
    )
    table = _rows(result, alpha)
    printed.tables.append(
        SimpleTable(
            table.iloc[:, 1:].to_numpy().tolist(),
            headers=list(table.columns[1:]),
            stubs=table.iloc[:, 0].tolist(),
            txt_fmt=fmt_params,
        )
    )
    printed.add_extra_txt(notes(result))
    return printed


def _design_cells(result: Result) -> tuple[list[list[str]], list[list[str]]]:
    """Return the two columns of the head of a summary."""
    about, options = result._fit.describe(), result.options
    units = "Units:" if options.panel else "Rows in units:"
    left = [
        ["Outcome:", options.yname],
        ["Estimator:", METHODS[options.est_method]],
        ["Covariates:", str(about["xformla"])],
        ["Comparison group:", COMPARISONS[options.control_group]],
        ["Base period:", options.base_period],
        ["Anticipation:", str(options.anticipation)],
    ]
    right = [
        ["Observations:", f"{about['n_obs']:,}"],
        [units, f"{about['n_units']:,}"],
        ["Clusters:", f"{about['n_clusters']:,} ({about['cluster'] or 'rows'})"],
        ["Treated clusters:", f"{about['n_treated_clusters']:,}"],
        ["Cohorts, periods:", f"{about['n_groups']}, {about['n_periods']}"],
        ["Standard errors:", options.vcov],
    ]
    return left, right


def decimals(values: pd.Series) -> int:
    """Choose how many decimals show three digits of the smaller numbers.

    Examples
    --------
    >>> decimals(pd.Series([0.0123, 0.5])), decimals(pd.Series([120.0, 4300.0]))
    (4, 2)
    """
    size = np.abs(values[np.isfinite(values) & (values != 0)])
    if size.empty:
        return 4
    return int(np.clip(2 - np.floor(np.log10(size.quantile(0.25))), 2, 10))


def number(value: float, places: int) -> str:
    """Write a number, or nothing where there is none."""
    return "" if np.isnan(value) else f"{value:.{places}f}"


def _rows(result: Result, alpha: float) -> pd.DataFrame:
    """Return the coefficients as text, labels joined in the first column."""
    table = result._statistics(alpha)
    places = decimals(table["std_error"] if table["std_error"].notna().any() else table["estimate"])
    level = f"{100 * (1 - alpha):g}%"
    text = pd.DataFrame({"label": [_label(key) for key in result._targets.index]})
    text["ATT"] = [number(v, places) for v in table["estimate"]]
    text["std. error"] = [number(v, places) for v in table["std_error"]]
    text["t" if np.isfinite(table["df"]).any() else "z"] = [
        number(v, 2) for v in table["statistic"]
    ]
    text["P>|t|"] = [number(v, 3) for v in table["p_value"]]
    text[f"[{level} conf."] = [number(v, places) for v in table["conf_low"]]
    text["interval]"] = [number(v, places) for v in table["conf_high"]]
    text["status"] = [status.split(":")[0] for status in table["status"]]
    return text


def _label(key: object) -> str:
    if isinstance(key, tuple):
        return ", ".join(_label(part) for part in key)
    if isinstance(key, pd.Timestamp):
        return str(key.date()) if key == key.normalize() else str(key)
    return str(key)


def notes(result: Result) -> list[str]:
    """Say how the variance was made, and which clusters it hinges on."""
    options, design = result.options, result._fit.design
    lines = [_how(result)]
    empty = int((design.n_units.sum(axis=1) == 0).sum())
    if empty:
        lines.append(f"{plural(empty, 'cluster')} without units in the sample (counted in df).")
    if not options.jackknife:
        return lines
    targets = result._targets
    missing = targets.missing()
    turned = targets.retargeted[1:] & ~np.isnan(targets.theta[1:])
    for what, where in (("undefined", missing), ("retargeted", turned)):
        if not where.any():
            continue
        clusters = design.cluster_labels[where.any(axis=1)]
        treatment = ""
        if what == "undefined":
            treatment = " (left out)" if options.undefined == "skip" else " (no standard error)"
        lines.append(
            f"{plural(int(where.sum()), 'replicate')} {what}{treatment}, "
            f"{plural(int(where.any(axis=0).sum()), 'coefficient')}, without cluster "
            f"{name_some(clusters, most=8)}."
        )
    return lines


def _how(result: Result) -> str:
    options, design = result.options, result._fit.design
    by = options.cluster or options.idname or "row"
    if options.jackknife:
        centre = "full-sample estimate" if options.vcov == "CV3" else "mean of the replicates"
        used = result._variance.n_replicates
        most = int(used.max()) if used.size else 0
        return (
            f"{options.vcov}: cluster jackknife by {by}, {most} of {design.n_clusters} replicates, "
            f"centred on the {centre}; t({most - 1})."
        )
    if result._fit.by_unit:
        return f"Analytic standard errors, independent {by}; normal."
    return f"Analytic standard errors clustered by {by}; t({design.n_clusters - 1})."
