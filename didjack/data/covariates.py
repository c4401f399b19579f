"""Covariate columns and a formula -> design matrix, with formulaic."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from didjack._typing import Floats
from didjack.data.formula import Covariates, reason
from didjack.data.labels import renumber
from didjack.data.numbers import as_float, is_complex
from didjack.errors import DataError
from didjack.wording import brief, name_some, one_line

_LARGE = 2**15
"""Whole numbers beyond this become floats, as their fifth power overflows."""

MOST_LEVELS = 1000
"""More categories than this, such as names of units, do not fit into memory as dummies."""

_OBJECT, _BOOL, _INTEGER = np.dtype(object), np.dtype(bool), np.dtype(np.int64)
"""Given like this, and not as text or classes, they leave the warning filters alone in pandas.

`warnings.catch_warnings`, which pandas looks other dtypes up within, is not safe for threads.
"""

_OF_EXPRESSIONS = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError)
"""What an expression of a formula may raise."""


def clean_covariate(column: pd.Series) -> pd.Series:
    """Give a complete covariate column a dtype that formulaic treats as the user expects.

    Categories become dummies; those that do not occur are dropped.

    Raises
    ------
    DataError
        Values of another kind, or too many categories.
    """
    cleaned = _with_known_dtype(column)
    if isinstance(cleaned.dtype, pd.CategoricalDtype):
        n_levels = len(cleaned.cat.categories)
        if n_levels > MOST_LEVELS:
            raise DataError(
                f"covariate {column.name!r} has {n_levels:,} categories, each of them a column; at "
                f"most {MOST_LEVELS:,} can be used"
            )
    return cleaned


def _with_known_dtype(column: pd.Series) -> pd.Series:
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return _used_categories(column)
    if pd.api.types.is_bool_dtype(dtype):
        return column.astype(_BOOL)
    if column.dtype == object:
        kinds = {type(value) for value in column}
        if kinds <= {bool, np.bool_}:
            return column.astype(_BOOL)
        return pd.Series(as_float(column, "covariate"), name=column.name)
    if not pd.api.types.is_numeric_dtype(dtype) or is_complex(column):
        raise DataError(
            f"covariate {column.name!r} holds {dtype} values, such as {brief(column.iloc[0], 40)}; "
            "it must contain numbers, booleans, strings or categories"
        )
    if pd.api.types.is_integer_dtype(dtype) and -_LARGE <= column.min() <= column.max() <= _LARGE:
        return _read_only(column) if dtype == _INTEGER else column.astype(_INTEGER)
    if dtype == np.float64:
        return _read_only(column)
    return pd.Series(as_float(column, "covariate"), name=column.name)


def _used_categories(column: pd.Series) -> pd.Series:
    """Return the column without the categories that do not occur."""
    labels = column.cat.categories
    codes, used = renumber(np.asarray(column.cat.codes, dtype=np.int64), len(labels))
    if pd.api.types.is_string_dtype(labels.dtype):
        labels = pd.Index(labels.to_numpy(dtype=_OBJECT), dtype=_OBJECT)
    values = pd.Categorical.from_codes(codes, labels[used], ordered=column.cat.ordered)
    return pd.Series(values, name=column.name)


def _read_only(column: pd.Series) -> pd.Series:
    """Return a view that nothing can write to.

    formulaic's objects refer to each other, so that they would keep a copy until garbage is
    collected.
    """
    values = column.to_numpy().view()
    values.flags.writeable = False
    return pd.Series(values, name=column.name, copy=False)


@dataclass(frozen=True, slots=True)
class FormulaDesign:
    """Covariates that formulaic makes of complete columns."""

    formula: Covariates

    @property
    def shown(self) -> str:
        """The formula as messages show it."""
        return self.formula.shown

    def matrix(self, columns: Mapping[str, pd.Series]) -> tuple[Floats, list[str]]:
        """Evaluate the (N, k) design, with the intercept first, and name its columns."""
        cleaned = {name: clean_covariate(column) for name, column in columns.items()}
        shown, n_rows = self.shown, len(next(iter(cleaned.values())))
        matrix, x = evaluated(self.formula, cleaned)
        names = [one_line(name) for name in matrix.model_spec.column_names]
        if np.iscomplexobj(x):
            raise DataError(
                f"{shown} gives complex numbers; write np.real() or np.abs() around them"
            )
        if x.shape != (n_rows, len(names)):
            raise DataError(f"{shown} gives {x.shape[0]} rows for {n_rows} rows of data")
        first = names.index("Intercept")
        if first:
            order = [first] + [j for j in range(len(names)) if j != first]
            x, names = x[:, order], [names[j] for j in order]
        return np.ascontiguousarray(x), names


def evaluated(covariates: Covariates, columns: Mapping[str, pd.Series]) -> tuple[Any, Any]:
    """Return formulaic's model matrix, and its values as floats unless they are complex.

    Parameters
    ----------
    covariates : Covariates
    columns : mapping
        Name -> covariate column, (N,), of a dtype that `clean_covariate` gives.
    """
    from formulaic.errors import FormulaicError
    from formulaic.parser.types import Factor

    frame = pd.DataFrame(columns, copy=False)
    frame.columns = pd.Index(list(columns), dtype=_OBJECT)
    # Where formulaic has to find the levels, it touches the warning filters.
    levels = {
        name: (Factor.Kind.CATEGORICAL, {"categories": column.cat.categories})
        for name, column in columns.items()
        if isinstance(column.dtype, pd.CategoricalDtype)
    }
    try:
        with np.errstate(all="ignore"):  # log(-1) and the like become NaN rows, counted by us
            matrix = covariates.formula.get_model_matrix(
                frame,
                context={"C": _categories},
                na_action="ignore",
                output="numpy",
                ensure_full_rank=True,
                encoder_state=levels,
            )
            x = np.asarray(matrix)
            return matrix, x if np.iscomplexobj(x) else x.astype(np.float64, copy=False)
    except (FormulaicError, RecursionError, *_OF_EXPRESSIONS) as error:
        raise DataError(
            f"{covariates.shown} cannot be evaluated: {reason(error)}; its names must be columns "
            "of data, or functions such as np.log, C, bs, poly"
        ) from error


def _categories(data: Any, *args: Any, levels: Iterable[Any] | None = None, **options: Any) -> Any:
    """Stand in for formulaic's ``C``, which only warns of values outside of its levels."""
    from formulaic.transforms import C

    known = pd.Categorical(pd.Series(data)).categories
    if len(known) > MOST_LEVELS:
        raise ValueError(f"C() has {len(known):,} categories; at most {MOST_LEVELS:,} can be used")
    if levels is not None:
        levels = list(levels)
        outside = [value for value in known if value not in levels]
        if outside:
            raise ValueError(f"C() has values outside of its levels: {name_some(outside, most=3)}")
    return C(data, *args, levels=known if levels is None else levels, **options)
