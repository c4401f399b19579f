"""The aggregations: a class for each, their registry, and the event times they cover.

A scheme sorts cells into components (event times, cohorts, periods) and says how the overall
aggregation weighs these. Everything that depends on the aggregation asks it: the estimate itself,
labels, titles and plots.

Source: Callaway & Sant'Anna (2021), section 3, doi:10.1016/j.jeconom.2020.12.001.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

import numpy as np

from didjack._typing import Bools, Floats, Ints
from didjack.errors import OptionError
from didjack.options import MOST_PERIODS, AggregationType, Registry, must_be
from didjack.wording import brief

# ---- cells ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CellTable:
    """What aggregation knows of the K cells.

    Attributes
    ----------
    cohort, time : (K,) first treated period and period, on the integer axis
    att : (R, K) estimates; NaN where there is none
    changed : (R, K) whether a replicate's cell compares other cohorts or periods
    weight : (R, W) weights: of cohorts, or of the treated rows of each cell
    of_weight : (K,) which of the weights a cell has
    first, last : (R,) first and last period of each replicate's sample
    n_shown : how many of the cells, the first ones, the full sample has; others are cells that
        only some replicates have
    """

    cohort: Ints
    time: Ints
    att: Floats
    changed: Bools
    weight: Floats
    of_weight: Ints
    first: Ints
    last: Ints
    n_shown: int

    def take(self, rows: slice, cells: Ints) -> CellTable:
        """Select replicates, and cells by position."""
        return CellTable(
            cohort=self.cohort[cells],
            time=self.time[cells],
            att=np.take(self.att[rows], cells, axis=1),
            changed=np.take(self.changed[rows], cells, axis=1),
            weight=np.take(self.weight[rows], self.of_weight[cells], axis=1),
            of_weight=np.arange(cells.size),
            first=self.first[rows],
            last=self.last[rows],
            n_shown=int((cells < self.n_shown).sum()),
        )


# ---- window --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Window:
    """Which event times an aggregation covers; None is no bound."""

    min_e: float | None = None
    max_e: float | None = None
    balance_e: float | None = None

    def __str__(self) -> str:
        """Write the bounds that there are, as in a call."""
        bounds = {field.name: getattr(self, field.name) for field in fields(self)}
        return ", ".join(f"{name}={value}" for name, value in bounds.items() if value is not None)

    @staticmethod
    def _check_number(name: str, value: Any) -> None:
        number = isinstance(value, (int, float, np.integer, np.floating))
        if not number or isinstance(value, (bool, np.timedelta64)) or value != value:
            raise must_be(name, "a number or None", value)
        if MOST_PERIODS < abs(value) < np.inf:
            what = f"at most {MOST_PERIODS:,} periods from treatment, or infinite"
            raise must_be(name, what, value)

    def check(self, scheme: Scheme) -> None:
        """Raise for bounds that are not numbers, or that the aggregation does not have."""
        for name in (field.name for field in fields(self)):
            value = getattr(self, name)
            if value is None:
                continue
            self._check_number(name, value)
            infinite = np.isinf(value) and (value > 0) == (name == "max_e")
            if name not in scheme.bounds and not infinite:
                raise OptionError(
                    f"{name}={brief(value)} does not go with type {scheme.name!r}"
                    + (f"; allowed: {', '.join(scheme.bounds)}" if scheme.bounds else "")
                )


# ---- schemes -------------------------------------------------------------------------------------

Keys = Literal["none", "numbers", "periods"]
"""How components are labelled: not at all, by a number, or by one of the user's periods."""


class Scheme(ABC):
    """An aggregation of ATT(g,t); one without state.

    Attributes
    ----------
    name : what `aggregate(type=)` calls it
    title : what its table is called
    label : the column of its labels
    words : a label of a coefficient begins with this
    axis_label : below its plot
    keys : how components are labelled; with "none" all cells are in one, which is the overall
    bounds : which bounds of `Window` it has
    leads : whether components are event times, and cells before treatment take part
    equal_cells : whether the cells of a component count equally, unless cells have own weights
    weighted_overall : whether components count in the overall with the mean weight of their
        cells, rather than equally
    """

    name: str
    title: str
    label: str
    words: str
    axis_label: str
    keys: Keys
    bounds: tuple[str, ...]
    leads: bool = False
    equal_cells: bool = False
    weighted_overall: bool = False

    @abstractmethod
    def component(self, table: CellTable) -> Ints:
        """Return the key of the component of each cell, (K,)."""

    def before(self, keys: Ints) -> Bools:
        """Return which components, (M,), come before treatment: the overall leaves them out."""
        return np.asarray(keys < 0) if self.leads else np.zeros(keys.shape, dtype=bool)


class Simple(Scheme):
    """All cells from treatment on."""

    name = "simple"
    title = "simple average"
    label = "type"
    words = ""
    axis_label = ""
    keys: Keys = "none"
    bounds = ("max_e",)

    def component(self, table: CellTable) -> Ints:
        """Put all cells into one component."""
        return np.zeros_like(table.cohort)


class Event(Scheme):
    """By event time, the periods since treatment."""

    name = "event"
    title = "event study"
    label = "event_time"
    words = "event time"
    axis_label = "periods since treatment"
    keys: Keys = "numbers"
    bounds = ("min_e", "max_e", "balance_e")
    leads = True

    def component(self, table: CellTable) -> Ints:
        """Return the event time of each cell."""
        return table.time - table.cohort


class Group(Scheme):
    """By cohort."""

    name = "group"
    title = "group effects"
    label = "group"
    words = "cohort"
    axis_label = "cohort (first treated period)"
    keys: Keys = "periods"
    bounds = ("max_e",)
    equal_cells = True
    weighted_overall = True

    def component(self, table: CellTable) -> Ints:
        """Return the cohort of each cell."""
        return table.cohort


class Calendar(Scheme):
    """By period."""

    name = "calendar"
    title = "calendar-time effects"
    label = "time"
    words = "period"
    axis_label = "period"
    keys: Keys = "periods"
    bounds = ()

    def component(self, table: CellTable) -> Ints:
        """Return the period of each cell."""
        return table.time


SCHEMES: Registry[Scheme] = Registry(
    "type", get_args(AggregationType), Scheme, [Simple(), Event(), Group(), Calendar()]
)
