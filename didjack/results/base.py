"""Coefficients of a fit with the options of their inference, from which all methods start."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from typing import Any, Self

import pandas as pd

from didjack._typing import Ints
from didjack.aggregation.schemes import Scheme
from didjack.errors import OptionError
from didjack.estimation.fit import Fit
from didjack.inference.coefficients import Coefficients
from didjack.inference.permutation.permuted import Permutable
from didjack.inference.targets import Targets
from didjack.inference.variance.base import Evidence
from didjack.options import (
    Options,
    Reference,
    Undefined,
    Vcov,
    check_alpha,
    validate_keywords,
)
from didjack.results.result_view import View, own_frame, report_inference

_of_warnings = attrgetter("vcov", "reference", "undefined")
"""Options that warnings about inference depend on, but for the numbers in them."""


@dataclass(frozen=True, eq=False, repr=False)
class BaseResult(ABC):
    """Coefficients of a fit, and the options of their inference."""

    _evidence: Evidence

    @property
    def _fit(self) -> Fit:
        return self._evidence.fit

    @property
    def _targets(self) -> Targets:
        return self._evidence.targets

    @property
    def options(self) -> Options:
        """The options of the result: those of the call of `csdid`, or of `with_options`.

        They are in three parts, `sample`, `estimation` and `inference`. An option can also be read
        by its name alone, such as ``result.options.vcov``, and ``as_dict()`` has all of them.
        """
        return self._fit.options

    @property
    def alpha(self) -> float:
        """One minus the confidence level, for all methods that are called without `alpha`."""
        return self.options.inference.alpha

    @property
    def nobs(self) -> int:
        """Number of rows in the sample that was used."""
        return self._fit.layout.n_obs

    @property
    def sample(self) -> pd.DataFrame:
        """The record of the sample rules: what each rule dropped or recoded, and why.

        One row per rule that applied: rule, action, n_rows and n_units, reason, and the first
        examples. The last row is the final sample.
        """
        return own_frame(self._fit.ledger)

    @property
    @abstractmethod
    def title(self) -> str:
        """Title of the table of coefficients, such as "event study"."""

    @property
    @abstractmethod
    def _overall(self) -> Permutable:
        """Which aggregation the overall ATT is."""

    @property
    @abstractmethod
    def _aggregation(self) -> BaseResult:
        """The aggregation that sensitivity is asked of: its own, or the simple average."""

    @property
    @abstractmethod
    def _scheme(self) -> Scheme | None:
        """How ATT(g,t) are aggregated."""

    @property
    @abstractmethod
    def _overall_evidence(self) -> Evidence | None:
        """Evidence whose last coefficient is the overall ATT; None where there is none."""

    @property
    @abstractmethod
    def _before(self) -> Ints:
        """Positions of coefficients before treatment, and before any anticipation of it."""

    @abstractmethod
    def _on(self, fit: Fit) -> Self:
        """Return the same coefficients of another fit."""

    def _under(self, **options: Any) -> Self:
        """Return the same coefficients under other inference, without a warning."""
        fit = self._fit.under(**options)
        return self if fit.options == self.options else self._on(fit)

    @validate_keywords
    def with_options(
        self,
        *,
        vcov: Vcov | None = None,
        reference: Reference | None = None,
        undefined: Undefined | None = None,
        alpha: float | None = None,
        n_boot: int | None = None,
        seed: int | None = None,
    ) -> Self:
        """Return the same result with other options of inference.

        The result equals that of `csdid` and `aggregate` with these options, to the last digit, but
        nothing is estimated again. Jackknife replicates are computed if the first call did not need
        them, once for all results.

        Parameters
        ----------
        vcov : {"CV3", "CV3J", "analytic", "bootstrap"}, optional
            Standard errors.
        reference : {"model", "t"}, optional
            Reference distribution of the jackknife's t statistics.
        undefined : {"impute", "nan", "skip", "raise"}, optional
            Standard error if an estimate is not defined without some cluster, see `csdid`.
        alpha : float, optional
            One minus the level of intervals, for all methods of the result.
        n_boot : int, optional
            Number of draws of the bootstrap.
        seed : int, optional
            Seed of the bootstrap and of simulated critical values.

        Returns
        -------
        GroupTimeResult or AggregateResult
            A new result; this one is not changed. Options that are None keep their values.

        Raises
        ------
        OptionError
            An option has an invalid value, or a jackknife has no clusters; UnknownOptionError for
            options that change the estimates, which need a new call of `csdid`.
        UndefinedReplicateError
            With ``undefined="raise"``.

        Warns
        -----
        InferenceWarning
            A standard error is missing, or leaves clusters out; of ATT(g,t) also
            FewClustersWarning. Repeated only if `vcov`, `reference` or `undefined` changes.

        Examples
        --------
        >>> import didjack
        >>> df = didjack.datasets.load_mpdta()
        >>> res = didjack.csdid(df, "lemp", "year", "first.treat", "countyreal")
        >>> study = res.aggregate("event")
        >>> for vcov in ("CV3", "CV3J", "analytic", "bootstrap"):
        ...     overall = study.with_options(vcov=vcov, alpha=0.1).overall
        ...     print(f"{vcov:9} {overall['std_error']:.4f} {overall['conf_high']:.4f}")
        CV3       0.0207 -0.0427
        CV3J      0.0207 -0.0427
        analytic  0.0200 -0.0444
        bootstrap 0.0220 -0.0411
        """
        named = ("vcov", "reference", "undefined", "alpha", "n_boot", "seed")
        values = (vcov, reference, undefined, alpha, n_boot, seed)
        given = zip(named, values, strict=True)
        result = self._under(**{name: value for name, value in given if value is not None})
        if _of_warnings(result.options.inference) != _of_warnings(self.options.inference):
            report_inference(result._view)
        return result

    @cached_property
    def _coefficients(self) -> Coefficients:
        return Coefficients(self._evidence)

    @property
    def _view(self) -> View:
        """What tables and plots read of the result."""
        return View(
            coefficients=self._coefficients,
            title=self.title,
            scheme=self._scheme,
            overall=lambda: self._overall_evidence,
            under=lambda kind: self._under(vcov=kind)._view,
            few_treated=self._few_treated,
            positions_before=self._before,
        )

    def _statistics(self, alpha: float | None = None) -> pd.DataFrame:
        """Build the table of all coefficients without labels."""
        return self._coefficients.table(self._level(alpha))

    @abstractmethod
    def _few_treated(self, alpha: float) -> list[str]:
        """Say what else tells about the overall ATT where few clusters are treated."""

    def _need_replicates(self, what: str) -> None:
        if not self.options.inference.jackknife:
            vcov = self.options.inference.vcov
            raise OptionError(
                f"{what} needs the jackknife; this result has vcov={vcov!r}: call "
                "csdid(..., vcov='CV3')"
            )

    def _level(self, alpha: float | None) -> float:
        return self.alpha if alpha is None else check_alpha(alpha)
