"""What variances are made from: the replicates, and the influence of clusters or units."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from didjack._typing import Floats
from didjack.averaging.shares import CombinedShares
from didjack.engine.fit import Fit
from didjack.inference.laws.design import Design
from didjack.inference.laws.loadings import Loadings
from didjack.inference.laws.reference import Reference
from didjack.inference.targets import Targets
from didjack.options import Options


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
    _laws: dict[tuple[str, bytes | None], Reference] = field(default_factory=dict, repr=False)

    @property
    def options(self) -> Options:
        """The options of the call of `csdid`."""
        return self.fit.options

    @property
    def n_clusters(self) -> int:
        """How many clusters there are."""
        return self.fit.layout.n_clusters

    @property
    def independent(self) -> str:
        """The column of what is taken to be independent, in words."""
        return self.options.cluster or self.options.idname or "row"

    @cached_property
    def influence(self) -> Floats:
        """Influence of units or clusters on the coefficients, (G, M).

        The derivative with respect to their weight; standard errors are root sums of squares.
        """
        on_att = self.fit.influence
        averages = self.targets.averages
        if averages is None:
            return on_att
        on_weight = self.fit.weight_influence(averages.by_cell)
        return averages.loading.times(on_att) + averages.weight_loading.times(on_weight)

    def laws(self, name: str, weights: Floats | None, make: Callable[[], Reference]) -> Reference:
        """Return the laws that a kind of variance makes of coefficients or combinations, once."""
        key = (name, None if weights is None else weights.tobytes())
        if key not in self._laws:
            self._laws[key] = make()
        return self._laws[key]

    @property
    def design(self) -> Design:
        """What the laws of all coefficients have in common."""
        return Design.of(self.fit)


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """What the variance of L coefficients, or of combinations of them, is made from.

    Attributes
    ----------
    rows : (N, L) replicates, influence or draws
    evidence : Evidence that they are from
    weights : (L, M) combinations; None where the rows are of the coefficients themselves
    """

    rows: Floats
    evidence: Evidence
    weights: Floats | None = None

    def loadings(self, position: int) -> Loadings | None:
        """Return what shocks do to one of the L; None where that is too much to write down."""
        design, shares = self.evidence.design, self.evidence.targets.shares
        if self.weights is None:
            return design.loadings(shares, position)
        return design.loadings(CombinedShares(shares, self.weights[position]), 0)
