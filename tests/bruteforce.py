"""Plain, slow, independent implementation of the method page: the oracle of the tests.

Nothing here is shared with the package. One function per formula, one loop per definition, a full
refit per deleted cluster. Numbers in brackets, as in [3], are sections of the method page.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit

OVERLAP = 0.999  # largest fitted value of the unweighted logit at which a cell fails
TRIM = 0.995  # control rows with a propensity score from here on get ratio weight 0
CAP = 1 - 1e-6  # propensity scores are capped here
RCOND = 2.2e-16  # reciprocal condition number of a normal matrix below which a cell fails
BASE_SIGN = 1  # rcs_dr, see there: the derivative; -1 is what the reference results need
RANK = 1e-8  # relative size of what is left of a column that depends on the others


class Failed(Exception):
    """A 2x2 estimate that cannot be computed; the message is the status of its cell."""


class SampleError(Exception):
    """A sample from which nothing can be estimated."""


@dataclass
class Sample:
    """Cleaned rows (one per unit and period, or per observation) and what they imply."""

    rows: pd.DataFrame  # columns unit, t, g (inf: never treated), y, w, cluster
    x: np.ndarray  # covariates of the rows, intercept first
    times: list
    cohorts: list
    balanced: bool  # True: panel formulas; False: repeated-cross-section formulas
    clusters: list  # all clusters before any sample rule but the first
    last: dict  # cluster -> its last period, before any sample rule but the first


@dataclass
class BruteFit:
    """Group-time effects of one sample."""

    table: pd.DataFrame  # group, time, base, estimate, status; one row per cell
    n: int  # units (panel), rows (repeated cross sections)
    influence: np.ndarray  # n x K; NaN columns for failed cells
    shares: dict  # cohort -> p_g
    cohort: np.ndarray  # n; inf: never treated
    weight: np.ndarray  # n; weights behind the shares, mean 1
    cell_weight: np.ndarray  # n x K; weighted treated rows of a unit in the cell's two periods
    cluster: np.ndarray  # n
    times: list
    cohorts: list


# ---------------------------------------------------------------- regressions [3]


def independent_columns(x, w):
    """Positions of the columns that do not depend on earlier ones (weighted Gram-Schmidt)."""
    basis, keep = [], []
    for j in range(x.shape[1]):
        v = np.sqrt(w) * x[:, j]
        norm = np.linalg.norm(v)
        if norm == 0:
            continue
        v = v / norm
        for _ in range(2):
            for q in basis:
                v = v - (q @ v) * q
        if np.linalg.norm(v) > RANK:
            basis.append(v / np.linalg.norm(v))
            keep.append(j)
    return np.array(keep, dtype=int)


def check_rank(x, w):
    """Refuse a design that is rank deficient once its columns have unit norm."""
    z = np.sqrt(w)[:, None] * x
    norms = np.linalg.norm(z, axis=0)
    if len(z) < z.shape[1] or np.any(norms == 0):
        raise Failed("collinear")
    z = z / norms
    s = np.linalg.svd(z, compute_uv=False)
    if s[-1] < RANK * s[0] or 1 / np.linalg.cond(z.T @ z, 1) < RCOND:
        raise Failed("collinear")


def wls(y, x, w, use, drop):
    """WLS of y on x among rows `use`: coefficients, and influence of every row on them."""
    n, k = x.shape
    beta, psi = np.zeros(k), np.zeros((n, k))
    keep = independent_columns(x[use], w[use]) if drop else np.arange(k)
    z = x[:, keep]
    check_rank(z[use], w[use])
    root = np.sqrt(w[use])
    beta[keep] = np.linalg.lstsq(root[:, None] * z[use], root * y[use], rcond=None)[0]
    gram = (z[use] * w[use, None]).T @ z[use] / n
    score = (w * use * (y - x @ beta))[:, None] * z
    psi[:, keep] = np.linalg.solve(gram, score.T).T
    return beta, psi


def newton_logit(d, x, w):
    """Weighted logit of d on x: coefficients at a gradient of about 1e-13."""
    scale = np.abs(x).max(axis=0)
    z, b = x / scale, np.zeros(x.shape[1])

    def loglik(b):
        e = z @ b
        return np.sum(w * (d * e - np.logaddexp(0, e)))

    for _ in range(200):
        p = expit(z @ b)
        grad = z.T @ (w * (d - p)) / w.sum()
        if np.abs(grad).max() < 1e-14:
            break
        hess = (z * (w * p * (1 - p))[:, None]).T @ z / w.sum()
        try:
            step = np.linalg.solve(hess, grad)
        except np.linalg.LinAlgError:
            break
        size, old = 1.0, loglik(b)
        while loglik(b + size * step) < old - 1e-12 * (1 + abs(old)) and size > 1e-6:
            size /= 2
        if np.abs(size * step).max() < 1e-15 * (1 + np.abs(b).max()):
            break
        b = b + size * step
    if np.abs(grad).max() > 1e-10:
        raise Failed("no overlap")
    return b / scale


def perfect_predictors(d, x, use):
    """Columns and rows that stay in a logit once perfect two-valued predictors are gone."""
    keep, use = list(range(x.shape[1])), use.copy()
    changed = True
    while changed:
        if len(np.unique(d[use])) < 2:
            raise Failed("no overlap")
        changed = False
        for j in keep:
            values = np.unique(x[use, j])
            if len(values) != 2:
                continue
            hit = [v for v in values if len(np.unique(d[use & (x[:, j] == v)])) == 1]
            if hit:
                use &= ~np.isin(x[:, j], hit)
                keep.remove(j)
                changed = True
                break
    return keep, use


def propensity(d, x, w, drop):
    """Propensity score (capped), influence on its coefficients, rows with a ratio weight."""
    n, k = x.shape
    use, keep = np.ones(n, bool), np.arange(k)
    if drop:
        keep = independent_columns(x, w)
        positions, use = perfect_predictors(d, x[:, keep], use)
        keep = keep[positions]
        keep = keep[independent_columns(x[use][:, keep], w[use])]
    z = x[:, keep]
    check_rank(z[use], w[use])
    plain = newton_logit(d[use], z[use], np.ones(use.sum()))
    if expit(z[use] @ plain).max() >= OVERLAP:
        raise Failed("no overlap")
    gamma = newton_logit(d[use], z[use], w[use])
    p = np.minimum(expit(z @ gamma), CAP)
    hess = (z * (w * use * p * (1 - p))[:, None]).T @ z / n
    psi = np.zeros((n, k))
    psi[:, keep] = ((w * use * (d - p))[:, None] * z) @ np.linalg.pinv(hess, hermitian=True)
    return p, psi, use & (p < TRIM)


def ratio_weights(d, x, w, drop):
    """Comparison weights w p / (1 - p), and influence on the coefficients of the logit."""
    p, psi, kept = propensity(d, x, w, drop)
    r = w * kept * (1 - d) * p / (1 - p)
    if r.sum() <= 0:
        raise Failed("no overlap")
    return r, psi


def mean(weight, v):
    """Weighted mean of v (n) or (n x k)."""
    return weight @ v / weight.sum()


def lead(weight, v):
    """Influence of every row on the weighted mean of v, taking weight and v as known."""
    return weight * (v - mean(weight, v)) / weight.mean()


def ratio_effect(r, v, x, psi):
    """Influence of the logit on the r-weighted mean of v: dr/dgamma = r x."""
    return psi @ mean(r, (v - mean(r, v))[:, None] * x)


# ---------------------------------------------------------------- 2x2 estimators: panel [3]


def panel_reg(dy, d, x, w, drop=False):
    """Outcome regression: treated change less the change predicted by control units."""
    beta, psi = wls(dy, x, w, d == 0, drop)
    gap = dy - x @ beta
    return mean(w * d, gap), lead(w * d, gap) - psi @ mean(w * d, x)


def panel_ipw(dy, d, x, w, drop=False):
    """Inverse probability weighting with weights that sum to one."""
    r, psi = ratio_weights(d, x, w, drop)
    att = mean(w * d, dy) - mean(r, dy)
    return att, lead(w * d, dy) - lead(r, dy) - ratio_effect(r, dy, x, psi)


def panel_dr(dy, d, x, w, drop=False):
    """Doubly robust: inverse probability weighting of what the regression leaves over."""
    r, psi_ps = ratio_weights(d, x, w, drop)
    beta, psi = wls(dy, x, w, d == 0, drop)
    gap = dy - x @ beta
    att = mean(w * d, gap) - mean(r, gap)
    inf = lead(w * d, gap) - lead(r, gap) - ratio_effect(r, gap, x, psi_ps)
    return att, inf + psi @ (mean(r, x) - mean(w * d, x))


# ---------------------------------------------------------------- 2x2: repeated cross sections


def rcs_reg(y, d, post, x, w, drop=False):
    """Outcome regression; the predicted change is averaged over the treated of both periods."""
    b1, psi1 = wls(y, x, w, (d == 0) & (post == 1), drop)
    b0, psi0 = wls(y, x, w, (d == 0) & (post == 0), drop)
    after, before, treated = w * d * post, w * d * (1 - post), w * d
    change = x @ (b1 - b0)
    att = mean(after, y) - mean(before, y) - mean(treated, change)
    inf = lead(after, y) - lead(before, y) - lead(treated, change)
    return att, inf - (psi1 - psi0) @ mean(treated, x)


def rcs_ipw(y, d, post, x, w, drop=False):
    """Inverse probability weighting with one logit for the rows of both periods."""
    r, psi = ratio_weights(d, x, w, drop)
    att, inf = 0.0, np.zeros(len(y))
    for sign, period in ((1, post), (-1, 1 - post)):
        a, c = w * d * period, r * period
        att += sign * (mean(a, y) - mean(c, y))
        inf += sign * (lead(a, y) - lead(c, y) - ratio_effect(c, y, x, psi))
    return att, inf


def rcs_dr(y, d, post, x, w, drop=False):
    """Doubly robust, locally efficient: four regressions and one logit.

    The reference takes the effect of the comparison regression on the treated and comparison means
    of the base period with the sign of the current period. BASE_SIGN = 1 is the derivative; the
    reference results need -1. Without covariates the two means of x are equal and nothing changes.
    """
    r, psi_ps = ratio_weights(d, x, w, drop)
    att, inf, treated = 0.0, np.zeros(len(y)), w * d
    for sign, flip, period in ((1, 1, post), (-1, BASE_SIGN, 1 - post)):
        b_c, psi_c = wls(y, x, w, (d == 0) & (period == 1), drop)
        b_d, psi_d = wls(y, x, w, (d == 1) & (period == 1), drop)
        a, c = treated * period, r * period
        gap, effect = y - x @ b_c, x @ (b_d - b_c)
        att += sign * (mean(a, gap) - mean(c, gap) + mean(treated, effect) - mean(a, effect))
        inf += sign * (lead(a, gap) - lead(c, gap) - ratio_effect(c, gap, x, psi_ps))
        inf += sign * (lead(treated, effect) - lead(a, effect))
        inf += sign * flip * (psi_c @ (mean(c, x) - mean(a, x)))
        inf += sign * ((psi_d - psi_c) @ (mean(treated, x) - mean(a, x)))
    return att, inf


PANEL = {"reg": panel_reg, "ipw": panel_ipw, "dr": panel_dr}
RCS = {"reg": rcs_reg, "ipw": rcs_ipw, "dr": rcs_dr}


# ---------------------------------------------------------------- sample rules [1]


def read(df, yname, tname, gname, idname, covariates, cluster, weightsname, panel):
    """Rule 1: the used columns under fixed names, never-treated as inf, incomplete rows dropped."""
    rows = pd.DataFrame({"t": df[tname].astype(float), "y": df[yname].astype(float)})
    rows = rows.reset_index(drop=True)
    g = pd.to_numeric(df[gname]).astype(float).reset_index(drop=True)
    if g.isna().any() and (g.eq(0) | np.isinf(g)).any():
        raise SampleError("never-treated is coded both as missing and as 0 or inf")
    rows["g"] = g.where(~(g.isna() | g.eq(0)), np.inf)
    rows["unit"] = df[idname].to_numpy() if panel else np.arange(len(rows))
    rows["cluster"] = rows["unit"] if cluster is None else df[cluster].to_numpy()
    rows["w"] = 1.0 if weightsname is None else df[weightsname].to_numpy(float)
    for j, name in enumerate(covariates):
        rows[f"x{j}"] = df[name].to_numpy(float)
    numbers = [c for c in rows if c not in ("g", "unit", "cluster")]
    good = np.isfinite(rows[numbers]).all(axis=1) & rows["unit"].notna() & rows["cluster"].notna()
    return rows[good & (rows["w"] != 0)].reset_index(drop=True)  # rules 1 and 0


def clean(rows, horizon, panel, unbalanced, control_group, anticipation):
    """Rules 2 to 5 on the rows of `read`; horizon is the last period of rule 2."""
    table, d, last, rows = rows, anticipation, np.nan, rows.copy()
    rows.loc[rows["g"] > horizon + d, "g"] = np.inf
    treated = np.unique(rows.loc[np.isfinite(rows["g"]), "g"]).tolist()
    if not np.isinf(rows["g"]).any():
        last = treated.pop()
        rows = rows[rows["t"] < last - d].copy()
        if control_group == "nevertreated":
            rows.loc[rows["g"] == last, "g"] = np.inf
    if not len(rows):
        raise SampleError("no rows left")
    rows = rows[rows["g"] > rows["t"].min() + d]
    if panel and not unbalanced:
        seen = rows.groupby("unit")["t"].transform("size")
        rows = rows[seen == rows["t"].nunique()]
        if len(rows) and not (np.isinf(rows["g"]) | (rows["g"] == last)).any():
            kept = table[table["unit"].isin(rows["unit"])]  # the table without the dropped units
            return clean(kept, horizon, panel, unbalanced, control_group, anticipation)
    times = np.unique(rows["t"]).tolist()
    cohorts = [g for g in treated if (rows["g"] == g).any()]
    if len(times) < 2:
        raise SampleError("a single period")
    if not cohorts:
        raise SampleError("no treated cohort left")
    rows = rows.sort_values(["unit", "t"], kind="stable").reset_index(drop=True)
    full = len(rows) == rows["unit"].nunique() * len(times)
    return rows, times, cohorts, bool(panel and full)


def make_sample(rows, clusters, last, options):
    """Apply the sample rules and add the intercept."""
    if not len(rows):
        raise SampleError("no rows left")
    horizon = max(last[h] for h in clusters)
    rows, times, cohorts, balanced = clean(rows, horizon, **options)
    names = [c for c in rows if c[0] == "x"]
    x = np.column_stack([np.ones(len(rows)), rows[names].to_numpy(float)])
    return Sample(rows, x, times, cohorts, balanced, list(clusters), last)


# ---------------------------------------------------------------- cells [2]


def list_cells(times, cohorts, base_period, anticipation):
    """All (group, time, base), before asking whether both sides of a comparison have units."""
    cells = []
    for g in cohorts:
        before = [t for t in times if t + anticipation < g]
        if not before:
            continue
        for j, t in enumerate(times):
            if base_period == "universal":
                cells.append((g, t, before[-1]))
            elif j > 0:
                cells.append((g, t, times[j - 1] if t + anticipation < g else before[-1]))
    return cells


def comparison(cohort, g, t, base, control_group, anticipation):
    """Rows that serve as comparison in cell (g, t)."""
    if control_group == "nevertreated":
        return np.isinf(cohort)
    return (cohort > max(t, base) + anticipation) & (cohort != g)


def fixed_weights(sample, g, anticipation, fix_weights):
    """Weights of the rows in the cells of cohort g, and which rows have one; None: their own."""
    rows = sample.rows
    if fix_weights not in ("first_period", "base_period"):
        return None, np.ones(len(rows), bool)
    period = sample.times[0]
    if fix_weights == "base_period":
        period = max(t for t in sample.times if t + anticipation < g)
    there = rows[rows["t"] == period].set_index("unit")["w"]
    return rows["unit"].map(there).fillna(0.0).to_numpy(), rows["unit"].isin(there.index).to_numpy()


def lacking(w, rows, sides):
    """Which of the (name, members) of a cell has no rows, or no weight, in one of its periods."""
    for name, member in sides:
        for what, size in (("rows", np.ones(len(w))), ("weight", w)):
            if any((size * (member & at)).sum() == 0 for at in rows):
                return f"no {name} {what}"
    return ""


def panel_cell(sample, g, t, base, control_group, anticipation, est_method, drop, fix_weights):
    """One cell on a balanced panel: estimate, status, influence, treated weights."""
    rows, n = sample.rows, sample.rows["unit"].nunique()
    at = {s: (rows["t"] == s).to_numpy() for s in (t, base, min(t, base))}
    y, cohort = rows["y"].to_numpy(), rows["g"].to_numpy()[at[t]]
    w, x = rows["w"].to_numpy()[at[min(t, base)]], sample.x[at[min(t, base)]]
    fixed, _ = fixed_weights(sample, g, anticipation, fix_weights)
    w = w if fixed is None else fixed[at[t]]
    d = cohort == g
    cell = d | comparison(cohort, g, t, base, control_group, anticipation)
    treated = 2 * w * d
    missing = lacking(w, [np.ones(n, dtype=bool)], (("treated", d), ("control", cell & ~d)))
    if missing:
        return np.nan, missing.replace("rows", "units"), np.full(n, np.nan), treated
    if t == base:
        return 0.0, "base", np.zeros(n), treated
    dy = (y[at[t]] - y[at[base]])[cell]
    psi = np.zeros(n)
    try:
        w_cell = w[cell] / w[cell].mean()
        att, inf = PANEL[est_method](dy, d[cell].astype(float), x[cell], w_cell, drop)
    except Failed as problem:
        return np.nan, str(problem), psi * np.nan, treated
    psi[cell] = inf * n / cell.sum()
    return att, "ok", psi, treated


def earlier_covariates(sample, period):
    """Covariates of all rows of a balanced panel, as their unit has them in a period."""
    units, at = sample.rows["unit"].to_numpy(), (sample.rows["t"] == period).to_numpy()
    row = dict(zip(units[at], np.flatnonzero(at), strict=True))
    return sample.x[[row[unit] for unit in units]]


def rcs_cell(sample, g, t, base, control_group, anticipation, est_method, drop, fix_weights):
    """One cell on pooled rows: estimate, status, influence, treated weights."""
    rows = sample.rows
    unit = pd.factorize(rows["unit"])[0]
    n, cohort, period = unit.max() + 1, rows["g"].to_numpy(), rows["t"].to_numpy()
    fixed, known = fixed_weights(sample, g, anticipation, fix_weights)
    two = ((period == t) | (period == base)) & known
    d = two & (cohort == g)
    cell = d | (two & comparison(cohort, g, t, base, control_group, anticipation))
    w = rows["w"].to_numpy() if fixed is None else fixed
    covariates = earlier_covariates(sample, min(t, base)) if sample.balanced else sample.x
    treated = np.bincount(unit, w * d, n) * (2 if t == base else 1)
    times = [period == t, period == base]
    missing = lacking(w, times, (("treated", d), ("control", cell & ~d)))
    if missing:
        return np.nan, missing, np.full(n, np.nan), treated
    if t == base:
        return 0.0, "base", np.zeros(n), treated
    post = period == t
    y, x, w_cell = rows["y"].to_numpy()[cell], covariates[cell], w[cell] / w[cell].mean()
    try:
        side, after = d[cell].astype(float), post[cell].astype(float)
        att, inf = RCS[est_method](y, side, after, x, w_cell, drop)
    except Failed as problem:
        return np.nan, str(problem), np.full(n, np.nan), treated
    psi = np.bincount(unit[cell], inf, n) * n / cell.sum()
    return att, "ok", psi, treated


def estimate(sample, control_group, base_period, anticipation, est_method, drop, fix_weights=None):
    """All cells of a cleaned sample."""
    one = panel_cell if sample.balanced and fix_weights != "varying" else rcs_cell
    records, psis, treated = [], [], []
    for g, t, base in list_cells(sample.times, sample.cohorts, base_period, anticipation):
        if not comparison(sample.rows["g"], g, t, base, control_group, anticipation).any():
            continue
        how = (control_group, anticipation, est_method, drop, fix_weights)
        cell = one(sample, g, t, base, *how)
        records.append((g, t, base, cell[0], cell[1]))
        psis.append(cell[2])
        treated.append(cell[3])
    if all(status.startswith("no ") and status != "no overlap" for *_, status in records):
        raise SampleError("no cell has both treated and control units")
    units = sample.rows.groupby("unit", sort=False)
    cohort = units["g"].first().to_numpy()
    weight = (units["w"].first() if sample.balanced else units["w"].mean()).to_numpy()
    weight = weight / weight.mean()
    return BruteFit(
        table=pd.DataFrame(records, columns=["group", "time", "base", "estimate", "status"]),
        n=len(cohort),
        influence=np.column_stack(psis),
        shares={g: float(np.mean(weight * (cohort == g))) for g in sample.cohorts},
        cohort=cohort,
        weight=weight,
        cell_weight=np.column_stack(treated),
        cluster=units["cluster"].first().to_numpy(),
        times=sample.times,
        cohorts=sample.cohorts,
    )


def split_options(
    panel: bool = True,
    allow_unbalanced_panel: bool = False,
    control_group: str = "nevertreated",
    base_period: str = "varying",
    anticipation: float = 0,
    est_method: str = "dr",
    collinear: str = "nan",
    fix_weights: str | None = None,
) -> tuple[dict, dict]:
    """Sort the options into those of the sample rules and those of the estimates."""
    both = dict(control_group=control_group, anticipation=anticipation)
    rules = dict(both, panel=panel, unbalanced=allow_unbalanced_panel)
    cells = dict(both, base_period=base_period, est_method=est_method, drop=collinear == "drop")
    cells["fix_weights"] = fix_weights
    return rules, cells


def prepare(df, names, options):
    """Give the cleaned full sample, and both sets of options."""
    rules, cells = split_options(**options)
    rows = read(df, *names, rules["panel"])
    last = rows.groupby("cluster")["t"].max().to_dict()
    return make_sample(rows, list(last), last, rules), rules, cells


def fit(
    df, yname, tname, gname, idname=None, covariates=(), cluster=None, weightsname=None, **options
) -> BruteFit:
    """Group-time effects; see `split_options` for the remaining options and their defaults."""
    names = (yname, tname, gname, idname, covariates, cluster, weightsname)
    sample, _, cells = prepare(df, names, options)
    return estimate(sample, **cells)


# ---------------------------------------------------------------- the cluster jackknife [5]


def replicates(
    df, yname, tname, gname, idname=None, covariates=(), cluster=None, weightsname=None, **options
) -> dict:
    """For each cluster, the fit of the cleaned sample without it, or why there is none."""
    names = (yname, tname, gname, idname, covariates, cluster, weightsname)
    sample, rules, cells = prepare(df, names, options)
    out = {}
    for h in sample.clusters:
        others = [k for k in sample.clusters if k != h]
        try:
            rest = sample.rows[sample.rows["cluster"] != h]
            out[h] = estimate(make_sample(rest, others, sample.last, rules), **cells)
        except SampleError as problem:
            out[h] = str(problem)
    return out


def cv3(theta, thetas, skip_nan=False, center=None) -> tuple[float, int]:
    """CV3 standard error and degrees of freedom; CV3J when center is the replicates' mean."""
    thetas = np.asarray(thetas, float)
    if skip_nan:
        thetas = thetas[~np.isnan(thetas)]
    r = len(thetas)
    if r < 2 or np.isnan(thetas).any():
        return np.nan, r - 1
    middle = theta if center is None else center
    return float(np.sqrt((r - 1) / r * np.sum((thetas - middle) ** 2))), r - 1


