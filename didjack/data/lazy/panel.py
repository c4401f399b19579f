"""The sample rules about units, for a panel whose rows are patterns."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from didjack._typing import Bools, Floats, Ints
from didjack.data import rules
from didjack.data.calendar import as_times
from didjack.data.labels import distinct
from didjack.data.lazy.lazy_table import among, changed, check_parts, check_rows
from didjack.data.lazy.moments import HIGH, LOW
from didjack.data.lazy.patterns import Patterns, grouped
from didjack.data.lazy.units import (
    UnitQueries,
    packed,
    raise_for_clusters,
    raise_for_cohorts,
    raise_for_duplicates,
    raise_for_eligibility,
)
from didjack.data.lazy.used import FirstUnits, Used, most_patterns, remedy, too_many
from didjack.data.sample import Rule, Sample
from didjack.errors import DataError
from didjack.wording import name_some, plural

# ---- types ---------------------------------------------------------------------------------------


def match(used: Used, patterns: Patterns, finer: Patterns, complete: Bools) -> Ints:
    """Return the place of each of some finer patterns among the patterns; -1 if it has none.

    Parameters
    ----------
    complete : (N,) which of the patterns are of complete rows
    """
    own = _keys(used, patterns)[complete]
    own["place"] = np.flatnonzero(complete)
    keys = _keys(used, finer)
    found = keys.merge(own, on=used.keys, how="left")["place"]
    if len(found) != len(keys):
        raise DataError(
            f"data has values of {name_some(used.keys, 8)} that cannot be distinguished"
        )
    return np.asarray(found.fillna(-1), dtype=np.int64)


def _keys(used: Used, patterns: Patterns) -> pd.DataFrame:
    """Return the columns by which rows were grouped, categories as what they are."""
    return pd.DataFrame(
        {
            name: column.astype(object) if column.dtype == "category" else column
            for name, column in patterns.keys.items()
            if name in used.keys
        }
    )


def set_types(sample: Sample, masks: Ints, n_seen: Ints) -> None:
    """Give each row the type of its units, and put rows of one type and period together.

    With weights that vary, so may the covariates: a type is then all units of a cohort and
    cluster that are seen in the same periods.

    Parameters
    ----------
    sample : Sample
    masks : (N,) number of the set of periods in which the units of a row are seen
    n_seen : (N,) how many periods these are
    """
    rows, varying = sample.rows, sample.estimation.fix_weights == "varying"
    columns = {"cohort": rows.cohort, "cluster": rows.cluster, "mask": masks}
    if rows.eligible is not None:
        columns["eligible"] = rows.eligible.astype(np.int64)
    table = pd.DataFrame(columns | ({} if varying else sample.covariates))
    unit = np.asarray(table.groupby(list(table.columns), observed=True).ngroup(), dtype=np.int64)
    sample.rows = replace(rows, unit=unit)
    sample.unit_labels = pd.RangeIndex(int(unit.max()) + 1)
    if not varying:
        of_type = np.zeros(len(sample.unit_labels), dtype=np.int64)
        of_type[unit] = n_seen
        _put_together(sample)
        _steady(sample, of_type)


def _put_together(sample: Sample) -> None:
    """Put rows of one type and period together, such as those with cohorts 0 and inf."""
    rows = sample.rows
    _, key = distinct(rows.unit * sample.periods.size + rows.period)
    n_keys = int(key.max()) + 1
    if n_keys == key.size:
        return
    first = np.unique(key, return_index=True)[1]
    assert rows.count is not None
    weight = rows.count if rows.weight is None else rows.weight
    total = np.bincount(key, weights=weight)
    y = np.bincount(key, weights=weight * rows.y)
    sample.rows = replace(
        rows.take(first),
        y=np.divide(y, total, out=np.zeros(n_keys), where=total > 0),
        weight=None if rows.weight is None else total.astype(np.float64),
        count=np.rint(np.bincount(key, weights=rows.count)).astype(np.int64),
        square=np.bincount(key, weights=rows.square).astype(np.float64),
        moments=_added(rows.moments, key, n_keys),
    )
    for name, column in sample.covariates.items():
        sample.covariates[name] = column.iloc[first].reset_index(drop=True)


def _added(moments: Floats | None, key: Ints, n_keys: int) -> Floats | None:
    """Add up moments with the same key."""
    if moments is None:
        return None
    total = np.zeros((n_keys, *moments.shape[1:]))
    np.add.at(total, key, moments)
    for place, extreme, start in ((LOW, np.fmin, np.inf), (HIGH, np.fmax, -np.inf)):
        total[:, :, place] = start
        extreme.at(total[:, :, place], key, moments[:, :, place])
    return total


def _steady(sample: Sample, n_seen: Ints) -> None:
    """Give the rows of each type the weights of its first one.

    Sums over the same weights, added up in another order, need not have the same digits.
    """
    rows = sample.rows
    _, first, of_row = np.unique(rows.unit, return_index=True, return_inverse=True)
    at = first[of_row]
    assert rows.count is not None
    assert rows.square is not None
    gaps = (np.bincount(rows.unit) != n_seen).any()
    if gaps or (rows.count != rows.count[at]).any():
        raise changed()
    weight = None if rows.weight is None else rows.weight[at]
    sample.rows = replace(rows, weight=weight, square=rows.square[at])


# ---- panel ---------------------------------------------------------------------------------------


class PanelUnits:
    """Counts units for the ledger, checks them, and balances the panel.

    Until the panel is balanced, `sample.rows.unit` is the place of a row among the patterns;
    afterwards it is the type of its units.

    Parameters
    ----------
    used : Used
    patterns : of all rows
    sample : made of them
    complete : (N,) which of the patterns are of complete rows
    centre : what sums of outcomes are measured from
    """

    def __init__(
        self, used: Used, patterns: Patterns, sample: Sample, complete: Bools, centre: float
    ) -> None:
        self.used, self.patterns, self.centre = used, patterns, centre
        options = used.options
        time = patterns.keys[options.tname][complete].drop_duplicates().sort_values()
        self.queries = UnitQueries(used, time)
        self.units = self.queries.count()
        times = as_times(time, self.units.cohort)
        self._periods, self._cohorts = times.period, times.cohort
        self._n_rows = sample.size
        self._first_cohort = sample.rows.cohort
        self._short: Bools = np.zeros(self.units.number.size, dtype=bool)
        self._complete = complete
        self._first = FirstUnits(used)
        sample.rows = replace(sample.rows, unit=np.arange(sample.rows.y.size))

    # ---- the ledger ------------------------------------------------------------------------------

    def who(self, sample: Sample, rule: Rule | None, rows: Bools) -> tuple[int, str]:
        """Return how many units a rule finds; who these are is asked for all rules at once."""
        if rule in (Rule.UNBALANCED_PANEL, Rule.BALANCED_PANEL):
            return self._number(self._short), ""  # asked for with the finer patterns
        if rule is Rule.SAMPLE:
            dropped = self._short & (not sample.options.allow_unbalanced_panel)
            return self._number(self._kept.any(axis=1) & ~dropped), ""
        place = sample.rows.unit[rows]
        if rule is Rule.COMPLETE_ROWS:
            if self._complete[place].any():
                raise DataError(
                    f"{sample.design.shown if sample.design else 'xformla'} is not finite in "
                    f"{plural(sample.n_rows(rows), 'row')}: in a panel that is a lazy table, make "
                    f"the term a column in the engine, or {remedy(self.used, self._n_rows)}"
                )
            chosen = self.units.incomplete
            frame = self.queries.rows().filter(~nw.col(self._own("complete")))
        else:
            chosen = np.asarray((self.units.observed & self._cells(sample, rows)).any(axis=1))
            frame = self._rows_of(sample, place)
        if rule is None:
            return self._number(chosen), self._first.named(frame)
        self._first.want(len(sample.entries), frame)
        return self._number(chosen), ""

    def _number(self, kinds: Bools) -> int:
        return int(self.units.number[kinds].sum())

    def _own(self, name: str) -> str:
        return self.used.table.own(name)

    def _cells(self, sample: Sample, rows: Bools) -> Bools:
        """Return in which periods some rows are, by kind of unit, (K, T)."""
        cohort = self._first_cohort[sample.rows.unit[rows]]
        period = sample.periods[sample.rows.period[rows]]
        cohorts = np.unique(self._first_cohort)
        there = np.zeros((cohorts.size, self._periods.size), dtype=bool)
        there[np.searchsorted(cohorts, cohort), np.searchsorted(self._periods, period)] = True
        at = np.searchsorted(cohorts, self._cohorts).clip(max=cohorts.size - 1)
        return np.asarray(there[at] & (cohorts[at] == self._cohorts)[:, None])

    def _rows_of(self, sample: Sample, place: Ints) -> nw.LazyFrame[Any]:
        """Return the complete rows of the cohorts and periods of some patterns."""
        schema, options = self.used.table.schema, sample.options
        keys = self.patterns.keys
        return self.queries.rows().filter(
            nw.col(self._own("complete")),
            among(schema, options.gname, keys[options.gname].iloc[place]),
            among(schema, options.tname, keys[options.tname].iloc[place]),
        )

    def _short_units(self, sample: Sample) -> nw.LazyFrame[Any]:
        n = self._own("n")
        used = self.used
        kept = used.table.grouped(self._kept_rows, [used.unit], nw.len().alias(n))
        return kept.filter(nw.col(n) < sample.periods.size)

    def examples(self, sample: Sample) -> None:
        """Complete the entries of the ledger with the first three units of each."""
        self._first.complete(sample)

    # ---- the rules -------------------------------------------------------------------------------

    def check(self, sample: Sample) -> None:
        """Raise for units in two cohorts or clusters, eligible at times, or twice in a period."""
        units, queries = self.units, self.queries
        n_rows = int((units.number * units.n_rows).sum())
        if n_rows != sample.size:
            raise changed(sample.size, n_rows)
        if units.in_cohorts.any():
            raise_for_cohorts(queries, sample, self._number(units.in_cohorts))
        if units.in_clusters.any():
            raise_for_clusters(queries, sample, self._number(units.in_clusters))
        if units.in_both.any():
            raise_for_eligibility(queries, sample, self._number(units.in_both))
        if units.twice.any():
            raise_for_duplicates(queries, sample)
        self._check_rows(sample, units.observed, {}, {})

    def _check_rows(
        self, sample: Sample, observed: Bools, more: dict[str, Ints], of_units: dict[str, Ints]
    ) -> None:
        """Raise unless the sample has the rows that units have by where they are seen, (K, T).

        Parameters
        ----------
        more, of_units : what else tells rows apart, and units
        """
        rows = sample.rows
        assert rows.count is not None
        period = np.searchsorted(self._periods, sample.periods[rows.period])
        keys = {"cohort": self._first_cohort[rows.unit], "period": period}
        kinds = {"cohort": self._cohorts, "number": self.units.number}
        check_rows(keys | more, rows.count, kinds | of_units, observed)

    def balance(self, sample: Sample) -> bool:
        """Make a balanced panel, or return False for an unbalanced one."""
        everything = np.ones(sample.rows.y.size, dtype=bool)
        self._kept = self.units.observed & self._cells(sample, everything)
        n_kept = self._kept.sum(axis=1)
        self._short = (n_kept > 0) & (n_kept < sample.periods.size)
        self._kept_rows = self._rows_of(sample, sample.rows.unit)
        n_periods, balanced = sample.periods.size, True
        masks = np.zeros(sample.rows.y.size, dtype=np.int64)
        n_seen = np.full(masks.size, n_periods)
        if self._short.any():
            masks, n_seen = self._split(sample)
            short = n_seen < n_periods
            balanced = rules.leave_out(sample, short)
            if balanced:
                masks, n_seen = masks[~short], n_seen[~short]
        self._balanced = balanced
        self.check_constant(sample, balanced)
        set_types(sample, masks, n_seen)
        return balanced

    def _split(self, sample: Sample) -> tuple[Ints, Ints]:
        """Divide patterns by the periods in which their units are seen.

        Returns a number for these periods, and how many they are, for each row.
        """
        used, queries, id_ = self.used, self.queries, self.used.unit
        bits = [self._own(f"bits{j}") for j in range(queries.n_sums)]
        whole = nw.Int64
        flags = {flag: nw.lit(True) for flag in used.flags.values()}
        rows = used.with_moments(self._kept_rows).with_columns(
            *(nw.col(b).sum().over(id_).cast(whole) for b in bits), **flags
        )
        self._first.want(len(sample.entries), self._short_units(sample))  # rule 5 is the next one
        (found,) = self._first.fetch(grouped(used, rows, self.centre, *bits))
        if not found.num_rows:
            raise changed()
        if found.num_rows > most_patterns(used):
            raise too_many(used, self._n_rows)
        finer = Patterns.read(used, found, self.centre, *bits)
        place = match(used, self.patterns, finer, self._complete)
        inverse = np.full(self._complete.size, -1)
        inverse[sample.rows.unit] = np.arange(sample.rows.y.size)
        at = np.where(place < 0, -1, inverse[place])
        numbers = finer.numbers
        parts = replace(
            sample.rows.take(at),
            y=numbers.y,
            weight=numbers.weight,
            count=numbers.count,
            square=numbers.square,
            moments=numbers.moments,
        )
        check_parts(sample.rows, parts, at)
        sample.rows = parts
        for name, column in sample.covariates.items():
            sample.covariates[name] = column.iloc[at].reset_index(drop=True)
        sums = {b: finer.keys[b].to_numpy(dtype=np.int64) for b in bits}
        of_units = dict(zip(bits, packed(self._kept), strict=True))
        self._check_rows(sample, self._kept, sums, of_units)
        masks = np.asarray(pd.DataFrame(sums).groupby(bits).ngroup(), dtype=np.int64)
        n_seen = np.bitwise_count(np.stack([*sums.values()])).sum(axis=0, dtype=np.int64)
        return masks, n_seen

    def check_constant(self, sample: Sample, balanced: bool) -> None:
        """Raise for what only rows can tell.

        Parameters
        ----------
        balanced : whether the sample, or that of a replicate, is a balanced panel
        """
        options, fixed = sample.options, sample.estimation.fix_weights
        own = fixed == "varying"
        if own and not balanced:
            return
        if fixed is not None and not balanced:
            raise DataError(
                f"fix_weights={fixed!r} is not possible for an unbalanced panel "
                f"that is a lazy table; {remedy(self.used, self._n_rows)}"
            )
        varying = self.units.varies & self._kept.any(axis=1)
        if self._balanced:
            varying &= ~self._short
        if varying.any():
            names = [*self.used.covariates.names, None if own else options.weightsname]
            listed = name_some([name for name in names if name is not None])
            raise DataError(
                f"{plural(self._number(varying), 'unit')} of {options.idname!r} have {listed} that "
                "vary over time: the units of a lazy table can be grouped by constant ones only. "
                "Take the values of one period in the engine, or "
                f"{remedy(self.used, self._n_rows)}"
            )
