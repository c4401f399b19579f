"""Intervals under weaker assumptions -> matplotlib plots, one panel a target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from didjack._typing import Floats
from didjack.reporting.plots.axes import AFTER, GREY, plain, set_title, wrapped, zero_line
from didjack.reporting.plots.coefficient_plots import panels_in
from didjack.reporting.plots.points import Finish

if TYPE_CHECKING:
    from numpy.typing import NDArray


class SensitivityPanel(NamedTuple):
    """The intervals of one target.

    Attributes
    ----------
    title : what it is
    x, low, high : (n,) values of m or ratios, sorted, and the ends of the intervals
    breakdown : largest x at which the interval excludes zero; 0, infinite or NaN are not drawn
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
    axes, figure = panels_in(ax, len(panels), "intervals", "one a target")
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
        if 0.0 < one.breakdown <= one.x[-1]:
            panel.axvline(one.breakdown, color=GREY, lw=1.0, ls="--", zorder=1)
            panel.annotate(
                f"{one.breakdown:.2g}",
                (one.breakdown, 1.0),
                xycoords=("data", "axes fraction"),
                xytext=(3, -10),
                textcoords="offset points",
                fontsize="small",
                color=GREY,
            )
        step = float(np.ptp(one.x)) or 1.0
        panel.set_xlim(one.x[0] - 0.08 * step, one.x[-1] + 0.08 * step)
        set_title(panel, one.title)
    for panel in lowest(axes):
        panel.set_xlabel(wrapped(panel, axis))
    if figure is None:
        axes[0].set_ylabel(plain(effect))
    else:
        figure.supylabel(plain(effect), fontsize="medium")
        if words := finish.words(""):
            figure.suptitle(wrapped(figure, words), fontsize="medium")
    return axes


def lowest(axes: NDArray[Any]) -> list[Any]:
    """Return the panels below which there is no other."""
    specs = [panel.get_subplotspec() for panel in axes]
    if any(spec is None for spec in specs):
        return list(axes)
    last: dict[int, Any] = {}
    for panel, spec in zip(axes, specs, strict=True):
        last[spec.colspan.start] = panel
    return list(last.values())
