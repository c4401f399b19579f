"""Which coefficients a table of several results shows, in which order and under which names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd

from didjack.errors import OptionError
from didjack.options import must_be
from didjack.reporting.tables.formatting import number
from didjack.reporting.view import ResultView, as_view
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
            f"{option}={brief(pattern)} is no coefficient, and no regular expression: {error}"
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
        raise OptionError(f"results has {brief(result)}, which is no result of csdid")
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
    named = _by_name(groups, names) if isinstance(groups, Mapping) else groups
    found = texts("groups", named)
    if len(found) != len(names):
        raise OptionError(
            f"groups={brief(groups)} has {plural(len(found), 'string')}, and there are "
            f"{plural(len(names), 'column')}"
        )
    runs = [text for text, _ in groupby(found) if text]
    apart = [text for text in dict.fromkeys(runs) if runs.count(text) > 1]
    if apart:
        raise OptionError(f"groups: the columns of {apart[0]!r} do not stand side by side")
    return found if runs else []


def _by_name(groups: Mapping[Any, Any], names: list[str]) -> list[str]:
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
