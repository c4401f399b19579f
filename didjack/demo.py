"""The main job on the packaged data: ``python -m didjack.demo``.

Minimum wages and teen employment in 500 US counties, 2003-2007: 29 states, and one of the three
cohorts lies in a single state.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

import didjack


def compare_errors(study: didjack.AggregateResult) -> pd.DataFrame:
    """Put the clustered analytic standard errors next to CV3."""
    table = study.tidy().set_index("event_time")
    analytic = np.sqrt(np.diag(study.vcov("analytic")))
    table = pd.concat([table, study.overall.to_frame().T])
    table["analytic s.e."] = analytic
    table["ratio"] = table["std_error"] / analytic
    columns = {"estimate": "ATT", "std_error": "CV3 s.e.", "p_value": "CV3 p", "df": "df"}
    shown = [*columns.values(), "analytic s.e.", "ratio", "status"]
    return table.rename(columns=columns)[shown].rename_axis("event time")


def main(picture: str = "didjack-demo.png") -> None:
    """Estimate, print the tables and write the picture."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", didjack.DidjackWarning)
        result = didjack.csdid(
            didjack.datasets.load_mpdta(),
            yname="lemp",
            tname="year",
            gname="first.treat",
            idname="countyreal",
            xformla="~ lpop",
            cluster="state",
        )
        study = result.aggregate("event")
    print(result.summary())
    print("\nEvent study: cluster jackknife (CV3) and clustered analytic standard errors\n")
    print(compare_errors(study).to_string(float_format="{:.4f}".format))
    print("\nWarnings:")
    for warning in caught:
        print(f"- {warning.message}")

    import matplotlib as mpl

    mpl.use("Agg")
    study.plot().figure.savefig(picture, dpi=150)
    print(f"\nPicture: {Path(picture).resolve()}")


if __name__ == "__main__":
    main(*sys.argv[1:2])
