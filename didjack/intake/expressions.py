"""The names in a Python expression of a formula, such as ``np.log(pop)``."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field

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
