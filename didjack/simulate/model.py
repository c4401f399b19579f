"""The model that simulated data are drawn from: its options, checked, and one draw."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from didjack.errors import OptionError
from didjack.options import check_count, check_flag, must_be
from didjack.wording import plural

Column = NDArray[np.int64] | NDArray[np.float64]

_TREND = 0.1
_COVARIATE_LEVEL = 0.5
_WEIGHT_RANGE = (0.5, 2.0)

_RANGES = {
    "size_dispersion": (0.0, math.inf),
    "effect": (-math.inf, math.inf),
    "effect_slope": (-math.inf, math.inf),
    "icc": (0.0, 1.0),
    "rho": (-1.0, 1.0),
    "error_sd": (0.0, math.inf),
    "unit_sd": (0.0, math.inf),
    "covariate_shift": (-math.inf, math.inf),
    "covariate_trend": (-math.inf, math.inf),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """The options of one draw, checked; documented in `panel`."""

    n_clusters: int = 20
    cluster_size: float | ArrayLike = 20
    size_dispersion: float = 0.0
    n_periods: int = 8
    first_period: int = 1
    cohorts: Sequence[int] | None = None
    treated_clusters: int | Mapping[int, int] | None = None
    never: bool = True
    effect: float = 1.0
    effect_slope: float = 0.0
    icc: float = 0.2
    rho: float = 0.5
    error_sd: float = 1.0
    unit_sd: float = 1.0
    n_covariates: int = 0
    n_dummies: int = 0
    covariate_shift: float = 0.5
    covariate_trend: float = 0.1
    weights: bool = False
    seed: int | np.random.Generator | None = None

    def __post_init__(self) -> None:
        for name, least in [
            ("n_clusters", 1),
            ("n_periods", 2),
            ("first_period", 1),
            ("n_covariates", 0),
            ("n_dummies", 0),
        ]:
            check_count(name, getattr(self, name), least)
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            number = isinstance(value, int | float | np.integer | np.floating)
            if not (number and math.isfinite(value) and low <= value <= high):
                bounds = f" between {low:g} and {high:g}" if math.isfinite(low) else ""
                raise must_be(name, f"a number{bounds}", value)
        for name in ("never", "weights"):
            check_flag(name, getattr(self, name))

    @property
    def periods(self) -> NDArray[np.int64]:
        """The periods : (T,)."""
        return np.arange(self.first_period, self.first_period + self.n_periods, dtype=np.int64)

    def generator(self) -> np.random.Generator:
        """Return the random numbers to draw from; a generator is used as it stands."""
        try:
            return np.random.default_rng(self.seed)
        except (TypeError, ValueError) as error:
            what = "a whole number >= 0, a numpy Generator or None"
            raise must_be("seed", what, self.seed) from error

    def draw_sizes(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw the number of units of each cluster : (H,)."""
        given = np.asarray(self.cluster_size)
        if given.dtype.kind not in "iuf" or not np.all(np.isfinite(given) & (given >= 1)):
            raise OptionError("cluster_size must be a number >= 1, or one such number per cluster")
        if given.ndim == 0 and self.size_dispersion > 0:
            shape = self.size_dispersion**-2
            given = rng.gamma(shape, given / shape, size=self.n_clusters)
        elif given.ndim == 0:
            given = np.full(self.n_clusters, given)
        elif given.shape != (self.n_clusters,):
            raise OptionError(
                f"cluster_size has shape {given.shape}; with n_clusters={self.n_clusters} "
                f"it must be one number, or have shape ({self.n_clusters},)"
            )
        elif self.size_dispersion > 0:
            raise OptionError("size_dispersion must be 0 when cluster_size lists every cluster")
        sizes: NDArray[np.int64] = np.rint(given).astype(np.int64)
        return np.maximum(1, sizes)

    def default_cohorts(self) -> list[int]:
        """Return two cohorts, about one and two thirds into the periods."""
        third = (self.n_periods + 1) // 3
        steps = (third, min(2 * third, self.n_periods - 1))
        return sorted({self.first_period + step for step in steps})

    def clusters_per_cohort(self) -> dict[int, int]:
        """Return the number of clusters of each cohort; what is left over is never treated."""
        cohorts = (
            self.default_cohorts() if self.cohorts is None else np.ravel(self.cohorts).tolist()
        )
        counts = dict.fromkeys(cohorts, 0)
        if isinstance(self.treated_clusters, Mapping):
            counts = dict(self.treated_clusters)
            if self.cohorts is None:
                cohorts = list(counts)
        if not cohorts or len(set(cohorts)) < len(cohorts):
            raise OptionError(f"cohorts={cohorts} must be one or more different periods")
        if set(counts) != set(cohorts):
            raise OptionError(
                f"treated_clusters names the cohorts {sorted(counts)}, "
                f"but cohorts is {sorted(cohorts)}"
            )
        if not isinstance(self.treated_clusters, Mapping):
            total = self.n_treated(len(cohorts))
            if total < len(cohorts):
                raise OptionError(
                    f"{plural(total, 'treated cluster')} cannot make up the {len(cohorts)} "
                    f"cohorts {cohorts} (n_clusters={self.n_clusters})"
                )
            for position, cohort in enumerate(cohorts):
                counts[cohort] = total // len(cohorts) + (position < total % len(cohorts))
        self.check_counts(counts)
        return counts

    def n_treated(self, n_cohorts: int) -> int:
        """Return the number of treated clusters that `treated_clusters` stands for."""
        if self.treated_clusters is not None:
            return check_count("treated_clusters", self.treated_clusters, 1)
        if not self.never:
            return self.n_clusters
        return self.n_clusters - max(1, self.n_clusters // (n_cohorts + 1))

    def check_counts(self, counts: Mapping[int, int]) -> None:
        """Raise if a cohort lies outside of the periods, or clusters are too many or too few."""
        first, last = int(self.periods[0]), int(self.periods[-1])
        for cohort, count in counts.items():
            if not first <= check_count("cohort", cohort, 1) <= last:
                raise OptionError(f"cohort {cohort} lies outside of the periods {first} to {last}")
            check_count(f"treated_clusters[{cohort!r}]", count, 1)
        total = sum(counts.values())
        if self.never and total >= self.n_clusters:
            raise OptionError(
                f"{total} treated of {plural(self.n_clusters, 'cluster')} leave none never "
                "treated; treat fewer, or set never=False"
            )
        if not self.never and total != self.n_clusters:
            raise OptionError(
                f"never=False needs all {self.n_clusters} clusters treated, not {total}"
            )

    def draw_cohorts(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw the cohort of each cluster, 0 for never treated : (H,)."""
        counts = self.clusters_per_cohort()
        cohorts = np.zeros(self.n_clusters, dtype=np.int64)
        cohorts[: sum(counts.values())] = np.repeat(list(counts), list(counts.values()))
        return rng.permutation(cohorts)

    def draw_errors(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw cluster-level errors, a stationary AR(1) of variance 1 in each cluster : (H, T)."""
        errors = rng.standard_normal((self.n_clusters, self.n_periods))
        errors[:, 1:] *= math.sqrt(1 - self.rho**2)
        for period in range(1, self.n_periods):
            errors[:, period] += self.rho * errors[:, period - 1]
        return errors

    def effects(self, cohort: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the true effect in each cluster and period : (H, T)."""
        since = self.periods - cohort[:, None]
        treated = (cohort[:, None] > 0) & (since >= 0)
        return np.where(treated, self.effect + self.effect_slope * since, 0.0)

    def draw(self, repeated: bool) -> pd.DataFrame:
        """Draw the data.

        Everything is an array of n units by T periods. What a unit keeps over time has one
        column when the same units are observed `repeated`-ly, and T columns when every period
        has its own.
        """
        rng = self.generator()
        cohort = self.draw_cohorts(rng)
        sizes = self.draw_sizes(rng)
        cluster = np.repeat(np.arange(self.n_clusters), sizes)
        wide = (cluster.size, self.n_periods)
        kept = (cluster.size, 1) if repeated else wide
        elapsed = np.arange(self.n_periods)

        common = self.effects(cohort) + _TREND * elapsed
        common += self.error_sd * math.sqrt(self.icc) * self.draw_errors(rng)
        y = rng.standard_normal(wide)
        y *= self.error_sd * math.sqrt(1 - self.icc)
        y += common[cluster]
        y += self.unit_sd * rng.standard_normal(kept)

        columns: dict[str, Column] = {
            "cluster": cluster[:, None] + 1,
            "period": self.periods,
            "cohort": cohort[cluster][:, None],
            "y": y,
        }
        if repeated:
            columns = {"id": np.arange(1, cluster.size + 1)[:, None], **columns}
        shift = self.covariate_shift * (cohort > 0)[cluster][:, None]
        for k in range(self.n_covariates + self.n_dummies):
            latent = rng.standard_normal(kept) + shift
            x: Column = latent if k < self.n_covariates else (latent > 0).astype(np.int64)
            y += (_COVARIATE_LEVEL + self.covariate_trend * elapsed) * x
            columns[f"x{k + 1}"] = x
        if self.weights:
            columns["w"] = rng.uniform(*_WEIGHT_RANGE, kept)

        # Rows are sorted by unit and period, or by period and cluster.
        order: Literal["C", "F"] = "C" if repeated else "F"
        table = pd.DataFrame(
            {name: np.broadcast_to(column, wide).ravel(order) for name, column in columns.items()}
        )
        if not repeated:
            table.insert(0, "obs", np.arange(1, len(table) + 1))
        return table
