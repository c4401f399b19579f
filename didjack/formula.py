"""Covariate formula -> design matrix, with formulaic."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from didjack.columns import as_float
from didjack.errors import DataError, OptionError

if TYPE_CHECKING:
    from formulaic import Formula


def has_covariates(xformla: str | None) -> bool:
    """Whether the formula is more than an intercept."""
    return xformla is not None and xformla.replace(" ", "").lstrip("~") not in ("", "1")


def parse(xformla: str) -> Formula:
    """Read a one-sided formula; formulaic is only imported when there is one."""
    from formulaic import Formula
    from formulaic.errors import FormulaicError
    from formulaic.formula import SimpleFormula

    text = xformla.strip()
    try:
        formula = Formula(text)
    except (FormulaicError, SyntaxError) as error:
        reason = re.sub(r"\x1b\[[0-9;]*m|[⧛⧚]", "", str(error)).split("\n")[0]
        raise OptionError(f"xformla={xformla!r} cannot be read: {reason}") from error
    if not isinstance(formula, SimpleFormula):
        raise OptionError(
            f"xformla={xformla!r} must be one-sided, like '~ x1 + x2': the outcome is yname"
        )
    if not any(str(term) == "1" for term in formula):
        raise OptionError(
            f"xformla={xformla!r} drops the intercept; the estimators need it, leave it in"
        )
    return formula


def columns_used(xformla: str, present: list[Any]) -> list[str]:
    """List the columns whose names appear in the formula, in the order of the table."""
    quoted = set(re.findall(r"`([^`]+)`", xformla))
    bare = re.sub(r"`[^`]+`|'[^']*'|\"[^\"]*\"", " ", xformla)
    words = set(re.findall(r"(?<![\w.])([^\W\d]\w*)(?!\s*[\w(.])", bare))
    return [name for name in dict.fromkeys(present) if name in quoted or name in words]


def check_dotted(xformla: str, present: list[Any]) -> None:
    """Raise where a column such as ``first.treat`` stands in the formula without backticks."""
    bare = re.sub(r"`[^`]+`", " ", xformla)
    for name in present:
        odd = isinstance(name, str) and not name.isidentifier() and len(name) > 1
        if odd and re.search(rf"(?<![\w.]){re.escape(name)}(?![\w.])", bare) and "." in name:
            raise OptionError(
                f"xformla={xformla!r}: write the column {name!r} in backticks: `{name}`"
            )


def clean_covariate(column: pd.Series) -> pd.Series:
    """Give a complete covariate column a dtype that formulaic treats as the user expects."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.cat.remove_unused_categories()
    if pd.api.types.is_bool_dtype(column.dtype) or column.dtype == object:
        kinds = {type(value) for value in column}
        if kinds <= {bool, np.bool_}:
            return column.astype(bool)
        if str in kinds:
            return column.astype(str)
        return pd.Series(as_float(column, "covariate"), index=column.index, name=column.name)
    if pd.api.types.is_integer_dtype(column.dtype):
        return column.astype(np.int64)
    if pd.api.types.is_float_dtype(column.dtype):
        return column.astype(np.float64)
    return column


def design_matrix(
    formula: Formula, xformla: str, frame: pd.DataFrame, n_rows: int
) -> tuple[NDArray[np.float64], list[str]]:
    """Evaluate the formula: the (N, k) design with the intercept first, and its k names."""
    from formulaic.errors import FormulaicError

    if frame.shape[1] == 0:
        raise DataError(f"xformla={xformla!r} uses no column of df")
    try:
        with np.errstate(all="ignore"):  # log(-1) and the like become NaN rows, counted by us
            matrix = formula.get_model_matrix(
                frame, context={}, na_action="ignore", output="numpy", ensure_full_rank=True
            )
    except (FormulaicError, TypeError, ValueError, KeyError, AttributeError) as error:
        reason = re.sub(r"\x1b\[[0-9;]*m|[⧛⧚]", "", str(error)).split("\n")[0]
        raise DataError(
            f"xformla={xformla!r} cannot be evaluated: {reason}; "
            "its names must be columns of df, or functions such as np.log, C, bs, poly"
        ) from error
    names = [str(name) for name in matrix.model_spec.column_names]
    x = np.asarray(matrix, dtype=np.float64)
    if x.shape[0] != n_rows:
        raise DataError(f"xformla={xformla!r} gives {x.shape[0]} rows for {n_rows} rows of data")
    first = names.index("Intercept")
    order = [first] + [j for j in range(len(names)) if j != first]
    return np.ascontiguousarray(x[:, order]), [names[j] for j in order]
