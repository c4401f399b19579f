"""An event study -> what sensitivity analyses of Rambachan and Roth (2023) read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from didjack._typing import Floats, Ints
from didjack.errors import OptionError
from didjack.reporting.view import ResultView
from didjack.wording import name_some


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


def honest_inputs(view: ResultView) -> HonestInputs:
    """Collect what `AggregateResult.honest_inputs` returns, or raise."""
    _check(view)
    events = view.index[:-1].to_numpy(dtype=np.int64)
    reference = np.flatnonzero(view.reference[:-1])
    if reference.size != 1:
        raise OptionError(
            f"{reference.size} event times are the reference period of all cohorts, one is "
            "needed; widen min_e and max_e, or number the periods without gaps"
        )
    if (np.diff(events) != 1).any():
        raise OptionError(f"event times have gaps: {name_some(events, 20)}")
    used = np.arange(events.size) != reference[0]
    table = view.statistics().iloc[:-1]
    bare = used & table["std_error"].isna().to_numpy()
    if bare.any():
        raise OptionError(
            f"event times {name_some(events[bare], 20)} have no standard error; "
            "leave them out with min_e and max_e, or see undefined='skip' in csdid"
        )
    at = np.flatnonzero(used)
    sigma = view.covariance()[np.ix_(at, at)]
    return HonestInputs(
        betahat=table["estimate"].to_numpy()[at],
        sigma=(sigma + sigma.T) / 2.0,
        num_pre=int(reference[0]),
        num_post=int(events.size - reference[0] - 1),
        event_time=events[used],
    )


def _check(view: ResultView) -> None:
    """Raise unless this is an event study with one reference period."""
    scheme = view.scheme
    if scheme is None or not scheme.leads or view.options.base_period != "universal":
        raise OptionError(
            "honest_inputs() needs an event study with one reference period: "
            "csdid(..., base_period='universal').aggregate('event'), not "
            f"base_period={view.options.base_period!r} and type "
            f"{None if scheme is None else scheme.name!r}"
        )
