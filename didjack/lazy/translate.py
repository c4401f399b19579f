"""Terms of a formula that are functions of columns, as expressions of the engine."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from math import inf, log
from typing import Any

import narwhals as nw

from didjack.intake.expressions import read
from didjack.lazy.columns import number

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
