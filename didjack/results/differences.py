"""Differences of two results: the same methods, on the one less the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args, overload

import numpy as np
import pandas as pd

from didjack._typing import Ints
from didjack.aggregation.aggregate import AggregatedEffects, Loading
from didjack.aggregation.schemes import Window
from didjack.errors import EstimationWarning, OptionError, warn
from didjack.inference import diagnostics
from didjack.inference.contrasts import (
    ContrastEvidence,
    Contrasts,
    PairedShares,
    StackedEvidence,
    contrast_evidence,
)
from didjack.inference.matching import Named
from didjack.inference.permutation.compared import AggregatedDifference, OverallDifference
from didjack.inference.permutation.permuted import Overall, Permutable
from didjack.inference.stacked import CellPairs, Shocks, StackedFit
from didjack.inference.targets import Targets, coefficient_names
from didjack.options import (
    INFERENCE,
    AggregationType,
    AggregationWeights,
    check_listed,
    must_be,
    validate_keywords,
)
from didjack.results import sensitivity
from didjack.results.aggregated import AggregateResult, aggregated_targets
from didjack.results.group_time import GroupTimeResult, group_time_targets
from didjack.results.groups import GroupResults
from didjack.results.result import Result
from didjack.results.result_view import View
from didjack.wording import name_some, plural

NAMES = ("a", "b")


class Difference(Result):
    """What differences of ATT(g,t) and of aggregated effects have in common.

    Attributes
    ----------
    left_out : labels of the coefficients that one of the two results alone has, as tables write
        them: those of the first, and those of the second
    """

    _sides: tuple[Result, Result]
    left_out: tuple[tuple[str, ...], tuple[str, ...]]

    @property
    def shocks(self) -> Shocks:
        """Whether cluster-level shocks of the two are "separate" or "shared"."""
        return _stacked(self).shocks

    @property
    def title(self) -> str:
        """Title of the table of coefficients, such as "event study"."""
        what = "group-time effects" if self._scheme is None else self._scheme.title
        return f"{what} (difference)"

    @property
    def _view(self) -> View:
        a, b = self._sides
        return replace(super()._view, sides=(a._view, b._view))

    def _few_treated(self, alpha: float) -> list[str]:
        how = {
            "separate": "cluster-level shocks of the two are independent",
            "shared": "cluster-level shocks are the same in both",
        }
        found = [f"First result less second; {how[self.shocks]}."]
        for name, labels in zip(("first", "second"), self.left_out, strict=True):
            if labels:
                found.append(f"Left out, in the {name} alone: {name_some(labels, 5)}.")
        return [*found, *super()._few_treated(alpha)]

    @validate_keywords
    def trend_sensitivity(
        self, restriction: Any = "relative_magnitudes", m: Any = None, alpha: float | None = None
    ) -> sensitivity.TrendSensitivity:
        """Return intervals that allow for deviations from parallel trends in the difference.

        As of a single result, see `AggregateResult.trend_sensitivity`: trends of the difference
        between the two would be parallel, so a deviation that both share does no harm.

        Parameters
        ----------
        restriction, m, alpha : as of `AggregateResult.trend_sensitivity`

        Returns
        -------
        TrendSensitivity

        Raises
        ------
        OptionError
            As there; also where the two have other base periods or anticipation, or average other
            event times in the overall effect.
        """
        _check_steps(self)
        return sensitivity.trend_sensitivity(self, restriction, m, alpha)


def _stacked(result: Result) -> StackedFit:
    fit = result._fit
    assert isinstance(fit, StackedFit)  # of two results
    return fit


def _check_steps(result: Difference) -> None:
    """Raise where the steps of two results are not the same."""
    a, b = (side.options.estimation for side in result._sides)
    for name in ("base_period", "anticipation"):
        one, other = getattr(a, name), getattr(b, name)
        if one != other:
            raise OptionError(
                "trend_sensitivity() needs results whose steps before treatment are the same; a "
                f"has {name}={one!r}, b {name}={other!r}"
            )
    post = [
        {int(e) for e in side._targets.aggregated.keys if e >= 0}
        for side in result._sides
        if side._targets.aggregated is not None
    ]
    if len(post) == 2 and post[0] != post[1]:
        alone = sorted(post[0] ^ post[1])
        raise OptionError(
            "trend_sensitivity() needs overall effects over the same event times; "
            f"{name_some(alone, 5)} {'is' if len(alone) == 1 else 'are'} in one alone: set max_e "
            "or balance_e in both aggregate() calls"
        )


@dataclass(frozen=True, eq=False, repr=False)
class GroupTimeDifference(Difference, GroupTimeResult):
    """Differences of ATT(g,t); `aggregate` takes the weights of the first result."""

    _sides: tuple[GroupTimeResult, GroupTimeResult]
    left_out: tuple[tuple[str, ...], tuple[str, ...]]

    def _under(self, **options: Any) -> GroupTimeDifference:
        a, b = (side._under(**options) for side in self._sides)
        if a is self._sides[0] and b is self._sides[1]:
            return self
        return _of_cells(a, b, self.shocks)

    @property
    def _overall(self) -> Permutable:
        overall = super()._overall
        assert isinstance(overall, AggregatedDifference)  # of its own aggregation
        return overall

    def _aggregated(
        self, kind: AggregationType, window: Window, weights: AggregationWeights = "cohort"
    ) -> AggregateDifference:
        fit = _stacked(self)
        targets = _paired(fit, aggregated_targets(fit, kind, window, weights))
        evidence = self._evidence.of(targets)
        return AggregateDifference(
            evidence, kind, window, weights, self._sides, self.left_out, self
        )


@dataclass(frozen=True, eq=False, repr=False)
class AggregateDifference(Difference, AggregateResult):
    """Differences of aggregated effects, or an aggregation of differences of ATT(g,t)."""

    _sides: tuple[Result, Result]
    left_out: tuple[tuple[str, ...], tuple[str, ...]]
    _cells: GroupTimeDifference | None = None

    def _under(self, **options: Any) -> AggregateDifference:
        if self._cells is not None:
            cells = self._cells._under(**options)
            if cells is self._cells:
                return self
            return cells._aggregated(self.type, self.window, self.weights)
        a, b = (side._under(**options) for side in self._sides)
        if a is self._sides[0] and b is self._sides[1]:
            return self
        assert isinstance(a, AggregateResult)  # as those of this one
        assert isinstance(b, AggregateResult)
        return _of_aggregates(a, b, self.shocks)

    @property
    def _overall(self) -> Permutable:
        if self._cells is not None:
            return AggregatedDifference(Overall(self.type, self.window, self.weights == "cell"))
        first, second = (side._overall for side in self._sides)
        assert isinstance(first, Overall)  # neither is a difference
        assert isinstance(second, Overall)
        return OverallDifference(first, second)


# ---- difference ----------------------------------------------------------------------------------


@overload
def difference(
    a: GroupTimeResult, b: GroupTimeResult, shocks: Shocks = "separate"
) -> GroupTimeDifference: ...


@overload
def difference(
    a: AggregateResult, b: AggregateResult, shocks: Shocks = "separate"
) -> AggregateDifference: ...


@overload
def difference(a: GroupResults, b: None = None, shocks: Shocks = "separate") -> Any: ...


@validate_keywords
def difference(a: Any, b: Any = None, shocks: Shocks = "separate") -> Any:
    r"""Compare two results: the effects of the first minus those of the second.

    Coefficients and clusters are matched by their labels. The estimate is
    :math:`\theta_a - \theta_b`, and the replicate without cluster h is
    :math:`\theta_{a(h)} - \theta_{b(h)}`. If a result does not contain the cluster, its estimate is
    unchanged. Each cluster is left out of both results at once, so CV3 accounts for the covariance
    of the two estimates. The reference distribution is that of the t statistic of the difference.

    Parameters
    ----------
    a, b : GroupTimeResult or AggregateResult
        Two results of `csdid`, or two aggregations of the same type. Each keeps its own estimation
        options; the inference options are those of `a`. The result of `by` with two groups may be
        given alone: the first group minus the second.
    shocks : {"separate", "shared"}
        What the working model assumes about the cluster-level errors of the two results.
        "separate": independent, as for two groups of people or two outcomes. "shared": the same, as
        for two specifications of the same rows; if they cancel in the difference, t(R - 1) is used.

    Returns
    -------
    GroupTimeResult or AggregateResult
        A result of the same kind, with the same methods; `options` are those of the first,
        ``left_out`` has the labels that only one result has. A difference of ATT(g,t) is
        aggregated with the weights of the first result; for separate weights, aggregate first.

    Raises
    ------
    OptionError
        The results are of different kinds, have different cluster columns, types of labels or
        periods, have no label in common, or, with "shared", have no cluster in common.

    Warns
    -----
    EstimationWarning
        Coefficients that only one result has are left out.
    InferenceWarning
        A standard error is missing, or some clusters are left out of it.

    Notes
    -----
    The difference between the effects on two groups of people is a triple difference if there are
    no covariates and the control group is never treated. Otherwise it is not: see "Comparing
    groups" in the documentation.

    Examples
    --------
    Did minimum wages matter more in small counties?

    >>> import didjack
    >>> df = didjack.datasets.load_mpdta()
    >>> small = df["lpop"] < df["lpop"].median()
    >>> names = ["lemp", "year", "first.treat", "countyreal"]
    >>> a, b = (
    ...     didjack.csdid(part, *names, cluster="state").aggregate("simple")
    ...     for part in (df[small], df[~small])
    ... )
    >>> effect = didjack.difference(a, b)
    >>> effect.overall[["estimate", "std_error", "p_value"]].astype(float).round(3).to_dict()
    {'estimate': -0.019, 'std_error': 0.04, 'p_value': 0.642}
    """
    if isinstance(a, GroupResults) and b is None:
        if len(a) != 2:
            raise OptionError(
                f"a has {len(a)} groups ({name_some(a.names, 4)}): name two of them, "
                "difference(groups[...], groups[...]), or test all with equality_test()"
            )
        a, b = a.values()
    if isinstance(a, GroupResults) or isinstance(b, GroupResults):
        raise OptionError(
            "groups of by() are given alone, difference(groups), or one result of each, such as "
            "difference(groups[...], groups[...])"
        )
    _check_kinds(a, b)
    check_listed("shocks", shocks, get_args(Shocks))
    if shocks == "shared" and a.options.yname != b.options.yname:
        raise OptionError(
            f"shocks='shared' is for one outcome; a has {a.options.yname!r}, b "
            f"{b.options.yname!r}: use shocks='separate'"
        )
    inference = {name: getattr(a.options.inference, name) for name in INFERENCE}
    subtract = _of_cells if isinstance(a, GroupTimeResult) else _of_aggregates
    result: Difference = subtract(a, b._under(**inference), shocks)
    _report(result)
    return result


def _check_kinds(a: object, b: object) -> None:
    """Raise unless two results can be compared."""
    for name, one in zip(NAMES, (a, b), strict=True):
        if isinstance(one, Difference):
            raise OptionError(f"{name} is a difference already; compare the results it is made of")
        if not isinstance(one, (GroupTimeResult, AggregateResult)):
            raise must_be(name, "a result of csdid() or aggregate()", one)
    assert isinstance(a, Result)
    assert isinstance(b, Result)
    if type(a) is not type(b) or a._scheme != b._scheme:
        raise OptionError(
            f"a is {_kind(a)}, b {_kind(b)}: both have to be ATT(g,t), or aggregations of one type"
        )


def _kind(result: Result) -> str:
    if not isinstance(result, AggregateResult):
        return "ATT(g,t)"
    bins = result.window.bins
    return f"of type {result.type!r}" + (f" with bins={list(bins)}" if bins else "")


def _report(result: Difference) -> None:
    """Warn of coefficients that are left out, and of standard errors that are missing."""
    some = [
        (f"{name}: {names[0]}", len(names))
        for name, names in zip(NAMES, result.left_out, strict=True)
        if names
    ]
    if some:
        count = sum(n for _, n in some)
        first = ", ".join(text for text, _ in some)
        warn(
            f"{plural(count, 'coefficient')} in one result alone left out of the difference (first "
            f"of {first}); see left_out",
            EstimationWarning,
        )
    diagnostics.report_missing(result._fit, result._targets, result.title)


def _of_cells(a: GroupTimeResult, b: GroupTimeResult, shocks: Shocks) -> GroupTimeDifference:
    """Subtract ATT(g,t)."""
    fit = StackedFit.of([Named("a", a._fit), Named("b", b._fit)], shocks)
    pairs = fit.pairs(fit.options.inference.jackknife)
    if not pairs.n_shown:
        raise _nothing_in_common(a, b)
    shown = pairs.first[: pairs.n_shown], pairs.second[: pairs.n_shown]
    targets = _paired(fit, group_time_targets(fit))
    left_out = _left_out((a, b), shown)
    return GroupTimeDifference(StackedEvidence(fit, targets), (a, b), left_out)


def _paired(fit: StackedFit, targets: Targets) -> Targets:
    """Return targets whose cells are numbered as the design of both fits has them."""
    jackknife = fit.options.inference.jackknife
    n_first = len(fit.parts[0].estimated(jackknife).cells)
    return replace(targets, shares=PairedShares(targets.shares, fit.pairs(jackknife), n_first))


def _of_aggregates(a: AggregateResult, b: AggregateResult, shocks: Shocks) -> AggregateDifference:
    """Subtract aggregated effects, matched by their labels."""
    fit = StackedFit.of([Named("a", a._fit), Named("b", b._fit)], shocks)
    at, index = _matched(a, b)
    last = [len(one._targets.index) - 1 for one in (a, b)]
    plus, minus = np.append(at[0], last[0]), last[0] + 1 + np.append(at[1], last[1])
    contrasts = Contrasts((a._evidence, b._evidence), plus, minus)
    labels = a._targets.labels
    if a._scheme.keys != "none":
        labels = labels.iloc[at[0]].reset_index(drop=True)
    evidence = contrast_evidence(fit, contrasts, labels, index)
    effects = _effects(fit, evidence, (a._targets, b._targets), at)
    evidence = replace(evidence, targets=replace(evidence.targets, aggregated=effects))
    return AggregateDifference(evidence, a.type, a.window, a.weights, (a, b), _left_out((a, b), at))


def _matched(a: AggregateResult, b: AggregateResult) -> tuple[tuple[Ints, Ints], pd.Index]:
    """Return which components are the same in both, and the labels of the differences."""
    one, other = (result._targets.index[:-1] for result in (a, b))
    place = other.get_indexer(one)
    at = np.flatnonzero(place >= 0)
    if not at.size and len(one):
        raise _nothing_in_common(a, b)
    index = a._targets.index[np.append(at, len(one))]
    return (at, place[at]), index


def _nothing_in_common(a: Result, b: Result) -> OptionError:
    """Return the error for results without a label in common."""
    one, other = (
        name_some(coefficient_names(result._targets.index)[: len(result._targets.labels)], 3)
        for result in (a, b)
    )
    return OptionError(f"a and b have no label in common: a has {one}; b has {other}")


def _left_out(
    sides: tuple[Result, Result], at: Sequence[Ints]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Name the coefficients of each result that are in no difference."""
    first, second = (
        tuple(
            name
            for m, name in enumerate(coefficient_names(side._targets.index))
            if m not in set(own.tolist()) and (side._scheme is None or name != "overall ATT")
        )
        for side, own in zip(sides, at, strict=True)
    )
    return first, second


