"""Several results -> one table, a column each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from didjack.errors import OptionError
from didjack.options import check_count, check_flag, check_listed
from didjack.reporting import footer
from didjack.reporting.numbers import decimals, number
from didjack.reporting.table import Table
from didjack.reporting.view import ResultView, Viewed
from didjack.reporting.words import columns
from didjack.wording import brief, plural

MOST_DIGITS = 20
STARS = ((0.01, "***"), (0.05, "**"), (0.1, "*"))


def regression_table(
    results: Sequence[Viewed] | Mapping[str, Viewed],
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
        Caption above the table.

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
    >>> from didjack.reporting import regression_table
    >>> df = didjack.datasets.load_mpdta()
    >>> names = ["lemp", "year", "first.treat", "countyreal"]
    >>> models = {
    ...     method: didjack.csdid(df, *names, "~ lpop", est_method=method).aggregate("group")
    ...     for method in ("reg", "dr")
    ... }
    >>> print(regression_table(models, which="overall"))
    ====================================
                          reg        dr
    ------------------------------------
    overall ATT       -0.0329   -0.0328
                      (0.0119)  (0.0120)
    ------------------------------------
    Observations         2,500     2,500
    Clusters               500       500
    Treated clusters       191       191
    Standard errors        CV3       CV3
    Estimator               OR        DR
    ====================================
    CV3 standard errors in parentheses.
    """
    names, views = _named(results, names)
    check_listed("which", which, ("all", "overall"))
    stars = check_flag("stars", stars)
    if not isinstance(title, str):
        raise OptionError(f"title={brief(title)} is not allowed: a text")
    tables = [_by_name(view, which) for view in views]
    everything = pd.concat(tables)
    places = decimals(everything["std_error"])
    if digits is not None:
        places = check_count("digits", digits, 0, MOST_DIGITS)
    rows = []
    for label in _ordered(tables):
        found = [_row(table, label) for table in tables]
        rows.append([label, *(_estimate(row, places, stars) for row in found)])
        rows.append(["", *(_error(row, places) for row in found)])
    return Table(
        title=title,
        head=[],
        header=["", *names],
        body=[rows, footer.rows(views)],
        notes=_notes(views, stars),
        aligned="l" + "r" * len(names),
    )


def _named(results: Any, names: Any) -> tuple[list[str], list[ResultView]]:
    """Return the heads of the columns and what stands in them, or raise."""
    if isinstance(results, Mapping):
        names = list(results) if names is None else names
        results = list(results.values())
    if not isinstance(results, Sequence) or isinstance(results, str):
        raise OptionError(f"results={brief(results)} is not allowed: a list or dict of results")
    for one in results:
        if not hasattr(getattr(one, "view", None), "statistics"):
            raise OptionError(f"results has {brief(one)}, which is no result of csdid")
    names = [f"({i + 1})" for i in range(len(results))] if names is None else names
    if not isinstance(names, (Sequence, pd.Index)) or isinstance(names, str):
        raise OptionError(f"names={brief(names)} is not allowed: a list of texts")
    if not all(isinstance(name, str) for name in names):
        raise OptionError(f"names={brief(names)} is not allowed: a list of texts")
    names = list(names)
    if not len(results) or len(names) != len(results):
        raise OptionError(
            f"regression_table needs one or more results, and a name for each: got "
            f"{plural(len(results), 'result')} and {plural(len(names), 'name')}"
        )
    return names, [result.view for result in results]


def _by_name(view: ResultView, which: str) -> pd.DataFrame:
    """Return the statistics of a result by the names of its coefficients."""
    table = columns(view)
    return table.iloc[-1:] if which == "overall" and len(view.components) < len(table) else table


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


def _notes(views: Sequence[ResultView], stars: bool) -> list[str]:
    kinds = {view.errors for view in views}
    kind = f"{kinds.pop()} standard errors" if len(kinds) == 1 else "Standard errors"
    lines = [f"{kind[0].upper()}{kind[1:]} in parentheses."]
    if stars:
        lines.append("* p < 0.1, ** p < 0.05, *** p < 0.01.")
    return lines
