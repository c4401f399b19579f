"""Who breaks a rule about units: small queries, for the messages that tables in memory give."""

from __future__ import annotations

from typing import Any, NoReturn

import narwhals as nw
import pandas as pd

from didjack.errors import DataError
from didjack.intake.calendar import as_times
from didjack.intake.checks import duplicates, moved_units
from didjack.intake.labels import as_codes
from didjack.intake.remedies import numbers_of_text
from didjack.intake.sample import Sample
from didjack.intake.tables import read_columns
from didjack.lazy.unchanged import changed
from didjack.lazy.units import UnitQueries
from didjack.lazy.used import Used
from didjack.wording import brief, name_some, plural, short

_NUMBER = r"^\s*[-+]?(\d[\d,]*\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$"
"""Text that writes a number, perhaps with commas; in a pattern that all engines read."""


def raise_for_text(used: Used, name: str, role: str) -> None:
    """Raise where a column is text that mostly writes numbers: name what does not, in all rows."""
    table, n, bad = used.table, used.table.own("n"), used.table.own("bad")
    if not isinstance(table.schema[name], (nw.String, nw.Categorical, nw.Enum)):
        return
    text = table.frame.select(nw.col(name).cast(nw.String)).filter(~nw.col(name).is_null())
    word = ~nw.col(name).str.contains(_NUMBER)
    counted = text.select(nw.len().cast(nw.Int64).alias(n), word.cast(nw.Int64).sum().alias(bad))
    found = table.fetch(counted, f"count text in {name!r}")
    n_rows, n_bad = found[n][0].as_py(), found[bad][0].as_py() or 0
    if n_bad and 2 * n_bad < n_rows:
        first = table.fetch(text.filter(word).sort(name).head(3), f"find text in {name!r}")
        shown = name_some([brief(value, 40) for value in first[name].to_pylist()])
        raise DataError(
            f"{role} {name!r} is not numeric: {plural(n_bad, 'row')}; first: {shown}; "
            f"{numbers_of_text(table.package, name, all_numbers=False)}"
        )


def raise_for_cohorts(queries: UnitQueries, sample: Sample, n_units: int) -> NoReturn:
    """Raise for units in several cohorts."""
    options = sample.options
    rows = _rows_of_first(queries, "in_cohorts")
    cohort = pd.Series(as_times(queries.periods, rows[options.gname]).cohort)
    shown = []
    for unit, own in cohort.groupby(rows[options.idname].to_numpy()):
        seen = name_some(map(sample.label, own.drop_duplicates().sort_values()))
        shown.append(f"{short(unit)} ({seen})")
    raise moved_units(sample, f"cohort ({options.gname!r})", n_units, shown)


def raise_for_clusters(queries: UnitQueries, sample: Sample, n_units: int) -> NoReturn:
    """Raise for units in several clusters."""
    options = sample.options
    rows = _rows_of_first(queries, "in_clusters")
    shown = []
    for unit, own in rows[options.cluster].groupby(rows[options.idname].to_numpy()):
        shown.append(f"{short(unit)} ({name_some(as_codes(own, 'cluster').labels)})")
    raise moved_units(sample, f"cluster ({options.cluster!r})", n_units, shown)


def _rows_of_first(queries: UnitQueries, flag: str) -> dict[Any, pd.Series]:
    """Return the complete rows of the first three units with a flag."""
    used, own = queries.used, queries.used.table.own
    name = used.unit
    units = queries.flagged_units().filter(nw.col(own(flag))).select(name).sort(name).head(3)
    rows = queries.rows().filter(nw.col(own("complete"))).select(*used.roles)
    found = used.table.fetch(rows.join(units, on=name, how="inner"), "find units that change")
    if not found.num_rows:
        raise changed()
    return dict(read_columns(found, used.roles))


def raise_for_duplicates(queries: UnitQueries, sample: Sample) -> NoReturn:
    """Raise for units that are seen more than once in a period."""
    used, options, own = queries.used, sample.options, queries.used.table.own
    unit, time = used.unit, options.tname
    rows = queries.rows().filter(nw.col(own("complete")))
    twice = used.table.grouped(rows, [unit, time], nw.len().cast(nw.Int64).alias(own("n")))
    twice = twice.filter(nw.col(own("n")) > 1)
    total = used.table.fetch(twice.select(nw.col(own("n")).sum()), "count rows seen twice")
    first = used.table.fetch(twice.sort(unit, time).head(3), "find rows seen twice")
    if not first.num_rows:
        raise changed()
    columns = read_columns(first, {unit: "idname", time: "tname"})
    labels = {raw: sample.label(code) for raw, code in _codes(queries.periods)}
    shown = [
        f"({short(label)}, {labels[period]})"
        for label, period in zip(columns[unit], columns[time], strict=True)
    ]
    raise duplicates(options, int(total[own("n")][0].as_py()), shown)


def _codes(periods: pd.Series) -> list[tuple[Any, int]]:
    """Return labels of periods with what stands for them on the integer axis."""
    codes = as_times(periods, periods).period
    return list(zip(periods, codes.tolist(), strict=True))
