"""The aggregations: a class for each, their registry, and the event times they cover.

A scheme sorts cells into components (event times, cohorts, periods) and says how the overall
aggregation weighs these. Everything that depends on the aggregation asks it: the estimate itself,
labels, titles and plots.

Source: Callaway & Sant'Anna (2021), section 3, doi:10.1016/j.jeconom.2020.12.001.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any, Literal, get_args

import numpy as np

from didjack._typing import Bools, Floats, Ints
from didjack.errors import OptionError
from didjack.options import MOST_PERIODS, AggregationType, Registry, must_be
from didjack.wording import brief, label_text, name_some, plural

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

BOUNDS = ("min_e", "max_e", "balance_e")
Bin = tuple[float, float]
"""The first and the last event time of a bin; infinite: there is no bound."""


@dataclass(frozen=True, slots=True)
class Window:
    """Which ATT(g,t) an aggregation covers; None is no bound.

    Attributes
    ----------
    min_e, max_e, balance_e : bounds of event times
    cohorts : first treated periods on the integer axis, sorted
    event_times : sorted
    bins : event times that are taken together, sorted
    """

    min_e: float | None = None
    max_e: float | None = None
    balance_e: float | None = None
    cohorts: tuple[int, ...] | None = None
    event_times: tuple[int, ...] | None = None
    bins: tuple[Bin, ...] | None = None

    def __str__(self) -> str:
        """Write the bounds that there are, as in a call."""
        bounds = {field.name: getattr(self, field.name) for field in fields(self)}
        return ", ".join(f"{name}={value}" for name, value in bounds.items() if value is not None)

    def scheme(self, kind: AggregationType) -> Scheme:
        """Return the aggregation of a type, which bins change."""
        return SCHEMES[kind] if self.bins is None else Binned(self.bins)

    def covers(self, cohort: Ints, time: Ints) -> Bools:
        """Return which cells, (K,), it covers in any sample: all but `balance_e`."""
        e = time - cohort
        used = np.ones(e.size, dtype=bool)
        if self.min_e is not None:
            used &= e >= self.min_e
        if self.max_e is not None:
            used &= e <= self.max_e
        if self.cohorts is not None:
            used &= np.isin(cohort, self.cohorts)
        if self.event_times is not None:
            used &= np.isin(e, self.event_times)
        if self.bins is not None:
            used &= bin_of(e, self.bins) >= 0
        return used

    def check(self, scheme: Scheme) -> None:
        """Raise for bounds that are not numbers, or that the aggregation does not have."""
        for name in BOUNDS:
            value = getattr(self, name)
            if value is None:
                continue
            check_event_time(name, value)
            infinite = np.isinf(value) and (value > 0) == (name == "max_e")
            if name not in scheme.bounds and not infinite:
                raise OptionError(
                    f"{name}={brief(value)} does not go with type {scheme.name!r}"
                    + (f"; allowed: {', '.join(scheme.bounds)}" if scheme.bounds else "")
                )
        if self.bins is not None and not scheme.leads:
            raise OptionError(
                f"bins are of event times: they go with type 'event', not {scheme.name!r}"
            )


def check_event_time(name: str, value: Any) -> None:
    """Raise unless a value is a number of periods since treatment; it may be infinite."""
    number = isinstance(value, (int, float, np.integer, np.floating))
    if not number or isinstance(value, (bool, np.timedelta64)) or value != value:
        raise must_be(name, "a number or None" if name in BOUNDS else "numbers", value)
    if MOST_PERIODS < abs(value) < np.inf:
        what = f"at most {MOST_PERIODS:,} periods from treatment, or infinite"
        raise must_be(name, what, value)


def bin_of(e: Ints, bins: Sequence[Bin]) -> Ints:
    """Return the position of the bin that each event time is in, (K,); -1 for none."""
    found = np.full(e.shape, -1, dtype=np.int64)
    for position, (first, last) in enumerate(bins):
        found[(e >= first) & (e <= last)] = position
    return found


def bin_label(one: Bin) -> str:
    """Write the event times of a bin.

    Examples
    --------
    >>> bin_label((3, 8)), bin_label((2, 2)), bin_label((3, float("inf")))
    ('3 to 8', '2', '3 or more')
    """
    first, last = one
    if np.isinf(last):
        return f"{first:g} or more"
    if np.isinf(first):
        return f"{last:g} or less"
    return f"{first:g}" if first == last else f"{first:g} to {last:g}"


def read_bins(given: Any) -> tuple[Bin, ...]:
    """Read bins of event times, pairs of a first and a last one, or raise."""
    what = "pairs of a first and a last event time, such as [(-5, -2), (3, 8)]"
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise must_be("bins", what, given)
    if isinstance(given, tuple) and len(given) == 2 and all(map(np.isscalar, given)):
        first, last = given  # one bin, or two of one event time each
        raise must_be("bins", f"a list, such as [({brief(first)}, {brief(last)})]", given)
    found = sorted(map(_bin, given))
    if not found:
        raise must_be("bins", what, given)
    for before, after in pairwise(found):
        if after[0] <= before[1]:
            raise OptionError(
                f"bins overlap: {brief(before)} and {brief(after)} have event time {after[0]:g} in "
                "common; an event time is in one bin"
            )
    return tuple(found)


def _bin(one: Any) -> Bin:
    """Read one bin, or raise."""
    pair = isinstance(one, (tuple, list, np.ndarray)) and len(one) == 2
    if not (pair or np.isscalar(one)):
        raise must_be("a bin", "a pair of a first and a last event time", one)
    first, last = one if pair else (one, one)
    for value in (first, last):
        check_event_time("bins", value)
    whole = all(np.isinf(value) or float(value).is_integer() for value in (first, last))
    if not whole or not first <= last or first == np.inf or last == -np.inf:
        raise must_be("a bin", "two whole numbers, the first not above the last", one)
    if first < 0 <= last:
        raise OptionError(
            f"bins: {brief((first, last))} has event times before and after treatment; split it "
            "at 0"
        )
    return first, last


def read_event_times(given: Any, there: Ints) -> tuple[int, ...]:
    """Read the event times that are chosen, or raise.

    Parameters
    ----------
    there : those that the aggregation has
    """
    items = _items("event_times", "whole numbers", given)
    numbers = [one for one in items if isinstance(one, (int, float, np.integer, np.floating))]
    if len(numbers) < len(items) or not all(float(one).is_integer() for one in numbers):
        raise must_be("event_times", "a list of whole numbers", given)
    _check_known("event_times", numbers, np.unique(there).tolist())
    return tuple(sorted({int(one) for one in numbers}))


def read_cohorts(given: Any, cohorts: dict[Any, int]) -> tuple[int, ...]:
    """Read the cohorts that are chosen, by their labels or as tables print these, or raise.

    Parameters
    ----------
    cohorts : those that there are: first treated periods on the integer axis, by label
    """
    printed = {label_text(one): one for one in cohorts}
    items = _items("cohorts", "first treated periods", given)
    items = [one if one in cohorts else printed.get(label_text(one), one) for one in items]
    _check_known("cohorts", items, list(cohorts))
    return tuple(sorted({cohorts[one] for one in items}))


def _items(name: str, what: str, given: Any) -> list[Any]:
    """Return what is in a list, or raise."""
    if isinstance(given, (str, dict)) or not isinstance(given, Iterable):
        raise must_be(name, f"a list of {what}", given)
    items = [_scalar(one) for one in given]
    if not items or any(isinstance(one, bool) or not _hashable(one) for one in items):
        raise must_be(name, f"a list of {what}, one at least", given)
    return items


def _scalar(value: Any) -> Any:
    """Return a number or date of NumPy as one of Python."""
    if isinstance(value, np.datetime64):
        value = value.astype("datetime64[us]")  # nanoseconds would be numbers
    return value.item() if isinstance(value, np.generic) else value


def _hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _check_known(name: str, chosen: Sequence[Any], known: Sequence[Any]) -> None:
    """Raise if there is no ATT(g,t) of some of what is chosen."""
    there = set(known)
    unknown = [one for one in chosen if one not in there]
    if unknown:
        raise OptionError(
            f"{name} has {len(unknown)} of {plural(len(chosen), 'value')} without any ATT(g,t) "
            f"here: {name_some(map(label_text, unknown), 3)}; there are "
            f"{name_some(map(label_text, known), 12)}"
        )


# ---- schemes -------------------------------------------------------------------------------------

Keys = Literal["none", "numbers", "periods", "bins"]
"""How components are labelled: not at all, by a number, by one of the user's periods, or by the
numbers from where to where they go."""


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

    def before(self, keys: Ints, anticipation: int = 0) -> Bools:
        """Return which components, (M,), come before treatment: the overall leaves them out.

        Parameters
        ----------
        anticipation : periods before treatment that count as after it
        """
        if not self.leads:
            return np.zeros(keys.shape, dtype=bool)
        return np.asarray(keys < -anticipation)


class Simple(Scheme):
    """All cells from treatment on."""

    name = "simple"
    title = "simple average"
    label = "type"
    words = ""
    axis_label = ""
    keys: Keys = "none"
    bounds = ("min_e", "max_e")

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


@dataclass(frozen=True)
class Binned(Event):
    """By bins of event times."""

    keys = "bins"
    bins: tuple[Bin, ...]

    def component(self, table: CellTable) -> Ints:
        """Return the bin of each cell; -1 for none, which no window of these bins covers."""
        return bin_of(table.time - table.cohort, self.bins)

    def before(self, keys: Ints, anticipation: int = 0) -> Bools:
        """Return which bins come before treatment."""
        last = np.array([last for _, last in self.bins])
        return np.asarray(last[keys] < -anticipation)


class Group(Scheme):
    """By cohort."""

    name = "group"
    title = "group effects"
    label = "group"
    words = "cohort"
    axis_label = "cohort (first treated period)"
    keys: Keys = "periods"
    bounds = ("min_e", "max_e")
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
