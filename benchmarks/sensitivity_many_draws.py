"""Coverage of `trend_sensitivity` in very many samples, drawn as means of clusters.

Run from the root of the repository::

    python benchmarks/sensitivity_many_draws.py

With one cohort and clusters of one size, estimates and their leave-one-cluster-out replicates are
means of cluster means, and critical values are the same in every sample. So these are taken from
`lincomb` once, and samples cost next to nothing. In the panel that they are taken from, intervals
are compared with those of `trend_sensitivity` itself. The samples are those of
sensitivity_coverage.py in distribution, and deviations are the same. Prints the table
of docs/interoperability.md.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
from scipy.stats import norm
from sensitivity_coverage import (
    ALPHA,
    COHORT,
    DEVIATIONS,
    ICC,
    N_PERIODS,
    RHO,
    SIZE,
    TARGETS,
    Deviation,
    event_study,
    panel,
    step_sd,
)

import didjack

DRAWS = 20_000
CLUSTERS = 20
TREATED = (1, 2, 3, 5, 10)
BASE = COHORT - 2
SINCE = np.arange(1, N_PERIODS + 1) - (COHORT - 1)
"""Steps since the base period, of each period."""
STEPS = np.diff(np.eye(N_PERIODS), axis=0)[: COHORT - 2][::-1]
"""Steps before treatment as combinations of periods, the last one first."""
NORMAL = float(norm.isf(ALPHA / 2.0))


class Design:
    """Twenty clusters, some of them treated: standard errors and critical values.

    Attributes
    ----------
    study : event study of one panel
    treated : (H,) which clusters are treated
    changes : (1, H, T) changes of the panel's cluster means since the base period
    """

    def __init__(self, treated: int) -> None:
        df = panel(CLUSTERS, treated, seed=3)
        self.study = event_study(df)
        self.treated = (df.groupby("cluster")["cohort"].max() > 0).to_numpy()
        means = df.pivot_table(index="cluster", columns="period", values="y").to_numpy()
        self.changes = (means - means[:, [BASE]])[None]
        self._known: dict[bytes, tuple[float, float]] = {}

    def moments(self, changes: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return estimates and CV3 standard errors, of the replicates that there are."""
        values = changes @ weights
        arms = values[:, self.treated], values[:, ~self.treated]
        squares, count = np.zeros(len(values)), 0
        for arm in arms:
            n = arm.shape[1]
            if n > 1:  # a cluster that is alone cannot be left out
                deviations = (arm - arm.mean(axis=1, keepdims=True)) / (n - 1.0)
                squares, count = squares + (deviations**2).sum(axis=1), count + n
        estimate = arms[0].mean(axis=1) - arms[1].mean(axis=1)
        return estimate, np.sqrt((count - 1.0) / count * squares)

    def combination(
        self, changes: np.ndarray, weights: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, float]:
        """Return estimates, standard errors and the critical value that `lincomb` has."""
        key = weights.tobytes()
        if key not in self._known:
            named = {int(e) - 1: w for e, w in zip(SINCE, weights, strict=True) if w and e}
            row = self.study.lincomb({e: float(w) for e, w in named.items()}, ALPHA)
            half = (row["conf_high"] - row["conf_low"]) / 2.0
            estimate, error = self.moments(self.changes, weights)
            assert np.isclose(estimate[0], row["estimate"])
            self._known[key] = half / row["std_error"], row["std_error"] / error[0]
        critical, scale = self._known[key]
        estimate, error = self.moments(changes, weights)
        return estimate, scale * error, critical


def relative(design: Design, changes: np.ndarray, weights: np.ndarray, m: float, normal: bool):
    """Return ends of the intervals under relative magnitudes; `normal`: critical values."""
    low, high = [], []
    size = m * float(weights @ SINCE)
    own = design.combination(changes, weights)
    for step in STEPS:
        others = (weights + sign * size * step for sign in (1.0, -1.0)) if m else ()
        parts = [own, *(design.combination(changes, other) for other in others)]
        critical = NORMAL if normal else max(part[2] for part in parts)
        low += [estimate - critical * error for estimate, error, _ in parts]
        high += [estimate + critical * error for estimate, error, _ in parts]
    return np.min(low, axis=0), np.max(high, axis=0)


def smooth(design: Design, changes: np.ndarray, weights: np.ndarray, m: float, normal: bool):
    """Return the same under smoothness, where the mean of all the steps is extrapolated."""
    p, after = len(STEPS), np.maximum(SINCE, 0)
    combined = weights - float(weights @ SINCE) * STEPS.mean(axis=0)
    estimate, error, critical = design.combination(changes, combined)
    bound = m * float(weights @ (after * (after + 1.0) + after * (p - 1.0))) / 2.0
    margin = (NORMAL if normal else critical) * error + bound
    return estimate - margin, estimate + margin


INTERVALS = {"relative_magnitudes": relative, "smoothness": smooth}


def draws(seed: list[int]) -> np.ndarray:
    """Draw changes of cluster means since the base period, without effect, (N, H, T)."""
    rng = np.random.default_rng(seed)
    common = rng.standard_normal((DRAWS, CLUSTERS, N_PERIODS))
    for t in range(1, N_PERIODS):
        common[..., t] = RHO * common[..., t - 1] + np.sqrt(1.0 - RHO**2) * common[..., t]
    own = rng.standard_normal(common.shape) / np.sqrt(SIZE)
    means = np.sqrt(ICC) * common + np.sqrt(1.0 - ICC) * own
    return means - means[..., [BASE]]


def cells(design: Design, changes: np.ndarray, deviation: Deviation, unit: float) -> Iterator[str]:
    """Yield coverage of each target, with normal critical values too, and relative lengths."""
    m, interval = deviation.bound(unit), INTERVALS[deviation.restriction]
    table = design.study.trend_sensitivity(deviation.restriction, m, ALPHA).table
    table = table.set_index("target")[["conf_low", "conf_high"]]
    deviating = changes.copy()
    deviating[:, design.treated] += deviation.path(unit)
    covered, normal, length = [], [], []
    for target, after in TARGETS.items():
        weights = np.concatenate([np.zeros(COHORT - 1), after])
        same = np.concatenate(interval(design, design.changes, weights, m, False))
        assert np.allclose(same, table.loc[target].astype(float))
        low, high = interval(design, deviating, weights, m, False)
        covered.append(f"{100 * np.mean((low <= 0) & (high >= 0)):.1f}")
        own = relative(design, deviating, weights, 0.0, False)
        length.append(f"{np.median(high - low) / np.median(own[1] - own[0]):.1f}")
        low, high = interval(design, deviating, weights, m, True)
        normal.append(f"{100 * np.mean((low <= 0) & (high >= 0)):.1f}")
    yield from (*covered, *normal, *length)


def main() -> None:
    """Print the table."""
    warnings.simplefilter("ignore", didjack.DidjackWarning)
    head = [f"{name}, {target}" for name in ("", "1.96", "length") for target in TARGETS]
    print("| deviation | treated |", " | ".join(head), "|")
    print("|---" * (2 + len(head)) + "|", flush=True)
    for treated in TREATED:
        design, unit = Design(treated), step_sd(CLUSTERS, treated)
        changes = draws([1, treated])
        for name, deviation in DEVIATIONS.items():
            row = " | ".join(cells(design, changes, deviation, unit))
            print(f"| {name} | {treated} | {row} |", flush=True)


if __name__ == "__main__":
    main()
