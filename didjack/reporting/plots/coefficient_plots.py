"""Results -> plots of aggregated effects, or of ATT(g,t) in panels, with their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from didjack._typing import Bools
from didjack.aggregation.schemes import Scheme
from didjack.errors import OptionError
from didjack.reporting.plots.axes import (
    check_axes,
    ink,
    new_axes,
    new_figure,
    root,
    set_title,
    settle,
    treatment_line,
    wrapped,
    zero_line,
)
from didjack.reporting.plots.guides import (
    LAST,
    entries,
    explain_beyond,
    figure_legend,
    label_scales,
    label_ticks,
    legend,
    mark_beyond,
    own_legends,
    set_scale,
    whole_ticks,
)
from didjack.reporting.plots.points import Finish, Points, draw
from didjack.reporting.plots.series import Facts, Places, Record, Series, title, union
from didjack.reporting.view import effect
from didjack.wording import label_text, plural

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from numpy.typing import NDArray


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
    # The base is zero for all results: one mark for all of them, where its label is.
    centre = points.x - one.style.offset
    known = np.concatenate([[], *(record.base for record in earlier)])
    points = replace(points, x=np.where(points.base, centre, points.x))
    points = points.take(~(points.base & np.isin(centre, known)))
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
        [paint.before.colour if early else paint.after.colour for early in points.before],
        paint.after.colour,
        points.x[points.base],
        effect(one.view),
    )
    ax.add_container(Drawn(ax.lines[-1:], record))


def draw_aggregated(
    series: Sequence[Series],
    scheme: Scheme,
    ax: Axes | None,
    finish: Finish,
    n_clusters: bool = False,
) -> Axes:
    """Draw the components of an aggregation, of one or several results.

    Parameters
    ----------
    series : results, all with this scheme
    scheme : how they are aggregated
    ax : where to draw; None: a new figure
    finish : title, legend and labels
    n_clusters : whether treated clusters of the first result are counted below
    """
    from didjack.reporting.plots.drawn import records

    if ax is not None:
        check_axes(ax)
    labels = [one.view.index[one.view.components] for one in series]
    together = union(labels)
    places = Places(scheme.title, None if scheme.keys == "numbers" else together)
    places = places.check([] if ax is None else records(ax))
    points = [one.points(places.at(own)) for one, own in zip(series, labels, strict=True)]
    if ax is None:
        ax = new_axes(float(np.clip(3.0 + 0.3 * len(together), 6.0, 10.0)), 4.0)
    if not records(ax):
        zero_line(ax)
    for one, drawn in zip(series, points, strict=True):
        add(ax, one, drawn, places, pre_post=scheme.leads)
        if scheme.leads:
            start = 0.0 if places.keys is None else float(one.view.before.sum())
            anticipation = one.view.options.anticipation if places.keys is None else 0
            treatment_line(ax, start, start - anticipation)
        else:
            _overall_line(ax, one, records(ax)[-1])
    axis = scheme.axis_label + (f" ({COUNTED})" if n_clusters else "")
    ax.set_xlabel(wrapped(ax, axis) if finish.xlabel is None else finish.x(axis))
    ax.set_ylabel(finish.y(common_effect(series, records(ax))))
    counts = zip(places.at(labels[0]), series[0].view.n_treated_clusters.tolist(), strict=True)
    _ticks(ax, places, dict(counts) if n_clusters else {})
    finish_axes(ax, finish)
    return ax


def draw_overall(series: Sequence[Series], ax: Axes | None, finish: Finish) -> Axes:
    """Draw the one number that each result is, with the results' names below."""
    from didjack.reporting.plots.drawn import records

    if ax is not None:
        check_axes(ax)
    places = Places("simple averages", pd.Index([one.style.label for one in series]))
    places = places.check([] if ax is None else records(ax))
    at = np.arange(len(series), dtype=float)
    points = [one.points(at[[i]]) for i, one in enumerate(series)]
    if ax is None:
        ax = new_axes(float(np.clip(2.0 + 0.8 * len(series), 4.0, 10.0)), 4.0)
    zero_line(ax)
    for one, drawn in zip(series, points, strict=True):
        add(ax, one, drawn, places, pre_post=False)
    if finish.xlabel is not None:
        ax.set_xlabel(finish.xlabel)
    ax.set_ylabel(finish.y(common_effect(series, records(ax))))
    _ticks(ax, places)
    finish_axes(ax, finish, named=True)
    return ax


COUNTED = "below: treated clusters"


def _ticks(ax: Axes, places: Places, counts: Mapping[float, int] = MappingProxyType({})) -> None:
    """Label the horizontal axis, which shows all results that are on it.

    Parameters
    ----------
    counts : what is written below the labels, by their place
    """
    from didjack.reporting.plots.drawn import records

    settle(ax)
    if places.keys is None:
        x = np.concatenate([record.boxes[:, 0] - record.style.offset for record in records(ax)])
        whole_ticks(ax, float(np.round(x.min())), float(np.round(x.max())), counts)
    else:
        below = [f"\n{counts[at]}" if at in counts else "" for at in range(len(places.texts))]
        label_ticks(ax, [a + b for a, b in zip(places.texts, below, strict=True)])


