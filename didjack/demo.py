"""The main job on the packaged data: ``python -m didjack.demo [figure.png]``.

Minimum wages and teen employment in 500 US counties, 2003-2007: 29 states, and one of the three
cohorts lies in a single state.
"""

from __future__ import annotations

import os
import sys
import tempfile
import textwrap
import warnings
from pathlib import Path
from typing import Any

import pandas as pd

import didjack
from didjack.reporting.tables.table import check_path
from didjack.wording import p_equals, p_text

WIDTH = 88


def side_by_side(study: didjack.AggregateResult, other: didjack.AggregateResult) -> pd.DataFrame:
    """Put the standard errors of two results of one event study next to each other."""
    tables = []
    for result in (study, other):
        overall = result.overall.to_frame().T.assign(event_time="overall")
        tables.append(pd.concat([result.tidy(), overall]).set_index("event_time"))
    cv3, analytic = tables
    return pd.DataFrame(
        {
            "ATT": cv3["estimate"],
            "CV3": cv3["std_error"],
            "p (CV3)": cv3["p_value"],
            "analytic": analytic["std_error"],
            "p (analytic)": analytic["p_value"],
            "ratio": cv3["std_error"] / analytic["std_error"],
        }
    ).rename_axis("event time")


def conclusion(study: didjack.AggregateResult, table: pd.DataFrame) -> str:
    """Say what the table shows, with its numbers."""
    overall = table.loc["overall"].astype(float).to_dict()
    analytic, cv3 = p_equals(overall["p (analytic)"]), p_equals(overall["p (CV3)"])
    first = study.influence().index[0]
    without = study.replicates().loc[first, "overall"]
    return (
        f"The overall effect is {overall['ATT']:.3f}. By its clustered analytic standard error, "
        f"{overall['analytic']:.3f}, it is highly significant ({analytic}). By CV3, "
        f"{overall['CV3']:.3f}, it is not ({cv3}). The effect is driven by state {first}: without "
        f"it the estimate is {without:.3f}, and event times 2 and 3 cannot be estimated. The part "
        "of that state in their CV3 is therefore imputed under the working model."
    )


def paragraph(text: str, mark: str = "") -> str:
    """Wrap a paragraph, with a mark in front of its first line."""
    return textwrap.fill(
        mark + text, WIDTH, subsequent_indent=" " * len(mark), break_long_words=False
    )


def main(figure: str = "didjack-demo.png") -> None:
    """Estimate, print the tables and write the figure."""
    check_path("figure", figure, (".png", ".pdf", ".svg"))  # before anything is estimated
    print("Estimating. The first run after installation compiles: about 10 seconds.", flush=True)
    df = didjack.datasets.load_mpdta()
    call: dict[str, Any] = {
        "yname": "lemp",
        "tname": "year",
        "gname": "first.treat",
        "idname": "countyreal",
        "xformla": "~ lpop",
        "cluster": "state",
    }
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", didjack.DidjackWarning)
        result = didjack.csdid(df, **call)
        study = result.aggregate("event")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", didjack.DidjackWarning)
        analytic = didjack.csdid(df, **call, vcov="analytic").aggregate("event")
    table = side_by_side(study, analytic)

    _draw(study, Path(figure))  # nothing is printed before it is saved
    print(f"\n{result.summary()}")
    print("\nEvent study: cluster jackknife (CV3) next to clustered analytic standard errors\n")
    p_texts = {"p (CV3)": p_text, "p (analytic)": p_text}
    print(table.to_string(float_format="{:.4f}".format, formatters=p_texts, na_rep=""))
    print(f"\n{paragraph(conclusion(study, table))}\n\nWarnings:")
    for message in dict.fromkeys(str(warning.message) for warning in caught):
        print(paragraph(message, "- "))
    print(f"\nFigure: {Path(figure).resolve()}")


def _draw(study: didjack.AggregateResult, path: Path) -> None:
    """Write the figure, all of it or nothing."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.2), layout="constrained")  # for a file: no screen is needed
    ax = figure.subplots()
    study.plot(ax, joint=False, compare="analytic")
    place: dict[str, Any] = {"loc": "lower left", "fontsize": "small"}  # where no interval is
    ax.legend(edgecolor="none", framealpha=1.0, **place)
    with tempfile.TemporaryDirectory(prefix=".didjack-", dir=path.parent) as made:
        figure.savefig(Path(made) / path.name, dpi=150)
        os.replace(Path(made) / path.name, path)


if __name__ == "__main__":
    main(*sys.argv[1:2])
