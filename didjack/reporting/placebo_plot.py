"""Placebo estimates -> a matplotlib picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from didjack.inference.permutation.placebo import PlaceboTest
from didjack.reporting.axes import AFTER, BEFORE, GREY, check_axes, new_axes, paper, plain, wrapped
from didjack.reporting.cluster_plots import finish_clusters, height, name_rows
from didjack.reporting.style import Finish
from didjack.reporting.view import ResultView
from didjack.wording import label_text, one_line, plural

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_placebos(test: PlaceboTest, view: ResultView, ax: Axes | None, finish: Finish) -> Axes:
    """Draw the placebo estimates, sorted, and the actual one among them."""
    if ax is not None:
        check_axes(ax)
    value = np.append(test.placebos, test.estimate)
    labels = [plain(label_text(key)) for key in (*test.clusters, test.treated)]
    order = np.argsort(value, kind="stable")
    actual = int(np.flatnonzero(order == value.size - 1)[0])
    y = np.arange(value.size)
    if ax is None:
        ax = new_axes(6.4, height(value.size))
    size, name = abs(test.estimate), plain(one_line(view.clusters.name))
    ax.axvspan(
        -size, size, color=GREY, alpha=0.15, lw=0, zorder=0, label="smaller than the estimate"
    )
    ax.axvline(0.0, color=GREY, lw=0.8, zorder=1)
    others = np.delete(y, actual)
    label = f"placebos, never-treated {name}"
    ax.plot(value[order][others], others, "s", color=BEFORE, mfc=paper(ax), ms=5, label=label)
    label = f"estimate, treated {name} {labels[-1]}"
    ax.plot([test.estimate], [actual], "o", color=AFTER, ms=7, zorder=3, label=label)
    ax.set_xlabel(
        wrapped(
            ax, f"overall ATT, or what it would be without effect ({one_line(view.options.yname)})"
        )
    )
    ax.set_ylabel(name)
    number = plural(test.placebos.size, "placebo")
    points = value[order]
    ax.set_ylim(-0.8, value.size - 0.2, auto=True)
    boxes = np.column_stack([points, y, points, y])
    finish_clusters(
        ax,
        finish,
        f"Estimate and {number}: p\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{test.p_value:.3f}",
        boxes,
    )
    # The treated cluster is named first of all, then those with the largest placebos.
    weight = np.abs(points)
    weight[actual] = np.inf
    name_rows(ax, [labels[at] for at in order], weight)
    return ax
