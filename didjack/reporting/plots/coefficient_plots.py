"""Results -> plots of aggregated effects and their intervals, one or several results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from didjack.aggregation.schemes import Scheme
from didjack.reporting.plots.axes import (
    check_axes,
    new_axes,
    plain,
    set_title,
    settle,
    treatment_line,
    zero_line,
)
from didjack.reporting.plots.legends import LAST, entries, legend
from didjack.reporting.plots.record import Places, Record, title, union
from didjack.reporting.plots.scales import (
    explain_beyond,
    label_ticks,
    mark_beyond,
    set_scale,
    whole_ticks,
)
from didjack.reporting.plots.series import Series, add
from didjack.reporting.plots.style import Finish
from didjack.reporting.view import effect

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_aggregated(
    series: Sequence[Series], scheme: Scheme, ax: Axes | None, finish: Finish
) -> Axes:
    """Draw the components of an aggregation, of one or several results.

    Parameters
    ----------
    series : results, all with this scheme
    scheme : how they are aggregated
    ax : where to draw; None: a new figure
    finish : title and legend
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
            anticipation = one.view.options.anticipation
            treatment_line(ax, 0.0, -float(anticipation))
        else:
            _overall_line(ax, one, records(ax)[-1])
    ax.set_xlabel(scheme.axis_label)
    ax.set_ylabel(plain(common_effect(series, records(ax))))
    _ticks(ax, places)
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
    ax.set_ylabel(plain(common_effect(series, records(ax))))
    _ticks(ax, places)
    finish_axes(ax, finish, named=True)
    return ax


def _ticks(ax: Axes, places: Places) -> None:
    """Label the horizontal axis, which shows all results that are on it."""
    from didjack.reporting.plots.drawn import records

    settle(ax)
    if places.keys is None:
        x = np.concatenate([record.boxes[:, 0] - record.style.offset for record in records(ax)])
        whole_ticks(ax, float(np.round(x.min())), float(np.round(x.max())))
    else:
        label_ticks(ax, places.texts)


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
