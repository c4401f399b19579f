"""What group-time and aggregated results share: frozen, everything derived on request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, assert_never, get_args

import numpy as np
import pandas as pd

from didjack.errors import OptionError
from didjack.options import CHOICES, Vcov, check_flag, check_listed, validate_keywords
from didjack.reporting.export import maketables
from didjack.reporting.plots import cluster_plots
from didjack.reporting.plots.points import Finish, Style
from didjack.reporting.plots.series import Intervals, Series
from didjack.reporting.tables.summary import summary
from didjack.reporting.tables.table import Table
from didjack.reporting.view import ResultView, columns
from didjack.results import (
    clusters,
    estimates,
    few_treated,
    hypotheses,
    permutation,
    sensitivity,
)
from didjack.results.base import BaseResult
from didjack.wording import brief, p_text, plural

# ---- what plot may be asked for ------------------------------------------------------------------

PlotKind = Literal["coefficients", "replicates", "variance", "placebo", "randomization"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The arguments of `plot`.

    Attributes
    ----------
    kind : what is drawn
    alpha, joint, compare : the intervals
    coefficient : for kinds about one coefficient
    style, finish : how it looks
    n_clusters : whether treated clusters are counted
    """

    kind: PlotKind
    alpha: float
    joint: bool
    compare: Vcov | None
    coefficient: Any
    style: Style
    finish: Finish
    n_clusters: bool

    def __post_init__(self) -> None:
        check_listed("kind", self.kind, get_args(PlotKind))
        for name in ("joint", "n_clusters"):
            object.__setattr__(self, name, check_flag(name, getattr(self, name)))
        if self.compare is not None:
            check_listed("compare", self.compare, tuple(CHOICES["vcov"]))
        if self.coefficient is not None and self.kind not in ("replicates", "variance"):
            raise OptionError(
                f"coefficient={brief(self.coefficient)} goes with kind='replicates' and "
                f"kind='variance', not with kind={self.kind!r}"
            )
        if self.kind == "coefficients":
            return
        given = {"compare": self.compare} | {
            name: getattr(self.style, name) for name in ("label", "color", "marker")
        }
        for name, value in given.items():
            if value is not None:
                self._refuse(name, value)
        if self.style.offset:
            self._refuse("offset", self.style.offset)
        if self.style.look != "errorbar":
            self._refuse("style", self.style.look)
        if self.n_clusters:
            self._refuse("n_clusters", True)

    def _refuse(self, name: str, value: Any) -> None:
        raise OptionError(
            f"{name}={brief(value)} goes with kind='coefficients', not with kind={self.kind!r}"
        )

    def series(self, view: ResultView) -> Series:
        """Return a result as it is to be drawn."""
        intervals = Intervals(alpha=self.alpha, joint=self.joint, compare=self.compare)
        return Series(view=view, intervals=intervals, style=self.style)


# ---- results -------------------------------------------------------------------------------------

if TYPE_CHECKING:
    from matplotlib.axes import Axes


_IN_REPR = ["estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high"]
_MOST_ROWS = 12