def finish_axes(ax: Axes, finish: Finish, named: bool = False) -> None:
    """Choose the vertical scale, and add title and legend, unless results are `named` already."""
    from didjack.reporting.plots.drawn import records

    there = records(ax)
    words = finish.words(title(there))
    set_title(ax, words)
    settle(ax)
    set_scale([ax])
    explain_beyond(ax)
    boxes = np.concatenate([record.boxes for record in there])
    shown = entries(np.array([ax]))
    if named:
        shown = {label: shown[label] for label in shown if label in LAST}
    mark_beyond(ax, legend(ax, boxes, shown) if finish.legend else (0.0, 1.0))


def common_effect(series: Sequence[Series], there: Sequence[Record]) -> str:
    """Name what is estimated, as far as all results agree, those drawn before as well."""
    names = {effect(one.view) for one in series} | {record.effect for record in there}
    return names.pop() if len(names) == 1 else "effect"


def _overall_line(ax: Axes, one: Series, record: Record) -> None:
    """Mark the overall ATT."""
    overall = one.view.statistics()["estimate"].iloc[-1]
    if np.isfinite(overall):
        label = "overall ATT"
        known = label in ax.get_legend_handles_labels()[1]
        ax.axhline(
            overall,
            color=record.colour,
            lw=1.0,
            ls="--",
            zorder=1,
            label=None if known else label,
        )


# ---- ATT(g,t) in panels --------------------------------------------------------------------------


class Panels(NamedTuple):
    """Axes, one a cohort, and the figure if it shows nothing else."""

    axes: NDArray[Any]
    figure: Figure | SubFigure | None


def draw_cells(
    series: Sequence[Series],
    ax: Axes | NDArray[Any] | Figure | SubFigure | None,
    finish: Finish,
    n_clusters: bool = False,
) -> NDArray[Any]:
    """Draw ATT(g,t) over time, one panel a cohort, of one or several results.

    Parameters
    ----------
    series : results
    ax : where to draw: axes, one a cohort; an empty figure; None: a new one
    finish : title, legend and labels
    n_clusters : whether titles of panels count treated clusters, not units
    """
    from didjack.reporting.plots.drawn import records

    cells = [one.view.cells for one in series]
    cohorts, periods = union([one.cohorts for one in cells]), union([one.periods for one in cells])
    panels = panels_in(ax, len(cohorts), "ATT(g,t)", "one a cohort", same=False)
    places = [Places(f"cohort {label_text(cohort)}", periods) for cohort in cohorts]
    places = [place.check(records(panel)) for place, panel in zip(places, panels.axes, strict=True)]
    for one in series:
        _draw_one(one, panels.axes, cohorts, places)
    _words(series, panels, cohorts, n_clusters, finish)
    settle(panels.axes[0])
    for panel, place in zip(panels.axes, places, strict=True):
        label_ticks(panel, place.texts)
    _finish(panels, finish, common_effect(series, [r for p in panels.axes for r in records(p)]))
    return panels.axes


def _draw_one(
    one: Series, panels: NDArray[Any], cohorts: pd.Index, places: Sequence[Places]
) -> None:
    """Draw a result in the panels of its cohorts."""
    from didjack.reporting.plots.drawn import records

    cells = one.view.cells
    at = places[0].at(cells.periods)
    drawn = one.points(at[cells.period])
    # One past the last period, if treatment begins after it.
    at = np.append(at, at.max() + 1.0)
    for g, cohort in enumerate(cells.cohorts):
        where = int(cohorts.get_indexer(pd.Index([cohort]))[0])
        panel: Axes = panels[where]
        if not records(panel):
            zero_line(panel)
        add(panel, one, drawn, places[where], cells.cohort == g)
        treatment_line(panel, at[cells.start[g]], at[cells.anticipated[g]])


def _words(
    series: Sequence[Series], panels: Panels, cohorts: pd.Index, n_clusters: bool, finish: Finish
) -> None:
    """Write what panels and their horizontal axes show."""
    from didjack.reporting.plots.drawn import records

    counts: dict[Any, set[int]] = {cohort: set() for cohort in cohorts}
    for one in series:
        cells = one.view.cells
        counted = cells.n_clusters if n_clusters else cells.n_units
        for cohort, count in zip(cells.cohorts, counted.tolist(), strict=True):
            counts[cohort].add(count)
    narrow = panels.axes[0].bbox.width < NARROW * root(panels.axes[0]).dpi
    size = "small" if narrow else "medium"
    for at, (panel, cohort) in enumerate(zip(panels.axes, cohorts, strict=True)):
        name = f"cohort {label_text(cohort)}"
        if len(counts[cohort]) == 1 and len(records(panel)) == len(series):
            count = f"({plural(counts[cohort].pop(), 'cluster' if n_clusters else 'unit')})"
            one_line = "\n" not in wrapped(panel, f"{name} {count}", size)
            name += f" {count}" if one_line else f"\n{count}"
        panel.set_title(wrapped(panel, name, size), fontsize=size)
        spec = panel.get_subplotspec()
        lowest = spec is None or spec.is_last_row()
        if lowest or (panels.figure is not None and at + _in_a_row(panel) >= panels.axes.size):
            panel.set_xlabel(finish.x("period"))


