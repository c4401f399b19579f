"""Coefficients of one fit less those of another, with all that inference asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from didjack._typing import Floats, Ints
from didjack.aggregation.shares import Share, Shares
from didjack.inference.matching import Matched
from didjack.inference.reference.working_model import Design
from didjack.inference.stacked import CellPairs, StackedFit, stacked_design, status_of_both
from didjack.inference.targets import Targets, cell_size
from didjack.inference.variance.base import Evidence

T = TypeVar("T", bound=np.generic)

# ---- evidence ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class PairedShares:
    """Coefficients whose cells are pairs of cells, one less the other.

    Attributes
    ----------
    shares : how much each pair counts
    pairs : the pairs
    n_first : number of cells of the first fit, after which those of the second are numbered on
    """

    shares: Shares
    pairs: CellPairs
    n_first: int

    def share(self, position: int) -> Share:
        """Return the shares of the cells of both fits."""
        one = self.shares.share(position)
        cells = self.pairs.first[one.cells], self.n_first + self.pairs.second[one.cells]
        return _sorted(np.hstack([one.share, -one.share]), np.concatenate(cells))

    @property
    def n_numbers(self) -> int:
        """How many numbers are made for one of them."""
        return 2 * self.shares.n_numbers


@dataclass(frozen=True, slots=True, eq=False)
class ContrastShares:
    """Coefficients of one fit less those of another.

    Attributes
    ----------
    contrasts : the coefficients
    matched : where the clusters of each fit are among all
    n_cells : number of cells of each fit
    """

    contrasts: Contrasts
    matched: Matched
    n_cells: tuple[int, ...]

    def share(self, position: int) -> Share:
        """Return the shares of the cells of both fits."""
        shares, cells = [], []
        for at, sign in ((self.contrasts.plus, 1.0), (self.contrasts.minus, -1.0)):
            part, own = self.contrasts.side(int(at[position]))
            one = self.contrasts.sides[part].targets.shares.share(own)
            shares.append(sign * self.matched.replicates(part, one.share))
            cells.append(one.cells + sum(self.n_cells[:part]))
        return _sorted(np.hstack(shares), np.concatenate(cells))

    @property
    def n_numbers(self) -> int:
        """How many numbers are made for one of them."""
        return sum(one.targets.shares.n_numbers for one in self.contrasts.sides)


def _sorted(share: Floats, cells: Ints) -> Share:
    """Put cells in their order."""
    order = np.argsort(cells)
    return Share(share[:, order], cells[order])


@dataclass(frozen=True, slots=True, eq=False)
class Contrasts:
    """Which coefficients of several fits are subtracted from which others.

    Attributes
    ----------
    sides : the coefficients of each fit; they are numbered on from one to the next
    plus, minus : (M,) numbers of coefficients
    """

    sides: tuple[Evidence, ...]
    plus: Ints
    minus: Ints

    @property
    def _ends(self) -> Ints:
        return np.cumsum([len(one.targets.index) for one in self.sides])

    def side(self, number: int) -> tuple[int, int]:
        """Return the fit of a coefficient, and its position in it."""
        part = int(np.searchsorted(self._ends, number, side="right"))
        return part, number - int(np.append(0, self._ends)[part])

    def of(self, values: Sequence[Floats]) -> Floats:
        """Subtract columns of what each fit has, (N, M_p) each: (N, M)."""
        together = np.hstack(list(values))
        return np.asarray(together[:, self.plus] - together[:, self.minus])

    def both(self, values: Sequence[NDArray[T]]) -> tuple[NDArray[T], NDArray[T]]:
        """Return what belongs to the coefficients, of (..., M_p) values of each fit."""
        together = np.concatenate(list(values), axis=-1)
        return together[..., self.plus], together[..., self.minus]


@dataclass(frozen=True, eq=False)
class StackedEvidence(Evidence):
    """Coefficients that are made of differences of ATT(g,t).

    Attributes
    ----------
    fit : StackedFit
    """

    fit: StackedFit

    @property
    def design(self) -> Design:
        """What the reference distributions of all coefficients have in common."""
        return self.fit.once("design", partial(stacked_design, self.fit))

    @property
    def cell_size(self) -> Floats:
        """The size of what each difference of ATT(g,t) is made of, (K,)."""
        first, second, n = self.fit.pairs(self.options.jackknife)
        a, b = map(cell_size, self.fit.parts[:2])
        return np.asarray(a[first[:n]] + b[second[:n]])


@dataclass(frozen=True, eq=False, kw_only=True)
class ContrastEvidence(StackedEvidence):
    """Coefficients of one fit less those of another.

    Attributes
    ----------
    contrasts : which of which
    """

    contrasts: Contrasts

    @property
    def size(self) -> Floats:
        """The size of what the coefficients are made of, (M,)."""
        a, b = self.contrasts.both([one.size for one in self.contrasts.sides])
        return np.asarray(a + b)

    def influence_by(self, by_unit: bool) -> Floats:  # noqa: ARG002 (units are clusters, or unknown)
        """Influence of clusters on the coefficients, (H, M)."""
        found = [one.influence_by(False) for one in self.contrasts.sides]
        wide = [self.fit.matched.clusters(part, rows) for part, rows in enumerate(found)]
        return self.contrasts.of(wide)


def contrast_evidence(
    fit: StackedFit, contrasts: Contrasts, labels: pd.DataFrame, index: pd.Index, **more: Any
) -> ContrastEvidence:
    """Subtract coefficients in all replicates.

    Parameters
    ----------
    labels, index : of the M differences
    more : further attributes of `Targets`
    """
    sides = [one.targets for one in contrasts.sides]
    spread = fit.matched.replicates
    theta = contrasts.of([spread(part, one.theta) for part, one in enumerate(sides)])
    changed = [spread(part, one.composition) for part, one in enumerate(sides)]
    together = [status for one in sides for status in one.status]
    names = [fit.names[part] for part, one in enumerate(sides) for _ in range(len(one.index))]
    pairs = zip(contrasts.plus.tolist(), contrasts.minus.tolist(), strict=True)
    jackknife = fit.options.inference.jackknife
    n_cells = tuple(len(part.estimated(jackknife).cells) for part in fit.parts)
    targets = Targets(
        labels=labels,
        index=index,
        theta=theta,
        composition=np.logical_or(*contrasts.both(changed)),
        base=np.logical_and(*contrasts.both([one.base for one in sides])),
        status=[status_of_both((together[i], together[j]), (names[i], names[j])) for i, j in pairs],
        shares=ContrastShares(contrasts, fit.matched, n_cells),
        **more,
    )
    return ContrastEvidence(fit, targets, contrasts=contrasts)
