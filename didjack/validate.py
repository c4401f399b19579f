"""Any data frame -> a clean sample and a ledger of what the sample rules did to it.

All complaints about data are raised here (or in `columns` and `formula`, which this module
calls), so that everything to the right of it can rely on what it gets.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from didjack import columns as cols
from didjack import errors
from didjack import formula as fm
from didjack.columns import NEVER, Bools, Floats, Ints, TimeAxis
from didjack.errors import DataError, SampleWarning, name_some, plural
from didjack.options import Options

LEDGER_COLUMNS = ["rule", "action", "n_rows", "n_units", "reason", "examples"]


@dataclass(frozen=True, slots=True)
class CleanData:
    """The sample after all rules; rows in the order of the user's table.

    Attributes
    ----------
    y : (N,) outcome
    period : (N,) position of the row's period in `periods`
    cohort : (N,) first treated period on the integer axis; `NEVER` for never-treated
    unit : (N,) unit code 0..U-1 (repeated cross sections: the row number)
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
    covariates: pd.DataFrame
    unit_labels: pd.Index
    cluster_labels: pd.Index
    x: Floats | None = None
    x_names: list[str] = field(default_factory=lambda: ["Intercept"])
    entries: list[tuple[Any, ...]] = field(default_factory=list)

    def record(self, rule: str, action: str, rows: Bools, reason: str, warn: bool = True) -> None:
        """Write an entry of the ledger, and warn."""
        n_rows, units = int(rows.sum()), np.unique(self.unit[rows])
        shown = name_some(self.unit_labels[units[:3]]) if self.options.panel else ""
        self.entries.append((rule, action, n_rows, units.size, reason, shown))
        if warn:
            many = plural(units.size, "unit") + " in " if self.options.panel else ""
            where = f"; first: {shown}" if shown else ""
            errors.warn(
                f"{action} {many}{plural(n_rows, 'row')}: {reason}{where} (see result.sample)",
                SampleWarning,
            )

    def drop(self, rule: str, rows: Bools, reason: str) -> None:
        """Take rows out of the sample, with an entry in the ledger and a warning."""
        if not rows.any():
            return
        self.record(rule, "dropped", rows, reason)
        keep = ~rows
        if not keep.any():
            raise DataError(f"no row is left: {reason}")
        for name in ("y", "time", "cohort", "unit", "cluster"):
            setattr(self, name, getattr(self, name)[keep])
        if self.weight is not None:
            self.weight = self.weight[keep]
        if self.x is not None:
            self.x = self.x[keep]
        if self.covariates.shape[1]:
            self.covariates = self.covariates.loc[keep].reset_index(drop=True)

    def label(self, period: int) -> Any:
        """Return the user's label of a period."""
        return self.axis.labels([period])[0]


def clean(df: Any, options: Options) -> CleanData:
    """Apply the sample rules to a data frame, which is not modified.

    Parameters
    ----------
    df : pandas, polars or pyarrow table
    options : Options

    Raises
    ------
    DataError
        With the column, the count and the first offenders.
    """
    rows, incomplete = _read(df, options)
    _check_weights(rows)
    rows.drop("1 complete rows", *incomplete)
    if options.xformla is not None and fm.has_covariates(options.xformla):
        _evaluate_formula(rows)
    if options.panel:
        _check_units(rows)
    evaluated = rows.y.size
    rows.cluster, clusters = _compact(rows.cluster, len(rows.cluster_labels))
    rows.cluster_labels = rows.cluster_labels[clusters]
    horizon = int(rows.time.max())
    _late_cohorts(rows)
    _no_never_treated(rows)
    _already_treated(rows)
    balanced = _balance(rows) if options.panel else False
    _check_groups(rows)
    if rows.x is not None and rows.y.size < evaluated:
        _evaluate_formula(rows, again=True)
    return _finish(rows, horizon, pooled=not balanced or options.fix_weights == "varying")


def _read(df: Any, options: Options) -> tuple[_Rows, tuple[Bools, str]]:
    """Read the used columns; also say which rows have a missing value in any of them."""
    roles: dict[str, str] = {}
    for name in ("yname", "tname", "gname", "idname", "cluster", "weightsname"):
        if (column := getattr(options, name)) is not None:
            roles.setdefault(column, name)
    named: list[str] = []
    if options.xformla is not None and fm.has_covariates(options.xformla):
        fm.parse(options.xformla)
        present = cols.column_names(df)
        fm.check_dotted(options.xformla, present)
        named = fm.columns_used(options.xformla, present)
        for column in named:
            roles.setdefault(column, "covariate")
    data = cols.read_columns(df, roles)
    axis, time, time_missing, cohort, cohort_missing = cols.as_times(
        options.tname, data[options.tname], options.gname, data[options.gname]
    )
    _check_never_codes(options, cohort, cohort_missing, data[options.gname])
    y = cols.as_float(data[options.yname], "yname")
    missing = {options.yname: ~np.isfinite(y), options.tname: time_missing}
    unit, cluster = _unit_and_cluster(data, options, y.size, missing)
    weight = None
    if options.weightsname is not None:
        weight = cols.as_float(data[options.weightsname], "weightsname")
        missing[options.weightsname] = ~np.isfinite(weight)
    for column in named:
        missing.setdefault(column, _missing_covariate(data[column]))
    incomplete = np.zeros(y.size, dtype=bool)
    counts = []
    for name, gone in missing.items():
        if count := int(np.count_nonzero(gone)):
            counts.append(f"{name!r} ({count:,})")
            incomplete |= gone
    reason = f"missing or non-finite values in {', '.join(counts)}"
    rows = _Rows(
        options=options,
        axis=axis,
        y=y,
        time=time,
        cohort=cohort,
        unit=unit.codes,
        cluster=cluster.codes,
        weight=weight,
        covariates=pd.DataFrame({name: data[name] for name in named}),
        unit_labels=unit.labels,
        cluster_labels=cluster.labels,
    )
    return rows, (incomplete, reason)


