"""Effects by subgroup: a fit for each value of a column."""

from __future__ import annotations

from typing import Any

from didjack.api import csdid
from didjack.errors import DataError, OptionError, SampleWarning, warn
from didjack.options import check_column, must_be, validate_keywords
from didjack.results.group_time import GroupTimeResult
from didjack.results.groups import GroupResults, for_each, name_of
from didjack.wording import brief, label_text, name_some, one_line, plural

MOST_GROUPS = 50
"""A column with more values than this is no column of groups."""


@validate_keywords
def by(
    data: Any,
    column: str,
    yname: str,
    tname: str,
    gname: str,
    idname: str | None = None,
    xformla: str | None = None,
    **options: Any,
) -> GroupResults:
    """Estimate effects for each value of a column: `csdid` of the rows of each group.

    Each group is compared with its own control group. For the difference between two of them, and
    what it assumes, see `difference`.

    Parameters
    ----------
    data : pandas, polars or pyarrow table, or a lazy one
        As in `csdid`.
    column : str
        Column of the groups, the same in all rows of a unit. Rows without a value are in no group.
    yname, tname, gname, idname, xformla
        As in `csdid`.
    **options
        All other arguments of `csdid`.

    Returns
    -------
    GroupResults
        A mapping from names such as ``"sex = f"`` to results, in the order of the values (or of
        categories that are ordered), with
        ``aggregate()``, ``tidy()`` and ``equality_test()``; `etable` and `coefplot` take it as it
        is, and so does `difference` if there are two groups.

    Raises
    ------
    DataError
        There is no such column, it has one value or more than 50, or several in a unit of a panel;
        and what `csdid` raises.
    OptionError
        The column is the outcome, the period, the cohort or the unit; and what `csdid` raises.

    Warns
    -----
    SampleWarning
        Rows have no value of the column; and what `csdid` warns of, once, with the groups.

    Examples
    --------
    >>> import didjack
    >>> df = didjack.datasets.load_mpdta()
    >>> df["size"] = df["lpop"].gt(df["lpop"].median()).map({True: "large", False: "small"})
    >>> groups = didjack.by(
    ...     df, "size", "lemp", "year", "first.treat", "countyreal", cluster="state"
    ... )
    >>> list(groups), groups["small"].nobs
    (['size = large', 'size = small'], 1250)
    """
    check_column("column", column)
    roles = {"yname": yname, "tname": tname, "gname": gname, "idname": idname}
    for role, name in roles.items():
        if name == column:
            raise OptionError(f"column={column!r} is {role}; groups need a column of their own")
    import narwhals as nw  # takes long to import

    try:
        frame = nw.from_native(data)
    except TypeError as error:
        raise must_be("data", "a pandas, polars or pyarrow table, or a lazy one", data) from error
    except nw.exceptions.DuplicateError as error:
        raise DataError(f"data has several columns of the same name: {one_line(error)}") from error
    if column not in frame.collect_schema().names():
        listed = name_some(frame.collect_schema().names(), 12)
        raise DataError(f"column {column!r} is not in the data; there are {listed}")
    values = _values(frame.lazy().select(nw.col(column)), column)
    if options.get("panel", True) and idname in frame.collect_schema().names():
        _check_units(frame, column, str(idname))

    def fit(value: Any) -> GroupTimeResult:
        rows = frame.filter(nw.col(column) == value).to_native()
        try:
            return csdid(rows, yname, tname, gname, idname, xformla, **options)
        except DataError as error:
            raise type(error)(f"{name_of(column, value)}: {error}") from error

    results = for_each([name_of(column, value) for value in values], fit, values)
    return GroupResults(column, tuple(values), tuple(results))


def _values(column: Any, name: str) -> list[Any]:
    """Return the values of a column, sorted, or raise."""
    import narwhals as nw

    kind = column.collect_schema()[name]
    try:
        counts = column.group_by(name, drop_null_keys=False).agg(nw.len().alias("n rows")).collect()
    except TypeError as error:  # lists have no hash
        raise DataError(
            f"column {name!r} has values of type {kind}; groups need single ones"
        ) from error
    rows = list(counts.iter_rows())
    several = [value for value, _ in rows if isinstance(value, (tuple, list, dict))]
    if several:
        raise DataError(
            f"column {name!r} has {plural(len(several), 'value')} of several parts (first: "
            f"{brief(several[0])}); groups need single ones"
        )
    missing = sum(n for value, n in rows if value is None or value != value)
    values = [value for value, _ in rows if not (value is None or value != value)]
    if not 1 < len(values) <= MOST_GROUPS:
        listed = f" ({name_some(map(label_text, values), 3)})" if values else ""
        raise DataError(
            f"column {name!r} has {plural(len(values), 'value')}{listed}; groups need 2 to "
            f"{MOST_GROUPS}"
            + ("" if len(values) < 2 else ": cut it into classes, such as with pandas.cut")
        )
    if missing:
        verb = "is" if missing == 1 else "are"
        text = f"{plural(missing, 'row')} without a value of {name!r} {verb} in no group"
        warn(text, SampleWarning)
    if kind == nw.Enum:  # as are ordered categories of pandas
        return sorted(values, key=list(kind.categories).index)
    try:
        return sorted(values)
    except TypeError as error:
        raise DataError(
            f"column {name!r} has values of several types: {brief(values)}; make them one"
        ) from error


def _check_units(frame: Any, column: str, idname: str) -> None:
    """Raise for units that are in several groups."""
    import narwhals as nw

    known = frame.lazy().filter(~nw.col(column).is_null()).select(idname, column).unique()
    several = known.group_by(idname).agg(nw.len().alias("n groups")).filter(nw.col("n groups") > 1)
    found = several.sort(idname).collect()
    if len(found):
        first = name_some(map(label_text, found[idname].head(4).to_list()), 3)
        raise DataError(
            f"column {column!r} varies within {plural(len(found), 'unit')} of {idname!r} (first: "
            f"{first}); the groups of a panel are of units: take the value of one period"
        )
