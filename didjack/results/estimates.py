"""Coefficients and what inference makes of them; everything is derived on request."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from didjack._typing import Floats, Ints
from didjack.engine.fit import Fit
from didjack.errors import InferenceWarning, warn
from didjack.inference import statistics as inference
from didjack.inference import wald as hypotheses
from didjack.inference.coefficients import JACKKNIFE, Uncertainty
from didjack.inference.targets import Targets, combine
from didjack.options import Options, Vcov, check_alpha, check_choice
from didjack.wording import name_some, plural


@dataclass(frozen=True, eq=False, repr=False)
class Estimates(ABC):
    """Coefficients with their variance and the tests made from it."""

    _fit: Fit
    _targets: Targets

    # -- what was asked for -------------------------------------------------------------------

    @property
    def options(self) -> Options:
        """The options of the call of `csdid`."""
        return self._fit.options

    @property
    def alpha(self) -> float:
        """One minus the level of confidence intervals."""
        return self.options.alpha

    @property
    def nobs(self) -> int:
        """Number of rows in the sample that was used."""
        return self._fit.layout.n_obs

    @property
    def sample(self) -> pd.DataFrame:
        """The ledger of the sample rules: what each one dropped or recoded, and why."""
        return self._fit.ledger.copy()

    @property
    @abstractmethod
    def title(self) -> str:
        """What the table of coefficients is called."""

    @property
    @abstractmethod
    def _components(self) -> Ints:
        """Positions of the coefficients that are no average of the others."""

    @abstractmethod
    def _on(self, fit: Fit) -> Self:
        """Return the same coefficients of another fit."""

    def _with_vcov(self, kind: Vcov | None) -> Self:
        """Return the same coefficients with another variance."""
        if kind is None or kind == self.options.vcov:
            return self
        check_choice("vcov", kind)
        return self._on(self._fit.under(vcov=kind))

    @cached_property
    def _uncertainty(self) -> Uncertainty:
        return Uncertainty(self._fit, self._targets)

    def _uncertainty_for(self, kind: Vcov) -> Uncertainty:
        """Return what a kind of variance is made from; replicates are computed if it needs them."""
        if kind in JACKKNIFE and len(self._targets.theta) == 1:
            return self._with_vcov(kind)._uncertainty
        return self._uncertainty

    def _level(self, alpha: float | None) -> float:
        return self.alpha if alpha is None else check_alpha(alpha)

    # -- tables -------------------------------------------------------------------------------

    @cached_property
    def _variance(self) -> inference.Variance:
        return self._uncertainty.variance(self.options.vcov)

    def _status(self, targets: Targets) -> list[str]:
        options = self.options
        return targets.status_of(
            options.jackknife, options.undefined == "skip", self._fit.layout.cluster_labels
        )

    def _table(
        self, targets: Targets, variance: inference.Variance, alpha: float | None
    ) -> pd.DataFrame:
        """Build the columns `STATISTICS` of coefficients."""
        turned = targets.retargeted[1:] & ~np.isnan(targets.theta[1:])
        return inference.coefficient_table(
            targets.theta[0],
            variance,
            self._level(alpha),
            turned.sum(axis=0) * self.options.jackknife,
            self._status(targets),
        )

    def _statistics(self, alpha: float | None = None) -> pd.DataFrame:
        """Build the table of all coefficients without labels."""
        return self._table(self._targets, self._variance, alpha)

    def tidy(self, alpha: float | None = None) -> pd.DataFrame:
        """Return one row for each coefficient.

        Parameters
        ----------
        alpha : float, optional
            One minus the level of the intervals; default: that of the call of `csdid`.

        Returns
        -------
        DataFrame
            Labels, then estimate, std_error, statistic, df, p_value, conf_low, conf_high (in
            units of the outcome), n_replicates (used), n_retargeted and status.
        """
        labels = self._targets.labels
        table = self._statistics(alpha).iloc[: len(labels)]
        return pd.concat([labels.reset_index(drop=True), table], axis=1)

    def confint(self, level: float = 0.95, joint: bool = False) -> pd.DataFrame:
        """Return confidence intervals, one row for each coefficient.

        Parameters
        ----------
        level : float
            Confidence level.
        joint : bool
            Simultaneous bands: the probability that they cover all coefficients at once is
            `level`. The critical value is that of the largest absolute value of a t vector with
            the estimated correlation and the smallest degrees of freedom among the coefficients
            (normal where these are infinite). It is simulated with `seed` (default 0), with a
            standard error below 0.005; with ``vcov="bootstrap"`` it is the quantile of the
            largest absolute t statistic of the draws. A band is never narrower than the pointwise
            interval. Coefficients without a standard error and reference periods do not take
            part, nor does the overall of an aggregation, which is an average of the others and
            keeps its own interval.

        Returns
        -------
        DataFrame
            conf_low and conf_high by coefficient. With `joint`, ``attrs`` has the critical value,
            its simulation_error and n_draws.

        References
        ----------
        Callaway & Sant'Anna (2021), section 4.1, doi:10.1016/j.jeconom.2020.12.001. Montiel Olea
        & Plagborg-Møller (2019), doi:10.1002/jae.2656.
        """
        alpha = 1.0 - check_alpha(level)
        table = self._statistics(alpha)[["conf_low", "conf_high"]].set_axis(self._targets.index)
        if not joint:
            return table
        variance, which = self._variance, self._components
        found = self._uncertainty.critical_value(self.options.vcov, which, alpha)
        value = np.fmax(found.value, inference.critical_value(alpha, variance.df[which]))
        estimate, margin = self._targets.theta[0, which], value * variance.std_error[which]
        table.iloc[which] = np.column_stack([estimate - margin, estimate + margin])
        table.attrs["critical_value"] = found.value
        table.attrs["simulation_error"] = found.error
        table.attrs["n_draws"] = found.n_draws
        return table

    def vcov(self, kind: Vcov | None = None) -> pd.DataFrame:
        """Return the covariance matrix of the coefficients.

        Parameters
        ----------
        kind : {"CV3", "CV3J", "analytic", "bootstrap"}, optional
            Default: that of the call of `csdid`. "analytic" is clustered if the call named
            clusters. "bootstrap" has the correlations of the draws.

        Returns
        -------
        DataFrame
            Labelled; its diagonal is `std_error` squared. Rows and columns of coefficients
            without a standard error are NaN. Where replicates are left out
            (``undefined="skip"``), a covariance uses those that both coefficients have.
        """
        if kind is not None:
            check_choice("vcov", kind)
        kind = self.options.vcov if kind is None else kind
        index = self._targets.index
        matrix = self._uncertainty_for(kind).covariance(kind)
        return pd.DataFrame(matrix, index=index, columns=index)

    # -- hypotheses ---------------------------------------------------------------------------

    def wald_test(self, R: Any = None, q: ArrayLike | None = None) -> pd.Series:
        r"""Test linear restrictions on the coefficients jointly.

        .. math:: F = (R \theta - q)' (R V R')^+ (R \theta - q) / k

        with V the covariance matrix and k the rank of :math:`R V R'` (eigenvalues of its
        correlation matrix below 1e-10 of the largest count as zero) is compared with F(k, df). df
        is the number of replicates less one for the jackknife, H - 1 for clustered and infinite
        (:math:`\chi^2_k / k`) for other analytic and for bootstrap standard errors. With
        ``undefined="skip"`` the replicates that all coefficients in the test have are used.

        Parameters
        ----------
        R : list, mapping, DataFrame or array, optional
            - list of labels: each of these coefficients;
            - mapping or Series from label to weight: one linear combination; a list of them:
              several;
            - DataFrame with labels as columns: one combination a row;
            - array of as many columns as coefficients (the overall may be left out).

            Default: all coefficients but reference periods; for an aggregation its components,
            not the overall, which is an average of them.
        q : float or array, optional
            Values of the combinations under the hypothesis; default: zero.

        Returns
        -------
        Series
            statistic (F), df_num, df_denom, p_value, rank, and reason. NaN, with the reason, if a
            coefficient has no standard error or if there are more restrictions than independent
            replicates (clusters, units) less one.

        Warns
        -----
        InferenceWarning
            There is no test, and why.

        Notes
        -----
        F tests of many restrictions reject too often when there are few clusters. They are close
        to what they should be only if the restrictions are far fewer than the replicates.
        """
        targets = self._targets
        if R is None:
            weights = np.eye(len(targets.index))[self._tested_by_default()]
        else:
            weights = hypotheses.restrictions(R, targets.index, self._components.size)
        return self._wald(weights, hypotheses.values_of(q, len(weights)))

    def _tested_by_default(self) -> Ints:
        return self._components[~self._targets.reference[self._components]]

    def _wald(self, weights: Floats, values: Floats) -> pd.Series:
        """Test (L, M) restrictions, or say why not."""
        reason = self._untestable(weights)
        if not reason:
            kind = self.options.vcov
            distance = combine(self._targets.theta[:1], weights)[0] - values
            covariance = self._uncertainty.covariance(kind, weights)
            df = float(self._uncertainty.variance(kind, weights).df.min())
            test = hypotheses.wald(distance, covariance, df)
            reason = test["reason"]
        if reason:
            warn(f"no Wald test: {reason}", InferenceWarning)
            return hypotheses.untested(reason)
        return test

    def _untestable(self, weights: Floats) -> str:
        """Say why restrictions cannot be tested, if so."""
        targets = self._targets
        if not len(weights):
            return "there is no coefficient to test"
        used = (weights != 0).any(axis=0)
        bare = np.flatnonzero(used & np.isnan(self._variance.std_error) & ~targets.reference)
        if bare.size:
            return (
                f"{plural(bare.size, 'coefficient')} without a standard error: "
                f"{name_some(targets.index[bare], 5)}; name the others in R, as a list of labels"
            )
        if not (weights[:, ~targets.reference] != 0).any(axis=1).all():
            return "a restriction is on reference periods alone, which are zero by construction"
        rank = int(np.linalg.matrix_rank(weights))
        parts = self._uncertainty.n_independent(self.options.vcov, weights)
        if rank > parts - 1:
            what = "replicates" if self.options.jackknife else "clusters or units"
            return (
                f"{rank} restrictions with {parts} {what}, which allow {parts - 1} at most; "
                "test fewer at a time"
            )
        return ""

    def lincomb(
        self,
        weights: Mapping[Any, float] | pd.Series | Sequence[float] | Floats,
        alpha: float | None = None,
    ) -> pd.Series:
        """Estimate a linear combination of the coefficients.

        The combination is formed in every replicate, so its CV3 is that of the combination
        itself: it is undefined in a replicate in which one of its coefficients is.

        Parameters
        ----------
        weights : mapping or Series from label to weight, or array
            An array has one weight a coefficient; the overall may be left out.
        alpha : float, optional
            One minus the level of the interval.

        Returns
        -------
        Series
            The columns of `tidy` from estimate on.

        Examples
        --------
        >>> import didjack
        >>> df = didjack.datasets.load_mpdta()
        >>> res = didjack.csdid(df, "lemp", "year", "first.treat", "countyreal")
        >>> study = res.aggregate("event")
        >>> print(f"{study.lincomb({0: 0.5, 1: 0.5})['estimate']:.4f}")
        -0.0354
        >>> cohorts = res.aggregate("group")
        >>> print(f"{cohorts.lincomb({2006: 1, 2007: -1})['p_value']:.3f}")
        0.894
        """
        row = hypotheses.weights_of(weights, self._targets.index, self._components.size)
        targets = self._targets.combine(row, "lincomb")
        variance = self._uncertainty.variance(self.options.vcov, row[None])
        return self._table(targets, variance, alpha).iloc[0].rename("lincomb")
