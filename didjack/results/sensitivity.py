"""How conclusions depend on parallel trends and on the noise of treated clusters: methods."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from didjack._typing import Floats
from didjack.errors import OptionError
from didjack.fields import Fields
from didjack.inference import noise_sensitivity as noise
from didjack.inference import trend_sensitivity as trends
from didjack.inference.roots import FARTHEST
from didjack.inference.targets import coefficient_names
from didjack.inference.trend_sensitivity import METHODS, Restriction
from didjack.options import check_listed, check_numbers, validate_keywords
from didjack.reporting.plots.points import Finish
from didjack.reporting.plots.sensitivity_plots import SensitivityPanel, draw_sensitivity
from didjack.reporting.view import effect
from didjack.results.base import BaseResult
from didjack.wording import brief, label_text, name_some

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure
    from numpy.typing import NDArray

NOTE_WIDTH = 80
"""Characters in a line of the notes below a printed table."""


@dataclass(frozen=True, repr=False, eq=False)
class Sensitivity(Fields):
    """Intervals of effects under weaker assumptions.

    Attributes
    ----------
    table : DataFrame with target (as in `tidy`, or "overall"), m or ratio, conf_low, conf_high,
        p_value and critical_value
    breakdown : Series by target: the largest m or ratio at which the interval excludes zero; 0 if
        none does, infinite if all do
    alpha : one minus the level of the intervals
    effect : description of the effect
    """

    _axis: ClassVar[str] = ""
    _label: ClassVar[str] = ""

    table: pd.DataFrame
    breakdown: pd.Series
    alpha: float
    effect: str
    _names: Mapping[Any, str]
    _before: frozenset[Any]

    def reading(self, target: Any = None) -> str:
        """Explain a breakdown value in a sentence.

        Parameters
        ----------
        target : optional
            As in the table, or as tables print it ("event time 0"); default: the overall effect.

        Raises
        ------
        OptionError
            There is no such target.
        """
        return self._sentence(self.breakdown.index[-1] if target is None else self._find(target))

    def _name(self, label: Any) -> str:
        if label == "overall":
            return "overall effect"
        name = self._names[label]
        how = {"event": "at", "cohort": "on", "period": "in"}
        return f"effect {how.get(name.partition(' ')[0], 'of')} {name}"

    def _sentence(self, label: Any) -> str:
        raise NotImplementedError

    def plot(
        self,
        ax: NDArray[Any] | Figure | SubFigure | None = None,
        targets: Any = None,
        title: str | None = None,
    ) -> NDArray[Any]:
        """Draw the intervals by m or ratio, one panel for each target, with the breakdown values.

        Parameters
        ----------
        ax : matplotlib Figure, SubFigure or array of Axes, optional
            Where to draw; default: a new figure.
        targets : label or list of labels, optional
            Effects to draw; default: those from treatment on.
        title : str, optional
            Title of the figure; default: none.

        Returns
        -------
        array of matplotlib Axes

        Raises
        ------
        OptionError
            A target that does not exist, or `ax` with too few Axes.
        """
        if targets is None:
            targets = [label for label in self.breakdown.index if label not in self._before]
        given = targets if isinstance(targets, (list, tuple, pd.Index, np.ndarray)) else [targets]
        panels = [self._panel(self._find(label)) for label in given]
        if not panels:
            raise OptionError(f"targets must name at least one target; got {brief(targets)}")
        return draw_sensitivity(panels, self._label, self.effect, ax, Finish(title=title))

    def _panel(self, label: Any) -> SensitivityPanel:
        rows = self.table[[one == label for one in self.table["target"]]]
        x, low, high = (rows[name].to_numpy() for name in (self._axis, "conf_low", "conf_high"))
        name = self._name(label)
        return SensitivityPanel(name[0].upper() + name[1:], x, low, high, self.breakdown[label])

    def _find(self, target: Any) -> Any:
        """Return a label of the table by its value or by the way it is printed, or raise."""
        if not isinstance(target, (bool, np.bool_)) and pd.api.types.is_hashable(target):
            for label in self.breakdown.index:
                if label == target or target in (self._names[label], label_text(label)):
                    return label
        listed = name_some(map(label_text, self.breakdown.index), 20)
        raise OptionError(f"target must be one of {listed}; got {brief(target)}")

    def _wide(self) -> pd.DataFrame:
        """Return intervals as text, one row a target and one column a value of m or ratio."""
        low, high = self.table["conf_low"], self.table["conf_high"]
        text = [f"[{a:.3g}, {b:.3g}]" for a, b in zip(low, high, strict=True)]
        wide = self.table.assign(interval=text).pivot(
            index="target", columns=self._axis, values="interval"
        )
        wide = wide.loc[self.breakdown.index].rename(columns="{:.3g}".format)
        wide = wide.assign(breakdown=[f"{value:.3g}" for value in self.breakdown])
        return wide.rename(index=label_text)

    def __repr__(self) -> str:
        notes = [textwrap.fill(note, NOTE_WIDTH) for note in self._notes()]
        return "\n".join([self._title, self._wide().to_string(), *notes])

    def _repr_html_(self) -> str:
        notes = "".join(f"<p>{note}</p>" for note in self._notes())
        return f"<p>{self._title}</p>{self._wide().to_html()}{notes}"

    def _notes(self) -> list[str]:
        return [self.reading()]


@dataclass(frozen=True, repr=False, eq=False)
class TrendSensitivity(Sensitivity):
    """Intervals of event-study effects that allow for deviations from parallel trends.

    Attributes
    ----------
    restriction : "relative_magnitudes" or "smoothness"
    steps : event times at which the steps before treatment end, the last one first
    left_out : event times of steps that have no standard error and are not used
    nested : Series by target: whether the interval also excludes zero at every smaller m that was
        tried
    """

    _axis: ClassVar[str] = "m"
    _label: ClassVar[str] = "m"
    _title: ClassVar[str] = "Sensitivity to deviations from parallel trends"

    restriction: Restriction
    steps: tuple[int, ...]
    left_out: tuple[int, ...]
    nested: pd.Series

    def _sentence(self, label: Any) -> str:
        value = self.breakdown[label]
        name, level = self._name(label), f"{100 * self.alpha:g}%"
        if np.isnan(value):
            return f"The {name} has no interval under some of the deviations."
        if value == 0 and not self.nested[label]:
            return f"The {name} is not significant at {level} {self._strictest}."
        if value == 0:  # the interval is that at m = 0, and at no other
            return f"The {name} is significant at {level} only {self._strictest[5:]}."
        if np.isinf(value):
            return f"The {name} is significant at {level} even with m = {FARTHEST:,.0f}."
        if not self.nested[label]:
            return (
                f"The {name} is significant at {level} for some m up to {value:.3g}, but not for "
                "all smaller ones: see the table."
            )
        if self.restriction == "smoothness":
            return (
                f"The {name} remains significant at {level} unless the slope of the deviation "
                f"changes by more than {value:.3g} from one period to the next."
            )
        return (
            f"The {name} remains significant at {level} unless a one-period deviation "
            f"from parallel trends after treatment is more than {value:.3g} times as large as "
            "the largest before."
        )

    @property
    def _strictest(self) -> str:
        """What m = 0 means."""
        return "even if " + (
            "the deviation is linear" if self.restriction == "smoothness" else "trends are parallel"
        )

    def _notes(self) -> list[str]:
        out = name_some(self.left_out, 10)
        note = [f"Left out, without a standard error: steps to event times {out}."]
        return [*super()._notes(), *(note if self.left_out else [])]


@dataclass(frozen=True, repr=False, eq=False)
class NoiseSensitivity(Sensitivity):
    """Intervals of effects if treated clusters are noisier than the others.

    Attributes
    ----------
    observed_ratio : standard deviation of the changes in treated clusters before treatment over
        that in never-treated clusters, both relative to the working model
    observed_percentile : percentage of sets of equally many never-treated clusters whose ratio to
        the other never-treated clusters is not larger
    n_sets : number of these sets
    """

    _axis: ClassVar[str] = "ratio"
    _label: ClassVar[str] = "ratio of standard deviations"
    _title: ClassVar[str] = "Sensitivity to noisier treated clusters"

    observed_ratio: float
    observed_percentile: float
    n_sets: int

    def _sentence(self, label: Any) -> str:
        return noise.reading(self._name(label), self.breakdown[label], self.alpha)

    def observation(self) -> str:
        """Describe the observed ratio in a sentence."""
        words = noise.Observed(self.observed_ratio, self.observed_percentile, self.n_sets).words
        if not words:
            return "The data before treatment do not show how noisy treated clusters are."
        more = ""
        if not np.isnan(self.observed_percentile):
            more = (
                f", more than in {self.observed_percentile:.0f}% of the sets of as many "
                "never-treated clusters"
            )
        return f"{words[0].upper()}{words[1:]}{more}."

    def _notes(self) -> list[str]:
        return [*super()._notes(), self.observation()]


@validate_keywords
def trend_sensitivity(
    self: BaseResult,
    restriction: Restriction = "relative_magnitudes",
    m: float | Sequence[float] | Floats | None = None,
    alpha: float | None = None,
) -> TrendSensitivity:
    r"""Return intervals of event-study effects that allow for deviations from parallel trends.

    The restrictions are those of Rambachan and Roth (2023). With :math:`s_j` the change of the
    deviation from one event time before treatment to the next, a the periods of anticipation, and
    :math:`K = \sum_e l_e (e + 1 + a)` the number of steps from the base period to the effect
    :math:`l'\theta`:

    - ``"relative_magnitudes"``: no later step is larger than m times the largest step before. The
      interval is the hull of the intervals of :math:`l'\theta + \lambda m K s_j` over all j and
      :math:`\lambda = -1, 0, 1`.
    - ``"smoothness"``: neighbouring steps differ by at most m. With :math:`m_p` the mean of the
      last p steps, the interval of :math:`l'\theta - K m_p` is widened on both sides by
      :math:`m \sum_e l_e [(e + 1 + a)(e + 2 + a) + (e + 1 + a)(p - 1)] / 2`. p gives the shortest
      expected interval under the working model.

    Each of these is the interval of one linear combination, see `lincomb`, with its own standard
    error and reference distribution. Nothing is optimized or simulated, so that the intervals are
    valid with few treated clusters. A union of intervals contains the effect if one of them does,
    so that coverage is at least 1 - alpha. The intervals are somewhat longer than those of
    HonestDiD.

    Parameters
    ----------
    restriction : {"relative_magnitudes", "smoothness"}
    m : float or list of floats, optional
        How large deviations may be, 0 or more: a multiple for relative magnitudes, by default
        0, 0.5, 1, 1.5 and 2; in units of the outcome for smoothness, by default up to the standard
        error of a step. With relative magnitudes, m = 0 gives the intervals of `confint`.
    alpha : float, optional
        One minus the level of the intervals; default: that of the result.

    Returns
    -------
    TrendSensitivity
        Fields: table, a DataFrame with target (an event time or "overall"), m, conf_low, conf_high,
        p_value and critical_value; breakdown, a Series by target, the largest m at which the
        interval excludes zero; restriction; steps and left_out, event times at which steps end that
        are used, and of steps without a standard error. ``reading()`` explains a breakdown value,
        ``plot()`` draws the intervals.

    Raises
    ------
    OptionError
        Not an event study, no event time before treatment or none after it with a standard error,
        periods with gaps, or an m that is negative or not finite.

    Notes
    -----
    With a varying base period the steps are the coefficients before treatment. With a universal
    base period they are differences between adjacent coefficients. Event times may differ in their
    cohorts; `balance_e` of `aggregate` keeps the cohorts the same after treatment.

    References
    ----------
    Rambachan & Roth (2023), A more credible approach to parallel trends, Review of Economic
    Studies 90, doi:10.1093/restud/rdad018. Conley, Hansen & Rossi (2012), Plausibly exogenous,
    Review of Economics and Statistics 94, doi:10.1162/REST_a_00139.

    Examples
    --------
    >>> import didjack
    >>> df = didjack.datasets.load_mpdta()
    >>> res = didjack.csdid(df, "lemp", "year", "first.treat", "countyreal")
    >>> trends = res.aggregate("event").trend_sensitivity()
    >>> trends.breakdown.round(2).to_dict()
    {0: 0.0, 1: 0.22, 2: 0.48, 3: 0.18, 'overall': 0.33}
    >>> print(trends.reading(2))
    The effect at event time 2 remains significant at 5% unless a one-period ...
    """
    check_listed("restriction", restriction, tuple(METHODS))
    _check_event_study(self)
    most = trends.MOST_MULTIPLE if restriction == "relative_magnitudes" else np.inf
    values = None if m is None else check_numbers("m", m, 0.0, most)
    coefficients, targets = self._coefficients, self._targets
    effects, options = targets.aggregated, self.options.estimation
    assert effects is not None  # of an event study
    _check_periods(self)
    known = ~np.isnan(coefficients.own_variance.std_error)
    size = effects.keys.size
    steps = trends.steps_of(
        effects.keys,
        known[:size],
        known.size,
        options.anticipation,
        options.base_period == "varying",
    )
    estimated = ~np.isnan(targets.estimates.full[:size])
    found = trends.analyse(
        coefficients,
        steps,
        trends.targets_of(
            effects.keys, estimated, known[:size], bool(known[-1]), options.anticipation
        ),
        restriction,
        values,
        self._level(alpha),
    )
    return TrendSensitivity(
        found.table,
        found.breakdown,
        self._level(alpha),
        effect(self._view),
        _names(self),
        frozenset(),
        restriction,
        tuple(steps.event_time.tolist()),
        tuple(steps.left_out.tolist()),
        found.nested,
    )


@validate_keywords
def noise_sensitivity(
    self: BaseResult,
    ratios: float | Sequence[float] | Floats | None = None,
    alpha: float | None = None,
) -> NoiseSensitivity:
    r"""Return intervals of effects if treated clusters are noisier than the others.

    No test can verify that the cluster-level shocks of treated clusters are like those of the
    others. Here their standard deviation is a multiple of that in the working model: with a ratio
    of :math:`\kappa`, the working variance of clusters with treated units is multiplied by
    :math:`\kappa^2`, and imputed standard errors, reference distributions, p-values and intervals
    are computed again.

    Parameters
    ----------
    ratios : float or list of floats, optional
        Standard deviation of treated clusters over that of others, above 0; default: 1, 1.25, 1.5,
        2, 3 and 5.
    alpha : float, optional
        One minus the level of the intervals; default: that of the result.

    Returns
    -------
    NoiseSensitivity
        Fields: table, a DataFrame with target, ratio, conf_low, conf_high, p_value and
        critical_value; breakdown, a Series by target, the largest ratio at which the p-value is at
        most alpha, 0 if there is none and infinite if every ratio is; observed_ratio, how noisy
        treated clusters are before treatment: the root of the mean of :math:`r_h / v_h` (r the mean
        square of a cluster's changes less those of the others, v its working variance) over that of
        never-treated clusters in the same pairs of periods; observed_percentile, the percentage of
        the n_sets sets of as many never-treated clusters whose ratio to the other never-treated
        ones is not larger. For ATT(g,t), the target is their simple average.

    Raises
    ------
    OptionError
        Without a jackknife and ``reference="model"``, without never-treated clusters, or for
        ratios that are not above 0 and finite.

    References
    ----------
    Ferman & Pinto (2019), Inference in differences-in-differences with few treated groups and
    heteroskedasticity, Review of Economics and Statistics 101, doi:10.1162/rest_a_00759.

    Examples
    --------
    >>> import didjack
    >>> df = didjack.datasets.load_mpdta()
    >>> res = didjack.csdid(
    ...     df, "lemp", "year", "first.treat", "countyreal", cluster="state"
    ... )
    >>> noise = res.aggregate("group").noise_sensitivity()
    >>> print(noise.reading())
    The overall effect ...
    >>> print(noise.observation())
    Before treatment they were ...
    """
    values = (
        noise.RATIOS if ratios is None else check_numbers("ratios", ratios, None, noise.MOST_RATIO)
    )
    level, result = self._level(alpha), self._aggregation
    coefficients, targets = result._coefficients, result._targets
    analysis = noise.NoiseRatios(coefficients)
    at = np.flatnonzero(~targets.base).tolist()
    labels = [targets.index[m] for m in at]
    table = analysis.table(values, at, labels, level)
    index = pd.Index(labels, dtype=object, name="target")
    breakdown = [analysis.breakdown(m, level) for m in at]
    seen = analysis.observed
    return NoiseSensitivity(
        table,
        pd.Series(breakdown, index, name="breakdown"),
        level,
        effect(result._view),
        _names(result),
        frozenset(targets.index[result._view.before.nonzero()[0]]),
        seen.ratio,
        seen.percentile,
        seen.n_sets,
    )


def _names(result: BaseResult) -> dict[Any, str]:
    """Return what tables call the coefficients, by their labels."""
    index = result._targets.index
    return dict(zip(index, coefficient_names(index), strict=True))


def _check_event_study(result: BaseResult) -> None:
    """Raise unless coefficients are effects at single event times."""
    if result._scheme is None or not result._scheme.leads:
        raise OptionError(
            f"trend_sensitivity() needs an event study, not {result.title}: "
            "result.aggregate('event').trend_sensitivity()"
        )
    if result._scheme.keys == "bins":
        raise OptionError("trend_sensitivity() needs single event times: aggregate without bins")


def _check_periods(result: BaseResult) -> None:
    """Raise if periods have gaps or are binned: then steps are of different length."""
    if result._scheme is not None and result._scheme.keys == "bins":
        raise OptionError("trend_sensitivity() needs single event times: aggregate without bins")
    layout = result._fit.layout
    gaps = np.flatnonzero(np.diff(layout.periods) != 1)
    if gaps.size:
        labels = layout.axis.labels(layout.periods)
        pairs = [f"{label_text(labels[k])} and {label_text(labels[k + 1])}" for k in gaps.tolist()]
        raise OptionError(
            "trend_sensitivity() needs periods without gaps, so that all steps are as long; there "
            f"are gaps between {name_some(pairs, 3)}: number the periods 1, 2, 3, ..."
        )
