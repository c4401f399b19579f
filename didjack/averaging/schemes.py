"""What ATT(g,t) may be averaged over: a class for each aggregation, and their registry.

A scheme sorts cells into components (event times, cohorts, periods) and says how the overall
average weighs these. Everything that depends on the aggregation asks it: the average itself,
labels, titles and pictures.

Source: Callaway & Sant'Anna (2021), section 3, doi:10.1016/j.jeconom.2020.12.001.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal, get_args

import numpy as np

from didjack._typing import Bools, Ints
from didjack.averaging.cells import CellTable
from didjack.options import AggregationType, Registry

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
    axis_label : below its picture
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
