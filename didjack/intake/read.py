"""Any data frame -> the columns that are used, as a sample to which the rules can be applied."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from didjack._typing import Bools
from didjack.intake import checks
from didjack.intake.calendar import Times, as_times
from didjack.intake.cohort_codes import check_boolean, check_dummy, check_never_codes
from didjack.intake.formula import Covariates, parse
from didjack.intake.labels import Coded, as_codes, distinct
from didjack.intake.numbers import as_float
from didjack.intake.sample import Rows, Sample
from didjack.intake.tables import column_names, read_columns
from didjack.intake.text import text_as_categories
from didjack.options import Options


def read(df: Any, options: Options) -> tuple[Sample, dict[str, Bools], Bools]:
    """Read the used columns.

    Returns
    -------
    sample : Sample
        All rows of the table.
    missing : dict
        Column name -> where it is missing, (N,).
    zero : (N,) array
        Where the cohort is the number 0.
    """
    formula = parse(options.xformla)
    named = formula.columns(df, column_names(df)) if formula is not None else []
    data = read_columns(df, _roles(options, named))
    check_boolean(data[options.gname], options)
    times = as_times(data[options.tname], data[options.gname])
    check_dummy(times, options)
    check_never_codes(times, options)
    y = as_float(data[options.yname], "yname")
    checks.check_large(y, options)
    unit, cluster = _unit_and_cluster(data, options, y.size)
    weight = None
    if options.weightsname is not None:
        weight = as_float(data[options.weightsname], "weightsname")
        checks.check_negative(weight, options)
    periods, period = distinct(times.period)
    sample = Sample(
        options=options,
        rows=Rows(y, period, times.cohort, unit.codes, cluster.codes, weight, x=None),
        axis=times.axis,
        periods=periods,
        unit_labels=unit.labels,
        cluster_labels=cluster.labels,
        formula=formula,
        covariates=_covariates(data, formula, named),
    )
    return sample, _missing(sample, times), times.zero


def _roles(options: Options, covariates: list[str]) -> dict[str, str]:
    """Map each used column to what it is used as; the first use counts."""
    roles: dict[str, str] = {}
    for name in ("yname", "tname", "gname", "idname", "cluster", "weightsname"):
        if (column := getattr(options, name)) is not None:
            roles.setdefault(column, name)
    for column in covariates:
        roles.setdefault(column, "covariate")
    return roles


def _unit_and_cluster(data: dict[str, pd.Series], options: Options, n: int) -> tuple[Coded, Coded]:
    """Code units and clusters; without a name, each row is its own (and units have no codes)."""
    if options.idname is not None:
        unit = as_codes(data[options.idname], "idname")
    else:
        unit = Coded(np.empty(0, dtype=np.int64), pd.RangeIndex(n))
    if options.cluster is not None and options.cluster != options.idname:
        return unit, as_codes(data[options.cluster], "cluster")
    return unit, unit if options.idname is not None else Coded(np.arange(n), unit.labels)


def _covariates(
    data: dict[str, pd.Series], formula: Covariates | None, names: list[str]
) -> dict[str, pd.Series]:
    """Return the columns of a formula, with text as categories."""
    numbers = set() if formula is None else set(formula.names.numbers)
    return {name: text_as_categories(data[name], labels=name not in numbers) for name in names}


def _missing(sample: Sample, times: Times) -> dict[str, Bools]:
    """Map each used column to where it is missing, (N,)."""
    rows, options = sample.rows, sample.options
    missing = {options.yname: ~np.isfinite(rows.y), options.tname: times.period_missing}
    for name, codes in ((options.idname, rows.unit), (options.cluster, rows.cluster)):
        if name is not None:
            missing.setdefault(name, codes < 0)
    if rows.weight is not None and options.weightsname is not None:
        missing[options.weightsname] = ~np.isfinite(rows.weight)
    for name, column in sample.covariates.items():
        missing.setdefault(name, _missing_covariate(column))
    return missing


def _missing_covariate(column: pd.Series) -> Bools:
    gone = column.isna().to_numpy(dtype=bool)
    if pd.api.types.is_float_dtype(column.dtype):
        gone = gone | ~np.isfinite(column.to_numpy(dtype=np.float64, na_value=np.nan))
    return gone
