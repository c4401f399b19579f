"""What to do about a column, in the words of the package that the user's table is of."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import pandas as pd

from didjack.options import SampleOptions

PANDAS = "pandas"

_THOUSANDS = re.compile(r"[-+]?\d{1,3}(,\d{3})+(\.\d*)?")

CROSS_SECTIONS = "panel=False without idname for repeated cross sections"


def package_of(df: Any) -> str:
    """Return the name of the package that a table is of.

    Examples
    --------
    >>> package_of(pd.DataFrame())
    'pandas'
    """
    if isinstance(df, pd.DataFrame):
        return PANDAS
    return type(df).__module__.partition(".")[0].lstrip("_")


def value_of_first_period(package: str, options: SampleOptions, column: str | None) -> str:
    """Say how each unit gets the value of a column that it has in its first period."""
    unit, time = options.idname, options.tname
    code = {
        PANDAS: f"df[{column!r}] = df.sort_values({time!r}).groupby({unit!r})[{column!r}]"
        ".transform('first')",
        "polars": f"df = df.with_columns(pl.col({column!r}).sort_by({time!r}).first().over"
        f"({unit!r}))",
        "duckdb": f"df = df.project('* REPLACE (first_value({_sql(column)}) OVER (PARTITION BY "
        f"{_sql(unit)} ORDER BY {_sql(time)}) AS {_sql(column)})')",
    }.get(package)
    return "give a unit the value of its first period" + (f", with {code}" if code else "")


def numbers_of_text(
    package: str, name: object, all_numbers: bool, with_commas: Iterable[str] = ()
) -> str:
    """Say how a column of text becomes one of numbers.

    Parameters
    ----------
    package : of the user's table
    name : of the column
    all_numbers : whether all of its values write numbers; others become missing
    with_commas : the texts in it that have commas: what these are is only clear of thousands
    """
    commas = list(with_commas)
    plain = "make numbers of the text" if all_numbers else "correct or drop these rows"
    if not all(_THOUSANDS.fullmatch(text.strip()) for text in commas):
        return plain
    code = ""
    if package == PANDAS:
        text = f"df[{name!r}]" + (".astype(object).replace(',', '', regex=True)" if commas else "")
        coerced = "" if all_numbers else ", errors='coerce'"
        code = f"df[{name!r}] = pd.to_numeric({text}{coerced})"
    elif package == "polars":
        text = f"pl.col({name!r}).cast(pl.String)" + (".str.replace_all(',', '')" if commas else "")
        code = f"df = df.with_columns({text}.cast(pl.Float64, strict={all_numbers}))"
    elif package == "duckdb":
        # Dollars quote, within the quotes of Python.
        text = f"replace({_sql(name)}, $$,$$, $$$$)" if commas else _sql(name)
        cast = "CAST" if all_numbers else "TRY_CAST"
        code = f"df = df.project('* REPLACE ({cast}({text} AS DOUBLE) AS {_sql(name)})')"
    if not code:
        return plain
    return f"{code} makes numbers of the text" + ("" if all_numbers else ", and these missing")


def _sql(name: object) -> str:
    """Write the name of a column as SQL does, within a Python string in single quotes."""
    return '"' + str(name).replace('"', '""').replace("'", "\\'") + '"'
