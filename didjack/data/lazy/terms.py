"""Terms of a formula that are functions of columns, as expressions of the engine."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from math import inf, log
from typing import Any, NamedTuple

import narwhals as nw
import numpy as np
import pandas as pd

from didjack._typing import Floats
from didjack.data.covariates import MOST_LEVELS, clean_covariate, evaluated
from didjack.data.formula import Covariates, read
from didjack.data.frames import read_columns
from didjack.data.labels import text_as_categories
from didjack.data.lazy.lazy_table import complete, literals, number
from didjack.data.lazy.moments import NUMBER, Columns
from didjack.data.lazy.used import Used, remedy
from didjack.errors import DataError
from didjack.wording import one_line

# ---- translate -----------------------------------------------------------------------------------

_LARGEST_EXPONENT = log(sys.float_info.max)
"""The exponential of more than this is not finite, and an error in some engines."""


class Untranslatable(Exception):
    """A term that is none of those that engines are asked for."""


def translate(expression: str, schema: dict[str, Any]) -> nw.Expr:
    """Write a Python expression, such as ``np.log(pop) ** 2``, as one of narwhals.

    Columns, numbers, ``+ - * /``, powers, ``np.log``, ``np.exp``, ``np.sqrt`` and ``I()`` are
    known. Where Python's value is not finite, that of the engine is missing.

    Parameters
    ----------
    expression : with odd names in backticks
    schema : name -> type of each column

    Raises
    ------
    Untranslatable
        There is something else in it.
    """
    tree, original = read(expression)
    value = _Translator(schema, original).value(tree.body)
    return nw.when(~value.is_null() & value.is_finite()).then(value)


class _Translator:
    def __init__(self, schema: dict[str, Any], original: dict[str, str]) -> None:
        self._schema, self._original = schema, original

    def value(self, node: ast.expr) -> nw.Expr:
        """Write an expression."""
        match node:
            case ast.Name(id=name):
                return self._column(self._original.get(name, name))
            case ast.Constant(value=bool()):
                raise Untranslatable
            case ast.Constant(value=int() | float() as constant):
                return nw.lit(float(constant))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return nw.lit(0.0) - self.value(operand)
            case ast.BinOp(left=left, op=ast.Pow(), right=right):
                return _power(self.value(left), _constant(right))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
                return _OPERATORS[type(op)](self.value(left), self.value(right))
            case ast.Call(func=func, args=[arg], keywords=[]):
                name = ast.unparse(func)
                if name in _FUNCTIONS:
                    return _FUNCTIONS[name](self.value(arg))
        raise Untranslatable

    def _column(self, name: str) -> nw.Expr:
        # Sums of truth values are truth values in Python.
        if name not in self._schema or not self._schema[name].is_numeric():
            raise Untranslatable
        return number(name)


def _constant(node: ast.expr) -> float:
    match node:
        case ast.Constant(value=int() | float() as constant):
            return float(constant)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as constant)):
            return -float(constant)
    raise Untranslatable


def _power(base: nw.Expr, power: float) -> nw.Expr:
    """Raise to a power; engines refuse roots of negative numbers."""
    there = None
    if power != round(power):
        there = base > 0 if power < 0 else base >= 0
    elif power < 0:
        there = base != 0
    raised = base ** nw.lit(power)
    return raised if there is None else nw.when(there).then(raised)


def _over(left: nw.Expr, right: nw.Expr) -> nw.Expr:
    return nw.when(right != 0).then(left / right)


def _log(value: nw.Expr) -> nw.Expr:
    return nw.when(value > 0).then(nw.when(value > 0).then(value).otherwise(nw.lit(1.0)).log())


def _sqrt(value: nw.Expr) -> nw.Expr:
    return nw.when(value >= 0).then(nw.when(value >= 0).then(value).otherwise(nw.lit(0.0)).sqrt())


def _exp(value: nw.Expr) -> nw.Expr:
    # Not missing: the inverse of something infinite is 0.
    within = nw.when(value <= _LARGEST_EXPONENT)
    return within.then(value.exp()).otherwise(value * nw.lit(inf))


_OPERATORS: dict[type[ast.operator], Callable[[nw.Expr, nw.Expr], nw.Expr]] = {
    ast.Add: lambda left, right: left + right,
    ast.Sub: lambda left, right: left - right,
    ast.Mult: lambda left, right: left * right,
    ast.Div: _over,
}

_FUNCTIONS: dict[str, Callable[[nw.Expr], nw.Expr]] = {
    "I": lambda value: value,
    "np.log": _log,
    "log": _log,
    "np.exp": _exp,
    "exp": _exp,
    "np.sqrt": _sqrt,
}
"""What may be called; formulaic knows `log` and `exp` without `np`."""


# ---- terms ---------------------------------------------------------------------------------------


class Factor(NamedTuple):
    """What a column is a product of.

    Attributes
    ----------
    name : as formulaic writes it, such as ``np.log(x)`` or ``C(year)``
    level : of which it is the dummy; None for numbers
    """

    name: str
    level: Any = None


Product = tuple[Factor, ...]
"""A column; the intercept is the empty product."""


@dataclass(frozen=True, slots=True)
class Terms:
    """The columns that a design can have, whichever levels of categories occur.

    Attributes
    ----------
    formula : Covariates
    schema : name -> type of each column of the table
    values : column -> the values of which it makes categories, as covariates are cleaned
    categories : categorical factor -> its column
    columns : products, that of nothing, which is the intercept, first
    """

    formula: Covariates
    schema: dict[str, Any]
    values: dict[str, pd.Series]
    categories: dict[str, str]
    columns: list[Product]

    @classmethod
    def from_table(cls, used: Used, rows: int) -> Terms:
        """Ask for the levels of categories, and find the columns.

        Parameters
        ----------
        used : Used
        rows : number of rows of the table

        Raises
        ------
        DataError
            A term that engines are not asked for, or a category of too many levels.
        """
        formula, schema = used.covariates.formula, used.table.schema
        assert formula is not None
        categories = _categories(formula, schema)
        for name in _factors(formula):
            if name not in categories and not _is_number(name, schema):
                raise DataError(
                    f"{formula.shown}: the engine cannot compute {one_line(name)!r}, only columns, "
                    "C(column), and sums, products, powers, np.log, np.exp and np.sqrt of columns: "
                    f"make the term a column in the engine, or {remedy(used, rows)}"
                )
        values = {name: _values(used, formula, name) for name in set(categories.values())}
        levels = _levels(categories, values)
        terms, _ = _shape(formula, values)
        # Alone, the dummies of a category tell which of its levels occur.
        alone: list[Term] = [((name, False),) for name in categories]
        found = [column for term in [*terms, *alone] for column in _products(term, levels, True)]
        return cls(formula, schema, values, categories, list(dict.fromkeys(found)))

    @property
    def factors(self) -> list[Factor]:
        """The factors of all columns."""
        return list(dict.fromkeys(part for column in self.columns for part in column))

    def number(self, factor: Factor) -> nw.Expr:
        """Write a factor without levels as an expression of the engine."""
        if factor.name in self.schema:
            return number(factor.name)
        return translate(factor.name, self.schema)

    def category(self, name: str) -> nw.Expr:
        """Write a category as an expression of the engine."""
        column = self.categories[name]
        values = nw.col(column)
        text = isinstance(self.schema[column], nw.Categorical | nw.Enum)
        return values.cast(nw.String) if text else values

    def dummy(self, factor: Factor, values: nw.Expr) -> nw.Expr:
        """Write the dummy of a level as an expression of the engine, given that of its category."""
        own = pd.Series([factor.level])
        (level,) = literals(self.schema, self.categories[factor.name], own)
        return nw.when(values == nw.lit(level)).then(nw.lit(1.0)).otherwise(nw.lit(0.0))

    def occurring(self, moments: Floats) -> Columns:
        """Find the columns of a design with the levels that occur in some rows, (N, k, k + 4)."""
        there = np.asarray(moments[:, :, NUMBER].any(axis=0))
        return self.design({c for c, some in zip(self.columns, there, strict=True) if some})

    def design(self, occurring: set[Product]) -> Columns:
        """Find the columns of a design, given those that are not 0 in all rows."""
        values = dict(self.values)
        for factor, name in self.categories.items():
            own = pd.Categorical(values[name]).categories
            kept = [level for level in own if (Factor(factor, level),) in occurring]
            values[name] = clean_covariate(values[name][values[name].isin(kept)])
        levels = _levels(self.categories, values)
        terms, names = _shape(self.formula, values)
        columns = [column for term in terms for column in _products(term, levels)]
        named = sorted(zip(columns, names, strict=True), key=lambda pair: len(pair[0]) > 0)
        place = {column: j for j, column in enumerate(self.columns)}
        return Columns(
            [one_line(name) for _, name in named], [place[column] for column, _ in named]
        )


Term = tuple[tuple[str, bool], ...]
"""Names of factors, and whether a category is without its first level."""


def _factors(formula: Covariates) -> list[str]:
    factors = [factor for term in formula.formula for factor in term.factors]
    return [factor.expr for factor in factors if factor.eval_method.value != "literal"]


def _categories(formula: Covariates, schema: dict[str, Any]) -> dict[str, str]:
    """Map categorical factors to their columns: ``C(column)``, or a column of text."""
    found = {}
    for name in _factors(formula):
        if name in schema:
            if not (schema[name].is_numeric() or isinstance(schema[name], nw.Boolean)):
                found[name] = name
            continue
        tree, original = read(name)
        match tree.body:
            case ast.Call(func=ast.Name(id="C"), args=[ast.Name(id=column)], keywords=[]):
                found[name] = original.get(column, column)
    return found


def _is_number(name: str, schema: dict[str, Any]) -> bool:
    """Whether a factor can be written as a number."""
    if name in schema:
        return True
    try:
        translate(name, schema)
    except Untranslatable:
        return False
    return True


def _values(used: Used, formula: Covariates, name: str) -> pd.Series:
    """Ask for the values of a category."""
    table, n = used.table, used.table.own("n")
    rows = table.frame.select(name).filter(complete(table.schema, name))
    counted = table.grouped(rows, [name], nw.len().cast(nw.Int64).alias(n)).sort(name)
    found = table.fetch(counted.head(MOST_LEVELS + 1), f"list the values of {name!r}")
    if found.num_rows > MOST_LEVELS:
        raise DataError(
            f"covariate {name!r} has more than {MOST_LEVELS:,} categories, each of them a column"
        )
    column = read_columns(found.select([name]), {name: "covariate"})[name]
    labels = name not in formula.names.numbers
    return clean_covariate(text_as_categories(column, labels, found[n].to_numpy()))


def _levels(categories: dict[str, str], values: dict[str, pd.Series]) -> dict[str, list[Any]]:
    return {
        factor: list(pd.Categorical(values[name]).categories) for factor, name in categories.items()
    }


def _shape(formula: Covariates, values: dict[str, pd.Series]) -> tuple[list[Term], list[str]]:
    """Let formulaic find the terms, and name their columns, on a few rows of constants."""
    n_rows = max((len(own) for own in values.values()), default=1)
    numbers = dict.fromkeys(formula.names.columns, pd.Series(np.ones(n_rows)))
    categories = {
        name: own.iloc[np.arange(n_rows) % len(own)].reset_index(drop=True)
        for name, own in values.items()
    }
    matrix, _ = evaluated(formula, numbers | categories)
    spec = matrix.model_spec
    terms = [
        tuple((part.factor.expr, part.reduced) for part in scoped.factors)
        for item in spec.structure
        for scoped in item.scoped_terms
    ]
    return terms, list(spec.column_names)


def _products(term: Term, levels: dict[str, list[Any]], full: bool = False) -> list[Product]:
    """Return the columns of a term, in the order of formulaic; with `full`, of all levels."""
    parts = []
    for name, reduced in reversed(term):
        own = levels.get(name, [None])
        parts.append([Factor(name, level) for level in own[1 if reduced and not full else 0 :]])
    return [column[::-1] for column in product(*parts)]
