"""Several results -> one table, a column each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from didjack.errors import OptionError
from didjack.options import check_count, check_flag, check_listed, validate_keywords
from didjack.reporting.tables import footer
from didjack.reporting.tables.columns import (
    check_label,
    check_text,
    further_rows,
    grouped,
    named,
    renamed,
    selected,
    sentences,
)
from didjack.reporting.tables.formatting import BELOW, Style, check_stars, decimals_of
from didjack.reporting.tables.table import Table, check_path, write
from didjack.reporting.view import ResultView, Viewed, columns

MOST_DIGITS = 20


@validate_keywords
def etable(
    results: Viewed | Sequence[Viewed] | Mapping[str, Viewed],
    names: Sequence[str] | None = None,
    *,
    rename: Mapping[str, str] | None = None,
    keep: str | Sequence[str] | None = None,
    drop: str | Sequence[str] | None = None,
    order: str | Sequence[str] | None = None,
    which: str = "all",
    cells: str = "se",
    stars: bool | Sequence[float] | Mapping[str, float] = False,
    digits: int | None = None,
    notes: str | Sequence[str] | None = None,
    extra_rows: Mapping[str, Sequence[object]] | None = None,
    groups: Mapping[str, Sequence[str]] | Sequence[str] | None = None,
    caption: str = "",
    label: str = "",
    fragment: bool = False,
    file: str | Path | None = None,
) -> Table:
    r"""Put several results in one table: a column each, standard errors in parentheses.

    Below the coefficients stand the sample, the kind of standard errors, and the options in
    which the results differ. `rename`, `keep`, `drop` and `order` take names of coefficients as
    a table without them shows, such as ``"event time 0"``, ``"ATT(2004, 2006)"`` or
    ``"overall ATT"``. A text that is no such name is a regular expression, and stands for all
    names in which it is found: ``"event time -"`` for those before treatment.

    Parameters
    ----------
    results : result, sequence of results, or mapping from name to result
        Of any kind; coefficients are matched by their names.
    names : sequence of str, optional
        Heads of the columns; default: those of the mapping, or (1), (2), ...
    rename : dict, optional
        From names to what the table calls them. A regular expression replaces what it finds, and
        the new text may have its groups: ``{r"event time (\d+)": r"year \1"}``.
    keep, drop : str or sequence of str, optional
        Coefficients to show, and not to show; by their own names, not those of `rename`.
    order : str or sequence of str, optional
        Coefficients that come first, in this order; by their own names.
    which : {"all", "overall"}
        All coefficients, or the overall ATT of aggregations only.
    cells : {"se", "ci", "p"}
        What stands below an estimate: its standard error in parentheses, its confidence interval
        at the level of the result, or its p-value, both in brackets.
    stars : bool, sequence of float, or dict
        True marks p < 0.1, 0.05 and 0.01; other cut-offs get as many stars in turn; a dict goes
        from marks to cut-offs, as in ``{"+": 0.1, "*": 0.05}``.
    digits : int, optional
        Decimals; default: as many as show three digits of the smaller standard errors, or of the
        estimates where there are none.
    notes : str or sequence of str, optional
        Sentences below the table, after those about what is in it.
    extra_rows : dict, optional
        From labels to a text or number for each column; they come below the coefficients.
    groups : dict or sequence of str, optional
        What stands above the heads: from the text to the heads of columns side by side, or one
        text for each column, "" for none.
    caption : str
        Above the table.
    label : str
        By which LaTeX and typst refer to the table.
    fragment : bool
        Whether LaTeX has the tabular alone, for ``\input`` into a table of your own.
    file : str or path, optional
        Also write the table to a file, of the kind that its name ends in: ".tex", ".html",
        ".md", ".docx" (Word), ".typ" (typst), ".txt" or ".csv". An existing file is replaced.

    Returns
    -------
    Table
        Prints as text, shows as HTML in notebooks, and has ``to_latex()``, ``to_html()``,
        ``to_markdown()``, ``to_typst()``, ``to_word(path)``, ``to_frame()`` and ``save(path)``.

    Raises
    ------
    OptionError
        An option has a value that is not allowed, a name or pattern matches no coefficient, two
        coefficients of a result would be called the same, or `file` cannot be written.

    Examples
    --------
    >>> import didjack
    >>> df = didjack.datasets.load_mpdta()
    >>> names = ["lemp", "year", "first.treat", "countyreal"]
    >>> models = {
    ...     method: didjack.csdid(df, *names, "~ lpop", est_method=method).aggregate("group")
    ...     for method in ("reg", "dr")
    ... }
    >>> print(didjack.etable(models, which="overall"))
    ====================================
                        reg        dr
    ------------------------------------
    overall ATT       -0.0329   -0.0328
                      (0.0119)  (0.0120)
    ------------------------------------
    Observations       2,500     2,500
    Clusters            500       500
    Treated clusters    191       191
    Standard errors     CV3       CV3
    Estimator            OR        DR
    ====================================
    CV3 standard errors in parentheses.
    """
    names, views = named(results, names)
    check_listed("which", which, ("all", "overall"))
    check_listed("cells", cells, tuple(BELOW))
    path = None if file is None else check_path("file", file)
    tables = [_by_name(view, name, which) for view, name in zip(views, names, strict=True)]
    shown = selected(_merged(tables), keep, drop, order)
    about = footer.rows(views, shown)
    tables, shown = _under_new_names(tables, names, shown, rename)
    places = decimals_of(pd.concat(tables))
    if digits is not None:
        places = check_count("digits", digits, 0, MOST_DIGITS)
    style = Style(places, check_stars(stars), cells)
    table = Table(
        title=check_text("caption", caption),
        head=[],
        header=["", *names],
        body=[
            [row for name in shown for row in style.rows(name, tables)],
            [*further_rows(extra_rows, len(names), places), *about],
        ],
        notes=[*style.notes(views, names, tables), *sentences(notes)],
        aligned="l" + "c" * len(names),
        groups=grouped(groups, names),
        label=check_label(label),
        fragment=check_flag("fragment", fragment),
        values=_values(shown, names, tables, ["estimate", *BELOW[cells]]),
    )
    if path is not None:
        write(table, "file", path)
    return table


def _by_name(view: ResultView, head: str, which: str) -> pd.DataFrame:
    """Return the statistics of a result by the names of its coefficients, or raise."""
    table = columns(view)
    if which == "all":
        return table
    if view.scheme is None:
        raise OptionError(
            f"which='overall' needs aggregated effects; {head!r} has ATT(g,t): aggregate() it"
        )
    return table.iloc[-1:]


def _merged(tables: list[pd.DataFrame]) -> list[str]:
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


def _under_new_names(
    tables: list[pd.DataFrame], heads: list[str], shown: list[str], rename: object
) -> tuple[list[pd.DataFrame], list[str]]:
    """Return the coefficients that are shown under their new names, and these, or raise."""
    new = renamed(shown, rename)
    kept = [table.loc[[name for name in shown if name in table.index]] for table in tables]
    kept = [table.set_axis(table.index.map(new)) for table in kept]
    for table, head in zip(kept, heads, strict=True):
        twice = table.index[table.index.duplicated()]
        if twice.size:
            raise OptionError(f"rename calls two coefficients of {head!r} the same: {twice[0]!r}")
    return kept, list(dict.fromkeys(new.values()))


def _values(
    shown: list[str], heads: list[str], tables: list[pd.DataFrame], statistics: list[str]
) -> pd.DataFrame:
    """Return the numbers of a table, (coefficient, statistic) x results."""
    numbers = [table[statistics].reindex(shown).to_numpy().ravel() for table in tables]
    rows = pd.MultiIndex.from_product([shown, statistics], names=["coefficient", "statistic"])
    return pd.DataFrame(np.column_stack(numbers), index=rows, columns=heads)
