"""Any data frame -> a clean sample and a ledger of what the sample rules did to it.

All complaints about data are raised here (or in `columns` and `formula`, which this module
calls), so that everything to the right of it can rely on what it gets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from didjack import errors
from didjack._typing import NEVER, Bools, Floats, Ints
from didjack.errors import DataError, SampleWarning
from didjack.intake import columns as cols
from didjack.intake import formula as fm
from didjack.intake.columns import TimeAxis
from didjack.options import Options
from didjack.wording import name_some, plural

LARGEST = 1e150
"""Outcomes and covariates beyond this have squares that are not finite."""

_SHIFT = (
    "0 is among the periods of {!r}: if it is a first treated period, add the same number to both "
    "columns"
)

LEDGER_COLUMNS = ["rule", "action", "n_rows", "n_units", "reason", "examples"]


@dataclass(frozen=True, slots=True)
class CleanData:
    """The sample after all rules; rows in the order of the user's table.

    Attributes
    ----------
    y : (N,) outcome
    period : (N,) position of the row's period in `periods`
    cohort : (N,) first treated period on the integer axis; `NEVER` for never-treated
    unit : (N,) unit code 0..U-1; empty in repeated cross sections where each row is its own
    cluster : (N,) cluster code 0..H-1
    weight : (N,) sampling weight, or None
    x : (N, k) covariate design with the intercept first, or None without covariates
    x_names : names of the k columns
    periods : (T,) the distinct periods, sorted
    axis : TimeAxis
    cluster_labels : (H,) the user's cluster labels, of all clusters with a complete row
    horizon : last period before rule 3 cut any
    pooled : whether periods are compared as repeated cross sections
    ledger : DataFrame, what each rule did
    """

    y: Floats
    period: Ints
    cohort: Ints
    unit: Ints
    cluster: Ints
    weight: Floats | None
    x: Floats | None
    x_names: list[str]
    periods: Ints
    axis: TimeAxis
    cluster_labels: pd.Index
    horizon: int
    pooled: bool
    ledger: pd.DataFrame


@dataclass(slots=True)
class _Rows:
    """The rows still in the sample while the rules are applied."""

    options: Options
    axis: TimeAxis
    y: Floats
    time: Ints
    cohort: Ints
    unit: Ints
    cluster: Ints
    weight: Floats | None
    formula: fm.Covariates | None
    covariates: dict[str, pd.Series]
    unit_labels: pd.Index
    cluster_labels: pd.Index
    x: Floats | None = None
    x_names: list[str] = field(default_factory=lambda: ["Intercept"])
    periods: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    period: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    entries: list[tuple[Any, ...]] = field(default_factory=list)

    def number_periods(self) -> None:
        """Give the periods of the rows that are left their positions in order."""
        self.periods, self.period = cols.distinct(self.time)

    def units(self, rows: Bools) -> Ints:
        """Return the units of some rows, sorted; a row whose unit is missing has none."""
        if not self.unit.size:
            return np.flatnonzero(rows)
        present = np.zeros(len(self.unit_labels) + 1, dtype=bool)
        present[self.unit[rows]] = True
        return np.flatnonzero(present[:-1])

    def record(self, rule: str, action: str, rows: Bools, reason: str, warn: bool = True) -> None:
        """Write an entry of the ledger, and warn."""
        n_rows, units = int(np.count_nonzero(rows)), self.units(rows)
        shown = name_some(self.unit_labels[units[:3]])
        self.entries.append((rule, action, n_rows, units.size, reason, shown))
        if not warn:
            return
        what = plural(n_rows, "row")
        if self.options.panel and units.size:
            what += f" of {plural(units.size, 'unit')}"
        kind = "unit" if self.options.panel else "row"
        where = f"; first: {kind} {shown}" if shown else ""
        errors.warn(f"{action} {what}: {reason}{where} (see result.sample)", SampleWarning)

    def drop(self, rule: str, rows: Bools, reason: str) -> None:
        """Take rows out of the sample, with an entry in the ledger and a warning."""
        if not rows.any():
            return
        keep = ~rows
        if not keep.any():
            raise DataError(f"no row is left in the sample ({plural(rows.size, 'row')}): {reason}")
        self.record(rule, "dropped", rows, reason)
        for name in ("y", "time", "cohort", "cluster"):
            setattr(self, name, getattr(self, name)[keep])
        if self.unit.size:
            self.unit = self.unit[keep]
        else:
            self.unit_labels = self.unit_labels[keep]
        if self.weight is not None:
            self.weight = self.weight[keep]
        if self.x is not None:
            self.x = self.x[keep]
        for name, column in self.covariates.items():
            self.covariates[name] = column[keep].reset_index(drop=True)
        if self.period.size:
            self.number_periods()

    def label(self, period: int) -> Any:
        """Return the user's label of a period, or of a cohort."""
        return "never" if period == NEVER else self.axis.labels([period])[0]


