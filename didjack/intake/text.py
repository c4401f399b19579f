"""Text among the numbers of a covariate, which would turn each of its values into a dummy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from didjack._typing import Bools
from didjack.errors import DataError
from didjack.intake.numbers import is_number, offenders
from didjack.wording import brief


def check_text(column: pd.Series) -> None:
    """Raise for a covariate, used outside of ``C()``, that is mostly numbers and has text.

    Whole numbers that are all text, such as codes of occupations, are labels. So is everything in a
    categorical column.
    """
    text = column.dtype == object or pd.api.types.is_string_dtype(column.dtype)
    if not text or isinstance(column.dtype, pd.CategoricalDtype):
        return
    try:
        codes, values = pd.factorize(column.to_numpy(dtype=np.dtype(object)))
    except TypeError:  # values that cannot be labels either
        return
    bad = _text_among_numbers(values, np.bincount(codes[codes >= 0], minlength=len(values)))
    if not bad.any():
        return
    rows = np.append(bad, False)[codes]
    written = np.array([brief(value, 40) for value in values], dtype=object)
    what = "is mostly numbers, but has text"
    if all(_reads_as_number(value) for value in values[bad]):
        what = "holds numbers as text"
    name = str(column.name)
    quoted = name if name.isidentifier() else f"`{name}`"
    raise DataError(
        f"covariate {name!r} {what}: {offenders(rows, written[codes])}; make it numeric, or write "
        f"C({quoted}) for a dummy for each value"
    )


def _text_among_numbers(values: Any, counts: Any) -> Bools:
    """Return which distinct values are the text in a column that is mostly numbers."""
    text = np.array([isinstance(value, str) for value in values], dtype=bool)
    number = np.array([_reads_as_number(value) for value in values], dtype=bool)
    if not text.any() or 2 * counts[number].sum() <= counts.sum():
        return np.zeros(len(values), dtype=bool)
    if text.all() and all(value.strip().isdecimal() for value in values):
        return np.zeros(len(values), dtype=bool)
    words = text & ~number
    return words if words.any() else text


def _reads_as_number(value: object) -> bool:
    """Whether a value is a number, or text that writes one, perhaps with commas."""
    if not isinstance(value, str):
        return is_number(value)
    try:
        float(value.replace(",", ""))
    except ValueError:
        return False
    return any(character.isdigit() for character in value)