@dataclass(frozen=True, eq=False, repr=False)
class Result(BaseResult):
    """Coefficients with their inference, and how these are shown."""

    tidy = estimates.tidy
    confint = estimates.confint
    vcov = estimates.vcov

    # What users of statsmodels and pyfixest type.
    params = property(estimates.params)
    bse = property(estimates.se)
    tvalues = property(estimates.tstat)
    pvalues = property(estimates.pvalue)
    conf_int = estimates.conf_int
    cov_params = estimates.cov_params
    coef = estimates.coef
    se = estimates.se
    tstat = estimates.tstat
    pvalue = estimates.pvalue

    wald_test = hypotheses.wald_test
    pretest = hypotheses.pretest
    mde = hypotheses.mde
    lincomb = hypotheses.lincomb
    randomization_test = permutation.randomization_test
    placebo_test = permutation.placebo_test
    trend_sensitivity = sensitivity.trend_sensitivity
    noise_sensitivity = sensitivity.noise_sensitivity

    replicates = clusters.replicates
    influence = clusters.influence
    glance = clusters.glance
    clusters = clusters.clusters  # the last, as it takes the name of the module

    @validate_keywords
    def summary(self, alpha: float | None = None) -> Table:
        """Return a table to print: the design, the coefficients, and notes on them.

        Parameters
        ----------
        alpha : float, optional
            One minus the level of the intervals; default: that of the result.

        Returns
        -------
        Table
            Prints as plain text, appears as HTML in notebooks; ``to_latex()`` and ``save(path)``
            export it.

        Raises
        ------
        OptionError
            `alpha` is not a number between 0 and 0.5.

        Examples
        --------
        >>> import didjack
        >>> df = didjack.datasets.load_mpdta()
        >>> res = didjack.csdid(df, "lemp", "year", "first.treat", "countyreal")
        >>> print(res.aggregate("group").summary(alpha=0.1))
        Callaway-Sant'Anna difference in differences: group effects
        ===...
        cohort 2004  -0.0797      0.0275  -2.90  0.007     -0.1260    -0.0335
        ...
        """
        return summary(self._view, self._level(alpha))

    @validate_keywords
    def to_html(self) -> str:
        """Return the summary as HTML.

        Returns
        -------
        str

        Examples
        --------
        >>> import didjack
        >>> df = didjack.datasets.load_mpdta()
        >>> res = didjack.csdid(df, "lemp", "year", "first.treat", "countyreal")
        >>> "<table" in res.to_html()
        True
        """
        return self.summary().to_html()

    @validate_keywords
    def to_latex(self) -> str:
        r"""Return the summary as LaTeX.

        The document needs ``\usepackage{booktabs, makecell, threeparttable}``.

        Returns
        -------
        str

        Examples
        --------
        >>> import didjack
        >>> df = didjack.datasets.load_mpdta()
        >>> res = didjack.csdid(df, "lemp", "year", "first.treat", "countyreal")
        >>> r"\toprule" in res.to_latex()
        True
        """
        return self.summary().to_latex()

    def _plot_clusters(
        self, kind: Literal["replicates", "variance"], ax: Any, coefficient: Any, finish: Finish
    ) -> Axes:
        self._need_replicates(f"plot(kind={kind!r})")
        deletions = self._view.deletions(coefficient)
        match kind:
            case "replicates":
                return cluster_plots.replicates(self._view, deletions, ax, finish)
            case "variance":
                return cluster_plots.variance(self._view, deletions, ax, finish)
            case _:
                assert_never(kind)

    def _few_treated(self, alpha: float) -> list[str]:
        return few_treated.sentences(self, alpha)

    def _plot_permutations(
        self, kind: PlotKind, ax: Axes | None, alpha: float | None, finish: Finish
    ) -> Axes:
        if kind == "randomization":
            found = self.randomization_test(seed=self.options.inference.seed, alpha=alpha)
            others = found._statistics[1:]
            return cluster_plots.draw_assignments(found, others[~np.isnan(others)], ax, finish)
        test = permutation.placebos(self._fit.under(alpha=self._level(alpha)), self._overall)
        return cluster_plots.draw_placebos(test, self._view, ax, finish)

    @property
    def __maketables_coef_table__(self) -> pd.DataFrame:
        return maketables.coefficient_table(self._view)

    def __maketables_stat__(self, key: str) -> Any:
        return maketables.statistic(self._view, key)

    @property
    def __maketables_depvar__(self) -> str:
        return self.options.sample.yname

    @property
    def __maketables_vcov_info__(self) -> dict[str, Any]:
        by = self.options.cluster or self.options.idname
        return {"vcov_type": self.options.vcov, "clustervar": by}

    @property
    def __maketables_stat_labels__(self) -> dict[str, str]:
        return dict(maketables.STATISTICS)

    @property
    def __maketables_default_stat_keys__(self) -> list[str]:
        return list(maketables.DEFAULT_STATISTICS)

    def _repr_html_(self) -> str:
        return self.to_html()

    def __repr__(self) -> str:
        about = self._fit.describe()
        head = (
            f"{self.title[0].upper()}{self.title[1:]}: {about['est_method']}, {about['vcov']}, "
            f"{plural(self._fit.layout.n_clusters, 'cluster')}"
        )
        table = columns(self._view)[_IN_REPR]
        text = table.to_string(
            max_rows=_MOST_ROWS,
            float_format="{:.4f}".format,
            formatters={"p_value": lambda value: p_text(value) or "NaN"},
        )
        return f"{head}\n{text}"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Result) or type(other) is not type(self):
            return NotImplemented
        return (
            self.options.under(progress=None) == other.options.under(progress=None)
            and self._targets.index.equals(other._targets.index)
            and np.array_equal(self._targets.theta, other._targets.theta, equal_nan=True)
            and np.array_equal(
                self._coefficients.own_variance.std_error,
                other._coefficients.own_variance.std_error,
                equal_nan=True,
            )
        )

    __hash__ = None  # type: ignore[assignment]
