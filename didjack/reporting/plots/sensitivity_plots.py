"""Intervals under weaker assumptions -> matplotlib plots, one panel a target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from didjack._typing import Floats
from didjack.reporting.plots.axes import AFTER, GREY, plain, set_titles, wrapped, zero_line
from didjack.reporting.plots.coefficient_plots import OWN_SCALES, panels_in
from didjack.reporting.plots.guides import label_scales, unlike
from didjack.reporting.plots.points import Finish

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray


class SensitivityPanel(NamedTuple):
    """The intervals of one target.

    Attributes
    ----------
    title : what it is
    x, low, high : (n,) values of m or ratios, sorted, and the ends of the intervals
    breakdown : largest x at which the interval excludes zero; drawn if it is among the x, but
        not 0
    """

    title: str
    x: Floats
    low: Floats
    high: Floats
    breakdown: float


def draw_sensitivity(
    panels: Sequence[SensitivityPanel], axis: str, effect: str, ax: Any, finish: Finish
) -> NDArray[Any]:
    """Draw intervals by m or ratio, and where they begin to include zero.

    Parameters
    ----------
    panels : one a target
    axis, effect : what is on the axes
    ax : where to draw: axes, one a target; an empty figure; None: a new one
    finish : title and legend
    """
    axes, figure = panels_in(ax, len(panels), "intervals", "one a target", same=False)
    for panel, one in zip(axes, panels, strict=True):
        zero_line(panel)
        middle = (one.low + one.high) / 2.0
        panel.errorbar(
            one.x,
            middle,
            [middle - one.low, one.high - middle],
            fmt="none",
            ecolor=AFTER,
            elinewidth=1.6,
            capsize=3.0,
        )
        step = float(np.ptp(one.x)) or 1.0
        panel.set_xlim(one.x[0] - 0.08 * step, one.x[-1] + 0.08 * step)
        _mark_breakdown(panel, one)
    set_titles(axes, [one.title for one in panels])
    for panel in lowest(axes):
        panel.set_xlabel(wrapped(panel, axis))
    if figure is None:
        axes[0].set_ylabel(plain(effect))
    else:
        differ = _set_scales(axes)
        figure.supylabel(plain(effect) + (OWN_SCALES if differ else ""), fontsize="medium")
        if words := finish.words(""):
            figure.suptitle(wrapped(figure, words), fontsize="medium")
    return axes


def _mark_breakdown(panel: Axes, one: SensitivityPanel) -> None:
    """Draw a line at the breakdown value, with its value on the side where there is room."""
    if one.breakdown == 0.0 or not one.x[0] <= one.breakdown <= one.x[-1]:
        return
    panel.axvline(one.breakdown, color=GREY, lw=1.0, ls="--", zorder=1)
    left = one.breakdown - one.x[0] > 0.5 * np.ptp(one.x)
    panel.annotate(
        f"{one.breakdown:.2g}",
        (one.breakdown, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(-3 if left else 3, -10),
        textcoords="offset points",
        ha="right" if left else "left",
        fontsize="small",
        color=GREY,
    )


def _set_scales(axes: NDArray[Any]) -> bool:
    """Give panels one vertical scale, or each its own where one would flatten some of them."""
    limits = np.array([panel.get_ylim() for panel in axes])
    differ = unlike(limits)
    for panel in () if differ else axes:
        panel.set_ylim(limits[:, 0].min(), limits[:, 1].max(), auto=True)
    label_scales(axes, differ)
    return differ


def lowest(axes: NDArray[Any]) -> list[Any]:
    """Return the panels below which there is no other."""
    specs = [panel.get_subplotspec() for panel in axes]
    if any(spec is None for spec in specs):
        return list(axes)
    last: dict[int, Any] = {}
    for panel, spec in zip(axes, specs, strict=True):
        last[spec.colspan.start] = panel
    return list(last.values())
