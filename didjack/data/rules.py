"""The sample rules: which rows are dropped, and which cohorts are recoded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from didjack._typing import NEVER, Bools, Ints
from didjack.data.checks import CROSS_SECTIONS, LARGEST, SMALLEST, check_covariates, check_spread
from didjack.data.cohorts import ZERO_IS_A_PERIOD, zero_among_periods
from didjack.data.labels import as_codes
from didjack.data.sample import Entry, Rule, Sample
from didjack.errors import DataError
from didjack.options import SampleOptions
from didjack.wording import name_some, plural

# ---- zero weights --------------------------------------------------------------------------------

_MOST_NAMES = 3
"""More cohorts or clusters are counted."""


def no_weight(options: SampleOptions, n_rows: int) -> DataError:
    """Return the error for a table all of whose rows have weight zero."""
    rows = plural(n_rows, "row")
    return DataError(f"weightsname {options.weightsname!r} has mean 0 over {rows}")


def entry_of_rows(data: Mapping[str, pd.Series], options: SampleOptions, dropped: Bools) -> Entry:
    """Return the ledger's entry for rows that are dropped.

    Parameters
    ----------
    data : columns by name, (N,) each
    options : SampleOptions
    dropped : (N,)
    """
    if options.idname is None:
        units = pd.Index(np.flatnonzero(dropped))
    else:
        coded = as_codes(data[options.idname], "idname")
        units = coded.labels[np.unique(coded.codes[dropped & (coded.codes >= 0)])]
    reason = reason_for(data, options, dropped, ~dropped)
    return dropped_rows(int(dropped.sum()), len(units), reason, name_some(units[:3]))


def dropped_rows(n_rows: int, n_units: int, reason: str, examples: str) -> Entry:
    """Return an entry of this rule."""
    return Entry(Rule.ZERO_WEIGHTS, "dropped", n_rows, n_units, reason, examples)


def reason_for(
    data: Mapping[str, pd.Series], options: SampleOptions, dropped: Bools, kept: Bools
) -> str:
    """Write why rows are dropped, and which cohorts and clusters are lost with them.

    Parameters
    ----------
    data : the columns of cohort and cluster at least, (N,) each
    options : SampleOptions
    dropped, kept : (N,) where there are rows that are dropped, and others
    """
    lost = _lost_cohorts(data[options.gname], dropped, kept)
    if options.cluster is not None and options.cluster != options.idname:
        coded = as_codes(data[options.cluster], "cluster")
        gone = coded.labels[_lost(coded.codes, len(coded.labels), dropped, kept)]
        lost += _listed("cluster", gone)
    reason = f"weight 0 in {options.weightsname!r}"
    return reason + (f" (all rows of {' and '.join(lost)})" if lost else "")


def _lost_cohorts(cohort: pd.Series, dropped: Bools, kept: Bools) -> list[str]:
    coded = as_codes(cohort, "gname")
    numbers = pd.api.types.is_numeric_dtype(coded.labels.dtype)
    zero = np.asarray(coded.labels == 0) if numbers else np.zeros(len(coded.labels), dtype=bool)
    never = np.append(zero, True)[coded.codes]
    codes = np.where(never, -1, coded.codes)
    labels = coded.labels[_lost(codes, len(coded.labels), dropped, kept)]
    if numbers and (labels == np.floor(labels)).all():
        labels = labels.astype(np.int64)
    found = _listed("cohort", labels)
    if (never & dropped).any() and not (never & kept).any():
        found.append("the never-treated")
    return found


def _lost(codes: Ints, n_codes: int, dropped: Bools, kept: Bools) -> Bools:
    """Return which codes occur in rows that are dropped, and in no other."""
    counts = [
        np.bincount(codes[rows & (codes >= 0)], minlength=n_codes) for rows in (dropped, kept)
    ]
    return np.asarray((counts[0] > 0) & (counts[1] == 0))


def _listed(noun: str, labels: pd.Index) -> list[str]:
    if not len(labels):
        return []
    if len(labels) > _MOST_NAMES:
        return [plural(len(labels), noun)]
    return [f"{noun}{'s' * (len(labels) > 1)} {name_some(labels)}"]


# ---- rules ---------------------------------------------------------------------------------------

# ---- rule 1: complete rows ----------------------------------------------------------------------


def complete_rows(sample: Sample, missing: dict[str, Bools], zero: Bools) -> None:
    """Drop rows with a missing value in any column; say what 0 in the cohort is taken for."""
    options = sample.options
    incomplete = np.zeros(sample.rows.y.size, dtype=bool)
    counts = []
    for name, gone in missing.items():
        if count := sample.n_rows(gone):
            counts.append(f"{name!r} ({count:,})")
            incomplete |= gone
    if counts:
        zero = zero[~incomplete]
        sample.drop(Rule.COMPLETE_ROWS, incomplete, f"missing or non-finite: {', '.join(counts)}")
    if zero_among_periods(zero, sample.periods):
        reason = f"0 in {options.gname!r} is read as never-treated, although "
        reason += ZERO_IS_A_PERIOD.format(options.tname)
        sample.record(Rule.NEVER_TREATED, "recoded", zero, reason)


def evaluate_covariates(sample: Sample, again: bool = False) -> None:
    """Build the design on the whole sample, so that factor levels agree in all cells.

    It is built `again` when rows were dropped: levels may have vanished, and splines and the like
    depend on all rows.
    """
    if sample.design is None:
        return
    x, names = sample.design.matrix(sample.covariates)
    sample.rows, sample.x_names = replace(sample.rows, x=x), names
    # Columns are only looked at one by one, which is slow, where that may be needed.
    within = x.min() >= -LARGEST and x.max() <= LARGEST
    if within and (np.abs(x[:1000]).max(axis=0) >= SMALLEST).all():
        return
    size = np.maximum(-x.min(axis=0), x.max(axis=0))
    if np.isfinite(size).all():
        check_covariates(sample.design.shown, dict(zip(names, size, strict=True)))
        return
    _drop_not_finite(sample, ~np.isfinite(x), again)
    evaluate_covariates(sample, again=True)


def _drop_not_finite(sample: Sample, bad: Bools, again: bool) -> None:
    """Drop rows whose covariates, (N, k), are bad; raise if such rows were dropped before."""
    assert sample.design is not None
    names = ", ".join(
        f"{sample.x_names[j]!r} ({sample.n_rows(bad[:, j]):,})"
        for j in np.flatnonzero(bad.any(axis=0))
    )
    if again:
        raise DataError(
            f"{sample.design.shown} gives non-finite values once rows are dropped: "
            f"{names}; a term that looks at other rows, such as lag(), must be a column"
        )
    rows = np.asarray(bad.any(axis=1))
    sample.drop(Rule.COMPLETE_ROWS, rows, f"non-finite covariate: {names}")


def scale_weights(sample: Sample) -> None:
    """Bring weights whose squares overflow or vanish within bounds; raise for what has no scale."""
    weight = sample.rows.weight
    if weight is None:
        return
    top = weight.max()
    check_spread(weight, sample.options, sample.rows.count)
    if not 1 / LARGEST < top < LARGEST:
        # Only ratios of weights matter; a power of two leaves their digits as they are.
        weight = np.ldexp(weight, -int(np.frexp(top)[1]))
        sample.rows = replace(sample.rows, weight=weight)


# ---- rules 2 to 5: cohorts, periods, balance ----------------------------------------------------


def recode_late_cohorts(sample: Sample) -> None:
    """Rule 2: who is first treated after the last period is never-treated here."""
    cohort, last = sample.rows.cohort, sample.periods[-1]
    late = (cohort > last + sample.estimation.anticipation) & (cohort != NEVER)
    if late.any():
        reason = f"first treated after the last period ({sample.label(last)}): never-treated here"
        sample.record(Rule.LATE_COHORTS, "recoded", late, reason, warn=False)
        sample.rows = replace(sample.rows, cohort=np.where(late, NEVER, cohort))


def compare_with_last_cohort(sample: Sample) -> None:
    """Rule 3: without never-treated units, the last cohort is what others are compared with."""
    cohort, options = sample.rows.cohort, sample.options
    if (cohort == NEVER).any():
        return
    last = cohort.max()
    chosen = cohort == last
    label = sample.label(last)
    if chosen.all():
        raise DataError(
            f"gname {options.gname!r}: all units belong to cohort {label}, so there is no "
            "control unit"
        )
    late = sample.periods >= last - sample.estimation.anticipation
    start = sample.label(sample.periods[late][0]) if late.any() else ""
    warn = sample.estimation.control_group == "nevertreated"
    reason = f"no never-treated unit: the last cohort ({label}) is the control group"
    if start and warn:
        reason += f", periods from {start} on are dropped"
    sample.record(Rule.NO_NEVER_TREATED, "recoded", chosen, reason, warn)
    sample.rows = replace(sample.rows, cohort=np.where(chosen, NEVER, cohort))
    if start:
        reason = f"no control unit is left from period {start} on"
        sample.drop(Rule.NO_NEVER_TREATED, late[sample.rows.period], reason, warn=not warn)


def compare_again(sample: Sample) -> None:
    """Rule 3 again, where balancing took the units that others were compared with.

    What is left is treated like a table without the rows of the units that were dropped. Rules 2
    and 4 have nothing more to do: units that are seen in all periods leave the first and the last
    one as they were.
    """
    if sample.lookup is not None:
        raise DataError(
            f"no never-treated unit of {sample.options.idname!r} is observed in all "
            f"{sample.periods.size} periods: drop these units in the engine, so that the last "
            "cohort is the control group, or use allow_unbalanced_panel=True or collect=True"
        )
    compare_with_last_cohort(sample)
    drop_already_treated(sample)


def drop_already_treated(sample: Sample) -> None:
    """Rule 4: units treated in the first period have no untreated period to compare with."""
    first, anticipation = sample.periods[0], sample.estimation.anticipation
    reason = f"already treated in the first period ({sample.label(first)})"
    if anticipation:
        reason += f" or, with anticipation={anticipation}, affected"
    early = np.asarray(sample.rows.cohort <= first + anticipation)
    sample.drop(Rule.ALREADY_TREATED, early, reason)


def balance(sample: Sample) -> bool:
    """Rule 5: make a balanced panel, or say that the panel is to be treated as unbalanced."""
    counts = np.bincount(sample.rows.unit, minlength=len(sample.unit_labels))
    n_periods = sample.periods.size
    if ((counts == n_periods) | (counts == 0)).all():
        return True
    return leave_out(sample, counts[sample.rows.unit] < n_periods)


def leave_out(sample: Sample, short: Bools) -> bool:
    """Drop the rows, (N,), of units that miss some period, or keep them as an unbalanced panel.

    Returns whether what is left is a balanced panel.
    """
    n_periods, options = sample.periods.size, sample.options
    if options.allow_unbalanced_panel:
        reason = "units miss some periods: rows are compared as repeated cross sections"
        sample.record(Rule.UNBALANCED_PANEL, "kept", short, reason, warn=False)
        return False
    rows = np.array([sample.n_rows(sample.rows.period == place) for place in range(n_periods)])
    least = int(np.argmin(rows))
    label, of_all = sample.label(sample.periods[least]), f"{rows[least]:,} of {rows.sum():,}"
    if short.all():
        raise DataError(
            f"no unit of {options.idname!r} is observed in all {n_periods} periods: of tname "
            f"{options.tname!r}, {label} has the fewest rows ({of_all}); drop it if it is a "
            f"stray period, use allow_unbalanced_panel=True, or {CROSS_SECTIONS}"
        )
    reason = f"not observed in all {n_periods} periods (allow_unbalanced_panel=True keeps them)"
    if 2 * sample.n_rows(short) > rows.sum() and 2 * rows[least] < np.median(rows):
        reason += f"; is {label} a stray period ({of_all} rows)?"
    sample.drop(Rule.BALANCED_PANEL, short, reason)
    return True
