"""Coefficients and what inference makes of them; everything is derived on request."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Never, Self

import numpy as np
import pandas as pd

from didjack._typing import Ints
from didjack.averaging.schemes import Scheme
from didjack.engine.fit import Fit
from didjack.errors import UnknownOptionError
from didjack.inference.coefficients import Coefficients
from didjack.inference.evidence import Evidence
from didjack.inference.kinds import KINDS
from didjack.inference.targets import Targets
from didjack.options import (
    Options,
    Vcov,
    check_alpha,
    check_choice,
    check_flag,
    reject_unknown,
)
from didjack.results.copies import labelled, own_frame
from didjack.results.view import View


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
        return own_frame(self._fit.ledger)

    @property
    @abstractmethod
    def title(self) -> str:
        """What the table of coefficients is called."""

    @property
    @abstractmethod
    def _scheme(self) -> Scheme | None:
        """What the coefficients are averages over."""

    @property
    @abstractmethod
    def _overall_targets(self) -> Targets | None:
        """Targets whose last coefficient is the overall ATT; None where there is none."""

    @property
    @abstractmethod
    def _before(self) -> Ints:
        """Positions of coefficients before treatment, and before any anticipation of it."""

    @abstractmethod
    def _on(self, fit: Fit) -> Self:
        """Return the same coefficients of another fit."""

    def _with_vcov(self, kind: str) -> Self:
        """Return the same coefficients with another variance."""
        check_choice("vcov", kind)
        if kind == self.options.vcov:
            return self
        return self._on(self._fit.under(vcov=kind))

    @cached_property
    def _coefficients(self) -> Coefficients:
        return Coefficients(Evidence(self._fit, self._targets))

    @property
    def view(self) -> View:
        """What tables and pictures read of the result: a `ResultView`, read only."""
        return View(
            coefficients=self._coefficients,
            title=self.title,
            scheme=self._scheme,
            overall=lambda: self._overall_targets,
            under=lambda kind: self._with_vcov(kind).view,
            positions_before=self._before,
        )

    def _level(self, alpha: float | None) -> float:
        return self.alpha if alpha is None else check_alpha(alpha)

    # -- coefficients -------------------------------------------------------------------------

    def _statistics(self, alpha: float | None = None) -> pd.DataFrame:
        """Build the table of all coefficients without labels."""
        return self._coefficients.table(self._level(alpha))

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
        labels = own_frame(self._targets.labels)
        table = self._statistics(alpha).iloc[: len(labels)]
        return pd.concat([labels.reset_index(drop=True), table], axis=1)

    def confint(
        self, alpha: float | None = None, joint: bool = False, **unknown: Never
    ) -> pd.DataFrame:
        """Return confidence intervals, one row for each coefficient.

        Parameters
        ----------
        alpha : float, optional
            One minus the confidence level; default: that of the call of `csdid`.
        joint : bool
            Simultaneous bands: the probability that they cover all coefficients at once is
            1 - `alpha`. The critical value is that of the largest absolute value of a t vector
            with the estimated correlation and the smallest degrees of freedom among the
            coefficients (normal where these are infinite). It is simulated with `seed`, with a
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

        Raises
        ------
        OptionError
            `alpha` is no number between 0 and 0.5: 0.05 is the one of 95 percent.

        References
        ----------
        Callaway & Sant'Anna (2021), section 4.1, doi:10.1016/j.jeconom.2020.12.001. Montiel Olea
        & Plagborg-Møller (2019), doi:10.1002/jae.2656.
        """
        if "level" in unknown:
            raise UnknownOptionError(
                "confint has no level, but alpha, which is one minus it: alpha=0.05 for 95 percent"
            )
        reject_unknown(unknown, ["alpha", "joint"])
        alpha, joint = self._level(alpha), check_flag("joint", joint)
        names = ["conf_low", "conf_high"]
        if not joint:
            return labelled(self._coefficients.intervals(alpha), self._targets.index, names)
        ends, found = self._coefficients.band(alpha)
        table = labelled(ends, self._targets.index, names)
        index = self._targets.index[self._targets.components].tolist()
        pairs = zip(index, found.value.tolist(), strict=True)
        table.attrs["critical_values"] = {key: value for key, value in pairs if np.isfinite(value)}
        table.attrs["critical_value"] = float(np.nanmax(found.value, initial=-np.inf))
        table.attrs["simulation_error"] = float(np.nanmax(found.error, initial=0.0))
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
        made = KINDS[self.options.vcov if kind is None else kind]
        index = self._targets.index
        return labelled(self.view.made_for(made).covariance(made), index, index)