def clean(df: Any, options: Options) -> CleanData:
    """Apply the sample rules to a data frame, which is not modified.

    Parameters
    ----------
    df : pandas, polars or pyarrow table
    options : Options

    Returns
    -------
    CleanData
        Its arrays are new: nothing in it is a view of the user's data.

    Raises
    ------
    DataError
        With the column, the count and the first offenders.
    """
    rows = _read(df, options)
    _evaluate_formula(rows)
    _check_size(rows)
    rows.number_periods()
    if options.panel:
        _check_units(rows)
    evaluated = rows.y.size
    rows.cluster, clusters = _compact(rows.cluster, len(rows.cluster_labels))
    rows.cluster_labels = rows.cluster_labels[clusters]
    horizon = int(rows.periods[-1])
    _late_cohorts(rows)
    _no_never_treated(rows)
    _already_treated(rows)
    balanced = _balance(rows) if options.panel else False
    _check_groups(rows)
    if rows.y.size < evaluated:
        _evaluate_formula(rows, again=True)
    return _finish(rows, horizon, pooled=not balanced or options.fix_weights == "varying")


# ---- rule 1: complete rows ----------------------------------------------------------------------


def _read(df: Any, options: Options) -> _Rows:
    """Read the used columns, and keep the rows in which none of them is missing."""
    formula = fm.parse(options.xformla)
    named = formula.columns(df, cols.column_names(df)) if formula is not None else []
    data = cols.read_columns(df, _roles(options, named))
    times = cols.as_times(data[options.tname], data[options.gname])
    _check_never_codes(times, options)
    y = cols.as_float(data[options.yname], "yname")
    unit, cluster = _unit_and_cluster(data, options, y.size)
    weight = None
    if options.weightsname is not None:
        weight = cols.as_float(data[options.weightsname], "weightsname")
        _check_negative(weight, options)
    rows = _Rows(
        options=options,
        axis=times.axis,
        y=y,
        time=times.period,
        cohort=times.cohort,
        unit=unit.codes,
        cluster=cluster.codes,
        weight=weight,
        formula=formula,
        covariates={name: data[name] for name in named},
        unit_labels=unit.labels,
        cluster_labels=cluster.labels,
    )
    missing = {options.yname: ~np.isfinite(y), options.tname: times.period_missing}
    for name, coded in ((options.idname, unit), (options.cluster, cluster)):
        if name is not None:
            missing.setdefault(name, coded.codes < 0)
    if weight is not None and options.weightsname is not None:
        missing[options.weightsname] = ~np.isfinite(weight)
    for name in named:
        missing.setdefault(name, _missing_covariate(data[name]))
    _complete(rows, missing, times)
    return rows


def _roles(options: Options, covariates: list[str]) -> dict[str, str]:
    """Map each used column to what it is used as; the first use counts."""
    roles: dict[str, str] = {}
    for name in ("yname", "tname", "gname", "idname", "cluster", "weightsname"):
        if (column := getattr(options, name)) is not None:
            roles.setdefault(column, name)
    for column in covariates:
        roles.setdefault(column, "covariate")
    return roles


def _unit_and_cluster(
    data: dict[str, pd.Series], options: Options, n: int
) -> tuple[cols.Coded, cols.Coded]:
    """Code units and clusters; without a name, each row is its own (and units have no codes)."""
    if options.idname is not None:
        unit = cols.as_codes(data[options.idname], "idname")
    else:
        unit = cols.Coded(np.empty(0, dtype=np.int64), pd.RangeIndex(n))
    if options.cluster is not None and options.cluster != options.idname:
        return unit, cols.as_codes(data[options.cluster], "cluster")
    return unit, unit if options.idname is not None else cols.Coded(np.arange(n), unit.labels)