def _effects(
    fit: StackedFit,
    evidence: ContrastEvidence,
    sides: tuple[Targets, Targets],
    at: tuple[Ints, Ints],
) -> AggregatedEffects:
    """Return what is known of differences as aggregated effects.

    Their derivatives are those of the first result, with respect to its own ATT(g,t).
    """
    a, b = (one.aggregated for one in sides)
    assert a is not None  # both are aggregated
    assert b is not None
    own = np.append(at[0], a.n_cells.size - 1), np.append(at[1], b.n_cells.size - 1)
    n_cells = a.n_cells[own[0]] + b.n_cells[own[1]]
    parts = a.n_estimated[own[0]], b.n_estimated[own[1]]
    n_estimated = np.where(np.minimum(*parts) > 0, parts[0] + parts[1], 0)
    pairs = fit.pairs(fit.options.inference.jackknife)
    return AggregatedEffects(
        kind=a.kind,
        window=a.window,
        by_cell=a.by_cell,
        keys=a.keys[at[0]],
        theta=evidence.targets.theta,
        composition=evidence.targets.composition,
        n_cells=n_cells,
        n_estimated=n_estimated,
        missing=np.empty(0, dtype=np.int64),
        loading=_part(a.loading, at[0], pairs),
        weight_loading=_part(a.weight_loading, at[0], pairs),
    )


def _part(loading: Loading, components: Ints, pairs: CellPairs) -> Loading:
    """Return the derivatives of some components by the cells that both fits have."""
    cells = pairs.first[: pairs.n_shown]
    place = np.full(loading.n_components + 1, -1, dtype=np.int64)
    place[components] = np.arange(components.size)
    component = place[loading.component[cells]]
    return Loading(components.size, component, loading.own[cells], loading.overall[cells])
