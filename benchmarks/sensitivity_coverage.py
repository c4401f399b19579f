"""Coverage, length and speed of `trend_sensitivity`, with deviations at the bound.

Run from the root of the repository::

    python benchmarks/sensitivity_coverage.py
    python benchmarks/sensitivity_coverage.py --speed

The first prints a table. Panels have one cohort, three steps before
treatment and three periods of treatment. To the outcomes of treated clusters a deviation is added
that is the largest a restriction allows: the intervals have to contain the true effect in 95 % of
the panels at least. HonestDiD's sets, as `moderndid` computes them, are made from the first panels
of each cell. Seeds are fixed: the numbers do not depend on the number of processes.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial
from itertools import combinations, product
from types import SimpleNamespace

import numpy as np
import pandas as pd

import didjack
from didjack.inference import trend_sensitivity

SEED = 20261130
ALPHA = 0.05
EFFECT = 1.0
ICC, RHO, SIZE = 0.3, 0.5, 10
COHORT, N_PERIODS = 5, 7
N_TARGETS = N_PERIODS - COHORT + 2
"""Event times from treatment on, and the overall effect."""
TARGETS = {0: [1.0, 0.0, 0.0], 2: [0.0, 0.0, 1.0], "overall": [1.0 / 3.0] * 3}
"""Weights of the event times from treatment on."""
GRID_POINTS, FARTHEST = 41, 3.0
"""HonestDiD's sets under relative magnitudes are read off a grid, the truth at its centre, that
ends this many standard errors beyond the estimate and the largest bias."""


@dataclass(frozen=True)
class Deviation:
    """A deviation from parallel trends that is as large as a restriction allows.

    Attributes
    ----------
    restriction, m : the restriction; under smoothness m is in standard deviations of a step
    step : relative magnitudes: largest step before treatment; smoothness: slope at the base period;
        in standard deviations of a step
    """

    restriction: str
    m: float
    step: float

    def path(self, unit: float) -> np.ndarray:
        """Return the deviation in every period; zero in the base period, the last untreated one.

        Relative magnitudes: the middle one of the steps before treatment is not zero, and all
        later ones are m times that step. (`moderndid` 0.2 does not consider that the first step may
        be the largest, so that is not where it is.) Smoothness: every step is larger by m than the
        one before it, which is the worst for each mean of steps that may be extrapolated.
        """
        since = np.arange(1, N_PERIODS + 1) - (COHORT - 1.0)
        if self.restriction == "smoothness":
            return unit * (self.step * since + self.m * since**2 / 2.0)
        return unit * self.step * (np.maximum(since, 0.0) * self.m - (since < -1))

    def bound(self, unit: float) -> float:
        """Return m as the restriction has it, after a look at the path."""
        steps = np.diff(self.path(unit))
        before, after = steps[: COHORT - 2], steps[COHORT - 2 :]
        if self.restriction == "smoothness":
            assert np.allclose(np.diff(steps), self.m * unit)
            return self.m * unit
        assert np.allclose(after, self.m * np.abs(before).max())
        return self.m


DEVIATIONS = {
    "relative magnitudes, m = 0": Deviation("relative_magnitudes", 0.0, 5.0),
    "relative magnitudes, m = 1, small steps": Deviation("relative_magnitudes", 1.0, 1.0),
    "relative magnitudes, m = 1, large steps": Deviation("relative_magnitudes", 1.0, 5.0),
    "smoothness, m = 0": Deviation("smoothness", 0.0, 1.0),
    "smoothness, m > 0": Deviation("smoothness", 0.5, 1.0),
}


def step_sd(clusters: int, treated: int) -> float:
    """Return the standard deviation of an estimated step, the unit of deviations."""
    change = 2.0 * (ICC * (1.0 - RHO) + (1.0 - ICC) / SIZE)
    return float(np.sqrt(change * (1.0 / treated + 1.0 / (clusters - treated))))


# ---- HonestDiD -----------------------------------------------------------------------------------


@cache
def vertices(sides: bytes, n_columns: int) -> np.ndarray:
    """List the vertices of {x >= 0, sides'x = (1, 0, ..., 0)}, one a row."""
    sides = np.frombuffer(sides).reshape(-1, n_columns)
    chosen = np.array(list(combinations(range(len(sides)), n_columns)))
    systems = sides[chosen].transpose(0, 2, 1)
    regular = np.linalg.cond(systems) < 1e10
    weights = np.linalg.solve(systems[regular], np.eye(n_columns)[:, :1])[..., 0]
    inside = (weights >= -1e-10).all(axis=1)
    found = np.zeros((inside.sum(), len(sides)))
    np.put_along_axis(found, chosen[regular][inside], weights[inside], axis=1)
    return found


def least_favorable(x_t, sigma, hybrid_kappa, rows_for_arp=None, sims=1000, seed=0):
    """Return what `compute_least_favorable_cv` of `moderndid` does, which solves 1,000 programs."""
    if rows_for_arp is not None:
        x_t, sigma = x_t[rows_for_arp], sigma[np.ix_(rows_for_arp, rows_for_arp)]
    draws = np.random.default_rng(seed).multivariate_normal(np.zeros(len(sigma)), sigma, sims)
    sides = np.column_stack([np.sqrt(np.diag(sigma)), x_t])
    largest = (draws @ vertices(sides.tobytes(), sides.shape[1]).T).max(axis=1)
    return float(np.quantile(largest, 1.0 - hybrid_kappa))


def max_program(s_t, gamma_tilde, sigma, w_t, c):
    """Return what `_solve_max_program` of `moderndid` does."""
    image = sigma @ gamma_tilde
    goal = s_t + image * c / (gamma_tilde @ image)
    found = vertices(np.ascontiguousarray(w_t).tobytes(), w_t.shape[1])
    values = found @ goal
    best, value = found[values.argmax()], float(values.max())
    return SimpleNamespace(success=True, x=best, fun=-value, objective_value=value)


@cache
def honest():
    """Return the two functions of `moderndid`.

    Those for relative magnitudes solve thousands of small linear programs that differ in what is
    maximised alone. Here the vertices are listed once: the same sets, forty times as fast.
    """
    from moderndid.didhonest import (
        arp_nuisance,
        create_sensitivity_results_rm,
        create_sensitivity_results_sm,
    )

    arp_nuisance.compute_least_favorable_cv = least_favorable
    arp_nuisance._solve_max_program = max_program
    return create_sensitivity_results_rm, create_sensitivity_results_sm


def honest_sets(study, deviation: Deviation, unit: float) -> Iterator[tuple[object, bool, float]]:
    """Yield targets, whether HonestDiD's set for each contains the truth, and its length."""
    inputs, m = study.honest_inputs(), deviation.bound(unit)
    coefficients = inputs.betahat, inputs.sigma, inputs.num_pre, inputs.num_post
    relative, smooth = honest()
    for target, weights in TARGETS.items():
        given = {"l_vec": np.array(weights)[:, None], "alpha": ALPHA}
        if deviation.restriction == "smoothness":
            low, high = smooth(*coefficients, m_vec=[m], **given).select("lb", "ub").row(0)
            yield target, low <= EFFECT <= high, high - low
            continue
        half = reach(inputs, m, np.array(weights))
        given |= {"grid_lb": EFFECT - half, "grid_ub": EFFECT + half, "grid_points": GRID_POINTS}
        low, high = relative(*coefficients, m_bar_vec=[m], **given).select("lb", "ub").row(0)
        # On average the set ends half a step beyond the outermost points that are in it.
        step, close = 2.0 * half / (GRID_POINTS - 1), 1e-9 * half
        yield target, low <= EFFECT + close and high >= EFFECT - close, high - low + step


def reach(inputs, m: float, weights: np.ndarray) -> float:
    """Return how far from the truth HonestDiD's set ends at most, as a rule."""
    n_pre = inputs.num_pre
    error = np.sqrt(weights @ inputs.sigma[n_pre:, n_pre:] @ weights)
    change = np.diff(np.eye(n_pre + 1)[:, :n_pre], axis=0)
    steps = change @ inputs.betahat[:n_pre]
    step_error = np.sqrt(np.diag(change @ inputs.sigma[:n_pre, :n_pre] @ change.T)).max()
    size = m * (weights @ np.arange(1.0, weights.size + 1.0))
    away = abs(weights @ inputs.betahat[n_pre:] - EFFECT)
    return away + size * np.abs(steps).max() + FARTHEST * (error + size * step_error)


# ---- coverage ------------------------------------------------------------------------------------


def own_intervals(study, deviation: Deviation, unit: float) -> Iterator[tuple[object, bool, float]]:
    """Yield the same of the intervals of `trend_sensitivity`."""
    found = study.trend_sensitivity(deviation.restriction, deviation.bound(unit), ALPHA)
    for row in found.table.itertuples():
        if row.target in TARGETS:
            covered = row.conf_low <= EFFECT <= row.conf_high
            yield row.target, covered, row.conf_high - row.conf_low


def panel(clusters: int, treated: int, seed) -> pd.DataFrame:
    """Draw a panel without deviation."""
    return didjack.simulate.panel(
        n_clusters=clusters,
        treated_clusters=treated,
        n_periods=N_PERIODS,
        cohorts=[COHORT],
        cluster_size=SIZE,
        effect=EFFECT,
        icc=ICC,
        rho=RHO,
        seed=seed,
    )


def event_study(df: pd.DataFrame) -> didjack.AggregateResult:
    """Estimate a panel with one base period."""
    names = {"yname": "y", "tname": "period", "gname": "cohort", "idname": "id"}
    result = didjack.csdid(df, **names, cluster="cluster", base_period="universal")
    return result.aggregate("event")


def draw(number: int, clusters: int, treated: int, name: str, n_honest: int) -> list[tuple]:
    """Return rows (draw, who, target, whether the truth is covered, length) of one panel."""
    deviation, unit = DEVIATIONS[name], step_sd(clusters, treated)
    df = panel(clusters, treated, np.random.default_rng([SEED, clusters, treated, number]))
    df["y"] += np.where(df["cohort"] > 0, deviation.path(unit)[df["period"] - 1], 0.0)
    study = event_study(df)
    rows = [(number, "didjack", *one) for one in own_intervals(study, deviation, unit)]
    if number < n_honest:
        # Under smoothness `moderndid` 0.2 finds no set for a few covariance matrices; they are
        # left out of its numbers, and counted.
        with contextlib.suppress(ValueError):
            sets = list(honest_sets(study, deviation, unit))
            rows += [(number, "HonestDiD", *one) for one in sets]
    return rows


def without_breakdown(method, alpha: float) -> np.ndarray:
    """Return no breakdown values: they are not needed here, and take most of the time."""
    return np.full(N_TARGETS, np.nan)


def quiet_draw(number: int, **cell) -> list[tuple]:
    """Draw without warnings: of few clusters, of grids and solvers."""
    for method in trend_sensitivity.METHODS.values():
        method.breakdown = without_breakdown
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", didjack.DidjackWarning)
        warnings.simplefilter("ignore", UserWarning)
        return draw(number, **cell)


def percent(covered: pd.Series) -> str:
    """Write a share in percent, with the standard error of simulation."""
    share = covered.mean()
    return f"{100 * share:.1f} ({100 * np.sqrt(share * (1 - share) / covered.size):.1f})"


def cell(rows: pd.DataFrame) -> Iterator[str]:
    """Write coverage of each target by both, and the ratio of median lengths in the same panels."""
    own = rows[rows["who"] == "didjack"]
    theirs = rows[rows["who"] == "HonestDiD"]
    same = own[own["draw"].isin(theirs["draw"])]
    for target in TARGETS:
        yield percent(own["covered"][own["target"] == target])
    for target in TARGETS:
        yield percent(theirs["covered"][theirs["target"] == target]) if len(theirs) else ""
    yield str(theirs["draw"].nunique())
    for target in TARGETS:
        lengths = [one["length"][one["target"] == target].median() for one in (same, theirs)]
        yield f"{lengths[1] / lengths[0]:.2f}" if len(theirs) else ""


def coverage(options: argparse.Namespace) -> None:
    """Print the table, a row for each deviation and number of treated clusters."""
    head = [f"{who}, {target}" for who in ("didjack", "HonestDiD", "ratio") for target in TARGETS]
    head.insert(2 * len(TARGETS), "HonestDiD, samples")
    print("| deviation | clusters | treated |", " | ".join(head), "|")
    print("|---" * (3 + len(head)) + "|", flush=True)
    cells = product(options.deviations, options.clusters, options.treated)
    for name, clusters, treated in cells:
        one = partial(
            quiet_draw, clusters=clusters, treated=treated, name=name, n_honest=options.honest_draws
        )
        if options.processes > 1:
            with multiprocessing.Pool(options.processes) as pool:
                found = pool.map(one, range(options.draws))
        else:
            found = [one(number) for number in range(options.draws)]
        columns = ["draw", "who", "target", "covered", "length"]
        rows = pd.DataFrame([row for rows in found for row in rows], columns=columns)
        print(f"| {name} | {clusters} | {treated} |", " | ".join(cell(rows)), "|", flush=True)


# ---- speed ---------------------------------------------------------------------------------------


def speed(calls: int = 10) -> None:
    """Time calls with 10 leads, 6 event times, 5 values of m and 50 clusters."""
    df = didjack.simulate.panel(
        n_clusters=50, treated_clusters=10, n_periods=17, cohorts=[12], cluster_size=10, seed=1
    )
    names = {"yname": "y", "tname": "period", "gname": "cohort", "idname": "id"}
    result = didjack.csdid(df, **names, cluster="cluster")
    for restriction in ("relative_magnitudes", "smoothness"):
        wall, used = [], []
        for _ in range(1 + calls):
            study = result.aggregate("event")
            study.tidy()
            start, began = time.perf_counter(), time.process_time()
            found = study.trend_sensitivity(restriction)
            wall.append(time.perf_counter() - start)
            used.append(time.process_time() - began)
        assert len(found.steps) == 10
        assert len(found.table) == 7 * 5
        print(
            f"{restriction}: first call {wall[0]:.3f} s; then median {np.median(wall[1:]):.3f} s, "
            f"CPU {np.median(used[1:]):.3f} s"
        )


def main() -> None:
    """Read the options."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clusters", type=int, nargs="+", default=[20])
    parser.add_argument("--treated", type=int, nargs="+", default=[1, 2, 3, 5, 10])
    parser.add_argument("--deviations", nargs="+", default=list(DEVIATIONS), choices=DEVIATIONS)
    parser.add_argument("--draws", type=int, default=400, help="panels of each cell")
    parser.add_argument("--honest-draws", type=int, default=60, help="of them for HonestDiD")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--speed", action="store_true", help="time calls instead")
    options = parser.parse_args()
    if options.speed:
        speed()
    else:
        coverage(options)


if __name__ == "__main__":
    main()
