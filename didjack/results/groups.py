"""Results of several groups of rows, by the values of a column."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
import pandas as pd

from didjack.errors import DidjackWarning, OptionError, warn, warnings_held_back
from didjack.inference.coefficients import Coefficients
from didjack.inference.contrasts import Contrasts, contrast_evidence
from didjack.inference.joint_tests import JointTest
from didjack.inference.matching import Named
from didjack.inference.stacked import StackedFit
from didjack.inference.targets import absent, coefficient_names
from didjack.options import INFERENCE, check_listed, validate_keywords
from didjack.results.aggregated import AggregateResult
from didjack.results.group_time import GroupTimeResult
from didjack.results.hypotheses import warn_untested
from didjack.results.result import Result
from didjack.wording import brief, label_text, name_some, plural

R = TypeVar("R", GroupTimeResult, AggregateResult)
T = TypeVar("T")
U = TypeVar("U")


def name_of(column: str, value: Any) -> str:
    """Return the name of a group."""
    return f"{column} = {label_text(value)}"


def for_each(names: Iterable[str], make: Callable[[T], U], given: Iterable[T]) -> list[U]:
    """Make something for each group; each warning is given once, with the groups it is about."""
    about: dict[tuple[str, type[DidjackWarning]], list[str]] = {}
    found = []
    try:
        for name, one in zip(names, given, strict=True):
            with warnings_held_back() as told:
                found.append(make(one))
            for warning in told:
                about.setdefault(warning, []).append(name)
    finally:  # what is known of the groups before one that is an error
        for (message, category), groups in about.items():
            warn(f"{name_some(list(dict.fromkeys(groups)), 3)}: {message}", category)
    return found


@dataclass(frozen=True, eq=False, repr=False)
class GroupResults(Mapping[str, Result]):
    """Results of several groups, in the order of their values; returned by `by`.

    A mapping from names such as ``"sex = f"`` to results, which `etable` and `coefplot` take as it
    is, and `difference` where there are two. ``groups["f"]`` finds a result by the value as well.

    Attributes
    ----------
    column : name of the column whose values define the groups
    levels : the values of the column, one for each group
    """

    column: str
    levels: tuple[Any, ...]
    _results: tuple[Any, ...]

    @property
    def names(self) -> list[str]:
        """The names of the groups."""
        return [name_of(self.column, value) for value in self.levels]

    def __getitem__(self, key: Any) -> Any:
        for name, value, result in zip(self.names, self.levels, self._results, strict=True):
            if pd.api.types.is_hashable(key) and key in (name, value):
                return result
        raise KeyError(f"there is no group {brief(key)}; there are {name_some(self.names, 12)}")

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self._results)

    def aggregate(self, *arguments: Any, **options: Any) -> GroupResults:
        """Aggregate the ATT(g,t) of each group, with the arguments of `GroupTimeResult.aggregate`.

        Returns
        -------
        GroupResults
            The aggregated effects of each group.

        Raises
        ------
        OptionError
            As in `GroupTimeResult.aggregate`, or the results are aggregated already.
        """
        if not all(isinstance(one, GroupTimeResult) for one in self._results):
            raise OptionError(
                "these are aggregated effects already; aggregate the groups' ATT(g,t)"
            )
        found = for_each(
            self.names, lambda one: one.aggregate(*arguments, **options), self._results
        )
        return GroupResults(self.column, self.levels, tuple(found))

    def with_options(self, **options: Any) -> GroupResults:
        """Return the same results with other options of inference, see `csdid`.

        Returns
        -------
        GroupResults
        """
        found = for_each(self.names, lambda one: one.with_options(**options), self._results)
        return GroupResults(self.column, self.levels, tuple(found))

    def tidy(self, *arguments: Any, **options: Any) -> pd.DataFrame:
        """Return the tables of all groups, one after the other, with the column of their values.

        Parameters are those of a result's ``tidy``.

        Returns
        -------
        DataFrame
        """
        tables = [one.tidy(*arguments, **options) for one in self._results]
        for table, value in zip(tables, self.levels, strict=True):
            table.insert(0, self.column, value, allow_duplicates=True)
        together: pd.DataFrame = pd.concat(tables, ignore_index=True)
        return together

    @validate_keywords
    def equality_test(self, which: Literal["overall", "all"] = "overall") -> JointTest:
        r"""Test that effects are the same in all groups.

        A Wald test that :math:`\theta_2 - \theta_1, \ldots, \theta_G - \theta_1` are zero, with the
        covariance of these differences over the clusters of all groups, see `difference`, and its
        distribution under the working model, with independent shocks of the groups.

        Parameters
        ----------
        which : {"overall", "all"}
            The overall effects (of ATT(g,t): simple averages), or all coefficients that all groups
            have. With few clusters there may be too many of these to test.

        Returns
        -------
        JointTest
            As returned by ``wald_test``.

        Raises
        ------
        OptionError
            Clusters or periods of the groups do not match, see `difference`.

        Warns
        -----
        InferenceWarning
            There is no test; the message gives the reason.

        Examples
        --------
        >>> import didjack
        >>> df = didjack.datasets.load_mpdta()
        >>> df["size"] = df["lpop"].gt(df["lpop"].median()).map({True: "large", False: "small"})
        >>> groups = didjack.by(
        ...     df, "size", "lemp", "year", "first.treat", "countyreal", cluster="state"
        ... )
        >>> test = groups.aggregate("group").equality_test()
        >>> print(f"F({test['df_num']}) = {test['statistic']:.2f}, p = {test['p_value']:.2f}")
        F(1) = 0.05, p = 0.82
        """
        check_listed("which", which, ("overall", "all"))
        first = self._results[0]
        inference = {name: getattr(first.options.inference, name) for name in INFERENCE}
        results: list[Result] = [one._under(**inference) for one in self._results]
        if which == "overall":
            results = [one._aggregation for one in results]  # type: ignore[misc]
        named = [Named(n, one._fit) for n, one in zip(self.names, results, strict=True)]
        fit = StackedFit.of(named, "separate")
        at = _in_common(results, which == "overall")
        starts = np.cumsum([0, *(len(one._targets.index) for one in results)])
        plus = np.concatenate([start + own for start, own in zip(starts[1:], at[1:], strict=False)])
        minus = np.tile(at[0], len(results) - 1)
        coefficient = np.array(coefficient_names(results[0]._targets.index))[at[0]]
        index = pd.Index(
            [f"{name} less {self.names[0]}: {m}" for name in self.names[1:] for m in coefficient]
        )
        contrasts = Contrasts(tuple(one._evidence for one in results), plus, minus)
        evidence = contrast_evidence(fit, contrasts, pd.DataFrame({"contrast": index}), index)
        tested = np.flatnonzero(~evidence.targets.base)
        weights = np.eye(len(index))[tested]
        test = Coefficients(evidence).test(weights, np.zeros(tested.size))
        return warn_untested(test)

    def __repr__(self) -> str:
        rows = {}
        for name, result in self.items():
            one = result._aggregation
            overall, about = one._statistics().iloc[-1], one._fit.describe()
            rows[name] = {
                "n_obs": about["n_obs"],
                "n_clusters": about["n_clusters"],
                **overall[["estimate", "std_error", "p_value", "conf_low", "conf_high"]],
            }
        what = "overall ATT" if isinstance(self._results[0], AggregateResult) else "simple average"
        table = pd.DataFrame.from_dict(rows, orient="index")
        head = f"{plural(len(self), 'group')} by {self.column}: {self._results[0].title}; {what}:"
        return f"{head}\n{table.to_string(float_format='{:.4f}'.format)}"


def _in_common(results: list[Result], overall: bool) -> list[np.ndarray]:
    """Return the positions of the coefficients that all results have, in the same order."""
    if overall:
        return [np.array([len(one._targets.index) - 1]) for one in results]
    parts = []
    for one in results:
        targets = one._targets
        there = ~absent(one._fit, targets) & ~np.isnan(targets.estimates.full)
        parts.append(targets.index[targets.components[there[targets.components]]])
    common = parts[0]
    for part in parts[1:]:
        common = common[common.isin(part)]
    if not len(common):
        raise OptionError("the groups have no coefficient in common")
    return [one._targets.index.get_indexer(common) for one in results]
