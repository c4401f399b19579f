"""Tests and sensitivity analyses of a result, as the command line asks for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

import didjack


class Analysis(NamedTuple):
    """One test or sensitivity analysis.

    Attributes
    ----------
    name : of the method of the result
    options : its arguments
    found : what it returns
    """

    name: str
    options: dict[str, Any]
    found: Any

    @property
    def is_test(self) -> bool:
        """Whether it is a test, with one row of numbers, or a table by target."""
        return self.name.endswith("_test")

    @property
    def call(self) -> str:
        """How it is written in Python."""
        given = ", ".join(f"{name}={value!r}" for name, value in self.options.items())
        return f"result.{self.name}({given})"


@dataclass(frozen=True, slots=True)
class Analyses:
    """Which analyses are asked for.

    Attributes
    ----------
    calls : names of methods, with their arguments
    """

    calls: dict[str, dict[str, Any]]

    @classmethod
    def from_options(cls, given: Mapping[str, Any]) -> Analyses:
        """Read the options of the command."""
        calls: dict[str, dict[str, Any]] = {}
        if given["randomization"]:
            calls["randomization_test"] = {
                "n_permutations": given["n_permutations"],
                "seed": given["seed"],
            }
        if given["placebo"]:
            calls["placebo_test"] = {}
        if given["trend_sensitivity"] is not None:
            calls["trend_sensitivity"] = {"restriction": given["trend_sensitivity"]}
        if given["noise_sensitivity"]:
            calls["noise_sensitivity"] = {}
        if "trend_sensitivity" in calls and given["type"] not in ("event", "dynamic"):
            raise didjack.OptionError("--trend-sensitivity needs --aggregate event")
        return cls(calls)

    def run(self, result: didjack.GroupTimeResult | didjack.AggregateResult) -> list[Analysis]:
        """Run them, in the order in which they are printed."""
        return [
            Analysis(name, options, getattr(result, name)(**options))
            for name, options in self.calls.items()
        ]


def table_of_tests(analyses: list[Analysis]) -> pd.DataFrame:
    """Put the tests in one table, a row each; what a test does not have is empty."""
    rows = {one.name: one.found.to_series() for one in analyses if one.is_test}
    shown = {name: row.drop("placebos", errors="ignore") for name, row in rows.items()}
    return pd.DataFrame(shown).T.rename_axis("test")
