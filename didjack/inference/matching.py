"""The clusters of several fits, matched by label, and what keeps fits from going together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from didjack._typing import Floats, Ints
from didjack.errors import OptionError
from didjack.estimation.fit import Fit
from didjack.leave_one_out import Replicates, without
from didjack.wording import label_text, name_some, plural

T = TypeVar("T", bound=np.generic)


class Named(NamedTuple):
    """A fit, and what messages call it."""

    name: str
    fit: Fit


@dataclass(frozen=True, slots=True, eq=False)
class Matched:
    """The clusters of several fits.

    Attributes
    ----------
    labels : (H,) of all clusters, sorted
    places : where the clusters of each fit are among them, (H_p,)
    """

    labels: pd.Index
    places: tuple[Ints, ...]

    @property
    def n(self) -> int:
        """Number of clusters, H."""
        return len(self.labels)

    def replicates(self, part: int, values: NDArray[T]) -> NDArray[T]:
        """Give what a fit has, (1 + H_p, ...), all replicates: the full sample where it lacks one.

        Of the full sample alone, (1, ...), nothing else is made.
        """
        if len(values) == 1:
            return values
        found = Replicates(values)
        wide = np.repeat(found.full[None], 1 + self.n, axis=0)
        wide[without(self.places[part])] = found.deleted
        return wide

    def clusters(self, part: int, values: Floats) -> Floats:
        """Give what a fit has of its clusters, (H_p or fewer, M), zeros for the others, (H, M)."""
        wide = np.zeros((self.n, values.shape[1]))
        wide[self.places[part][: len(values)]] = values
        return wide


def match(named: Sequence[Named], overlap: bool) -> Matched:
    """Match the clusters of some fits by label.

    Parameters
    ----------
    overlap : whether any two have to have clusters in common

    Raises
    ------
    OptionError
        One fit is a triple difference, another is not; a fit has no clusters; they are of different
        columns or types, or not in common; or fits have other periods.
    """
    for one in named:
        _check_kinds(named[0], one)
        _check_clusters(named[0], one)
        _check_periods(named[0], one)
    labels = named[0].fit.layout.cluster_labels.rename(None)
    for one in named[1:]:
        other = one.fit.layout.cluster_labels.rename(None)
        if overlap and not labels.isin(other).any():
            raise OptionError(
                f"{named[0].name} and {one.name} have no cluster in common: {_first(named[0])} and "
                f"{_first(one)}; shocks are shared by two specifications of the same rows only"
            )
        labels = labels.union(other)
    places = tuple(labels.get_indexer(one.fit.layout.cluster_labels) for one in named)
    return Matched(labels, places)


def _check_kinds(first: Named, one: Named) -> None:
    """Raise for a triple difference and a result that is none."""
    triple = [x.name for x in (first, one) if x.fit.layout.kinds > 1]
    if len(triple) == 1 and first is not one:
        raise OptionError(
            f"{triple[0]} is a triple difference, the other result is not: compare two of csdid() "
            "or two of ddd()"
        )


def _check_clusters(first: Named, one: Named) -> None:
    """Raise for fits without clusters, or with others than the first has."""
    sample = one.fit.options.sample
    column, other = (
        x.fit.options.sample.cluster or x.fit.options.sample.idname for x in (first, one)
    )
    if sample.cluster is None and sample.idname is None:
        raise OptionError(
            f"{one.name} has no clusters, by which results are matched: csdid(..., cluster=...)"
        )
    if column != other:
        raise OptionError(
            f"{first.name} is clustered by {column!r}, {one.name} by {other!r}: clusters are "
            "matched by label, so both need the same column; rename one if they are the same"
        )
    if _kind(first) != _kind(one):
        raise OptionError(
            f"clusters {column!r} cannot be matched: those of {first.name} are {_kind(first)} "
            f"({_first(first)}), those of {one.name} {_kind(one)} ({_first(one)})"
        )


def _kind(one: Named) -> str:
    """Name the type of the labels of clusters."""
    labels = one.fit.layout.cluster_labels
    if pd.api.types.is_numeric_dtype(labels) and not pd.api.types.is_bool_dtype(labels):
        return "numbers"
    kind = pd.api.types.infer_dtype(labels)
    return {"string": "text", "integer": "numbers", "floating": "numbers"}.get(kind, kind)


def _first(one: Named) -> str:
    """Count the clusters of a fit, and name the first."""
    labels = one.fit.layout.cluster_labels
    return f"{plural(len(labels), 'cluster')}, first: {name_some(map(label_text, labels), 2)}"


def _check_periods(first: Named, one: Named) -> None:
    """Raise for fits over other periods than the first has."""
    axis, other_axis = (x.fit.layout.axis for x in (first, one))
    if axis.words != other_axis.words:
        raise OptionError(
            f"the periods of {first.name} are {axis.words}, those of {one.name} "
            f"{other_axis.words}: both need the same"
        )
    alone = [
        f"{a.name} has {plural(len(more), 'period')} that {b.name} lacks "
        f"({name_some(map(label_text, a.fit.layout.axis.labels(more)), 3)})"
        for a, b in ((first, one), (one, first))
        if len(more := np.setdiff1d(a.fit.layout.periods, b.fit.layout.periods))
    ]
    if alone:
        raise OptionError(f"{'; '.join(alone)}: estimate both over the same periods")
