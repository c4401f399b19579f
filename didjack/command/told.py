"""Errors and warnings -> what a terminal shows of them, and exit codes."""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import typer

import didjack
from didjack.demo import paragraph

WRONG_DATA, WRONG_COMMAND, INTERRUPTED = 1, 2, 130
"""Exit codes: nothing came of these data or files, the command is not one, or Ctrl-C."""


def parameters(function: Callable[..., Any]) -> list[str]:
    """Name the options of a function or method: all of its parameters but what it works on.

    Examples
    --------
    >>> parameters(didjack.GroupTimeResult.aggregate)
    ['type', 'min_e', 'max_e', 'balance_e', 'weights']
    """
    tables = ("self", "df", "collect")  # the command reads tables whole
    return [name for name in inspect.signature(function).parameters if name not in tables]


@contextmanager
def told(context: typer.Context) -> Iterator[Callable[[], list[str]]]:
    """Show warnings and errors without a traceback, and exit with a code that says which.

    Parameters
    ----------
    context : typer.Context
        Of the command, whose parameters have flags.

    Yields
    ------
    function
        Returns the warnings up to then.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", didjack.DidjackWarning)

        def said() -> list[str]:
            # What is deprecated is for developers, and shown to nobody else by Python either.
            shown = [one for one in caught if not issubclass(one.category, DeprecationWarning)]
            texts = dict.fromkeys(str(warning.message) for warning in shown)
            return [f"{text}{_legend(text, context)}" for text in texts]

        code = 0
        try:
            yield said
        except didjack.OptionError as error:
            code, message = WRONG_COMMAND, f"{error}{_legend(str(error), context)}"
        except didjack.DidjackError as error:
            code, message = WRONG_DATA, f"{error}{_legend(str(error), context)}"
        except BrokenPipeError:
            raise  # whoever reads what is printed has seen enough: nothing went wrong
        except KeyboardInterrupt:
            typer.echo("Interrupted", err=True)
            raise typer.Exit(INTERRUPTED) from None
        except OSError as error:
            code, message = WRONG_DATA, str(error)
    for text in said():
        typer.echo(paragraph(text, "Warning: "), err=True)
    if code:
        typer.echo(paragraph(message, "Error: "), err=True)
        raise typer.Exit(code)


def _legend(message: str, context: typer.Context) -> str:
    """Say which flags the arguments of `csdid` are that a message names otherwise."""
    named = {one.name: "/".join([*one.opts, *one.secondary_opts]) for one in context.command.params}
    pairs = [
        f"{name} is {named[name]}"
        for name in parameters(didjack.csdid)
        if re.search(rf"\b{name}\b", message)
        and named.get(name, "") not in ("", f"--{name.replace('_', '-')}")
    ]
    return f" (Here, {', '.join(pairs)}.)" if pairs else ""
