"""Text in a covariate: categories, unless it stands among numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from didjack._typing import Bools, Ints
from didjack.errors import DataError
from didjack.intake.labels import Coded, as_codes
from didjack.intake.numbers import offenders, reads_as_number
from didjack.wording import brief

_OBJECT = np.dtype(object)
"""Given like this, pandas does not set warning filters, which all threads share, to look it up."""


def text_as_categories(column: pd.Series, labels: bool, count: Ints | None = None) -> pd.Series:
    """Make a covariate column with text categorical; return others as they are.

    Parameters
    ----------
    labels : bool
        Its values are labels, as within ``C()``, even if most of them are numbers. Otherwise that
        is an error, as each number would have a dummy. Whole numbers that are all text, such as
        codes of occupations, always are labels, and so is what is categorical already.
    count : (N,) how many rows of the user's table each stands for; None: one
    """
    if column.dtype == object:
        if not any(isinstance(value, str) for value in column):
            return column
    elif not pd.api.types.is_string_dtype(column.dtype):
        return column
    coded = as_codes(column, "covariate")
    if not labels:
        _check_numbers(column, coded, count)
    # Numbers among text are text.
    names = as_codes(pd.Series([str(label) for label in coded.labels], dtype=_OBJECT), "covariate")
    codes = np.append(names.codes, -1)[coded.codes]
    index = pd.Index(list(names.labels), dtype=_OBJECT)
    return pd.Series(pd.Categorical.from_codes(codes, categories=index), name=column.name)


def _check_numbers(column: pd.Series, coded: Coded, count: Ints | None) -> None:
    """Raise for a column that is mostly numbers and has text."""
    values = np.array([*coded.labels, None], dtype=object)[:-1]  # also of tuples, one dimension
    there = coded.codes >= 0
    weights = None if count is None else count[there]
    counts = np.bincount(coded.codes[there], weights=weights, minlength=values.size)
    bad = _text_among_numbers(values, counts)
    if not bad.any():
        return
    rows = np.append(bad, False)[coded.codes]
    written = np.array([brief(value, 40) for value in [*values, None]], dtype=object)
    what = "is mostly numbers, but has text"
    if all(reads_as_number(value) for value in values[bad]):
        what = "holds numbers as text"
    name = str(column.name)
    quoted = name if name.isidentifier() else f"`{name}`"
    raise DataError(
        f"covariate {name!r} {what}: {offenders(rows, written[coded.codes], count, column.index)}; "
        f"make it numeric, or write C({quoted}) for a dummy for each value"
    )


def _text_among_numbers(values: Any, counts: Any) -> Bools:
    """Return which distinct values are the text in a column that is mostly numbers."""
    text = np.array([isinstance(value, str) for value in values], dtype=bool)
    number = np.array([reads_as_number(value) for value in values], dtype=bool)
    if not text.any() or 2 * counts[number].sum() <= counts.sum():
        return np.zeros(len(values), dtype=bool)
    if text.all() and all(value.strip().isdecimal() for value in values):
        return np.zeros(len(values), dtype=bool)
    words = text & ~number
    return words if words.any() else text
