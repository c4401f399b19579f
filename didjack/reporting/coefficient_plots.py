"""Results -> matplotlib pictures of coefficients and their intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from didjack._typing import Floats
from didjack.averaging.schemes import Scheme
from didjack.errors import OptionError
from didjack.options import Vcov
from didjack.reporting.axes import (
    AFTER,
    check_axes,
    label_ticks,
    legend,
    new_axes,
    plain,
    set_title,
    shared_legend,
    treatment_line,
    whole_ticks,
)
from didjack.reporting.points import Names, Points, draw
from didjack.reporting.view import ResultView
from didjack.reporting.words import effect
from didjack.wording import label_text, plural

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray


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
    compare: Vcov | None

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
            reference=view.reference[which],
            second=second,
        )
        return points, name

    def title(self, view: ResultView, points: Points) -> str:
        """Say what the intervals are."""
        level = f"{100 * (1 - self.alpha):g}%"
        if np.isfinite(points.joint_low).any():
            return f"{level} intervals ({view.errors}): pointwise (thick), simultaneous (thin)"
        return f"{level} pointwise intervals ({view.errors})"


def draw_averages(view: ResultView, scheme: Scheme, ax: Axes | None, intervals: Intervals) -> Axes:
    """Draw the components of an aggregation."""
    if ax is not None:
        check_axes(ax)
    n = view.components.size
    labels = view.index[view.components]
    numbers = scheme.keys == "numbers"
    x = labels.to_numpy(dtype=float) if numbers else np.arange(n, dtype=float)
    points, second = intervals.points(view, x)
    if ax is None:
        ax = new_axes(float(np.clip(3.0 + 0.3 * n, 6.0, 10.0)), 4.0)
    draw(ax, points, Names(view.errors, second, scheme.leads))
    if numbers:
        whole_ticks(ax, x)
    else:
        label_ticks(ax, [label_text(key) for key in labels])
    if scheme.leads:
        treatment_line(ax, -0.5, view.options.anticipation)
    else:
        _overall_line(ax, view)
    ax.set_xlabel(scheme.axis_label)
    ax.set_ylabel(plain(effect(view)))
    set_title(ax, intervals.title(view, points))
    legend(ax)
    return ax


def _overall_line(ax: Axes, view: ResultView) -> None:
    """Mark the overall ATT."""
    overall = view.statistics()["estimate"].iloc[-1]
    if np.isfinite(overall):
        ax.axhline(overall, color=AFTER, lw=1.0, ls="--", zorder=1, label="overall ATT")


def draw_cells(
    view: ResultView, ax: Axes | NDArray[Any] | None, intervals: Intervals
) -> NDArray[Any]:
    """Draw ATT(g,t) over time, one panel a cohort."""
    there = view.cells
    panels = _panels(ax, there.cohorts.size)
    points, second = intervals.points(view, there.period.astype(float))
    texts = [label_text(key) for key in there.periods]
    for g, panel in enumerate(panels):
        draw(panel, points.take(there.cohort == g), Names(view.errors, second, True))
        treatment_line(panel, float(there.start[g]) - 0.5, view.options.anticipation)
        panel.set_xlim(-0.6, len(texts) - 0.4)
        label_ticks(panel, texts)
        name, count = label_text(there.cohorts[g]), plural(int(there.n_units[g]), "unit")
        panel.set_title(f"cohort {name} ({count})", fontsize="medium")
    if ax is None:
        figure = panels[0].figure
        for panel in panels[-_columns(panels.size) :]:  # the lowest of each column
            panel.set_xlabel("period")
        figure.supylabel(plain(effect(view)), fontsize="medium")
        figure.suptitle(intervals.title(view, points), fontsize="medium")
        shared_legend(figure, panels)
    return panels


def _columns(n: int) -> int:
    """Choose the number of columns for n panels."""
    return n if n <= 3 else int(np.ceil(np.sqrt(n)))


def _panels(ax: Axes | NDArray[Any] | None, n: int) -> NDArray[Any]:
    """Return n axes: those given, or new ones with the same scales."""
    if ax is not None:
        given = np.atleast_1d(np.asarray(ax, dtype=object)).ravel()
        if given.size < n:
            raise OptionError(
                f"ATT(g,t) are drawn in {plural(n, 'panel')}, one a cohort; ax has {given.size}. "
                "Give an array of that many Axes, or plot an aggregation"
            )
        for one in given[:n]:
            check_axes(one)
        return given[:n]
    import matplotlib.pyplot as plt

    columns = _columns(n)
    rows = int(np.ceil(n / columns))
    grid = plt.subplots(
        rows,
        columns,
        figsize=(max(6.4, 2.7 * columns), max(3.4, 2.1 * rows + 0.9)),
        sharex=True,
        sharey=True,
        squeeze=False,
        layout="constrained",
    )[1]
    for unused in grid.ravel()[n:]:
        unused.remove()
    # The lowest panel of each column shows the periods.
    for column in range(columns):
        lowest = (n - 1 - column) // columns
        grid[lowest, column].tick_params(labelbottom=True)
    return np.asarray(grid.ravel()[:n])
