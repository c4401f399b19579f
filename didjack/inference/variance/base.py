"""What every kind of variance has to provide, and what variances are made from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np

from didjack._typing import Floats, Ints
from didjack.aggregation.shares import CombinedShares
from didjack.estimation.fit import Fit
from didjack.inference.bands import LargestStatistic, largest_t
from didjack.inference.reference.loadings import Loadings
from didjack.inference.reference.t_statistics import Reference
from didjack.inference.reference.working_model import Design
from didjack.inference.statistics import Variance
from didjack.inference.targets import Targets, cell_size, target_size
from didjack.leave_one_out import Replicates
from didjack.memo import Memo, key_of
from didjack.options import InferenceOptions

# ---- evidence ------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Evidence:
    """A fit and the coefficients that are read off it.

    Attributes
    ----------
    fit : Fit
    targets : Targets, M coefficients in all R replicates
    """

    fit: Fit
    targets: Targets
    _memo: Memo = field(default_factory=Memo, repr=False)

    @property
    def options(self) -> InferenceOptions:
        """Which inference was asked for."""
        return self.fit.options.inference

    @property
    def n_clusters(self) -> int:
        """How many clusters there are."""
        return self.fit.layout.n_clusters

    @property
    def independent(self) -> str:
        """The column of what is taken to be independent, in words."""
        sample = self.fit.options.sample
        return sample.cluster or sample.idname or "row"

    def of(self, targets: Targets) -> Self:
        """Return other coefficients of the same fit."""
        return replace(self, targets=targets, _memo=Memo())

    def under(self, **inference: Any) -> Self:
        """Return the same coefficients under other options of inference."""
        return replace(self, fit=self.fit.under(**inference), _memo=Memo())

    @cached_property
    def size(self) -> Floats:
        """The size of what the coefficients are made of, (M,): rounding errors go by it."""
        return target_size(self.cell_size, self.targets)

    @property
    def cell_size(self) -> Floats:
        """The size of what each ATT(g,t) is made of, (K,)."""
        return cell_size(self.fit)

    @cached_property
    def influence(self) -> Floats:
        """Influence of units or clusters on the coefficients, (G, M).

        The derivative with respect to their weight; standard errors are root sums of squares.
        """
        return self.influence_by(self.fit.by_unit)

    def influence_by(self, by_unit: bool) -> Floats:
        """Influence of units, or of clusters, on the coefficients, (G, M)."""
        on_att = self.fit.influence_by(by_unit)
        aggregated = self.targets.aggregated
        if aggregated is None:
            return on_att
        on_weight = self.fit.weight_influence(aggregated.by_cell, by_unit)
        return aggregated.loading.times(on_att) + aggregated.weight_loading.times(on_weight)

    def reference(
        self, name: str, weights: Floats | None, make: Callable[[], Reference]
    ) -> Reference:
        """Return the null distributions of coefficients or combinations; computed once."""
        return self._memo.get((name, key_of(weights)), make)

    @property
    def design(self) -> Design:
        """What the reference distributions of all coefficients have in common."""
        return Design.from_fit(self.fit)


@dataclass(frozen=True, slots=True, eq=False)
class VarianceInputs:
    """What the variance of L coefficients, or of combinations of them, is made from.

    Attributes
    ----------
    rows : (N, L) replicates, influence or draws
    evidence : Evidence that they are from
    weights : (L, M) combinations; None where the rows are of the coefficients themselves
    reference : reference distributions of the L t statistics, if they are known already
    """

    rows: Floats
    evidence: Evidence
    weights: Floats | None = None
    reference: Reference | None = None

    def loadings(self, position: int) -> Loadings | None:
        """Return the loadings of one of the L; None where they are too many."""
        design, shares = self.evidence.design, self.evidence.targets.shares
        if self.weights is None:
            return design.loadings(shares, position)
        return design.loadings(CombinedShares(shares, self.weights[position]), 0)


# ---- variance kind -------------------------------------------------------------------------------


class VarianceKind(ABC):
    """A kind of variance; one without state.

    All kinds start from rows by coefficient: replicates for the jackknife, influence of clusters
    or units for the analytic variance, draws for the bootstrap. A linear combination is formed in
    these rows, so its variance follows the same rules as that of a coefficient.

    Attributes
    ----------
    name : what `csdid(vcov=)` calls it
    needs_replicates : whether its rows are the estimates without each cluster
    parts : what its independent parts are, in words
    centre_on_mean : whether deviations of replicates are taken from their mean
    clustered : its name in comparisons where units are not independent; it then stands there
        under `name`, too, as if they were. Empty if that makes no difference
    normal, normal_by_unit : whether tests use the normal distribution, not t: always, or where
        units are independent
    no_variation : what it means that a standard error is zero, but for rounding: it is none
    """

    name: str
    needs_replicates: bool
    parts: str
    centre_on_mean: bool = False
    clustered: str = ""
    no_variation: str = "nothing that the standard error is computed from varies"
    normal: bool = False
    normal_by_unit: bool = False

    @abstractmethod
    def rows(self, evidence: Evidence) -> Floats:
        """Return what the variance is made from, (N, M)."""

    def together(self, rows: Floats, options: InferenceOptions) -> Floats:
        """Empty those of (N, L) rows of linear combinations that are not used for all of them.

        Where replicates may be missing, those are used that all combinations have.
        """
        if not self.needs_replicates or options.missing_replicates not in ("impute", "skip"):
            return rows
        theta = Replicates(rows)
        gone = np.isnan(theta.deleted).any(axis=1, keepdims=True)
        return np.vstack([theta.full, np.where(gone, np.nan, theta.deleted)])

    @abstractmethod
    def variance(self, inputs: VarianceInputs) -> Variance:
        """Return standard errors and degrees of freedom, (L,)."""

    @abstractmethod
    def covariance(self, inputs: VarianceInputs) -> Floats:
        """Return the covariance matrix, (L, L); its diagonal is that of `variance`."""

    @abstractmethod
    def n_independent(self, inputs: VarianceInputs) -> int:
        """Count the independent parts: covariances have a rank of one less at most."""

    @abstractmethod
    def note(self, inputs: VarianceInputs) -> str:
        """Say in one sentence, for the foot of a table, how standard errors were made."""

    def short(self, by_unit: bool) -> str:
        """Name the kind in a word, for the column of a table."""
        return self.clustered if self.clustered and not by_unit else self.name

    def label(self, by_unit: bool) -> str:
        """Name the kind in words, for the head of a table."""
        short = self.short(by_unit)
        return short if short == self.name else f"{self.name}, {short}"

    def largest(self, inputs: VarianceInputs, among: Ints, alpha: float) -> LargestStatistic:
        """Return the distribution of the largest |t| of some coefficients.

        Parameters
        ----------
        among : (m,) positions of coefficients with a standard error, one at least
        alpha : one minus the level at which its critical value is to be precise
        """
        variance = self.variance(inputs)
        error = variance.std_error[among]
        correlation = self.covariance(inputs)[np.ix_(among, among)]
        correlation = correlation / np.outer(error, error)
        df = float(variance.df[among].min())
        return largest_t(correlation, df, alpha, inputs.evidence.options.seed)