# ---------------------------------------------------------------- aggregation [4]


def analytic(psi, n, cluster=None):
    """Give the standard error of an influence function (iid or clustered); 0 is missing."""
    if cluster is not None:
        psi = np.bincount(pd.factorize(np.asarray(cluster))[0], psi)
    se = float(np.sqrt(np.sum(psi**2)) / n)
    return se if se > 0 else np.nan


def standard_errors(fit: BruteFit, cluster=None) -> np.ndarray:
    """Analytic standard errors of all cells; cluster: None, or one code per unit."""
    return np.array([analytic(psi, fit.n, cluster) for psi in fit.influence.T])


def weighted(theta, psi, shares):
    """Average of theta (K) weighted by the means of shares (n x K), and its influence function.

    With v the column means and V their sum, the average is a = sum_k v_k theta_k / V; its
    influence is sum_k v_k psi_k / V + sum_k shares_ik (theta_k - a) / V, whose last term is the
    delta method for the estimated weights (it has mean zero by construction).
    """
    v = shares.mean(axis=0)
    if v.sum() <= 0:  # also: no cells
        return np.nan, np.full(len(shares), np.nan)
    a = v @ theta / v.sum()
    return a, (psi @ v + shares @ (theta - a)) / v.sum()


def plain(theta, psi):
    """Unweighted average and its influence function."""
    if len(theta) == 0:
        return np.nan, np.full(len(psi), np.nan)
    return np.mean(theta), psi.mean(axis=1)