def _missing_covariate(column: pd.Series) -> Bools:
    gone = column.isna().to_numpy(dtype=bool)
    if pd.api.types.is_float_dtype(column.dtype):
        gone = gone | ~np.isfinite(column.to_numpy(dtype=np.float64, na_value=np.nan))
    return gone


def _check_never_codes(times: cols.Times, options: Options) -> None:
    """Raise where never-treated is both missing and coded: one of them may mean 'unknown'."""
    missing = times.cohort_missing
    if not missing.any():
        return
    n_coded = int(np.count_nonzero((times.cohort == NEVER) & ~missing))
    if n_coded:
        among = _zero_among_periods(times.zero, times.period[~times.period_missing])
        raise DataError(
            f"gname {options.gname!r} mixes missing values "
            f"({plural(int(missing.sum()), 'row')}, first at row {np.flatnonzero(missing)[0]}) "
            f"with 0 or inf ({plural(n_coded, 'row')}): does missing mean never-treated or "
            "unknown? Recode one, or drop the unknown ones"
            + (f"; {_SHIFT.format(options.tname)}" if among else "")
        )


def _zero_among_periods(zero: Bools, periods: Ints) -> bool:
    """Whether 0 is the cohort of some rows, and could be a period too."""
    return bool(zero.any() and periods.size and periods.min() <= 0 <= periods.max())


def _check_negative(weight: Floats, options: Options) -> None:
    negative = weight < 0
    if negative.any():
        raise DataError(
            f"weightsname {options.weightsname!r} has negative values: "
            f"{cols.offenders(negative, weight)}"
        )


def _complete(rows: _Rows, missing: dict[str, Bools], times: cols.Times) -> None:
    """Drop rows with a missing value in any column; say what 0 in the cohort is taken for."""
    incomplete = np.zeros(rows.y.size, dtype=bool)
    counts = []
    for name, gone in missing.items():
        if count := int(np.count_nonzero(gone)):
            counts.append(f"{name!r} ({count:,})")
            incomplete |= gone
    zero = times.zero
    if counts:
        zero = zero[~incomplete]
        rows.drop("1 complete rows", incomplete, f"missing or non-finite: {', '.join(counts)}")
    if _zero_among_periods(zero, rows.time):
        what = f"0 in {rows.options.gname!r} is read as never-treated, although "
        rows.record("1 never-treated", "recoded", zero, what + _SHIFT.format(rows.options.tname))
    if rows.weight is not None and not rows.weight.any():
        raise DataError(
            f"weightsname {rows.options.weightsname!r} has mean 0 over {plural(zero.size, 'row')}"
        )


def _check_size(rows: _Rows) -> None:
    """Raise for outcomes whose squares overflow; bring weights that do within bounds."""
    size = np.maximum(-rows.y.min(), rows.y.max())
    if size > LARGEST:
        raise DataError(
            f"yname {rows.options.yname!r} is too large to be squared: "
            f"{cols.offenders(np.abs(rows.y) > LARGEST, rows.y)}; rescale it"
        )
    if rows.weight is None:
        return
    top = rows.weight.max()
    if not 1 / LARGEST < top < LARGEST:
        # Only ratios of weights matter; a power of two leaves their digits as they are.
        rows.weight = np.ldexp(rows.weight, -int(np.frexp(top)[1]))


def _evaluate_formula(rows: _Rows, again: bool = False) -> None:
    """Build the design on the whole sample, so that factor levels agree in all cells.

    It is built `again` when rows were dropped: levels may have vanished, and splines and the like
    depend on all rows.
    """
    if rows.formula is None:
        return
    columns = {name: fm.clean_covariate(column) for name, column in rows.covariates.items()}
    rows.x, rows.x_names = fm.design_matrix(rows.formula, pd.DataFrame(columns, copy=False))
    if rows.x.min() >= -LARGEST and rows.x.max() <= LARGEST:
        return
    bad = ~np.isfinite(rows.x)
    text = rows.formula.text
    if not bad.any():
        large = [
            n for n, column in zip(rows.x_names, rows.x.T, strict=True) if _top(column) > LARGEST
        ]
        raise DataError(f"xformla={text!r}: {name_some(large)} is too large to be squared; rescale")
    names = [
        f"{rows.x_names[j]!r} ({int(bad[:, j].sum()):,})" for j in np.flatnonzero(bad.any(axis=0))
    ]
    if again:
        raise DataError(
            f"xformla={text!r} gives non-finite values once rows are dropped: "
            f"{', '.join(names)}; a term that looks at other rows, such as lag(), must be a column"
        )
    rows.drop(
        "1 complete rows", np.asarray(bad.any(axis=1)), f"non-finite covariate: {', '.join(names)}"
    )
    _evaluate_formula(rows, again=True)


