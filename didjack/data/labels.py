"""Labels, or strings in a covariate -> integer codes that follow the sorted labels."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from didjack._typing import Bools, Floats, Ints
from didjack.data.numbers import as_float, is_number, offenders, reads_as_number
from didjack.errors import DataError
from didjack.wording import brief, encodable

# ---- labels --------------------------------------------------------------------------------------


def renumber(codes: Ints, n_codes: int) -> tuple[Ints, Bools]:
    """Give the codes that occur new numbers 0, 1, ... in their order; -1, for missing, stays.

    Returns the new codes, perhaps the same array, and which codes occur, (n_codes,).
    """
    present = np.zeros(n_codes + 1, dtype=bool)  # the last one is that of -1
    present[codes] = True
    if present[:-1].all():
        return codes, present[:-1]
    rank = np.empty(n_codes + 1, dtype=np.int64)
    np.cumsum(present[:-1], out=rank[:-1])
    rank[:-1] -= 1
    rank[-1] = -1
    return rank[codes], present[:-1]


def distinct(values: Ints) -> tuple[Ints, Ints]:
    """Return the distinct integers, sorted, and the position of each value among them.

    Those of a narrow range are found by marking them, which is faster than to sort them. Both
    arrays are new.
    """
    low, high = int(values.min()), int(values.max())
    if high - low > 4 * values.size:
        labels, codes = np.unique(values, return_inverse=True)
        return labels, codes
    codes, present = renumber(values - low, high - low + 1)
    return np.flatnonzero(present) + low, codes


@dataclass(frozen=True, slots=True)
class Coded:
    """A column of labels as integer codes.

    Attributes
    ----------
    codes : (N,) position of each row's label in `labels`; -1 where it is missing
    labels : (L,) the distinct labels, sorted
    """

    codes: Ints
    labels: pd.Index


def as_codes(column: pd.Series, role: str) -> Coded:
    """Factorize a column of any hashable labels; codes follow the sorted labels.

    Numbers that are not finite are missing.
    """
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return _codes_of_categories(column, role)
    if isinstance(dtype, np.dtype) and dtype.kind in "iu" and dtype != np.uint64:
        values = column.to_numpy()
        labels, codes = distinct(values.astype(np.int64, copy=False))
        return Coded(codes, pd.Index(labels.astype(dtype)))
    if pd.api.types.is_float_dtype(dtype):
        values = as_float(column, role)
        _check_digits(column, values, role)
        return _codes_of_floats(values)
    if column.dtype == object:
        column = column.where(~_missing_labels(column), None)
    return _factorized(column, role)


def _check_digits(column: pd.Series, values: Floats, role: str) -> None:
    """Raise for long doubles with more digits than floats of 64 bits, where labels would merge."""
    if not (isinstance(column.dtype, np.dtype) and column.dtype.itemsize > values.itemsize):
        return
    given = column.to_numpy()
    bad = (given != values) & ~np.isnan(given)
    if bad.any():
        raise DataError(
            f"{role} {column.name!r} holds {column.dtype} labels that 64-bit floats cannot "
            f"distinguish: {offenders(bad, given, index=column.index)}; make them whole numbers "
            "or strings"
        )


def _codes_of_floats(values: Floats) -> Coded:
    finite = np.isfinite(values)
    codes, labels = np.full(values.size, -1), np.empty(0)
    present = values[finite]
    if present.size and (present == np.floor(present)).all() and np.abs(present).max() < 2.0**53:
        whole, codes[finite] = distinct(present.astype(np.int64))
        labels = whole.astype(np.float64)
    elif present.size:
        labels, codes[finite] = np.unique(present, return_inverse=True)
    return Coded(codes, pd.Index(labels))


def _missing_labels(column: pd.Series) -> Bools:
    """Return where an object column holds no label, (N,)."""
    gone = np.array(column.isna(), dtype=bool)
    infinite = [is_number(value) and value in (np.inf, -np.inf) for value in column[~gone]]
    gone[~gone] = infinite
    return gone


def _factorized(column: pd.Series, role: str) -> Coded:
    try:
        codes, labels = pd.factorize(column, sort=False)
    except TypeError as error:
        bad = [value for value in column if not isinstance(value, Hashable)]
        raise DataError(
            f"{role} {column.name!r} holds values that cannot be labels, "
            f"such as {brief(bad[0] if bad else column.iloc[0])}"
        ) from error
    if any(isinstance(label, str) and encodable(label) != label for label in labels):
        codes, labels = _factorized_by_hand(column)
    index = pd.Index(labels)
    try:
        order = index.argsort()
    except TypeError:  # labels of several types have no order of their own
        ranked = sorted(range(len(index)), key=lambda i: (str(type(index[i])), str(index[i])))
        order = np.array(ranked, dtype=np.int64)
    rank = np.empty(order.size + 1, dtype=np.int64)
    rank[order] = np.arange(order.size)
    rank[-1] = -1
    return Coded(rank[codes], index[order])


def _factorized_by_hand(column: pd.Series) -> tuple[Ints, pd.Index]:
    """Factorize text with lone surrogates: pandas 2 takes all of it for the same."""
    place: dict[Hashable, int] = {}
    there = column.notna().to_numpy(dtype=bool)
    pairs = zip(column, there, strict=True)
    codes = [place.setdefault(value, len(place)) if known else -1 for value, known in pairs]
    return np.array(codes, dtype=np.int64), pd.Index(list(place), dtype=object)


def _codes_of_categories(column: pd.Series, role: str) -> Coded:
    """Factorize categories instead of rows, and renumber those that occur."""
    own = as_codes(pd.Series(column.cat.categories, name=column.name), role)
    codes, present = renumber(np.append(own.codes, -1)[column.cat.codes], len(own.labels))
    return Coded(codes, own.labels[present])


# ---- text ----------------------------------------------------------------------------------------

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
    what = "is mostly numbers, but has strings"
    if all(reads_as_number(value) for value in values[bad]):
        what = "holds numbers as strings"
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
