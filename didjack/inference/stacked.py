"""Several fits, stacked: coefficients of one less those of another, with clusters matched by label.

Leaving out a cluster changes every fit that has it, at once; one that lacks it stays as it is. So a
difference has an estimate in all jackknife replicates, and its loadings are those of the one less
those of the other. All else is inference as of a single fit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, NamedTuple, Self, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from didjack._typing import Floats, Ints
from didjack.estimation.cells import Cell
from didjack.estimation.fit import Estimated, Fit
from didjack.estimation.layout import Layout
from didjack.inference.matching import Matched, Named, match
from didjack.inference.reference.loadings import Means
from didjack.inference.reference.working_model import Design, Movements
from didjack.leave_one_out import Replicates
from didjack.status import BASE, OK, Status

Shocks = Literal["separate", "shared"]
"""Whether cluster-level shocks of several fits are independent, or the same in all of them."""
BETWEEN = " / "
"""What stands between the options of several fits in which they differ."""

# ---- fit -----------------------------------------------------------------------------------------


class CellPairs(NamedTuple):
    """Which ATT(g,t) of two fits are of the same cohort and period.

    Attributes
    ----------
    first, second : (K,) their positions in each fit, among all that any replicate has
    n_shown : how many of the pairs, the first ones, both full samples have
    """

    first: Ints
    second: Ints
    n_shown: int


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class StackedFit(Fit):
    """Several fits, whose clusters are those of any of them.

    It has no rows of its own, and no `source`. Its ATT(g,t) are those of the first fit less those
    of the second, with the weights of the first.

    Attributes
    ----------
    parts : the fits
    names : what they are called
    matched : where their clusters are among all
    shocks : whether cluster-level shocks are the same in all fits
    only_first : whether nothing is subtracted, though both need an estimate
    """

    parts: tuple[Fit, ...]
    names: tuple[str, ...]
    matched: Matched
    shocks: Shocks
    only_first: bool = False

    @classmethod
    def of(cls, named: Sequence[Named], shocks: Shocks) -> StackedFit:
        """Match the clusters of some fits, or raise where they do not go together."""
        first = named[0].fit
        anticipation = max(one.fit.options.estimation.anticipation for one in named)
        estimation = replace(first.options.estimation, anticipation=anticipation)
        ledgers = [one.fit.ledger.assign(result=one.name) for one in named]
        return cls(
            replace(first.options, estimation=estimation),
            pd.concat(ledgers, ignore_index=True),
            cast(Any, None),
            parts=tuple(one.fit for one in named),
            names=tuple(one.name for one in named),
            matched=match(named, shocks == "shared"),
            shocks=shocks,
        )

    def under(self, **inference: Any) -> Self:
        """Return the same fits under other `InferenceOptions`."""
        parts = tuple(part.under(**inference) for part in self.parts)
        return replace(self, options=self.options.under(**inference), parts=parts)

    @property
    def by_unit(self) -> bool:
        """Whether the clusters of all fits are units."""
        return all(part.by_unit for part in self.parts)

    @property
    def layout(self) -> Layout:
        """Cohorts, periods, clusters and counts of all fits together."""
        return self.once("layout", self._merged)

    def _merged(self) -> Layout:
        layouts = [part.layout for part in self.parts]
        first, (cohorts, classes) = layouts[0], self._classes
        add = np.maximum if self.shocks == "shared" else np.add  # the same rows count once
        total: dict[str, Any] = {}
        for one, place, into in zip(layouts, self.matched.places, classes, strict=True):
            at = place[:, None], into
            for name in ("share", "n_units", "n_rows"):
                values: NDArray[Any] = getattr(one, name)
                shape = (self.matched.n, cohorts.size)[: values.ndim]
                own = np.zeros(shape, dtype=values.dtype)
                np.add.at(own, at if values.ndim == 2 else place, values)
                total[name] = add(total[name], own) if name in total else own
        return replace(
            first,
            cohorts=cohorts,
            horizon=max(one.horizon for one in layouts),
            cluster_labels=self.matched.labels,
            of_units=False,
            weighted=any(one.weighted for one in layouts),
            **total,
        )

    @property
    def _classes(self) -> tuple[Ints, list[Ints]]:
        """First treated periods of all classes of rows, and where those of each fit are."""
        return self.once("classes", self._find_classes)

    def _find_classes(self) -> tuple[Ints, list[Ints]]:
        keys: list[list[tuple[int, int]]] = []
        for part in self.parts:
            seen: Counter[int] = Counter()  # a cohort may be divided into several classes
            keys.append([])
            for cohort in part.layout.cohorts.tolist():
                keys[-1].append((cohort, seen[cohort]))
                seen[cohort] += 1
        every = sorted({key for own in keys for key in own})
        place = {key: k for k, key in enumerate(every)}
        found = [np.array([place[key] for key in own], dtype=np.int64) for own in keys]
        return np.array([cohort for cohort, _ in every], dtype=np.int64), found

    def pairs(self, jackknife: bool) -> CellPairs:
        """Return which ATT(g,t) of the first two fits belong together."""
        return self.once(("pairs", jackknife), partial(self._pairs, jackknife))

    def _pairs(self, jackknife: bool) -> CellPairs:
        found = []
        for part in self.parts[:2]:
            estimated, layout = part.estimated(jackknife), part.layout
            keys = [(layout.cohorts[c.cohort], layout.periods[c.time]) for c in estimated.cells]
            found.append(({key: k for k, key in enumerate(keys)}, len(estimated.shown.cells)))
        (first, n_first), (second, n_second) = found
        both = [(first[key], second[key]) for key in first if key in second]
        shown = [i < n_first and j < n_second for i, j in both]
        order = np.argsort(~np.array(shown, dtype=bool), kind="stable")
        pairs = np.array(both, dtype=np.int64).reshape(-1, 2)[order]
        return CellPairs(pairs[:, 0], pairs[:, 1], sum(shown))

    def _estimate(self, jackknife: bool) -> Estimated:
        a, b = (part.estimated(jackknife) for part in self.parts[:2])
        first, second, n_shown = self.pairs(jackknife)
        one, two = (
            estimated.shown.joined(estimated.extra)
            .take(cells)
            .over_replicates(partial(self.matched.replicates, part))
            for part, (estimated, cells) in enumerate(((a, first), (b, second)))
        )
        code = np.where(one.code != 0, one.code, two.code)
        difference = replace(
            one,
            cells=self._cells(one.cells, two.cells),
            att=one.att - (0.0 if self.only_first else 1.0) * two.att,
            code=code,
            column=np.where(one.code != 0, one.column, two.column),
            changed=one.changed | two.changed,
            dropped=np.zeros_like(one.dropped),
        )
        cohorts, classes = self._classes
        share = np.zeros((len(code), cohorts.size))
        share[:, classes[0]] = self.matched.replicates(0, a.share.stacked)
        at = np.arange(first.size)
        shown, extra = difference.take(at[:n_shown]), difference.take(at[n_shown:])
        return Estimated(shown, extra, Replicates(share), ())

    def _cells(self, first: Sequence[Cell], second: Sequence[Cell]) -> tuple[Cell, ...]:
        """Return signed sums of the comparisons of two cells each, with classes of the layout."""
        places = [place.tolist() for place in self._classes[1]]
        found = []
        for pair in zip(first, second, strict=True):
            comparisons = tuple(
                one._replace(
                    sign=times * one.sign,
                    treated=place[one.treated],
                    others=tuple(sorted(place[c] for c in one.others)),
                )
                for cell, place, times in zip(pair, places, (1, -1), strict=False)
                for one in cell.comparisons
            )
            base = pair[pair[0].is_base].base  # zero where both are base periods
            found.append(replace(pair[0], comparisons=comparisons, base=base))
        return tuple(found)

    def cell_status(self) -> list[Status]:
        """Return why each cell has an estimate of the full sample or not, (K,)."""
        pairs = self.pairs(self.options.inference.jackknife)
        a, b = (part.cell_status() for part in self.parts[:2])
        at = zip(pairs.first[: pairs.n_shown], pairs.second[: pairs.n_shown], strict=True)
        return [status_of_both((a[i], b[j]), self.names) for i, j in at]

    def influence_by(self, by_unit: bool) -> Floats:  # noqa: ARG002 (units are clusters, or not known)
        """Influence of clusters on ATT(g,t), (H, K)."""
        return self.once("influence", self._influence)

    def _influence(self) -> Floats:
        first, second, n_shown = self.pairs(self.options.inference.jackknife)
        a, b = (
            self.matched.clusters(part, self.parts[part].influence_by(False)[:, cells[:n_shown]])
            for part, cells in enumerate((first, second))
        )
        return a - b

    def weight_influence(self, by_cell: bool, by_unit: bool) -> Floats:  # noqa: ARG002
        """Influence of clusters on the weights of the cells, which are those of the first fit."""
        first, _, n_shown = self.pairs(self.options.inference.jackknife)
        weights = self.parts[0].weight_influence(by_cell, False)
        return self.matched.clusters(0, weights[:, first[:n_shown]])

    def describe(self) -> dict[str, object]:
        """Describe sample and options; options in which the fits differ, one after the other."""
        about, parts = super().describe(), [part.describe() for part in self.parts]
        for name in about:
            values = dict.fromkeys(part.get(name) for part in parts)
            if len(values) > 1 and not name.startswith("n_"):
                about[name] = BETWEEN.join(map(str, values))
        return about

    def cells(self) -> pd.DataFrame:
        """Describe the cells of the full sample, one row each."""
        pairs = self.pairs(self.options.inference.jackknife)
        tables = [part.cells() for part in self.parts[:2]]
        found = tables[0].iloc[pairs.first[: pairs.n_shown]][["group", "time"]]
        found = found.reset_index(drop=True)
        for name, table, cells in zip(self.names, tables, pairs[:2], strict=False):
            part = table.iloc[cells[: pairs.n_shown]].reset_index(drop=True)
            for column in ("base_period", "n_treated", "n_comparison"):
                found[f"{column}_{name}"] = part[column]
        estimate = Replicates(self.estimates.att).full
        return found.assign(estimate=estimate, status=list(map(str, self.cell_status())))

    def dropped(self) -> list[str]:
        """Name the covariates that were left out: the fits say which."""
        return [""] * len(self.estimates.cells)


def status_of_both(statuses: tuple[Status, Status], names: Sequence[str]) -> Status:
    """Return the status of a difference: that of the one without an estimate, the first of two."""
    for status, name in zip(statuses, names, strict=False):
        if status not in (OK, BASE):
            return replace(status, coefficient=name)
    return BASE if statuses == (BASE, BASE) else OK


# ---- design --------------------------------------------------------------------------------------


def stacked_design(fit: StackedFit) -> Design:
    """Put the designs of all fits together; cells are numbered on from one to the next.

    Shocks of different fits are independent, each with its own working variance s v, where s is the
    mean over clusters of r_h / v_h; or they are the same, with the working variance of the first
    fit that has the cluster.
    """
    designs = [Design.from_fit(part) for part in fit.parts]
    places, n = fit.matched.places, fit.matched.n
    shared = fit.shocks == "shared"
    n_periods = 0 if shared else fit.layout.periods.size * fit.layout.kinds
    variances = np.ones((len(designs), n))
    sizes = _sizes([one.movements.size(one.variance) for one in designs])
    for number in reversed(range(len(designs))):
        rows = slice(None) if shared else number
        variances[rows, places[number]] = sizes[number] * designs[number].variance
    means = Means.stacked([one.means for one in designs], places, np.sqrt(variances), n_periods)
    told = designs[:1] if shared else designs
    movements = Movements(
        *(
            np.vstack(
                [
                    _wide(getattr(one.movements, name), place, n, fill) / by
                    for one, place, by in zip(told, places, scale, strict=False)
                ]
            )
            for name, fill, scale in (
                ("change", np.nan, np.sqrt(np.where(variances > 0, variances, 1.0))),
                ("weight", 0.0, np.ones(len(told))),
                ("spread", 1.0, np.ones(len(told))),
            )
        )
    )
    return Design(means, np.ones(n), movements, np.ones(n))


def _sizes(sizes: list[float]) -> list[float]:
    """Return the absolute sizes of working variances; those unknown are like the others."""
    known = [size for size in sizes if not np.isnan(size)]
    if not any(known):
        return [1.0] * len(sizes)
    usual = float(np.mean(known))
    return [usual if np.isnan(size) else size for size in sizes]


def _wide(values: Floats, place: Ints, n: int, fill: float) -> Floats:
    """Give (P, H_p) values the columns of all n clusters."""
    found = np.full((len(values), n), fill)
    found[:, place] = values
    return found
