"""What a result offers to tables, plots and warnings, all of it read only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from didjack._typing import Bools, Floats, Ints
from didjack.aggregation.schemes import Scheme
from didjack.errors import OptionError
from didjack.estimation.estimators import ESTIMATORS
from didjack.estimation.fit import Fit
from didjack.inference import diagnostics, joint_tests, targets
from didjack.inference.coefficients import Coefficients
from didjack.inference.diagnostics import share_in_target, treated_weight
from didjack.inference.pretest import pretest_words
from didjack.inference.targets import Targets
from didjack.inference.variance.base import Evidence, VarianceKind
from didjack.options import Options
from didjack.reporting.view import (
    Aggregation,
    Cells,
    Clusters,
    Coverage,
    Deletions,
    coefficient_names,
)
from didjack.status import Status


@dataclass(frozen=True, eq=False)
class View:
    """The `ResultView` of a result.

    Attributes
    ----------
    coefficients : Coefficients
    title : what the table of coefficients is called
    scheme : how ATT(g,t) are aggregated; None for ATT(g,t) themselves
    overall : gives the Evidence whose last coefficient is the overall ATT, if there is one
    under : gives the view of the same coefficients with another variance
    few_treated : gives sentences on what else tells about the overall ATT with few treated clusters
    positions_before : (m,) coefficients before treatment, and before any anticipation of it
    sides : views of the results whose difference this is
    """

    coefficients: Coefficients
    title: str
    scheme: Scheme | None
    overall: Callable[[], Evidence | None]
    under: Callable[[str], View]
    few_treated: Callable[[float], list[str]]
    positions_before: Ints
    sides: tuple[View, ...] = ()

    @property
    def fit(self) -> Fit:
        """The fit that the coefficients are read off."""
        return self.coefficients.evidence.fit

    @property
    def targets(self) -> Targets:
        """The coefficients in all replicates."""
        return self.coefficients.targets

    @property
    def options(self) -> Options:
        """The options of the call of `csdid`."""
        return self.fit.options

    @property
    def about(self) -> Mapping[str, Any]:
        """Sample and options, by the names of `glance`."""
        return self.fit.describe()

    @property
    def index(self) -> pd.Index:
        """Labels of the coefficients, (M,)."""
        return own_index(self.targets.index)

    @property
    def components(self) -> Ints:
        """Positions of the coefficients that do not aggregate the others."""
        return self.targets.components

    @property
    def n_treated_clusters(self) -> Ints:
        """Clusters with units of the cohorts that each of the components is about, (m,)."""
        fit, aggregated = self.fit, self.targets.aggregated
        treated, cohort = np.unique(fit.cell_cohort_position, return_inverse=True)
        there = fit.layout.n_units[:, treated] > 0
        if aggregated is None:
            return np.asarray(there.sum(axis=0)[cohort])
        about = [aggregated.loading.touches(cohort == g) for g in range(treated.size)]
        some = there.astype(np.int64) @ np.array(about, dtype=np.int64) > 0
        return np.asarray(some.sum(axis=0)[self.components])

    @property
    def before(self) -> Bools:
        """Which of the components come before treatment, (m,)."""
        aggregated = self.targets.aggregated
        if self.scheme is None or aggregated is None:
            return self.fit.cell_time < self.fit.cell_cohort
        if self.scheme.keys == "none":
            return np.zeros(self.components.size, dtype=bool)
        return self.scheme.before(aggregated.keys)

    @property
    def short(self) -> Bools:
        """Which of the components are changes since the period before, (m,): varying base."""
        found = np.zeros(self.components.size, dtype=bool)
        found[self.positions_before] = self.options.base_period == "varying"
        return found

    @property
    def base(self) -> Bools:
        """Whether a coefficient is zero by construction, (M,)."""
        return self.targets.base

    @property
    def missing(self) -> Bools:
        """Where a replicate lacks a coefficient that the full sample has, (H or 0, M)."""
        return self.targets.missing()

    @property
    def beyond_imputation(self) -> Bools:
        """Where too few replicates are left to impute a missing one, (H or 0, M)."""
        if self.options.missing_replicates != "impute":
            return np.zeros_like(self.missing)
        return np.asarray(self.missing & self.targets.beyond_imputation())

    @property
    def composition(self) -> Bools:
        """Where a replicate's coefficient stands for other cells, (H or 0, M)."""
        return self.targets.estimated_otherwise()

    @property
    def skipped(self) -> Bools:
        """Where a standard error lacks the variation of a cluster, (H or 0, M)."""
        return targets.skipped(self.fit, self.targets)

    @property
    def statuses(self) -> list[Status]:
        """What is special about each coefficient, (M,)."""
        return self.coefficients.statuses

    @property
    def coverage(self) -> Coverage:
        """How many ATT(g,t) the coefficients are about, and how many of them are estimated."""
        aggregated = self.targets.aggregated
        if aggregated is not None:
            return Coverage(aggregated.n_cells, aggregated.n_estimated)
        there = ~np.isnan(self.targets.estimates.full)
        return Coverage(np.ones_like(there, dtype=np.int64), there.astype(np.int64))

    @property
    def aggregation(self) -> Aggregation | None:
        """What `aggregate` was asked for; None for ATT(g,t) themselves."""
        found = self.targets.aggregated
        if found is None:
            return None
        return Aggregation(found.kind, found.window, "cell" if found.by_cell else "cohort")

    @property
    def chosen_cohorts(self) -> pd.Index:
        """Labels of the cohorts that `aggregate` was asked for; none where it was not."""
        found = self.targets.aggregated
        chosen = () if found is None else found.window.cohorts or ()
        return self.fit.layout.axis.labels(chosen)

    @property
    def estimator(self) -> str:
        """Name the estimator in words."""
        return ESTIMATORS[self.options.estimation.est_method].words

    @property
    def short_estimator(self) -> str:
        """Name the estimator in a word."""
        return ESTIMATORS[self.options.estimation.est_method].short

    @property
    def errors(self) -> str:
        """Name the kind of standard errors."""
        return self.coefficients.kind.label(self.fit.by_unit)

    @property
    def short_errors(self) -> str:
        """Name the kind of standard errors in a word."""
        return self.coefficients.kind.short(self.fit.by_unit)

    @property
    def note(self) -> str:
        """Say in one sentence how the standard errors were made."""
        return self.coefficients.note()

    @property
    def normal(self) -> bool:
        """Whether tests use the normal distribution, not t."""
        kind = self.coefficients.kind
        return kind.normal or (kind.normal_by_unit and self.fit.by_unit)

    def pretest(self, alpha: float) -> str:
        """Say how the test of what comes before treatment ends, if there is anything."""
        if not self.positions_before.size:
            return ""
        return pretest_words(self.coefficients, self.positions_before, alpha)

    def critical_values(self, alpha: float) -> str:
        """Say which critical values the working model has, and which t, if it is used."""
        return self.coefficients.critical_words(alpha)

    @cached_property
    def clusters(self) -> Clusters:
        """The clusters of the sample."""
        layout, options = self.fit.layout, self.options
        return Clusters(
            name=options.cluster or options.idname or "cluster",
            labels=own_index(layout.cluster_labels),
            n_units=layout.n_units.sum(axis=1),
            treated=treated_weight(self.fit) > 0,
        )

    @property
    def cells(self) -> Cells:
        """Where the ATT(g,t) stand, of which the coefficients are made."""
        fit, layout = self.fit, self.fit.layout
        cohorts, cohort = np.unique(fit.cell_cohort, return_inverse=True)
        treated = np.unique(fit.cell_cohort_position)
        return Cells(
            cohort=cohort,
            period=np.searchsorted(layout.periods, fit.cell_time),
            cohorts=layout.axis.labels(cohorts),
            n_units=layout.n_units.sum(axis=0)[treated],
            n_clusters=(layout.n_units > 0).sum(axis=0)[treated],
            start=np.searchsorted(layout.periods, cohorts),
            anticipated=np.searchsorted(layout.periods, cohorts - self.options.anticipation),
            periods=own_index(layout.axis.labels(layout.periods)),
        )

    def made_for(self, kind: VarianceKind) -> Coefficients:
        """Return the coefficients with all that a kind of variance is made from."""
        if kind.needs_replicates and not self.options.jackknife:
            return self.under(kind.name).coefficients
        return self.coefficients

    def statistics(self, alpha: float | None = None) -> pd.DataFrame:
        """Return estimates, tests and intervals of all coefficients, M rows."""
        return self.coefficients.table(self.options.alpha if alpha is None else alpha)

    def band(self, alpha: float) -> Floats:
        """Return the ends of simultaneous intervals, (M, 2)."""
        return self.coefficients.band(alpha)[0]

    def covariance(self) -> Floats:
        """Return the covariance matrix, (M, M)."""
        return self.coefficients.covariance(self.coefficients.kind)

    def deletions(self, coefficient: Any) -> Deletions:
        """Return one coefficient, by its label, without each cluster; None: the overall ATT."""
        evidence, at, name = self.overall(), -1, "overall ATT"
        if coefficient is not None:
            evidence = self.coefficients.evidence
            at = joint_tests.position(coefficient, self.index)
            overall = isinstance(coefficient, str) and coefficient == "overall"
            name = name if overall else coefficient_names(self)[at]
        if evidence is None or np.isnan(evidence.targets.estimates.full[at]):
            raise OptionError("there is no estimate to draw: name a coefficient that has one")
        theta = evidence.targets.estimates.take(at)
        return Deletions(
            name=name,
            estimate=float(theta.full),
            without=theta.deleted,
            composition=evidence.targets.changed()[:, at],
            share=share_in_target(evidence, at),
        )


def report(view: View) -> None:
    """Warn, once each, of what a user should know of the ATT(g,t)."""
    view.fit.report_dropped()
    targets.report_empty(view.fit)
    targets.report_failures(view.fit, view.targets)
    report_inference(view)


def report_inference(view: View) -> None:
    """Warn of standard errors that are missing; where it is of ATT(g,t), of few clusters, too."""
    diagnostics.report_missing(view.fit, view.targets, view.title)
    if view.scheme is None:
        diagnostics.report_design(view.fit)


# ---- copies for the user -------------------------------------------------------------------------
# Users may change them: before pandas 3 frames share what they are made of.


def own_index(index: pd.Index) -> pd.Index:
    """Copy labels and names."""
    return index.copy(deep=True)


def own_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """Copy a table, its labels and its attributes."""
    return frame.copy().set_axis(own_index(frame.index)).set_axis(own_index(frame.columns), axis=1)


def labelled(values: Floats, rows: pd.Index, columns: pd.Index | list[str]) -> pd.DataFrame:
    """Make a table of values, (n, m), that shares nothing with them or their labels."""
    if isinstance(columns, pd.Index):
        columns = own_index(columns)
    return pd.DataFrame(np.array(values), index=own_index(rows), columns=columns)