def _unit_and_cluster(
    data: dict[str, pd.Series], options: Options, n: int, missing: dict[str, Bools]
) -> tuple[cols.Coded, cols.Coded]:
    """Code units and clusters; without a name, each row is its own."""
    rows = cols.Coded(np.arange(n), pd.RangeIndex(n))
    unit = rows if options.idname is None else cols.as_codes(data[options.idname])
    cluster = unit
    if options.cluster is not None and options.cluster != options.idname:
        cluster = cols.as_codes(data[options.cluster])
    for name, coded in ((options.idname, unit), (options.cluster, cluster)):
        if name is not None:
            missing.setdefault(name, coded.codes < 0)
    return unit, cluster


def _missing_covariate(column: pd.Series) -> Bools:
    gone = column.isna().to_numpy(dtype=bool)
    if pd.api.types.is_float_dtype(column.dtype):
        gone = gone | ~np.isfinite(column.to_numpy(dtype=np.float64, na_value=np.nan))
    return gone


def _check_never_codes(options: Options, cohort: Ints, missing: Bools, original: pd.Series) -> None:
    """Raise where never-treated is both missing and coded: one of them may mean 'unknown'."""
    if not missing.any():
        return
    n_missing, n_coded = int(missing.sum()), int(((cohort == NEVER) & ~missing).sum())
    if n_coded:
        rows = np.flatnonzero(missing)
        raise DataError(
            f"gname {options.gname!r} mixes missing values ({plural(n_missing, 'row')}, first at "
            f"row {rows[0]}) with 0 or inf ({plural(n_coded, 'row')}): does missing mean "
            "never-treated or unknown? Recode one, or drop the unknown ones"
        )


def _check_weights(rows: _Rows) -> None:
    if rows.weight is None:
        return
    name, negative = rows.options.weightsname, rows.weight < 0
    if negative.any():
        raise DataError(
            f"weightsname {name!r} has negative values: {cols.offenders(negative, rows.weight)}"
        )
    if not (rows.weight[np.isfinite(rows.weight)] > 0).any():
        raise DataError(f"weightsname {name!r} has mean 0 over {plural(rows.y.size, 'row')}")


def _evaluate_formula(rows: _Rows, again: bool = False) -> None:
    """Build the design on the whole sample, so that factor levels agree in all cells."""
    text = rows.options.xformla
    assert text is not None
    parsed = fm.parse(text)
    frame = pd.DataFrame({c: fm.clean_covariate(rows.covariates[c]) for c in rows.covariates})
    rows.x, rows.x_names = fm.design_matrix(parsed, text, frame, rows.y.size)
    bad = ~np.isfinite(rows.x)
    if not bad.any():
        return
    if again:
        raise DataError(f"xformla={text!r} gives non-finite values once the sample rules apply")
    names = [
        f"{rows.x_names[j]!r} ({int(bad[:, j].sum()):,})" for j in np.flatnonzero(bad.any(axis=0))
    ]
    rows.drop("1 complete rows", bad.any(axis=1), f"non-finite covariate {', '.join(names)}")
    _evaluate_formula(rows, again=True)


def _first_row(unit: Ints, n_units: int) -> Ints:
    """Return the first row of each unit, (U,); 0 for units without rows."""
    first = np.zeros(n_units, dtype=np.int64)
    first[unit[::-1]] = np.arange(unit.size)[::-1]
    return first


def _check_units(rows: _Rows) -> None:
    """Raise for units in two cohorts or clusters, and for duplicate unit-periods."""
    options, first = rows.options, _first_row(rows.unit, len(rows.unit_labels))
    for what, name, values in (
        ("cohort", options.gname, rows.cohort),
        ("cluster", options.cluster or options.idname, rows.cluster),
    ):
        if values is rows.unit:
            continue
        moved = values != values[first][rows.unit]
        if moved.any():
            units = np.unique(rows.unit[moved])
            raise DataError(
                f"{plural(units.size, 'unit')} of {options.idname!r} in more than one {what} "
                f"({name!r}); first: {name_some(rows.unit_labels[units[:3]])}"
            )
    periods, period = np.unique(rows.time, return_inverse=True)
    key = rows.unit * periods.size + period
    if periods.size * len(rows.unit_labels) <= 8 * rows.y.size:
        twice = np.bincount(key)[key] > 1
    else:
        _, inverse, counts = np.unique(key, return_inverse=True, return_counts=True)
        twice = counts[inverse] > 1
    if twice.any():
        shown = [
            f"({rows.unit_labels[rows.unit[i]]}, {rows.label(rows.time[i])})"
            for i in np.flatnonzero(twice)[:3]
        ]
        raise DataError(
            f"({options.idname!r}, {options.tname!r}) is not unique: "
            f"{plural(int(twice.sum()), 'row')} share a unit and a period; first: "
            f"{name_some(shown)}; with repeated cross sections use panel=False"
        )


