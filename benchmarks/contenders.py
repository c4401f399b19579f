"""The packages, each as a function from a case to ATT(g,t) and the event study.

All estimate the same: never-treated units as comparison group, the period before as base before
treatment ("varying"), covariates of the earlier of the two periods.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True, eq=False)
class Case:
    """A data set (columns y, t, g, id, cl and covariates) and what to do with it."""

    name: str
    data: pd.DataFrame
    method: str
    covariates: tuple[str, ...] = ()
    panel: bool = True

    @property
    def formula(self) -> str | None:
        """The covariates as a formula."""
        return "~ " + " + ".join(self.covariates) if self.covariates else None

    @property
    def names(self) -> list[str] | None:
        """The covariates as a list."""
        return list(self.covariates) or None

    @property
    def used(self) -> list[str]:
        """The columns that didjack reads."""
        return ["y", "t", "g", "cl", *(["id"] if self.panel else []), *self.covariates]


@dataclass(frozen=True, eq=False)
class Estimates:
    """ATT(g,t) by group and time, and the event study by event time."""

    att: pd.Series
    event: pd.Series


Contender = Callable[[Case], Estimates]


def _by_cell(values: object, groups: object, times: object) -> pd.Series:
    return pd.Series(values, pd.MultiIndex.from_arrays([groups, times]), dtype=float)


def _didjack(case: Case, cluster: str | None, vcov: str) -> object:
    import didjack

    return didjack.csdid(
        case.data,
        yname="y",
        tname="t",
        gname="g",
        idname="id" if case.panel else None,
        xformla=case.formula,
        cluster=cluster,
        panel=case.panel,
        est_method=case.method,
        vcov=vcov,
    )


def _tidy(result: object, types: tuple[str, ...]) -> Estimates:
    cells = result.tidy()
    tables = {name: result.aggregate(name).tidy() for name in types}
    event = tables["event"].set_index("event_time")["estimate"]
    return Estimates(_by_cell(cells["estimate"].to_numpy(), cells["group"], cells["time"]), event)


def didjack_fit(case: Case) -> Estimates:
    """Fit as the peers do: analytic errors of each ATT(g,t), and the event study."""
    return _tidy(_didjack(case, None, "analytic"), ("event",))


def didjack_all(case: Case) -> Estimates:
    """Fit with CV3 for every ATT(g,t) and everything in all four aggregations."""
    return _tidy(_didjack(case, "cl", "CV3"), ("simple", "event", "group", "calendar"))


def diff_diff(case: Case) -> Estimates:
    """Fit with diff-diff; propensity scores are cut at 1e-6 instead of 0.01, as in `did`."""
    from diff_diff import CallawaySantAnna

    model = CallawaySantAnna(estimation_method=case.method, panel=case.panel, pscore_trim=1e-6)
    fit = model.fit(case.data, "y", "id", "t", "g", covariates=case.names)
    cells, event = fit.to_dataframe(), fit.aggregate("event_study").to_dataframe()
    att = _by_cell(cells["effect"].to_numpy(), cells["group"], cells["time"])
    return Estimates(att, event.set_index("event_time")["att"])


def csdid(case: Case) -> Estimates:
    """Fit with csdid; `na_rm`, or the event study stops at the first cell without estimate."""
    from csdid.att_gt import ATTgt

    fit = ATTgt(
        "y",
        "t",
        "id",
        "g",
        case.data,
        control_group="nevertreated",
        xformla=case.formula,
        panel=case.panel,
    ).fit(est_method=case.method, base_period="varying", bstrap=False)
    fit.aggte("dynamic", bstrap=False, cband=False, na_rm=True)
    cells, event = fit.results, fit.atte
    att = _by_cell(cells["att"], cells["group"], cells["year"])
    return Estimates(att, pd.Series(event["att_egt"], event["egt"]))


def statspai(case: Case) -> Estimates:
    """Fit with StatsPAI; its default base period is the universal one."""
    import statspai as sp

    fit = sp.callaway_santanna(
        case.data,
        "y",
        "g",
        "t",
        "id",
        x=case.names,
        estimator=case.method,
        base_period="varying",
        panel=case.panel,
    )
    event = sp.aggte(fit, "dynamic", bstrap=False, cband=False).detail
    att = _by_cell(fit.detail["att"].to_numpy(), fit.detail["group"], fit.detail["time"])
    return Estimates(att, event.set_index("relative_time")["att"])


def moderndid(case: Case) -> Estimates:
    """Fit with moderndid."""
    from moderndid import aggte, att_gt

    fit = att_gt(
        case.data,
        "y",
        "t",
        "id" if case.panel else None,
        "g",
        case.formula,
        est_method=case.method,
        panel=case.panel,
        cband=False,
    )
    event = aggte(fit, "dynamic", cband=False)
    att = _by_cell(fit.att_gt, fit.groups, fit.times)
    return Estimates(att, pd.Series(event.att_by_event, event.event_times))


PEERS: dict[str, Contender] = {
    "diff-diff": diff_diff,
    "csdid": csdid,
    "StatsPAI": statspai,
    "moderndid": moderndid,
}
