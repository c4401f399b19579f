"""What a kind of variance has to say: how it is made, and how it is written."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from didjack._typing import Floats, Ints
from didjack.inference.bands import CriticalValue, max_t
from didjack.inference.evidence import Evidence, Material
from didjack.inference.statistics import Variance
from didjack.options import Options


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
    no_variation: str = "nothing that a standard error is made from varies"
    normal: bool = False
    normal_by_unit: bool = False

    @abstractmethod
    def rows(self, evidence: Evidence) -> Floats:
        """Return what the variance is made from, (N, M)."""

    def together(self, rows: Floats, options: Options) -> Floats:
        """Empty those of (N, L) rows of linear combinations that are not used for all of them.

        Where replicates may be missing, those are used that all combinations have.
        """
        if not self.needs_replicates or options.missing_replicates not in ("model", "skip"):
            return rows
        gone = np.isnan(rows[1:]).any(axis=1, keepdims=True)
        return np.vstack([rows[:1], np.where(gone, np.nan, rows[1:])])

    @abstractmethod
    def variance(self, of: Material) -> Variance:
        """Return standard errors and degrees of freedom, (L,)."""

    @abstractmethod
    def covariance(self, of: Material) -> Floats:
        """Return the covariance matrix, (L, L); its diagonal is that of `variance`."""

    @abstractmethod
    def n_independent(self, of: Material) -> int:
        """Count the independent parts: covariances have a rank of one less at most."""

    @abstractmethod
    def note(self, of: Material) -> str:
        """Say in one sentence, for the foot of a table, how standard errors were made."""

    def short(self, options: Options) -> str:
        """Name the kind in a word, for the column of a table."""
        return self.clustered if self.clustered and not options.by_unit else self.name

    def label(self, options: Options) -> str:
        """Name the kind in words, for the head of a table."""
        short = self.short(options)
        return short if short == self.name else f"{self.name}, {short}"

    def critical_value(self, of: Material, among: Ints, alpha: float) -> CriticalValue:
        """Return the critical value of a simultaneous band over some coefficients.

        Parameters
        ----------
        among : (m,) positions of coefficients with a standard error, one at least
        alpha : one minus the level
        """
        variance = self.variance(of)
        error = variance.std_error[among]
        correlation = self.covariance(of)[np.ix_(among, among)]
        correlation = correlation / np.outer(error, error)
        df = float(variance.df[among].min())
        return max_t(correlation, df, alpha, of.evidence.options.seed)