def columns(pairs, n):
    """Stack (estimate, influence) pairs into a vector and a matrix."""
    theta = np.array([a for a, _ in pairs])
    return theta, np.column_stack([p for _, p in pairs]) if pairs else np.zeros((n, 0))


def aggregate(
    fit: BruteFit, kind: str, min_e=None, max_e=None, balance_e=None, weights="cohort", cluster=None
) -> dict:
    """Summaries of the cells; a dict of labels, estimate, se, overall and overall_se.

    Cells are weighted by the cohort shares, or (weights="cell") by the weighted number of treated
    rows in their two periods. cluster: one code per unit for clustered standard errors.
    """
    low = -np.inf if min_e is None else min_e
    high = np.inf if max_e is None else max_e
    table = fit.table
    ok = table["estimate"].notna().to_numpy()
    g, t = table["group"].to_numpy()[ok], table["time"].to_numpy()[ok]
    theta, psi = table["estimate"].to_numpy()[ok], fit.influence[:, ok]
    if weights == "cell":
        shares = fit.cell_weight[:, ok]
    else:
        shares = fit.weight[:, None] * (fit.cohort[:, None] == g)
    post = (t >= g) & (t - g <= high if kind in ("simple", "group") else True)

    def mix(use):
        return weighted(theta[use], psi[:, use], shares[:, use])

    if kind == "simple":
        labels, parts, total = [], [], mix(post)
    elif kind == "event":
        use = (t - g >= low) & (t - g <= high)
        if balance_e is not None:
            first, last = fit.times[0], fit.times[-1]
            use &= last - g >= balance_e
            use &= (t - g <= balance_e) & (t - g >= balance_e - last + first)
        labels = np.unique((t - g)[use]).tolist()
        parts = [mix(use & (t - g == e)) for e in labels]
        total = plain(*columns(parts[sum(e < 0 for e in labels) :], fit.n))
    elif kind == "calendar":
        labels = np.unique(t[post]).tolist()
        parts = [mix(post & (t == s)) for s in labels]
        total = plain(*columns(parts, fit.n))
    elif kind == "group":
        labels = np.unique(g[post]).tolist()
        sides = [post & (g == c) for c in labels]
        if weights == "cell":
            parts = [mix(use) for use in sides]
        else:
            parts = [plain(theta[use], psi[:, use]) for use in sides]
        by_cohort = [shares[:, use].mean(axis=1) for use in sides]
        by_cohort = np.column_stack(by_cohort) if sides else np.zeros((fit.n, 0))
        total = weighted(*columns(parts, fit.n), by_cohort)
    else:
        raise ValueError(f"unknown kind {kind!r}")
    estimates, influence = columns(parts, fit.n)
    return {
        "labels": labels,
        "estimate": estimates,
        "se": np.array([analytic(p, fit.n, cluster) for p in influence.T]),
        "overall": float(total[0]),
        "overall_se": analytic(total[1], fit.n, cluster),
        "influence": influence,
        "overall_influence": total[1],
    }
