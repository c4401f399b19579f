"""The words of tables and plots: for options, and for coefficients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd

from didjack._typing import Bools, Floats, Ints
from didjack.aggregation.schemes import Scheme, Window
from didjack.inference import targets
from didjack.options import (
    AggregationType,
    AggregationWeights,
    ControlGroup,
    Options,
    Vcov,
)
from didjack.status import Status
from didjack.wording import one_line

# ---- words ---------------------------------------------------------------------------------------

COMPARISONS: dict[ControlGroup, str] = {
    "nevertreated": "never treated",
    "notyettreated": "not yet treated",
}


def effect(view: ResultView) -> str:
    """Name what is estimated, in one line."""
    design = "" if view.options.pname is None else " (triple differences)"
    if view.sides:
        outcomes = both(view, lambda one: one_line(one.options.yname))
        return f"difference of effects on {outcomes}{design}"
    return f"effect on {one_line(view.options.yname)}{design}"


def both(view: ResultView, write: Callable[[ResultView], str]) -> str:
    """Write something of a result, or of the results that it compares, where they differ in it."""
    texts = dict.fromkeys(write(one) for one in view.sides or (view,))
    return " / ".join(filter(None, texts))


def coefficient_names(view: ResultView) -> list[str]:
    """Write the labels of all coefficients in words."""
    return targets.coefficient_names(view.index)


def columns(view: ResultView, alpha: float | None = None) -> pd.DataFrame:
    """Return the statistics by the names of the coefficients, each `Status` as a value."""
    table = view.statistics(alpha).set_axis(pd.Index(coefficient_names(view)))
    return table.assign(status=np.array(view.statuses, dtype=object))


# ---- view ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """The clusters of a sample, H of them.

    Attributes
    ----------
    name : what they are
    labels : (H,)
    n_units : (H,) units in the sample
    treated : (H,) whether there are units with an ATT(g,t) from treatment on
    """

    name: str
    labels: pd.Index
    n_units: Ints
    treated: Bools


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Where the K ATT(g,t) stand among G cohorts and T periods.

    Attributes
    ----------
    cohort : (K,) position of the cohort
    period : (K,) position of the period
    cohorts : (G,) labels
    n_units, n_clusters : (G,) units of each cohort, and clusters with any
    start : (G,) position of the first treated period; T if there is none
    anticipated : (G,) position of the first period in which treatment may be anticipated
    periods : (T,) labels
    """

    cohort: Ints
    period: Ints
    cohorts: pd.Index
    n_units: Ints
    n_clusters: Ints
    start: Ints
    anticipated: Ints
    periods: pd.Index


@dataclass(frozen=True, slots=True, eq=False)
class Coverage:
    """How many ATT(g,t) of the full sample M coefficients are about, and how many are estimated.

    Attributes
    ----------
    n_cells, n_estimated : (M,) how many of each coefficient
    """

    n_cells: Ints
    n_estimated: Ints


@dataclass(frozen=True, slots=True)
class Aggregation:
    """What `aggregate` was asked for."""

    type: AggregationType
    window: Window
    weights: AggregationWeights


@dataclass(frozen=True, slots=True, eq=False)
class Deletions:
    """One coefficient without each of H clusters.

    Attributes
    ----------
    name : of the coefficient
    estimate : with all clusters
    without : (H,) NaN where it cannot be computed
    composition : (H,) whether that changes which ATT(g,t) are averaged
    share : (H,) share of each cluster in the jackknife variance
    """

    name: str
    estimate: float
    without: Floats
    composition: Bools
    share: Floats


