"""A result -> what `maketables` reads to put it into a table."""

from __future__ import annotations

from typing import Any

import pandas as pd

from didjack.reporting.view import ResultView, coefficient_names

STATISTICS = {
    "N": "Observations",
    "units": "Units",
    "clusters": "Clusters",
    "treated_clusters": "Treated clusters",
    "se_type": "Standard errors",
    "control_group": "Control group",
    "est_method": "Estimator",
}
"""What `maketables` can show below the coefficients."""
DEFAULT_STATISTICS = ["N", "clusters", "treated_clusters", "se_type"]


def coefficient_table(view: ResultView) -> pd.DataFrame:
    """Build the table that `maketables` asks for: b, se, t, p and the interval."""
    table = view.statistics()
    level = f"{100 * (1 - view.options.alpha):g}"
    return pd.DataFrame(
        {
            "b": table["estimate"],
            "se": table["std_error"],
            "t": table["statistic"],
            "p": table["p_value"],
            f"ci{level}l": table["conf_low"],
            f"ci{level}u": table["conf_high"],
        }
    ).set_axis(pd.Index(coefficient_names(view), name="Coefficient"))


def statistic(view: ResultView, key: str) -> Any:
    """Return one number or word about the sample, None if there is no such."""
    about = view.about
    by = f", by {about['cluster']}" if about["cluster"] else ""
    return {
        "N": about["n_obs"],
        "units": about["n_units"],
        "clusters": about["n_clusters"],
        "treated_clusters": about["n_treated_clusters"],
        "se_type": f"{about['vcov']}{by}",
        "control_group": about["control_group"],
        "est_method": about["est_method"],
    }.get(key)
