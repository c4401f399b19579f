"""The covariate formula as the user writes it -> its terms and the columns it uses."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any

from didjack.data.frames import no_column, strings
from didjack.errors import DataError, OptionError
from didjack.imports import load
from didjack.wording import brief

if TYPE_CHECKING:
    from formulaic import SimpleFormula


# ---- expressions ---------------------------------------------------------------------------------

_CATEGORICAL = ("C", "hashed")
"""Functions that take any values for categories."""


@dataclass(frozen=True, slots=True)
class Names:
    """Names in a formula, in the order of appearance.

    Attributes
    ----------
    columns : names that may be columns
    functions : names that are called, or whose attributes are taken
    numbers : those of `columns` that stand outside of ``C()``
    """

    columns: list[str] = field(default_factory=list)
    functions: list[str] = field(default_factory=list)
    numbers: list[str] = field(default_factory=list)

    def add(self, expression: str) -> None:
        """Append the names in an expression, in which backticks quote odd ones.

        Raises
        ------
        SyntaxError, ValueError, RecursionError, MemoryError
            It cannot be parsed.
        """
        tree, original = read(expression)
        nodes = list(ast.walk(tree))
        heads, categories, bound = _heads(nodes), _within_categories(nodes), _bound(nodes)
        for node in nodes:
            if isinstance(node, ast.Name) and node.id not in bound:
                found = [original.get(node.id, node.id)]
            elif isinstance(node, ast.Call) and _is_call_of(node, ("Q",)):
                found = [str(a.value) for a in node.args if isinstance(a, ast.Constant)]
            else:
                continue
            if id(node) in heads:
                self.functions.extend(found)
                continue
            self.columns.extend(found)
            if id(node) not in categories:
                self.numbers.extend(found)


def read(expression: str) -> tuple[ast.Expression, dict[str, str]]:
    """Parse an expression in which backticks quote odd names.

    Returns
    -------
    tree
    original : name in the tree -> the name that it stands for, where that was quoted

    Raises
    ------
    SyntaxError, ValueError, RecursionError, MemoryError
        It cannot be parsed.
    """
    quoted: dict[str, str] = {}

    def stand_in(match: re.Match[str]) -> str:
        return quoted.setdefault(match[1], f"_quoted_{len(quoted)}_")

    tree = ast.parse(re.sub(r"`([^`]*)`", stand_in, expression), mode="eval")
    return tree, {new: old for old, new in quoted.items()}


def _heads(nodes: list[ast.AST]) -> set[int]:
    """Return what is called, or whose attributes are taken, by identity."""
    return {
        id(node.func if isinstance(node, ast.Call) else node.value)
        for node in nodes
        if isinstance(node, (ast.Call, ast.Attribute))
    }


def _within_categories(nodes: list[ast.AST]) -> set[int]:
    """Return what stands within a function of categories, by identity."""
    return {
        id(inner)
        for node in nodes
        if isinstance(node, ast.Call) and _is_call_of(node, _CATEGORICAL)
        for inner in ast.walk(node)
    }


def _bound(nodes: list[ast.AST]) -> set[str]:
    """Return names that the expression itself gives a value."""
    arguments = {node.arg for node in nodes if isinstance(node, ast.arg)}
    return arguments | {
        node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }


def _is_call_of(node: ast.Call, names: tuple[str, ...]) -> bool:
    return isinstance(node.func, ast.Name) and node.func.id in names


# ---- formula -------------------------------------------------------------------------------------

MOST_TERMS = 500
"""A formula of more terms takes long to evaluate, and is singular in all but huge cells."""

_MOST_CHARACTERS, _MOST_PRODUCTS = 20_000, 50_000

_UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)
"""What Python raises for text that is no expression, or too deeply nested a one."""


@dataclass(frozen=True, slots=True)
class Covariates:
    """A formula that was read.

    Attributes
    ----------
    text : what the user wrote
    formula : the formula
    names : the names in it
    """

    text: str
    formula: SimpleFormula
    names: Names

    @property
    def shown(self) -> str:
        """The formula as messages show it."""
        return shown(self.text)

    def columns(self, df: Any, present: list[Any]) -> list[str]:
        """List the columns of a table that the formula uses, or raise for unknown names."""
        from formulaic.transforms import TRANSFORMS

        words = strings(present)
        quote = _needs_backticks(self.text, words)
        functions = self.names.functions
        used = [name for name in functions if name in words and name not in TRANSFORMS]
        for name in [*self.names.columns, *(functions if quote else [])]:
            if name in words:
                used.append(name)
            elif name not in TRANSFORMS:
                raise DataError(f"{self.shown}: {no_column(df, name, present)}{quote}")
        if not used:
            raise DataError(f"{self.shown} uses no column of data")
        return list(dict.fromkeys(used))


def shown(text: str) -> str:
    """Write a formula for a message."""
    return f"xformla={brief(text, 100)}"


def _needs_backticks(text: str, names: list[str]) -> str:
    """Write a hint if the formula holds a column name such as ``first.treat`` as it stands."""
    named = [n for n in names if len(n) > 1 and not n.isidentifier() and n in text]
    return f"; write {max(named, key=len)!r} in backticks" if named else ""


def parse(xformla: str | None) -> Covariates | None:
    """Read a one-sided formula; None stands for a formula without covariates.

    formulaic is only imported when there are some.
    """
    if xformla is None or "".join(xformla.split()).lstrip("~") in ("", "1"):
        return None
    _check_text(xformla)
    formula = _read(xformla)
    if "1" not in [str(term) for term in formula]:
        raise OptionError(
            f"{shown(xformla)} drops the intercept; the estimators need it, leave it in"
        )
    factors = [factor for term in formula for factor in term.factors]
    if all(factor.eval_method.value == "literal" for factor in factors):
        return None
    names = Names()
    for factor in factors:
        if factor.eval_method.value == "lookup":
            names.columns.append(factor.expr)
            names.numbers.append(factor.expr)
        elif factor.eval_method.value == "python":
            try:
                names.add(factor.expr)
            except _UNREADABLE as error:
                what = brief(factor.expr, 100)
                raise OptionError(f"{shown(xformla)} cannot be read: {what}") from error
    return Covariates(xformla, formula, names)


def _check_text(xformla: str) -> None:
    """Raise for what formulaic would take for something else, explain at length, or not end."""
    if len(xformla) > _MOST_CHARACTERS:
        raise OptionError(
            f"{shown(xformla)} has {len(xformla):,} characters; at most {_MOST_CHARACTERS:,} "
            f"and {MOST_TERMS} terms can be read"
        )
    bare = re.sub(r"`[^`]*`|'[^']*'|\"[^\"]*\"", " ", xformla)
    if re.search(r"(?<![\w.)\]])\.(?![\w.])", bare):
        raise OptionError(
            f"{shown(xformla)}: '.' for all columns is not available; name the covariates"
        )
    if re.search(r"`\s*[01]\s*`", xformla):
        raise OptionError(
            f"{shown(xformla)}: a column named '0' or '1' cannot be distinguished from the "
            "intercept; rename it"
        )
    if "``" in re.sub(r"'[^']*'|\"[^\"]*\"", " ", xformla):
        raise OptionError(
            f"{shown(xformla)}: a column with an empty name cannot be used; rename it"
        )


def _read(xformla: str) -> SimpleFormula:
    """Let formulaic read a formula that is not too large for it."""
    load("formulaic")
    from formulaic import Formula
    from formulaic.errors import FormulaicError
    from formulaic.formula import SimpleFormula
    from formulaic.parser import DefaultFormulaParser

    text = xformla.strip()
    try:
        few = _products(DefaultFormulaParser().get_ast(text)) <= _MOST_PRODUCTS
        formula = Formula(text) if few else None
    except (FormulaicError, *_UNREADABLE) as error:
        raise OptionError(
            f"{shown(xformla)} cannot be read: {reason(error).rstrip('.')}{_spaced(text)}"
        ) from error
    if formula is not None and not isinstance(formula, SimpleFormula):
        raise OptionError(
            f"{shown(xformla)} must have one side and one part, like '~ x1 + x2': the outcome "
            "is yname, units are idname"
        )
    if formula is None or len(formula) > MOST_TERMS:
        raise OptionError(f"{shown(xformla)} has more than {MOST_TERMS} terms")
    return formula


def _spaced(text: str) -> str:
    """Hint at backticks where two words stand side by side, as in a column name with a space."""
    spaced = re.search(r"\w +\w", re.sub(r"`[^`]*`", "", text))
    return "; a column name with spaces needs backticks, as in '~ `log wage`'" if spaced else ""


def _products(tree: Any) -> int:
    """Bound the number of products that formulaic forms, or return more than are allowed."""
    from formulaic.parser.types import ASTNode

    nodes = [tree] if isinstance(tree, ASTNode) else []
    for node in nodes:
        nodes.extend(arg for arg in node.args if isinstance(arg, ASTNode))
    terms: dict[int, int] = {}
    for node in reversed(nodes):  # what a node is made of comes after it
        sizes = [terms.get(id(arg), 1) for arg in node.args]
        terms[id(node)] = _products_of(node, sizes)
        if terms[id(node)] > _MOST_PRODUCTS:
            break
    return max(terms.values(), default=1)


def _products_of(node: Any, sizes: list[int]) -> int:
    """Bound the number of products in one node of a tree, given those of its parts."""
    if node.operator.symbol in ("**", "^"):
        power = str(node.args[1])
        if not power.isdecimal():
            return 1  # formulaic says what is wrong with it
        if len(power) > 3:
            return _MOST_PRODUCTS + 1
        exponent = int(power)
        return max(exponent, int(sizes[0] ** exponent))
    if node.operator.symbol in (":", "*", "in"):
        return sum(sizes) + prod(sizes)
    return sum(sizes)


def reason(error: Exception) -> str:
    """Return the first line of an error of formulaic, without its markup, and not all of it."""
    return re.sub(r"\x1b\[[0-9;]*m|[⧛⧚]", "", str(error)).split("\n")[0][:300]