class ResultView(Protocol):
    """M coefficients with their inference, read only."""

    @property
    def options(self) -> Options:
        """The options of the call of `csdid`."""

    @property
    def sides(self) -> Sequence[ResultView]:
        """The results whose difference this is; none where it is not one."""

    @property
    def about(self) -> Mapping[str, Any]:
        """Sample and options, by the names of `glance`."""

    @property
    def title(self) -> str:
        """Title of the table of coefficients, such as "event study"."""

    @property
    def scheme(self) -> Scheme | None:
        """How ATT(g,t) are aggregated; None for ATT(g,t) themselves."""

    @property
    def index(self) -> pd.Index:
        """Labels of the coefficients, (M,)."""

    @property
    def components(self) -> Ints:
        """Positions of the coefficients that do not aggregate the others."""

    @property
    def n_treated_clusters(self) -> Ints:
        """Clusters with units of the cohorts that each of the components is about, (m,)."""

    @property
    def before(self) -> Bools:
        """Which of the components come before treatment, (m,)."""

    @property
    def short(self) -> Bools:
        """Which of the components are changes since the period before, (m,): varying base."""

    @property
    def base(self) -> Bools:
        """Whether a coefficient is zero by construction, (M,)."""

    @property
    def missing(self) -> Bools:
        """Where a replicate lacks a coefficient that the full sample has, (H or 0, M)."""

    @property
    def beyond_imputation(self) -> Bools:
        """Where too few replicates are left to impute a missing one, (H or 0, M)."""

    @property
    def composition(self) -> Bools:
        """Where a replicate's coefficient stands for other cells, (H or 0, M)."""

    @property
    def skipped(self) -> Bools:
        """Where a standard error lacks the variation of a cluster, (H or 0, M)."""

    @property
    def statuses(self) -> list[Status]:
        """What is special about each coefficient, (M,)."""

    @property
    def coverage(self) -> Coverage:
        """How many ATT(g,t) the coefficients are about, and how many of them are estimated."""

    @property
    def aggregation(self) -> Aggregation | None:
        """What `aggregate` was asked for; None for ATT(g,t) themselves."""

    @property
    def chosen_cohorts(self) -> pd.Index:
        """Labels of the cohorts that `aggregate` was asked for; none where it was not."""

    @property
    def estimator(self) -> str:
        """Name the estimator in words."""

    @property
    def short_estimator(self) -> str:
        """Name the estimator in a word."""

    @property
    def errors(self) -> str:
        """Name the kind of standard errors."""

    @property
    def short_errors(self) -> str:
        """Name the kind of standard errors in a word."""

    @property
    def note(self) -> str:
        """Say in one sentence how the standard errors were made."""

    def pretest(self, alpha: float) -> str:
        """Say how the test of what comes before treatment ends, if there is anything."""

    def critical_values(self, alpha: float) -> str:
        """Say which critical values the working model has, and which t, if it is used."""

    def few_treated(self, alpha: float) -> list[str]:
        """Say what else tells about the overall ATT where few clusters are treated."""

    @property
    def normal(self) -> bool:
        """Whether tests use the normal distribution, not t."""

    @property
    def clusters(self) -> Clusters:
        """The clusters of the sample."""

    @property
    def cells(self) -> Cells:
        """Where the ATT(g,t) stand, of which the coefficients are made."""

    def statistics(self, alpha: float | None = None) -> pd.DataFrame:
        """Return estimates, tests and intervals of all coefficients, M rows."""

    def band(self, alpha: float) -> Floats:
        """Return the ends of simultaneous intervals, (M, 2)."""

    def covariance(self) -> Floats:
        """Return the covariance matrix, (M, M)."""

    def under(self, kind: Vcov) -> ResultView:
        """Return the same coefficients with another variance."""

    def deletions(self, coefficient: Any) -> Deletions:
        """Return one coefficient, by its label, without each cluster; None: the overall ATT."""


class Viewed(Protocol):
    """A result that can be looked at."""

    @property
    def _view(self) -> ResultView:
        """What tables and plots read."""


def as_view(result: Any) -> ResultView | None:
    """Return the view of a result; None of anything that is none."""
    view: ResultView | None = getattr(result, "_view", None)
    return view if hasattr(view, "statistics") else None
