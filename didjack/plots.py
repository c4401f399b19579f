"""Results -> matplotlib pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from didjack.results import AggregateResult

# Okabe and Ito's colours, told apart by colour-blind readers and by their grey in print.
BEFORE, AFTER, GREY = "#E69F00", "#0072B2", "#666666"
X_LABELS = {
    "event": "periods since treatment",
    "group": "cohort (first treated period)",
    "calendar": "period",
}


def coefficients(result: AggregateResult, ax: Axes | None, alpha: float) -> Axes:
    """Draw an aggregation's components with pointwise intervals."""
    import matplotlib.pyplot as plt
    from matplotlib.ticker import MaxNLocator

    if ax is None:
        _, ax = plt.subplots(figsize=(6.4, 4.0), layout="constrained")
    table = result.tidy(alpha)
    label = table.columns[0]
    if result.type == "event":
        x, before = table[label].to_numpy(dtype=float), table[label].to_numpy() < 0
    else:
        x, before = np.arange(len(table), dtype=float), np.zeros(len(table), dtype=bool)
        ax.set_xticks(x, [_tick(value) for value in table[label]])
    ax.axhline(0.0, color=GREY, linewidth=0.8, zorder=1)
    reference = table["status"].to_numpy() == "reference"
    for rows, colour, marker, name in (
        (before & ~reference, BEFORE, "s", "before treatment"),
        (~before & ~reference, AFTER, "o", "after treatment"),
    ):
        _points(ax, x[rows], table[rows], colour, marker, name if result.type == "event" else None)
    if result.type == "event":
        ax.axvline(-0.5, color=GREY, linewidth=0.8, linestyle=":", zorder=1)
        if reference.any():
            ax.plot(
                x[reference],
                table["estimate"][reference],
                "D",
                mfc="white",
                color=GREY,
                label="reference period",
            )
        ax.legend(frameon=False, loc="best")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel(X_LABELS[result.type])
    ax.set_ylabel(f"effect on {result.options.yname}")
    ax.set_title(
        f"ATT with {100 * (1 - alpha):g}% intervals ({result.options.vcov})", fontsize="medium"
    )
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def _points(
    ax: Axes, x: np.ndarray, table: pd.DataFrame, colour: str, marker: str, name: str | None
) -> None:
    """Draw estimates; where there is no standard error, a hollow marker without interval."""
    known = table["std_error"].notna().to_numpy()
    estimate = table["estimate"].to_numpy()
    half = (table["conf_high"] - table["conf_low"]).to_numpy() / 2
    if known.any():
        ax.errorbar(
            x[known],
            estimate[known],
            yerr=half[known],
            fmt=marker,
            color=colour,
            capsize=3,
            markersize=5,
            linewidth=1.2,
            label=name,
        )
    if (~known).any():
        ax.plot(
            x[~known],
            estimate[~known],
            marker,
            mfc="white",
            color=colour,
            markersize=5,
            label=None if name is None else f"{name}, no standard error",
        )


def _tick(value: object) -> str:
    return str(value.date()) if isinstance(value, pd.Timestamp) else str(value)
