"""Placebo estimates -> a matplotlib picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from didjack.inference.permutation.placebo import PlaceboTest
from didjack.reporting.axes import AFTER, BEFORE, GREY, new_axes, set_title, wrapped
from didjack.wording import label_text, plural

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FONT_SIZE = 8.0
MOST_LABELS = 60
"""Up to so many clusters are named."""


def draw_placebos(test: PlaceboTest, name: str, outcome: str, ax: Axes | None) -> Axes:
    """Draw the placebo estimates, sorted, and the actual one among them.

    Parameters
    ----------
    name : of the clusters
    outcome : name of the outcome
    """
    value = np.append(test.placebos, test.estimate)
    labels = [label_text(key) for key in (*test.clusters, test.treated)]
    order = np.argsort(value, kind="stable")
    actual = int(np.flatnonzero(order == value.size - 1)[0])
    y = np.arange(value.size)
    if ax is None:
        ax = new_axes(6.4, float(np.clip(1.4 + 0.165 * value.size, 3.0, 8.0)))
    size = abs(test.estimate)
    ax.axvspan(-size, size, color="#EEEEEE", lw=0, zorder=0, label="smaller than the estimate")
    ax.axvline(0.0, color=GREY, lw=0.8, zorder=1)
    others = np.delete(y, actual)
    label = f"placebos, never-treated {name}"
    ax.plot(value[order][others], others, "s", color=BEFORE, mfc="white", ms=5, label=label)
    label = f"estimate, treated {name} {labels[-1]}"
    ax.plot([test.estimate], [actual], "o", color=AFTER, ms=7, zorder=3, label=label)
    if value.size <= MOST_LABELS:
        ax.set_yticks(y, [labels[at] for at in order], fontsize=FONT_SIZE)
    else:
        ax.set_yticks([actual], [labels[-1]], fontsize=FONT_SIZE)
    ax.set_ylim(-0.8, value.size - 0.2)
    ax.set_xlabel(wrapped(ax, f"overall ATT, or what it would be without effect ({outcome})"))
    ax.set_ylabel(name)
    number = plural(test.placebos.size, "placebo")
    set_title(ax, f"Estimate and {number}: p = {test.p_value:.3f}")
    ax.legend(frameon=False, fontsize="small", loc="best")
    ax.spines[["top", "right"]].set_visible(False)
    return ax