def _late_cohorts(rows: _Rows) -> None:
    """Rule 2: who is first treated after the last period is never-treated here."""
    last, d = rows.time.max(), rows.options.anticipation
    if rows.time.min() == last:
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
    reason = f"no comparison unit is left from period {rows.label(last - d)} on"
    rows.drop("3 no never-treated", rows.time >= last - d, reason)


def _already_treated(rows: _Rows) -> None:
    """Rule 4: units treated in the first period have no untreated period to compare with."""
    first, d = rows.time.min(), rows.options.anticipation
    reason = f"already treated in the first period ({rows.label(first)})"
    rows.drop("4 already treated", np.asarray(rows.cohort <= first + d), reason)


def _balance(rows: _Rows) -> bool:
    """Rule 5: make a balanced panel, or say that the panel is to be treated as unbalanced."""
    counts = np.bincount(rows.unit, minlength=len(rows.unit_labels))
    n_periods = np.unique(rows.time).size
    short = counts[rows.unit] < n_periods
    if not short.any():
        return True
    if rows.options.allow_unbalanced_panel:
        reason = "units miss some periods: rows are compared as repeated cross sections"
        rows.record("5 unbalanced panel", "kept", short, reason, warn=False)
        return False
    reason = f"not seen in all {n_periods} periods (allow_unbalanced_panel=True keeps them)"
    if short.all():
        raise DataError(
            f"no unit of {rows.options.idname!r} is seen in all {n_periods} periods; use "
            "allow_unbalanced_panel=True, or panel=False for repeated cross sections"
        )
    rows.drop("5 balanced panel", short, reason)
    return True


def _check_groups(rows: _Rows) -> None:
    """Rule 6, what is only known now: treated cohorts, comparison units, clusters."""
    never = rows.cohort == NEVER
    name = rows.options.gname
    if never.all():
        raise DataError(
            f"gname {name!r}: no treated cohort is left after the sample rules "
            f"({plural(rows.y.size, 'row')}, all never-treated)"
        )
    if not never.any() and (
        rows.options.control_group == "nevertreated" or np.unique(rows.cohort).size == 1
    ):
        raise DataError(f"gname {name!r}: no comparison unit is left after the sample rules")
    if np.unique(rows.time).size < 2:
        raise DataError(f"tname {rows.options.tname!r}: a single period is left after the rules")
    clusters = np.unique(rows.cluster)
    if rows.options.jackknife and clusters.size < 2:
        raise DataError(
            f"cluster {rows.options.cluster or rows.options.idname!r} has 1 cluster "
            f"({name_some(rows.cluster_labels[clusters])}); the jackknife needs at least 2"
        )


def _compact(codes: Ints, n_codes: int) -> tuple[Ints, Ints]:
    """Renumber the codes that occur as 0, 1, ...; also return the codes that occur."""
    present = np.zeros(n_codes, dtype=bool)
    present[codes] = True
    if present.all():
        return codes, np.arange(n_codes)
    return (np.cumsum(present) - 1)[codes], np.flatnonzero(present)


def _finish(rows: _Rows, horizon: int, pooled: bool) -> CleanData:
    if rows.weight is not None and not (rows.weight > 0).any():
        raise DataError(f"weightsname {rows.options.weightsname!r} has mean 0 in the sample")
    unit, _ = _compact(rows.unit, len(rows.unit_labels))
    span = rows.time - rows.time.min()
    codes, occurring = (
        _compact(span, int(span.max()) + 1)
        if span.max() <= 4 * span.size
        else (
            np.unique(span, return_inverse=True)[1],
            np.unique(span),
        )
    )
    periods = occurring + rows.time.min()
    n_units = int(unit.max()) + 1
    kept = ("kept", rows.y.size, n_units if rows.options.panel else rows.y.size)
    rows.entries.append(("6 sample", *kept, "the sample that is used", ""))
    return CleanData(
        y=rows.y,
        period=codes,
        cohort=rows.cohort,
        unit=unit,
        cluster=rows.cluster,
        weight=rows.weight,
        x=rows.x,
        x_names=rows.x_names,
        periods=periods,
        axis=rows.axis,
        cluster_labels=rows.cluster_labels,
        horizon=horizon,
        pooled=pooled,
        ledger=pd.DataFrame(rows.entries, columns=LEDGER_COLUMNS),
    )