def _finish(panels: Panels, finish: Finish, effect: str) -> None:
    """Choose the vertical scale of all panels, and add title, legend and what is estimated."""
    from didjack.reporting.plots.drawn import records

    axes, figure = panels
    by_panel = [records(panel) for panel in axes]
    words = finish.words(title(_one_of_each([record for some in by_panel for record in some])))
    differ = set_scale(axes)
    label = finish.y(effect) + (OWN_SCALES if differ else "")
    if figure is None:
        axes[0].set_ylabel(label)
    else:
        figure.supylabel(label, fontsize="medium")
        label_scales(axes, differ)
    for panel in axes:
        explain_beyond(panel)
    room = 0.0, 1.0
    if figure is not None:
        figure.suptitle(wrapped(figure, words), fontsize="medium")
        if finish.legend:
            figure_legend(figure, axes)
        settle(axes[0])
    elif finish.legend:
        boxes = np.concatenate([record.boxes for record in by_panel[-1]])
        words = wrapped(axes[-1], words, "small")
        room = legend(axes[-1], boxes, entries(axes), words or None)
        if not differ:
            _same_limits(axes)
    for panel in axes:
        mark_beyond(panel, room)


def _one_of_each(records: Sequence[Record]) -> list[Record]:
    """Return the records of one panel's worth: a result has one in each panel."""
    return list({(one.style.label, one.facts): one for one in records}.values())


def _same_limits(axes: NDArray[Any]) -> None:
    """Give all panels the vertical limits of the last, in which there is a legend."""
    for panel in axes[:-1]:
        if panel.get_autoscaley_on():
            panel.set_ylim(*axes[-1].get_ylim(), auto=True)


NARROW = 2.0
"""Panels of fewer inches have smaller letters in their titles."""
NARROWEST = 1.6
"""A figure has so many columns that panels are about as wide as this, in inches."""
OWN_SCALES = " (scales differ)"


def _columns(n: int) -> int:
    """Choose the number of columns for n panels."""
    return n if n <= 3 else int(np.ceil(np.sqrt(n)))


def _in_a_row(panel: Axes) -> int:
    """Return how many panels there are in a row."""
    spec = panel.get_subplotspec()
    return 1 if spec is None else int(spec.get_gridspec().ncols)


def panels_in(
    ax: Axes | NDArray[Any] | Figure | SubFigure | None,
    n: int,
    what: str,
    each: str,
    same: bool = True,
    heights: Sequence[float] | None = None,
) -> Panels:
    """Return n axes: those given, or new ones in a figure.

    Parameters
    ----------
    what, each : what is drawn, and what a panel is for, in words
    same : whether new ones in rows and columns share their vertical scale
    heights : of new ones below each other, relative to each other; default: in rows and columns
    """
    from matplotlib.figure import FigureBase

    if ax is None:
        columns = _columns(n)
        rows = int(np.ceil(n / columns))
        size = max(6.4, 2.7 * columns), max(3.4, 2.1 * rows + 0.9)
        return _grid(new_figure(*size), n, same, heights)
    if isinstance(ax, FigureBase):
        if ax.get_axes():
            raise OptionError("ax is a figure that shows something already: give an empty one")
        whole = ax.canvas.figure
        if whole.get_layout_engine() is None:
            whole.set_layout_engine("constrained")
        return _grid(ax, n, same, heights)
    given = np.atleast_1d(np.asarray(ax, dtype=object)).ravel()
    for one in given:
        check_axes(one)
    if given.size < n:
        raise OptionError(
            f"{what} are drawn in {plural(n, 'panel')}, {each}; ax has {given.size}. "
            "Give a figure, an array of that many Axes, or plot an aggregation"
        )
    figure = given[0].figure
    return Panels(given[:n], figure if own_legends(figure) else None)


def _grid(
    figure: Figure | SubFigure, n: int, same: bool, heights: Sequence[float] | None
) -> Panels:
    """Fill a figure with n panels that share their horizontal scale."""
    if heights is not None:
        below = figure.subplots(n, 1, sharex=True, squeeze=False, height_ratios=heights)
        return Panels(below.ravel(), figure)
    fitting = int(figure.bbox.width / figure.canvas.figure.dpi / NARROWEST)
    columns = min(_columns(n), max(fitting, 1))
    grid = figure.subplots(
        int(np.ceil(n / columns)), columns, sharex=True, sharey=same, squeeze=False
    )
    for unused in grid.ravel()[n:]:
        unused.remove()
    # The lowest panel of each column shows the periods.
    for column in range(columns):
        grid[(n - 1 - column) // columns, column].tick_params(labelbottom=True)
    return Panels(np.asarray(grid.ravel()[:n]), figure)
