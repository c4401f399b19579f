"""Results as what is drawn of them, and what is remembered of those on some axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from didjack._typing import Floats
from didjack.errors import OptionError
from didjack.options import Vcov
from didjack.reporting.plots.points import Look, Points, Style
from didjack.reporting.view import ResultView
from didjack.status import StatusCode
from didjack.wording import label_text, name_some

# ---- series --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervals:
    """Which intervals are drawn.

    Attributes
    ----------
    alpha : one minus their level
    joint : whether simultaneous ones are added
    compare : a second variance estimator, drawn beside the first
    """

    alpha: float
    joint: bool
    compare: Vcov | None = None

    def points(self, view: ResultView, x: Floats) -> tuple[Points, str | None]:
        """Collect what is drawn of the components of a result, and the second one's name."""
        which = view.components
        table = view.statistics(self.alpha).iloc[which]
        band = np.full((which.size, 2), np.nan)
        if self.joint:
            band = view.band(self.alpha)[which]
        second, name = np.full((which.size, 2), np.nan), None
        if self.compare is not None:
            other = view.under(self.compare)
            ends = other.statistics(self.alpha)[["conf_low", "conf_high"]]
            second, name = ends.to_numpy()[which], other.errors
        points = Points(
            x=x,
            estimate=table["estimate"].to_numpy(),
            low=table["conf_low"].to_numpy(),
            high=table["conf_high"].to_numpy(),
            joint_low=band[:, 0],
            joint_high=band[:, 1],
            before=view.before,
            base=view.base[which],
            short=view.short,
            imputed=np.array(
                [view.statuses[m].code is StatusCode.IMPUTED for m in which], dtype=bool
            ),
            second=second,
        )
        return points, name


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A result, its intervals, and how it is drawn."""

    view: ResultView
    intervals: Intervals
    style: Style

    def points(self, x: Floats) -> tuple[Points, str | None]:
        """Collect what is drawn of the components, and the second variance estimator's name."""
        points, second = self.intervals.points(self.view, x + self.style.offset)
        return points, second


# ---- what is remembered --------------------------------------------------------------------------


class Facts(NamedTuple):
    """What a title says of the intervals of one result."""

    level: str
    errors: str
    joint: bool


class Record(NamedTuple):
    """What is remembered of a result on some axes.

    Attributes
    ----------
    places : where its coefficients stand
    style : how it was drawn
    facts : about its intervals
    boxes : (m, 4) left, lowest, right, highest of what is drawn of each coefficient
    estimate : (m,)
    colours : (m,) of its markers
    colour : of its markers after treatment
    base : where zeros of base periods are drawn, in steps between coefficients
    effect : what is estimated
    """

    places: Places
    style: Style
    facts: Facts
    boxes: Floats
    estimate: Floats
    colours: Sequence[Any]
    colour: Any
    base: Floats
    effect: str


@dataclass(frozen=True, slots=True)
class Places:
    """Where coefficients stand along the horizontal axis.

    Attributes
    ----------
    what : what they are
    keys : labels at 0, 1, ...; None: labels are numbers and stand where they say
    """

    what: str
    keys: pd.Index | None

    @property
    def texts(self) -> list[str]:
        """The labels at 0, 1, ..."""
        return [] if self.keys is None else [label_text(key) for key in self.keys]

    def at(self, labels: pd.Index) -> Floats:
        """Return where labels stand."""
        if self.keys is None:
            return np.asarray(labels, dtype=float)
        return self.keys.get_indexer(labels).astype(float)

    def check(self, earlier: Sequence[Record]) -> Places:
        """Return the places that axes already have, or raise if these do not go with them."""
        if not earlier:
            return self
        there = earlier[0].places
        if there.what != self.what:
            raise OptionError(f"ax shows {there.what}; {self.what} need axes of their own")
        if self.keys is not None and there.keys is not None:
            new = self.keys.difference(there.keys)
            if len(new):
                raise OptionError(
                    f"ax has no place for {name_some(map(label_text, new))}: plot the result that "
                    "has more first, or all of them with coefplot"
                )
        return there


def union(indexes: Sequence[pd.Index]) -> pd.Index:
    """Return all labels of some results, which have to have some in common."""
    together = indexes[0]
    for other in indexes[1:]:
        if not len(together.intersection(other)):
            raise OptionError(
                "results have no label in common, and no plot: one has "
                f"{name_some(map(label_text, together), 3)}, another "
                f"{name_some(map(label_text, other), 3)}"
            )
        together = together.union(other)
    return together


def _kinds(looks: set[Look]) -> str:
    """Say which intervals are which; on dark paper, wider ribbons are the darker ones."""
    match sorted(looks):
        case ["errorbar"]:
            return "pointwise (thick), simultaneous (thin)"
        case ["ribbon"]:
            return "pointwise (inner), simultaneous (outer)"
    return "pointwise (thick, inner), simultaneous (thin, outer)"


def title(records: Sequence[Record]) -> str:
    """Say what the intervals of some results are."""
    facts = list(dict.fromkeys(record.facts for record in records))
    levels, errors = ({one[i] for one in facts} for i in (0, 1))
    joint = any(one.joint for one in facts)
    kinds = _kinds({record.style.look for record in records}) if joint else "pointwise"
    level = f"{facts[0].level} intervals" if len(levels) == 1 else "intervals"
    if len(errors) == len(levels) == 1:
        which = f"({facts[0].errors})"
        return (
            f"{level} {which}: {kinds}" if joint else f"{facts[0].level} {kinds} intervals {which}"
        )
    names: dict[str, list[str]] = {}
    for record in records:
        several = zip(record.facts[:2], (levels, errors), strict=True)
        differ = ", ".join(fact for fact, all_of_them in several if len(all_of_them) > 1)
        names.setdefault(differ, []).append(record.style.label or "unnamed")
    parts = [f"{', '.join(labels)}: {differ}" for differ, labels in names.items()]
    shared = f" ({facts[0].errors})" if len(errors) == 1 else ""
    return f"{level}{shared}: {kinds}\n{'; '.join(parts)}"
