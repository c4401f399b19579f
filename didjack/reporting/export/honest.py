"""An event study -> what sensitivity analyses of Rambachan and Roth (2023) read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from didjack._typing import Bools, Floats, Ints
from didjack.errors import OptionError
from didjack.imports import load
from didjack.options import check_listed
from didjack.reporting.view import ResultView
from didjack.wording import name_some

CriticalValues = Literal["normal", "own"]


@dataclass(frozen=True, slots=True, eq=False)
class HonestInputs:
    """An event study as the input of a sensitivity analysis of Rambachan and Roth (2023).

    Attributes
    ----------
    betahat : (num_pre + num_post,) coefficients by event time, without the base period
    sigma : their covariance; scaled if ``critical_values="own"``
    num_pre, num_post : number of event times before and after the base period
    event_time : (num_pre + num_post,)
    critical_value : (num_pre + num_post,) those of the coefficients' own intervals
    """

    betahat: Floats
    sigma: Floats
    num_pre: int
    num_post: int
    event_time: Ints
    critical_value: Floats


def honest_inputs(view: ResultView, critical_values: CriticalValues, alpha: float) -> HonestInputs:
    """Collect what `AggregateResult.honest_inputs` returns, or raise."""
    check_listed("critical_values", critical_values, get_args(CriticalValues))
    _check(view)
    events = view.index[:-1].to_numpy(dtype=np.int64)
    base = _base(view, events)
    used = np.arange(events.size) != base
    table = view.statistics(alpha).iloc[:-1]
    _check_errors(events, used & table["std_error"].isna().to_numpy())
    at = np.flatnonzero(used)
    table = table.iloc[at]
    # An interval is the estimate plus and minus the critical value times the standard error.
    width = (table["conf_high"] - table["conf_low"]) / table["std_error"]
    critical = width.to_numpy() / 2.0
    sigma = view.covariance()[np.ix_(at, at)]
    if critical_values == "own":
        special = load("scipy.special")

        scale = critical / -special.ndtri(alpha / 2.0)
        sigma = sigma * np.outer(scale, scale)
    return HonestInputs(
        betahat=table["estimate"].to_numpy(copy=True),
        sigma=(sigma + sigma.T) / 2.0,
        num_pre=base,
        num_post=events.size - base - 1,
        event_time=events[used],
        critical_value=critical,
    )


def _check(view: ResultView) -> None:
    """Raise unless this is an event study with a universal base."""
    scheme = view.scheme
    if scheme is not None and scheme.keys == "bins":
        raise OptionError("honest_inputs() needs single event times: aggregate without bins")
    if scheme is None or not scheme.leads or view.options.base_period != "universal":
        raise OptionError(
            "honest_inputs() needs an event study with one base period: "
            "csdid(..., base_period='universal').aggregate('event'), not "
            f"base_period={view.options.base_period!r} and type "
            f"{None if scheme is None else scheme.name!r}"
        )


def _base(view: ResultView, events: Ints) -> int:
    """Return the position of the one base period among event times without gaps, or raise."""
    base = np.flatnonzero(view.base[:-1])
    if base.size != 1:
        raise OptionError(
            f"{base.size} event times are the base period of all cohorts, one is "
            "needed; widen min_e and max_e, or number the periods without gaps"
        )
    if (np.diff(events) != 1).any():
        raise OptionError(f"event times have gaps: {name_some(events, 20)}")
    return int(base[0])


def _check_errors(events: Ints, bare: Bools) -> None:
    """Raise if a coefficient has no standard error."""
    if bare.any():
        raise OptionError(
            f"event times {name_some(events[bare], 20)} have no standard error; "
            "leave them out with min_e and max_e, or see undefined='skip' in csdid"
        )
