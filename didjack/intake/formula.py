"""The text of a covariate formula -> the formula, and the columns it uses."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from didjack.errors import DataError, OptionError
from didjack.intake.tables import no_column, strings

if TYPE_CHECKING:
    from formulaic import Formula


@dataclass(frozen=True, slots=True)
class Covariates:
    """A formula that was read.

    Attributes
    ----------
    text : what the user wrote
    formula : the formula
    names : names in it that may be columns, in the order of appearance
    functions : names in it that are called, or whose attributes are taken
    """

    text: str
    formula: Formula
    names: list[str]
    functions: list[str]

    def columns(self, df: Any, present: list[Any]) -> list[str]:
        """List the columns of a table that the formula uses, or raise for unknown names."""
        from formulaic.transforms import TRANSFORMS

        words = strings(present)
        quote = _needs_backticks(self.text, words)
        used = [name for name in self.functions if name in words and name not in TRANSFORMS]
        for name in [*self.names, *(self.functions if quote else [])]:
            if name in words:
                used.append(name)
            elif name not in TRANSFORMS:
                raise DataError(f"xformla={self.text!r}: {no_column(df, name, present)}{quote}")
        if not used:
            raise DataError(f"xformla={self.text!r} uses no column of df")
        return list(dict.fromkeys(used))


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
    from formulaic import Formula
    from formulaic.errors import FormulaicError
    from formulaic.formula import SimpleFormula

    try:
        formula = Formula(xformla.strip())
    except (FormulaicError, SyntaxError) as error:
        raise OptionError(f"xformla={xformla!r} cannot be read: {reason(error)}") from error
    if not isinstance(formula, SimpleFormula):
        raise OptionError(
            f"xformla={xformla!r} must have one side and one part, like '~ x1 + x2': the outcome "
            "is yname, units are idname"
        )
    factors = [factor for term in formula for factor in term.factors]
    if "1" not in [str(term) for term in formula]:
        raise OptionError(
            f"xformla={xformla!r} drops the intercept; the estimators need it, leave it in"
        )
    if all(factor.eval_method.value == "literal" for factor in factors):
        return None
    names: list[str] = []
    functions: list[str] = []
    for factor in factors:
        if factor.eval_method.value == "lookup":
            names.append(factor.expr)
        elif factor.eval_method.value == "python":
            _names_of_expression(xformla, factor.expr, names, functions)
    return Covariates(xformla, formula, names, functions)


def _check_text(xformla: str) -> None:
    """Raise for what formulaic would take for something else, or explain at length."""
    bare = re.sub(r"`[^`]*`|'[^']*'|\"[^\"]*\"", " ", xformla)
    if re.search(r"(?<![\w.)\]])\.(?![\w.])", bare):
        raise OptionError(
            f"xformla={xformla!r}: '.' for all columns is not available; name the covariates"
        )
    if re.search(r"`\s*[01]\s*`", xformla):
        raise OptionError(
            f"xformla={xformla!r}: a column named '0' or '1' cannot be told from the intercept; "
            "rename it"
        )


def _names_of_expression(
    xformla: str, expression: str, names: list[str], functions: list[str]
) -> None:
    """Append the names in a Python expression, in which backticks quote odd ones."""
    quoted: dict[str, str] = {}

    def stand_in(match: re.Match[str]) -> str:
        return quoted.setdefault(match[1], f"_quoted_{len(quoted)}_")

    try:
        tree = ast.parse(re.sub(r"`([^`]*)`", stand_in, expression), mode="eval")
    except SyntaxError as error:
        raise OptionError(f"xformla={xformla!r} cannot be read: {expression}") from error
    original = {new: old for old, new in quoted.items()}
    nodes = list(ast.walk(tree))
    heads = {
        id(node.func if isinstance(node, ast.Call) else node.value)
        for node in nodes
        if isinstance(node, (ast.Call, ast.Attribute))
    }
    bound = {node.arg for node in nodes if isinstance(node, ast.arg)} | {
        node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    for node in nodes:
        if isinstance(node, ast.Name) and node.id not in bound:
            name = original.get(node.id, node.id)
            (functions if id(node) in heads else names).append(name)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Q":
            names.extend(str(a.value) for a in node.args if isinstance(a, ast.Constant))


def reason(error: Exception) -> str:
    """Return the first line of an error of formulaic, without its markup."""
    return re.sub(r"\x1b\[[0-9;]*m|[⧛⧚]", "", str(error)).split("\n")[0]
