"""Triple differences, one 2x2 estimate after the other: the oracle of their tests.

Of the package nothing is used; the 2x2 estimators are those of `bruteforce`.
"""

import bruteforce as bf
import numpy as np
import pandas as pd

CONTROLS = {
    "nevertreated": lambda g, own, _: np.isinf(g),
    "notyettreated": lambda g, own, last: (g > last) & (g != own),
}


def did(df, treated, others, ends, o):
    """DiD of treated rows against others, by a panel's changes or by pooled rows."""
    t, base = ends
    rows = df[(treated | others) & df["period"].isin(ends)]
    rows = rows.assign(d=treated[rows.index].astype(float), post=(rows["period"] == t) * 1.0)
    if not all((rows[rows["period"] == end]["d"] == side).any() for end in ends for side in (0, 1)):
        return np.nan
    if t == base:
        return 0.0
    try:
        if not o["panel"]:
            x, w = design(rows, o), rows["w"].to_numpy()
            values = (rows[name].to_numpy() for name in ("y", "d", "post"))
            return bf.RCS[o["est_method"]](*values, x, w / w.mean())[0]
        early, late = (
            rows[rows["period"] == end].set_index("id").sort_index() for end in sorted(ends)
        )
        change = (late["y"] - early["y"]) * (1 if t > base else -1)
        w = early["w"].to_numpy()
        values = change.to_numpy(), early["d"].to_numpy(), design(early, o), w / w.mean()
        return bf.PANEL[o["est_method"]](*values)[0]
    except bf.Failed:
        return np.nan


def design(rows, o):
    """Covariates of rows, the intercept first."""
    return np.column_stack([np.ones(len(rows)), *(rows[name] for name in o["covariates"])])


def triple(df, g, ends, o):
    """ATT(g,t): the mean over control cohorts of three DiD each."""
    cohort, eligible = df["cohort"], df["eligible"] == 1
    own, last = cohort == g, max(ends) + o["anticipation"]
    treated, found, size = own & eligible, [], []
    controls = CONTROLS[o["control_group"]]
    for c in sorted(c for c in cohort.unique() if controls(np.array(c), g, last)):
        there = cohort == c
        n = [
            [df["w"][there & (eligible == q) & (df["period"] == end)].sum() for end in ends]
            for q in (True, False)
        ]
        if np.min(n) <= 0:
            continue
        one, zero = np.sum(n, axis=1)
        if o["panel"]:
            first = there & (df["period"] == df["period"].min())
            one, zero = (df["w"][first & (eligible == q)].sum() for q in (True, False))
        found.append(
            did(df, treated, own & ~eligible, ends, o)
            + did(df, treated, there & eligible, ends, o)
            - did(df, treated, there & ~eligible, ends, o)
        )
        size.append(1 / (1 / one + 1 / zero))
    return np.average(found, weights=size) if found else np.nan


def cells(df, only=None, **options):
    """ATT(g,t) by cohort and period, all or some, of data in which somebody is never treated."""
    o = {"est_method": "reg", "covariates": (), "panel": True, "anticipation": 0}
    o |= {"control_group": "nevertreated", "base_period": "varying"} | options
    df = df.reset_index(drop=True)
    df["cohort"] = df["cohort"].astype(float).replace(0.0, np.inf)
    times, found = np.unique(df["period"]), {}
    for g in sorted(c for c in df["cohort"].unique() if np.isfinite(c)):
        base = times[times + o["anticipation"] < g][-1]
        for t in times if o["base_period"] == "universal" else times[1:]:
            if only is not None and (g, t) not in only:
                continue
            before = t + o["anticipation"] < g and o["base_period"] == "varying"
            ends = t, times[times < t][-1] if before else base
            found[g, t] = triple(df, g, ends, o)
    return pd.Series(found)


def replicates(df, only=None, **options):
    """ATT(g,t) without each cluster, one row each."""
    clusters = np.unique(df["cluster"])
    return pd.DataFrame({h: cells(df[df["cluster"] != h], only, **options) for h in clusters}).T


def simple(att, df, panel=True):
    """Average of the effects from treatment on, by the weight of the eligible units."""
    rows = df[(df["eligible"] == 1) & (~panel | (df["period"] == df["period"].min()))]
    share = rows.groupby("cohort")["w"].sum()
    after = att[[t >= g for g, t in att.index]].dropna()
    return np.average(after, weights=share.reindex(after.index.get_level_values(0)))