def _top(values: Floats) -> float:
    return float(np.abs(values).max())


# ---- rule 6: units ------------------------------------------------------------------------------


def _check_units(rows: _Rows) -> None:
    """Raise for units in two cohorts or clusters, and for duplicate unit-periods."""
    _check_constant(rows, "cohort", rows.options.gname, rows.cohort, rows.label)
    if rows.cluster is not rows.unit and rows.options.cluster is not None:
        labels = rows.cluster_labels
        _check_constant(
            rows, "cluster", rows.options.cluster, rows.cluster, lambda code: labels[code]
        )
    _check_duplicates(rows)


def _check_constant(
    rows: _Rows, what: str, column: str, values: Ints, label: Callable[[int], Any]
) -> None:
    """Raise for units with more than one value."""
    of_unit = np.zeros(len(rows.unit_labels), dtype=np.int64)
    of_unit[rows.unit] = values
    moved = of_unit[rows.unit] != values
    if not moved.any():
        return
    units = rows.units(moved)
    shown = [
        f"{rows.unit_labels[unit]} ({name_some(map(label, np.unique(values[rows.unit == unit])))})"
        for unit in units[:3]
    ]
    raise DataError(
        f"{plural(units.size, 'unit')} of {rows.options.idname!r} in more than one {what} "
        f"({column!r}); first: {', '.join(shown)}"
    )


def _check_duplicates(rows: _Rows) -> None:
    """Raise for units that are seen more than once in a period."""
    periods = rows.periods
    key, n_keys = rows.unit * periods.size + rows.period, len(rows.unit_labels) * periods.size
    if n_keys <= 8 * key.size:
        seen = np.zeros(n_keys, dtype=bool)
        seen[key] = True
        if np.count_nonzero(seen) == key.size:
            return
    twice = pd.Series(key).duplicated(keep=False).to_numpy()
    if not twice.any():
        return
    first = dict.fromkeys(key[twice].tolist())
    shown = [
        f"({rows.unit_labels[k // periods.size]}, {rows.label(periods[k % periods.size])})"
        for k in list(first)[:3]
    ]
    raise DataError(
        f"({rows.options.idname!r}, {rows.options.tname!r}) is not unique: "
        f"{plural(int(twice.sum()), 'row')} share a unit and a period; first: "
        f"{', '.join(shown)}; with repeated cross sections use panel=False"
    )


# ---- rules 2 to 5: cohorts, periods, balance ----------------------------------------------------


def _late_cohorts(rows: _Rows) -> None:
    """Rule 2: who is first treated after the last period is never-treated here."""
    last, d = rows.periods[-1], rows.options.anticipation
    if rows.periods.size == 1:
        raise DataError(
            f"tname {rows.options.tname!r} has a single period ({rows.label(last)}); "
            "a difference in differences needs two"
        )
    late = (rows.cohort > last + d) & (rows.cohort != NEVER)
    if late.any():
        reason = f"first treated after the last period ({rows.label(last)}): never-treated here"
        rows.record("2 late cohorts", "recoded", late, reason, warn=False)
        rows.cohort = np.where(late, NEVER, rows.cohort)


def _no_never_treated(rows: _Rows) -> None:
    """Rule 3: without never-treated units, the last cohort is the comparison group."""
    if (rows.cohort == NEVER).any():
        return
    last, d = rows.cohort.max(), rows.options.anticipation
    chosen = rows.cohort == last
    label = rows.label(last)
    if chosen.all():
        raise DataError(
            f"gname {rows.options.gname!r}: all units belong to cohort {label}, so there is no "
            "comparison unit"
        )
    rows.record(
        "3 no never-treated",
        "recoded",
        chosen,
        f"no never-treated unit: the last cohort ({label}) serves as comparison",
        warn=rows.options.control_group == "nevertreated",
    )
    rows.cohort = np.where(chosen, NEVER, rows.cohort)
    late = rows.periods >= last - d
    if late.any():
        reason = f"no comparison unit is left from period {rows.label(rows.periods[late][0])} on"
        rows.drop("3 no never-treated", late[rows.period], reason)


