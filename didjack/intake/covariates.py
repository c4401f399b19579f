"""Covariate columns and a formula -> design matrix, with formulaic."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd

from didjack._typing import Floats
from didjack.errors import DataError
from didjack.intake.formula import Covariates, reason
from didjack.intake.numbers import as_float, is_complex
from didjack.wording import brief

_LARGE = 2**15
"""Whole numbers beyond this become floats, as their fifth power overflows."""


def clean_covariate(column: pd.Series) -> pd.Series:
    """Give a complete covariate column a dtype that formulaic treats as the user expects.

    Text and categories become dummies; unused categories are dropped.
    """
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return column.cat.remove_unused_categories()
    if pd.api.types.is_bool_dtype(dtype):
        return column.astype(bool)
    if column.dtype == object:
        kinds = {type(value) for value in column}
        if kinds <= {bool, np.bool_}:
            return column.astype(bool)
        if str in kinds:
            return column.astype(str).astype("category")
        return pd.Series(as_float(column, "covariate"), name=column.name)
    if pd.api.types.is_string_dtype(dtype):
        return column.astype("category")
    if not pd.api.types.is_numeric_dtype(dtype) or is_complex(column):
        raise DataError(
            f"covariate {column.name!r} holds {dtype} values, such as {brief(column.iloc[0], 40)}; "
            "it must hold numbers, truth values, text or categories"
        )
    if pd.api.types.is_integer_dtype(dtype) and -_LARGE <= column.min() <= column.max() <= _LARGE:
        return _read_only(column) if dtype == np.int64 else column.astype(np.int64)
    if dtype == np.float64:
        return _read_only(column)
    return pd.Series(as_float(column, "covariate"), name=column.name)


def _read_only(column: pd.Series) -> pd.Series:
    """Return a view that nothing can write to.

    formulaic's objects refer to each other, so that they would keep a copy until garbage is
    collected.
    """
    values = column.to_numpy().view()
    values.flags.writeable = False
    return pd.Series(values, name=column.name, copy=False)


def design_matrix(covariates: Covariates, frame: pd.DataFrame) -> tuple[Floats, list[str]]:
    """Evaluate the formula: the (N, k) design with the intercept first, and its k names."""
    from formulaic.errors import FormulaicError, FormulaicWarning

    text, n_rows = covariates.text, len(frame)
    try:
        # log(-1) and the like become NaN rows, counted by us; levels that do not fit are errors.
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("error", FormulaicWarning)
            matrix = covariates.formula.get_model_matrix(
                frame, context={}, na_action="ignore", output="numpy", ensure_full_rank=True
            )
            x = np.asarray(matrix, dtype=np.float64)
    except (
        FormulaicError,
        FormulaicWarning,
        TypeError,
        ValueError,
        LookupError,
        AttributeError,
        ArithmeticError,
    ) as error:
        raise DataError(
            f"xformla={text!r} cannot be evaluated: {reason(error)}; its names must be columns "
            "of df, or functions such as np.log, C, bs, poly"
        ) from error
    names = [str(name) for name in matrix.model_spec.column_names]
    if x.shape != (n_rows, len(names)):
        raise DataError(f"xformla={text!r} gives {x.shape[0]} rows for {n_rows} rows of data")
    first = names.index("Intercept")
    if first:
        order = [first] + [j for j in range(len(names)) if j != first]
        x, names = x[:, order], [names[j] for j in order]
    return np.ascontiguousarray(x), names
