"""Several results -> one table: which coefficients, in which order and by which names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from didjack.errors import OptionError
from didjack.options import check_count, check_flag, check_listed, must_be, validate_keywords
from didjack.reporting.tables import footer
from didjack.reporting.tables.grid import BELOW, Style, check_stars, decimals_of, number
from didjack.reporting.tables.table import Table, check_path, write
from didjack.reporting.view import ResultView, Viewed, as_view, columns
from didjack.wording import brief, did_you_mean, encodable, name_some, nearest, plural

# ---- selection -----------------------------------------------------------------------------------


def selected(known: Sequence[str], keep: Any, drop: Any, order: Any) -> list[str]:
    """Return the names that are kept and not dropped, those of `order` first.

    Examples
    --------
    >>> known = ["event time -1", "event time 0", "event time 1", "overall ATT"]
    >>> selected(known, None, "-", ["overall ATT"])
    ['overall ATT', 'event time 0', 'event time 1']
    """
    kept = _matching("keep", keep, known) if keep is not None else list(known)
    gone = _matching("drop", drop, known) if drop is not None else []
    left = [name for name in known if name in kept and name not in gone]
    if not left:
        raise OptionError("keep and drop leave no coefficient")
    first = _matching("order", order, known) if order is not None else []
    return [name for name in first if name in left] + [name for name in left if name not in first]


def renamed(known: Sequence[str], rename: Any) -> dict[str, str]:
    r"""Return what each name is called in the table.

    Examples
    --------
    >>> renamed(["event time 2", "overall ATT"], {r"event time (\d+)": r"year \1 after"})
    {'event time 2': 'year 2 after', 'overall ATT': 'overall ATT'}
    """
    if rename is None:
        return {name: name for name in known}
    if not isinstance(rename, Mapping) or not all(isinstance(new, str) for new in rename.values()):
        raise must_be("rename", "a dict from names to strings", rename)
    found: dict[str, str] = {}
    for pattern, new in rename.items():
        names = _matching("rename", pattern, known)
        for name in names:
            found.setdefault(name, new if pattern in known else _replaced(pattern, new, name))
    return {name: encodable(found.get(name, name)) for name in known}


def _replaced(pattern: str, new: str, name: str) -> str:
    try:
        return re.sub(pattern, new, name)
    except (re.error, IndexError) as error:
        what = "names, or regular expressions and their replacements"
        raise must_be("rename", what, {pattern: new}, f": {error}") from error


def _matching(option: str, patterns: Any, known: Sequence[str]) -> list[str]:
    """Return the names that some patterns stand for, in the order of the patterns, or raise.

    A pattern that is a name stands for this one alone; any other is a regular expression that
    stands for the names in which it is found.
    """
    patterns = [patterns] if isinstance(patterns, str) else patterns
    if not isinstance(patterns, Sequence) or not all(isinstance(one, str) for one in patterns):
        raise must_be(option, "names of coefficients, or regular expressions", patterns)
    found: list[str] = []
    for pattern in patterns:
        names = [pattern] if pattern in known else _searched(option, pattern, known)
        if not names:
            hint = did_you_mean(nearest(pattern, known))
            raise OptionError(
                f"{option}={brief(pattern)} matches no coefficient{hint}; there are: "
                f"{name_some(known, most=12)}"
            )
        found.extend(name for name in names if name not in found)
    return found


def _searched(option: str, pattern: str, known: Sequence[str]) -> list[str]:
    try:
        return [name for name in known if re.search(pattern, name)]
    except re.error as error:
        raise OptionError(
            f"{option}={brief(pattern)} is neither a coefficient nor a regular expression: {error}"
        ) from error


# ---- columns -------------------------------------------------------------------------------------


def named(results: Any, names: Any) -> tuple[list[str], list[ResultView]]:
    """Return the names of the columns and what stands in them, or raise."""
    if isinstance(results, Mapping):
        names = list(results) if names is None else names
        results = list(results.values())
    results = [results] if as_view(results) else results
    if not isinstance(results, Sequence) or isinstance(results, str):
        raise must_be("results", "a result, or a list or dict of results", results)
    views = [_view(one) for one in results]
    names = [f"({i + 1})" for i in range(len(results))] if names is None else names
    names = texts("names", list(names) if isinstance(names, pd.Index) else names)
    if not len(results) or len(names) != len(results):
        raise OptionError(
            f"results and names: etable needs one or more results, and a name for each; got "
            f"{plural(len(results), 'result')} and {plural(len(names), 'name')}"
        )
    return names, views


def _view(result: Any) -> ResultView:
    view = as_view(result)
    if view is None:
        raise OptionError(f"results has {brief(result)}, which is not a result of csdid")
    return view


def texts(option: str, value: Any) -> list[str]:
    """Return a list of strings, or raise."""
    listed = isinstance(value, Sequence) and not isinstance(value, str)
    if not listed or not all(isinstance(one, str) for one in value):
        raise must_be(option, "a list of strings", value)
    return [encodable(one) for one in value]


def check_text(option: str, value: Any) -> str:
    """Return a string, or raise."""
    if not isinstance(value, str):
        raise must_be(option, "a string", value)
    return encodable(value)


def sentences(notes: Any) -> list[str]:
    """Return the notes that were asked for, or raise."""
    if notes is None or isinstance(notes, str):
        return [notes] if notes else []
    return texts("notes", notes)


def check_naming(labels: Any, controls: Any) -> footer.Naming:
    """Return how columns and covariates are named, or raise."""
    labels = {} if labels is None else labels
    listed = isinstance(labels, Mapping)
    if not listed or not all(isinstance(one, str) for pair in labels.items() for one in pair):
        raise must_be("labels", "a dict from columns to strings", labels)
    named = {encodable(name): encodable(text) for name, text in labels.items()}
    return footer.Naming(named, None if controls is None else check_text("controls", controls))


def check_label(label: Any) -> str:
    """Return a label that LaTeX and typst can refer to, or raise."""
    if not isinstance(label, str) or not re.fullmatch(r"[\w:.-]*", label, re.ASCII):
        raise must_be("label", "of letters, digits and : . - _, such as 'tab:main'", label)
    return label


def grouped(groups: Any, names: list[str]) -> list[str]:
    """Return the group of each column, "" for none, or raise.

    Examples
    --------
    >>> grouped({"No covariates": ["(1)", "(2)"]}, ["(1)", "(2)", "(3)"])
    ['No covariates', 'No covariates', '']
    """
    if groups is None:
        return []
    named = _groups_by_name(groups, names) if isinstance(groups, Mapping) else groups
    found = texts("groups", named)
    if len(found) != len(names):
        raise OptionError(
            f"groups={brief(groups)} has {plural(len(found), 'string')}, and there are "
            f"{plural(len(names), 'column')}"
        )
    runs = [text for text, _ in groupby(found) if text]
    apart = [text for text in dict.fromkeys(runs) if runs.count(text) > 1]
    if apart:
        raise OptionError(f"groups: the columns of {apart[0]!r} are not adjacent")
    return found if runs else []


def _groups_by_name(groups: Mapping[Any, Any], names: list[str]) -> list[str]:
    """Return the group of each column of a mapping from groups to names of columns."""
    found = [""] * len(names)
    for title, members in groups.items():
        for name in texts("groups", members):
            if names.count(name) != 1:
                there = "no column" if name not in names else "more than one column"
                raise OptionError(f"groups: {there} is called {name!r}; {name_some(names, 12)}")
            if found[names.index(name)]:
                raise OptionError(f"groups: {name!r} is in two groups")
            found[names.index(name)] = title
    return found


def further_rows(rows: Any, count: int, places: int) -> list[list[str]]:
    """Return the rows that were asked for as text, or raise.

    Whole numbers get commas, others as many decimals as the coefficients.
    """
    if rows is None:
        return []
    if not isinstance(rows, Mapping) or not all(isinstance(label, str) for label in rows):
        raise must_be("extra_rows", "a dict from labels to lists", rows)
    for label, values in rows.items():
        if not isinstance(values, (list, tuple, pd.Series, np.ndarray)) or len(values) != count:
            what = f"a list with one string or number for each of {plural(count, 'column')}"
            raise must_be(f"extra_rows[{label!r}]", what, values)
    return [[label, *(_written(label, one, places) for one in row)] for label, row in rows.items()]


def _written(label: str, value: Any, places: int) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, Integral):
        return f"{int(value):,}"
    if isinstance(value, Real):
        return number(float(value), places)
    raise OptionError(f"extra_rows[{label!r}] has {brief(value)}: neither a string nor a number")


# ---- etable --------------------------------------------------------------------------------------

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
    labels: Mapping[str, str] | None = None,
    controls: str | None = None,
    math: bool = False,
    caption: str = "",
    label: str = "",
    fragment: bool = False,
    file: str | Path | None = None,
) -> Table:
    r"""Put several results in one table, one column each, with standard errors in parentheses.

    The footer reports the sample, the kind of standard errors, and the options in which the
    results differ. `rename`, `keep`, `drop` and `order` take names of coefficients as
    a table without them shows, such as ``"event time 0"``, ``"ATT(2004, 2006)"`` or
    ``"overall ATT"``. Any other string is a regular expression, and selects all names that
    contain a match: ``"event time -"`` those before treatment.

    Parameters
    ----------
    results : result, sequence of results, or mapping from name to result
        Of any kind; coefficients are matched by their names.
    names : sequence of str, optional
        Headings of the columns; default: those of the mapping, or (1), (2), ...
    rename : dict, optional
        From names to labels in the table. A regular expression replaces its matches, and the
        replacement may refer to its groups: ``{r"event time (\d+)": r"year \1"}``.
    keep, drop : str or sequence of str, optional
        Coefficients to show, and not to show; by their own names, not those of `rename`.
    order : str or sequence of str, optional
        Coefficients that come first, in this order; by their own names.
    which : {"all", "overall"}
        All coefficients, or the overall ATT of aggregations only.
    cells : {"se", "ci", "p"}
        Shown below an estimate: its standard error in parentheses, its confidence interval at
        the level of the result, or its p-value, both in brackets.
    stars : bool, sequence of float, or dict
        True marks p < 0.1, 0.05 and 0.01. A sequence sets other thresholds; a dict maps marks to
        thresholds, as in ``{"+": 0.1, "*": 0.05}``.
    digits : int, optional
        Decimals; default: enough for three digits of the smaller standard errors, or of the
        estimates if there are no standard errors.
    notes : str or sequence of str, optional
        Sentences below the table, after the notes of the table itself.
    extra_rows : dict, optional
        From labels to a string or number for each column; shown below the coefficients.
    groups : dict or sequence of str, optional
        Headings above groups of columns: from the heading to the names of adjacent columns, or
        one heading for each column, "" for none.
    labels : dict, optional
        From columns of the data to their names in the table: ``{"lemp": "log employment"}``.
    controls : str, optional
        A word such as "Yes" instead of formulas, in a row "Controls"; results without
        covariates have "No". Default: formulas. Those of more than 20 characters are replaced
        by letters, with a note.
    math : bool
        Whether LaTeX reads text between two dollar signs as mathematics, as in
        ``rename={"overall ATT": r"$\bar{\tau}$"}``. Otherwise dollar signs are printed.
    caption : str
        Above the table.
    label : str
        Label for references in LaTeX and typst.
    fragment : bool
        Whether LaTeX output is the tabular alone, for ``\input`` into your own table.
    file : str or path, optional
        Also write the table to a file; its extension sets the format: ".tex", ".html", ".md",
        ".docx" (Word), ".typ" (typst), ".txt" or ".csv". An existing file is overwritten.

    Returns
    -------
    Table
        Prints as plain text, appears as HTML in notebooks, and has ``to_latex()``, ``to_html()``,
        ``to_markdown()``, ``to_typst()``, ``to_word(path)``, ``to_frame()`` and ``save(path)``.

    Raises
    ------
    OptionError
        An option has an invalid value, a name or pattern matches no coefficient, two coefficients
        of a result would have the same label, or `file` cannot be written.

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
    about, explained = footer.rows_and_notes(views, shown, check_naming(labels, controls))
    tables, shown = _under_new_names(tables, names, shown, rename)
    style = Style(_places(tables, digits), check_stars(stars), cells)
    about = [*further_rows(extra_rows, len(names), style.places), *about]
    table = Table(
        title=check_text("caption", caption),
        head=[],
        header=["", *names],
        body=[[row for name in shown for row in style.rows(name, tables)], about],
        notes=[*style.notes(views, names, tables), *explained, *sentences(notes)],
        aligned="l" + "c" * len(names),
        groups=grouped(groups, names),
        label=check_label(label),
        math=check_flag("math", math),
        fragment=check_flag("fragment", fragment),
        values=_values(shown, names, tables, ["estimate", *BELOW[cells]]),
    )
    return _saved(table, path)


def _saved(table: Table, path: Path | None) -> Table:
    """Write a table to a file, if there is one."""
    if path is not None:
        write(table, "file", path)
    return table


def _places(tables: list[pd.DataFrame], digits: Any) -> int:
    """Return how many decimals are shown: those asked for, or as many as numbers need."""
    if digits is None:
        return decimals_of(pd.concat(tables))
    return check_count("digits", digits, 0, MOST_DIGITS)


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