def _already_treated(rows: _Rows) -> None:
    """Rule 4: units treated in the first period have no untreated period to compare with."""
    first, d = rows.periods[0], rows.options.anticipation
    reason = f"already treated in the first period ({rows.label(first)})"
    if d:
        reason += f" or, with anticipation={d}, affected"
    rows.drop("4 already treated", np.asarray(rows.cohort <= first + d), reason)


def _balance(rows: _Rows) -> bool:
    """Rule 5: make a balanced panel, or say that the panel is to be treated as unbalanced."""
    counts = np.bincount(rows.unit, minlength=len(rows.unit_labels))
    n_periods = rows.periods.size
    if ((counts == n_periods) | (counts == 0)).all():
        return True
    short = counts[rows.unit] < n_periods
    if rows.options.allow_unbalanced_panel:
        reason = "units miss some periods: rows are compared as repeated cross sections"
        rows.record("5 unbalanced panel", "kept", short, reason, warn=False)
        return False
    if short.all():
        raise DataError(
            f"no unit of {rows.options.idname!r} is seen in all {n_periods} periods; use "
            "allow_unbalanced_panel=True, or panel=False for repeated cross sections"
        )
    reason = f"not seen in all {n_periods} periods (allow_unbalanced_panel=True keeps them)"
    rows.drop("5 balanced panel", short, reason)
    return True


# ---- rule 6: what is left -----------------------------------------------------------------------


def _check_groups(rows: _Rows) -> None:
    """Rule 6, what is only known now: treated cohorts, comparison units, clusters."""
    options, cohort = rows.options, rows.cohort
    what = f"gname {options.gname!r}"
    if rows.weight is not None and not rows.weight.all():
        cohort = cohort[rows.weight > 0]
        what += f" (rows with positive {options.weightsname!r})"
    never = cohort == NEVER
    if never.all():
        raise DataError(
            f"{what}: no treated cohort is left after the sample rules "
            f"({plural(cohort.size, 'row')}, all never-treated)"
        )
    if not never.any() and (options.control_group == "nevertreated" or (cohort == cohort[0]).all()):
        raise DataError(f"{what}: no comparison unit is left after the sample rules")
    if rows.periods.size == 1:
        raise DataError(
            f"tname {options.tname!r}: a single period ({rows.label(rows.periods[0])}) is left "
            "after the sample rules"
        )
    if options.jackknife and (rows.cluster == rows.cluster[0]).all():
        raise DataError(
            f"cluster {options.cluster or options.idname!r} has 1 cluster "
            f"({rows.cluster_labels[rows.cluster[0]]}); the jackknife needs at least 2"
        )


def _compact(codes: Ints, n_codes: int) -> tuple[Ints, Bools]:
    """Renumber the codes that occur as 0, 1, ...; also return which those are, (n_codes,)."""
    present = np.zeros(n_codes, dtype=bool)
    present[codes] = True
    return codes if present.all() else (np.cumsum(present) - 1)[codes], present


def _finish(rows: _Rows, horizon: int, pooled: bool) -> CleanData:
    unit, n_units = rows.unit, rows.y.size
    if unit.size:
        unit, present = _compact(unit, len(rows.unit_labels))
        n_units = int(np.count_nonzero(present))
    kept = ("kept", rows.y.size, n_units, "the sample that is used", "")
    rows.entries.append(("6 sample", *kept))
    return CleanData(
        y=rows.y,
        period=rows.period,
        cohort=rows.cohort,
        unit=unit,
        cluster=rows.cluster,
        weight=rows.weight,
        x=rows.x,
        x_names=rows.x_names,
        periods=rows.periods,
        axis=rows.axis,
        cluster_labels=rows.cluster_labels,
        horizon=horizon,
        pooled=pooled,
        ledger=pd.DataFrame(rows.entries, columns=LEDGER_COLUMNS),
    )
