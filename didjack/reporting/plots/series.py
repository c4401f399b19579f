"""Results as what is drawn of them: points at places, with intervals of some level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from didjack._typing import Bools, Floats
from didjack.errors import OptionError
from didjack.options import Vcov
from didjack.reporting.plots.axes import ink
from didjack.reporting.plots.points import Points, draw
from didjack.reporting.plots.record import Facts, Places, Record
from didjack.reporting.plots.style import Style
from didjack.reporting.view import ResultView, effect

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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


def add(
    ax: Axes,
    one: Series,
    drawn: tuple[Points, str | None],
    places: Places,
    rows: Bools | None = None,
    pre_post: bool = True,
) -> None:
    """Draw a result, or some rows of it, and remember it with the axes."""
    from didjack.reporting.plots.drawn import Drawn, records

    earlier = records(ax)
    if one.style.label in {record.style.label for record in earlier} - {None}:
        raise OptionError(f"label={one.style.label!r} is taken: ax shows a result of that name")
    points, second = drawn
    if rows is not None:
        points = points.take(rows)
    taken = sum(record.style.n_colours for record in earlier)
    paint = one.style.paint(taken, ink(ax), pre_post, (one.view.errors, second))
    draw(ax, points, paint)
    facts = Facts(
        f"{100 * (1 - one.intervals.alpha):g}%",
        one.view.errors,
        bool(np.isfinite(points.joint_low).any()),
    )
    record = Record(
        places,
        one.style,
        facts,
        points.boxes(),
        points.estimate,
        paint.after.colour,
        effect(one.view),
    )
    ax.add_container(Drawn(ax.lines[-1:], record))
