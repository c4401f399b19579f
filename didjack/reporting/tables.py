"""Results -> tables as text, LaTeX and HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from didjack.errors import OptionError
from didjack.inference import bootstrap
from didjack.reporting.export import coefficient_names, vcov_name
from didjack.reporting.writer import Table
from didjack.wording import label_text, name_some, plural

if TYPE_CHECKING:
    from didjack.results.base import Result

__all__ = ["Table", "regression_table", "summary"]

METHODS = {
    "dr": "doubly robust",
    "ipw": "inverse probability weighting",
    "reg": "outcome regression",
}
COMPARISONS = {"nevertreated": "never treated", "notyettreated": "not yet treated"}
LABELS = {"group": "cohort", "time": "period", "event_time": "event time", "type": ""}
STARS = ((0.01, "***"), (0.05, "**"), (0.1, "*"))


# ---- one result ---------------------------------------------------------------------------------


def summary(result: Result, alpha: float) -> Table:
    """Write the design, the coefficients and the notes of a result."""
    header, rows = _coefficient_rows(result, alpha)
    size = result._components.size
    return Table(
        title=f"Callaway-Sant'Anna difference in differences: {result.title}",
        head=_design_rows(result),
        header=header,
        body=[section for section in (rows[:size], rows[size:]) if section],
        notes=notes(result),
        aligned="l" + "r" * (len(header) - 1),
    )


def _design_rows(result: Result) -> list[list[str]]:
    """Return the head of a summary: name, value, name, value."""
    about, options = result._fit.describe(), result.options
    by = about["cluster"] or "each row"
    left = [
        ["Outcome", options.yname],
        ["Estimator", METHODS[options.est_method]],
        ["Covariates", str(about["xformla"])],
        ["Comparison group", COMPARISONS[options.control_group]],
        ["Base period", options.base_period],
        ["Anticipation", plural(options.anticipation, "period")],
    ]
    right = [
        ["Observations", f"{about['n_obs']:,}"],
        ["Units", f"{about['n_units']:,}"],
        ["Clusters", f"{about['n_clusters']:,} ({by})"],
        ["Treated clusters", f"{about['n_treated_clusters']:,}"],
        ["Cohorts, periods", f"{about['n_groups']}, {about['n_periods']}"],
        ["Standard errors", vcov_name(result)],
    ]
    return [[*a, *b] for a, b in zip(left, right, strict=True)]


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
    return int(np.clip(2 - np.floor(np.log10(size.quantile(0.25, interpolation="lower"))), 2, 10))


def number(value: float, places: int) -> str:
    """Write a number, or nothing where there is none."""
    return "" if np.isnan(value) else f"{value:.{places}f}"


def _coefficient_rows(result: Result, alpha: float) -> tuple[list[str], list[list[str]]]:
    """Return the header and the coefficients as text, labels joined in the first column."""
    table = result._statistics(alpha)
    places = decimals(table["std_error"] if table["std_error"].notna().any() else table["estimate"])
    letter = "t" if np.isfinite(table["df"]).any() else "z"
    header = [
        _label_header(result),
        "ATT",
        "std. error",
        letter,
        f"P>|{letter}|",
        f"[{100 * (1 - alpha):g}% conf.",
        "interval]",
        "status",
    ]
    numbers = [
        ("estimate", places),
        ("std_error", places),
        ("statistic", 2),
        ("p_value", 3),
        ("conf_low", places),
        ("conf_high", places),
    ]
    columns = [
        [label_text(key) for key in result._targets.index],
        *([number(value, digits) for value in table[name]] for name, digits in numbers),
        [status.split(":")[0] for status in table["status"]],
    ]
    return header, [list(row) for row in zip(*columns, strict=True)]


def _label_header(result: Result) -> str:
    names = result._targets.index.names
    return ", ".join(LABELS.get(str(name), "") for name in names if name is not None)


def notes(result: Result) -> list[str]:
    """Say how the variance was made, and which clusters it hinges on."""
    options, design = result.options, result._fit.layout
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
        clusters = design.cluster_labels[np.flatnonzero(where.any(axis=1))]
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
    options, design = result.options, result._fit.layout
    by = options.cluster or options.idname or "row"
    if options.jackknife:
        centre = "full-sample estimate" if options.vcov == "CV3" else "mean of the replicates"
        used = result._variance.n_replicates
        most = int(used.max()) if used.size else 0
        return (
            f"{options.vcov}: cluster jackknife by {by}, {most} of {design.n_clusters} replicates, "
            f"centred on the {centre}; t({most - 1})."
        )
    if options.vcov == "bootstrap":
        weights = bootstrap.default_weights(len(result._uncertainty.influence)).capitalize()
        seed = bootstrap.DEFAULT_SEED if options.seed is None else options.seed
        return (
            f"Multiplier bootstrap by {by}: {options.n_boot:,} draws of {weights} weights, "
            f"seed {seed}; standard errors from the interquartile range; normal."
        )
    if result._fit.options.by_unit:
        return f"Analytic standard errors, independent {by}; normal."
    return f"Analytic standard errors clustered by {by}; t({design.n_clusters - 1})."


# ---- several results ----------------------------------------------------------------------------


def regression_table(
    results: Sequence[Result] | Mapping[str, Result],
    names: Sequence[str] | None = None,
    *,
    which: str = "all",
    stars: bool = False,
    digits: int | None = None,
    title: str = "",
) -> Table:
    """Put several results in one table: a column each, standard errors in parentheses.

    Parameters
    ----------
    results : sequence or mapping from name to result
        Of any kind; coefficients are matched by their names.
    names : sequence of str, optional
        Heads of the columns; default: (1), (2), ...
    which : {"all", "overall"}
        All coefficients, or the overall ATT of aggregations only.
    stars : bool
        Mark p < 0.1, 0.05 and 0.01.
    digits : int, optional
        Decimals; default: as many as show three digits of the smaller standard errors.
    title : str

    Returns
    -------
    Table
        With ``as_text()`` (and ``print``), ``as_latex()``, ``as_html()`` and, in notebooks, its
        HTML. Below the coefficients stand the sample, the kind of standard errors, and those
        options in which the results differ.

    Raises
    ------
    OptionError
        No results, or not as many names.

    Examples
    --------
    >>> import didjack
    >>> from didjack.reporting.tables import regression_table
    >>> df = didjack.datasets.load_mpdta()
    >>> names = ["lemp", "year", "first.treat", "countyreal"]
    >>> models = {
    ...     method: didjack.csdid(df, *names, "~ lpop", est_method=method).aggregate("group")
    ...     for method in ("reg", "dr")
    ... }
    >>> print(regression_table(models, which="overall"))
    ===================================================
                                     reg             dr
    ---------------------------------------------------
    overall ATT                 -0.0329        -0.0328
                                (0.0119)       (0.0120)
    ---------------------------------------------------
    Observations                   2,500          2,500
    Clusters                         500            500
    Treated clusters                 191            191
    Standard errors                  CV3            CV3
    Estimator         outcome regression  doubly robust
    ===================================================
    CV3 standard errors in parentheses.
    """
    if isinstance(results, Mapping):
        names = list(results) if names is None else names
        results = list(results.values())
    names = [f"({i + 1})" for i in range(len(results))] if names is None else list(names)
    if not len(results) or len(names) != len(results):
        raise OptionError(
            f"regression_table needs one or more results, and a name for each: got "
            f"{plural(len(results), 'result')} and {plural(len(names), 'name')}"
        )
    if which not in ("all", "overall"):
        raise OptionError(f"which={which!r} is not allowed; allowed: 'all', 'overall'")
    tables = [_by_name(result, which) for result in results]
    everything = pd.concat(tables)
    places = decimals(everything["std_error"]) if digits is None else digits
    rows = []
    for label in _ordered(tables):
        found = [_row(table, label) for table in tables]
        rows.append([label, *(_estimate(row, places, stars) for row in found)])
        rows.append(["", *(_error(row, places) for row in found)])
    return Table(
        title=title,
        head=[],
        header=["", *names],
        body=[rows, _sample_rows(results)],
        notes=_table_notes(results, stars),
        aligned="l" + "r" * len(names),
    )


def _by_name(result: Result, which: str) -> pd.DataFrame:
    """Return the statistics of a result by the names of its coefficients."""
    table = result._statistics().set_axis(pd.Index(coefficient_names(result)))
    return table.iloc[-1:] if which == "overall" and len(result._components) < len(table) else table


def _row(table: pd.DataFrame, label: str) -> pd.Series | None:
    at = table.index.get_indexer(pd.Index([label]))[0]
    return None if at < 0 else table.iloc[at]


def _ordered(tables: list[pd.DataFrame]) -> list[str]:
    """Merge the names of all results so that each keeps its order."""
    order: list[str] = []
    for table in tables:
        at = 0
        for name in table.index:
            if name in order:
                at = order.index(name) + 1
            else:
                order.insert(at, name)
                at += 1
    return order


def _estimate(row: pd.Series | None, places: int, stars: bool) -> str:
    if row is None:
        return ""
    marks = [mark for level, mark in STARS if row["p_value"] < level] if stars else []
    return number(row["estimate"], places) + (marks[0] if marks else " ")


def _error(row: pd.Series | None, places: int) -> str:
    if row is None or np.isnan(row["estimate"]):
        return ""
    if row["status"] == "reference":
        return "(reference)"
    return f"({number(row['std_error'], places) or 'none'})"


def _sample_rows(results: Sequence[Result]) -> list[list[str]]:
    """Return the sample and what the results differ in, a column each."""
    about = [result._fit.describe() for result in results]
    rows = [
        ["Observations", *(f"{one['n_obs']:,}" for one in about)],
        ["Clusters", *(f"{one['n_clusters']:,}" for one in about)],
        ["Treated clusters", *(f"{one['n_treated_clusters']:,}" for one in about)],
        ["Standard errors", *(vcov_name(result) for result in results)],
    ]
    options: dict[str, list[str]] = {
        "Clustered by": [str(one["cluster"] or "row") for one in about],
        "Outcome": [result.options.yname for result in results],
        "Estimator": [METHODS[result.options.est_method] for result in results],
        "Covariates": [str(one["xformla"]) for one in about],
        "Comparison group": [COMPARISONS[result.options.control_group] for result in results],
        "Base period": [result.options.base_period for result in results],
        "Anticipation": [str(result.options.anticipation) for result in results],
        "Weights": [result.options.weightsname or "none" for result in results],
    }
    rows.extend([name, *values] for name, values in options.items() if len(set(values)) > 1)
    return rows


def _table_notes(results: Sequence[Result], stars: bool) -> list[str]:
    kinds = {vcov_name(result) for result in results}
    kind = f"{kinds.pop()} standard errors" if len(kinds) == 1 else "Standard errors"
    lines = [f"{kind[0].upper()}{kind[1:]} in parentheses."]
    if stars:
        lines.append("* p < 0.1, ** p < 0.05, *** p < 0.01.")
    return lines
