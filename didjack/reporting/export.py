"""Results -> what other packages read: tables by `maketables`, sensitivity by HonestDiD."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from didjack._typing import Floats, Ints
from didjack.errors import OptionError
from didjack.wording import label_text, name_some

if TYPE_CHECKING:
    from didjack.results.base import Result
    from didjack.results.group_time import AggregateResult

STATISTICS = {
    "N": "Observations",
    "units": "Units",
    "clusters": "Clusters",
    "treated_clusters": "Treated clusters",
    "se_type": "Standard errors",
    "control_group": "Comparison group",
    "est_method": "Estimator",
}
"""What `maketables` can show below the coefficients."""
DEFAULT_STATISTICS = ["N", "clusters", "treated_clusters", "se_type"]


def vcov_name(result: Result) -> str:
    """Name the variance estimator in words."""
    kind = result.options.vcov
    if kind == "analytic" and not result._fit.options.by_unit:
        return "analytic, clustered"
    return kind


def coefficient_names(result: Result) -> list[str]:
    """Write the labels of all coefficients in words."""
    index, names = result._targets.index, result._targets.labels.columns
    if isinstance(index, pd.MultiIndex):
        return [f"ATT({label_text(key)})" for key in index]
    prefix = {"event_time": "event time", "group": "cohort", "time": "period"}.get(names[0], "")
    return [
        "overall ATT" if key == "overall" else f"{prefix} {label_text(key)}".strip()
        for key in index
    ]


def coefficient_table(result: Result) -> pd.DataFrame:
    """Build the table that `maketables` asks for: b, se, t, p and the interval."""
    table = result._statistics()
    level = f"{100 * (1 - result.alpha):g}"
    return pd.DataFrame(
        {
            "b": table["estimate"],
            "se": table["std_error"],
            "t": table["statistic"],
            "p": table["p_value"],
            f"ci{level}l": table["conf_low"],
            f"ci{level}u": table["conf_high"],
        }
    ).set_axis(pd.Index(coefficient_names(result), name="Coefficient"))


def statistic(result: Result, key: str) -> Any:
    """Return one number or word about the sample, None if there is no such."""
    about = result._fit.describe()
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


@dataclass(frozen=True, slots=True, eq=False)
class HonestInputs:
    """An event study as sensitivity analyses of Rambachan and Roth (2023) read it.

    Attributes
    ----------
    betahat : (num_pre + num_post,) coefficients by event time, without the reference period
    sigma : their covariance
    num_pre, num_post : number of event times before and after the reference period
    event_time : (num_pre + num_post,)
    """

    betahat: Floats
    sigma: Floats
    num_pre: int
    num_post: int
    event_time: Ints


def honest_inputs(result: AggregateResult) -> HonestInputs:
    """Collect what `AggregateResult.honest_inputs` returns, or raise."""
    if result.type != "event" or result.options.base_period != "universal":
        raise OptionError(
            "honest_inputs() needs an event study with one reference period: "
            "csdid(..., base_period='universal').aggregate('event'), not "
            f"base_period={result.options.base_period!r} and type {result.type!r}"
        )
    targets = result._targets
    events = targets.index[:-1].to_numpy(dtype=np.int64)
    reference = np.flatnonzero(targets.reference[:-1])
    if reference.size != 1:
        raise OptionError(
            f"{reference.size} event times are the reference period of all cohorts, one is "
            "needed; widen min_e and max_e, or number the periods without gaps"
        )
    if (np.diff(events) != 1).any():
        raise OptionError(f"event times have gaps: {name_some(events, 20)}")
    used = np.arange(events.size) != reference[0]
    error = result._variance.std_error[:-1]
    if np.isnan(error[used]).any():
        raise OptionError(
            f"event times {name_some(events[used & np.isnan(error)], 20)} have no standard error; "
            "leave them out with min_e and max_e, or see undefined='skip' in csdid"
        )
    at = np.flatnonzero(used)
    sigma = result.vcov().to_numpy()[np.ix_(at, at)]
    return HonestInputs(
        betahat=targets.theta[0, at].copy(),
        sigma=(sigma + sigma.T) / 2.0,
        num_pre=int(reference[0]),
        num_post=int(events.size - reference[0] - 1),
        event_time=events[used],
    )
