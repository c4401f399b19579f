"""The ways in which text writes periods, and the code of pandas that reads each.

What is proposed is tried first, on the distinct values of both columns.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from didjack._typing import Ints
from didjack.data.numbers import PANDAS, is_number, not_numeric, offenders, uncategorized
from didjack.data.time_axis import axis_of_dates
from didjack.errors import DataError
from didjack.wording import brief, name_some

# ---- text forms ----------------------------------------------------------------------------------

_MONTH = r"(0[1-9]|1[0-2])"


def _always(_texts: pd.Series) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Form:
    """A way to write periods.

    Attributes
    ----------
    pattern : what all of them match
    code : what makes periods of a column, with {} for the column; Python, of pandas
    make : does the same
    check : whether texts that match, (N,), can be trusted to be of this form
    """

    pattern: re.Pattern[str]
    code: str
    make: Callable[[pd.Series], Any]
    check: Callable[[pd.Series], bool] = _always


def _form(pattern: str, freq: str, find: str = "", put: str = "") -> Form:
    """Return the form of text of which pandas makes Periods, perhaps after a replacement."""
    text = f".str.replace(r'{find}', r'{put}', regex=True)" if find else ""

    def make(column: pd.Series) -> Any:
        if find:
            column = column.str.replace(find, put, regex=True)
        return pd.PeriodIndex(column, freq=freq)

    return Form(re.compile(pattern, re.I), f"pd.PeriodIndex({{}}{text}, freq='{freq}')", make)


def _dates(pattern: str, form: str) -> Form:
    code = f"pd.to_datetime({{}}, format='{form}')"
    return Form(re.compile(pattern), code, lambda text: pd.to_datetime(text, format=form))


def _weeks(text: pd.Series) -> Any:
    days = text.str.replace(r"\D+", "-", regex=True) + "-1"
    return pd.PeriodIndex(pd.to_datetime(days, format="%G-%V-%u"), freq="W")


def _are_school_years(texts: pd.Series) -> bool:
    """Whether all texts name two years in a row."""
    years = texts.str.extract(r"(\d+)\D(\d+)").astype(int)
    return bool(((years[0] + 1) % 100 == years[1] % 100).all())


def _has_late_months(texts: pd.Series) -> bool:
    """Whether some number is no quarter, so that all are months."""
    return bool((texts.str.extract(r"\b(\d{1,2})\b", expand=False).astype(int) > 4).any())


def _differ_by_number(texts: pd.Series) -> bool:
    """Whether texts are alike in all but a number, which is never 0: that is never-treated."""
    numbers = texts.str.extract(r"(\d+)", expand=False).astype(int)
    return texts.str.replace(r"\d+", "", regex=True).nunique() == 1 and bool((numbers > 0).all())


NUMBERS = Form(re.compile(r"[-+]?\d+(\.0*)?"), "pd.to_numeric({})", pd.to_numeric)

FORMS = (
    _form(r"\d{4}-?Q[1-4]|[1-4]Q\d{4}", "Q"),
    _form(r"\d{4}[\W_]*Q\D*0?[1-4]", "Q", r"(\d{4})\D+0?(\d)", r"\1Q\2"),
    _form(r"(Q\D*[1-4]|[1-4]\D*Q\w*?)[\W_]*\d{4}", "Q", r"\D*(\d)\D+(\d{4})", r"\2Q\1"),
    Form(
        re.compile(r"\d{4}[-/\u2013](\d\d|\d{4})"),
        "pd.to_numeric({}.str[:4])",
        lambda text: pd.to_numeric(text.str[:4]),
        _are_school_years,
    ),
    _form(rf"\d{{4}}[-/.]{_MONTH}|{_MONTH}[-/]\d{{4}}", "M"),
    replace(_form(r"\d{4}[-/]\d{1,2}|\d{1,2}[-/]\d{4}", "M"), check=_has_late_months),
    _form(r"[A-Z]{3,9}[- ]?\d{4}|\d{4}[- ][A-Z]{3,9}", "M"),
    _form(rf"(18|19|20|21)\d\d{_MONTH}", "M"),
    _form(r"\d{4}[\W_]*M[\W_]*\d{1,2}", "M", r"(\d{4})\D+(\d+)", r"\1-\2"),
    _form(rf"\d{{4}}[\W_]+{_MONTH}", "M", r"(\d{4})\D+(\d+)", r"\1-\2"),
    Form(
        re.compile(r"\d{4}[\W_]*W[\W_]*\d{1,2}", re.I),
        r"pd.PeriodIndex(pd.to_datetime({}.str.replace(r'\D+', '-', regex=True) + '-1', "
        "format='%G-%V-%u'), freq='W')",
        _weeks,
    ),
    _dates(r"\d{4}-\d\d-\d\d", "%Y-%m-%d"),
    Form(re.compile(r"\d{4}-\d\d-\d\d.*"), "pd.to_datetime({})", pd.to_datetime),
    _dates(r"\d{4}/\d\d/\d\d", "%Y/%m/%d"),
    _dates(rf"(18|19|20|21)\d\d{_MONTH}([0-2]\d|3[01])", "%Y%m%d"),
    NUMBERS,
    Form(
        re.compile(r"(|\D*[^-.\d]|\D*\w-)\d+\D*"),
        r"pd.to_numeric({}.str.extract(r'(\d+)', expand=False))",
        lambda text: pd.to_numeric(text.str.extract(r"(\d+)", expand=False)),
        _differ_by_number,
    ),
)
"""The first form that goes is proposed."""


# ---- text periods --------------------------------------------------------------------------------

NUMBER_THEM = "number the periods 1, 2, 3, ... in tname and gname alike, with 0 for never-treated"

_NEVER = re.compile(
    r"0+(\.0*)?|inf(inity)?|never.*|nan?|nat|none|null|(not.?|un)treated|controls?|", re.I
)
"""Text that says in a column of cohorts that there is none."""


class _Column(NamedTuple):
    """A column of periods or cohorts.

    Attributes
    ----------
    given : (N,) the column
    role : tname or gname
    present : its distinct values, without missing ones
    never : those of them that stand for never-treated
    """

    given: pd.Series
    role: str
    present: list[Any]
    never: list[Any]

    @classmethod
    def from_series(cls, given: pd.Series, role: str) -> _Column:
        plain = uncategorized(given)
        if plain.dtype != object and not pd.api.types.is_string_dtype(plain.dtype):
            return cls(given, role, [], [])
        there = plain[plain.notna().to_numpy(dtype=bool)]
        values = list(
            {str(value) if isinstance(value, str) else id(value): value for value in there}.values()
        )
        never = [value for value in values if role == "gname" and _is_never(value)]
        return cls(given, role, values, never)

    @property
    def texts(self) -> list[str]:
        """The texts that are to be periods."""
        return [v for v in self.present if isinstance(v, str) and v not in self.never]

    @property
    def is_text(self) -> bool:
        return any(isinstance(value, str) for value in self.present)

    @property
    def code(self) -> str:
        return f"df[{self.given.name!r}]"


def _is_never(value: Any) -> bool:
    if isinstance(value, str):
        return _NEVER.fullmatch(value.strip()) is not None
    return is_number(value) and value in (0, np.inf)


def refuse_text(time: pd.Series, cohort: pd.Series, count: Ints | None, package: str) -> None:
    """Raise where periods or cohorts are text, and say what makes periods of both columns.

    Parameters
    ----------
    time, cohort : (N,)
    count : (N,) how many rows of the user's table each stands for; None: one
    package : that of the user's table
    """
    t, g = _Column.from_series(time, "tname"), _Column.from_series(cohort, "gname")
    columns = [column for column in (t, g) if column.is_text]
    if not columns:
        return
    form = _form_of(t.texts or g.texts, g.texts)
    for column in columns:
        _refuse_strays(column, form, count, package)
    first = columns[0]
    shown = name_some([brief(value, 40) for value in first.present[:3]])
    raise DataError(
        f"{first.role} {first.given.name!r} is not numeric ({uncategorized(first.given).dtype}); "
        f"first: {shown}; {_remedy(t, g, form, package)}"
    )


def _form_of(texts: list[str], others: list[str]) -> Form | None:
    """Return the form that most of the texts have, if pandas can read those that have it.

    Parameters
    ----------
    texts, others : of the column that decides, and of the other one
    """
    for form in FORMS:
        found, more = (
            [text for text in of_column if form.pattern.fullmatch(text.strip())]
            for of_column in (texts, others)
        )
        if 2 * len(found) <= len(texts) or _made(form, found) is None:
            continue
        if form.check(pd.Series(found + more, dtype=object).str.strip()):
            return form
    return None


def _made(form: Form, texts: Iterable[str]) -> pd.Series | None:
    """Return the periods that code makes of distinct texts; None if it does not."""
    given = pd.Series(list(texts), dtype=object)
    try:
        made = pd.Series(form.make(given))
        if pd.api.types.is_datetime64_any_dtype(made.dtype):
            axis_of_dates(made, made[:0])
    except (ValueError, TypeError, OverflowError):  # DataError is a ValueError
        return None
    return made if made.notna().all() and made.nunique() == len(made) else None


def _refuse_strays(column: _Column, form: Form | None, count: Ints | None, package: str) -> None:
    """Raise for few values of another kind than the others of a column."""
    given, values = column.given, uncategorized(column.given)
    text = np.array([isinstance(value, str) for value in values])
    there = values.notna().to_numpy(dtype=bool)
    rows = np.ones(there.size) if count is None else count
    if 2 * rows[text].sum() < rows[there].sum() and all(map(is_number, values[there & ~text])):
        raise not_numeric(given, column.role, count, package)
    stray = [v for v in column.texts if form is None or not form.pattern.fullmatch(v.strip())]
    bad = values.isin(stray).to_numpy(dtype=bool) & text
    if not bad.any() or 2 * rows[bad].sum() >= rows[there].sum():
        return
    written = np.array([brief(value, 40) for value in values], dtype=object)
    shown = offenders(bad, written, count, given.index)
    raise DataError(
        f"{column.role} {given.name!r} is not numeric: {shown}, unlike the others, such as "
        f"{brief(next(v for v in column.texts if v not in stray), 40)}; correct or drop these rows"
    )


def _remedy(t: _Column, g: _Column, form: Form | None, package: str) -> str:
    """Write what makes periods of both columns."""
    if package != PANDAS:
        return "convert the strings to whole numbers" if form is NUMBERS else NUMBER_THEM
    code = _by_order(t, g, form) or (form and _by_form(t, g, form))
    return f"convert (missing is never-treated): {code}" if code else NUMBER_THEM


# ---- by how they are written --------------------------------------------------------------------


def _by_form(t: _Column, g: _Column, form: Form) -> str:
    """Write code that reads the text in both columns; nothing where they do not go together."""
    made, parts = {}, []
    for column in (g, t):
        if column.is_text:
            others = [v for v in column.present if not isinstance(v, str) and v not in column.never]
            found = _made(form, column.texts)
            if found is None or others:
                return ""
            made[column.role] = found
            parts.append(f"{column.code} = {form.code.replace('{}', _without_never(column, form))}")
        elif column.given.notna().any():
            made[column.role] = column.given
    if len({_kind(periods) for periods in made.values()}) <= 1:
        return "; ".join(parts)
    return f"{parts[0]}.dt.year" if t.is_text and _are_years(made) else ""


def _kind(periods: pd.Series) -> str:
    """Return what columns of period and cohort have to have in common."""
    if isinstance(periods.dtype, pd.PeriodDtype):
        return str(periods.dtype)
    if pd.api.types.is_datetime64_any_dtype(periods.dtype):
        return "datetime"
    return "number" if pd.api.types.is_numeric_dtype(periods.dtype) else "other"


def _are_years(made: dict[str, pd.Series]) -> bool:
    """Whether cohorts are years as numbers, and periods dates of one each year."""
    time, cohort = made["tname"], made["gname"]
    if _kind(time) != "datetime" or _kind(cohort) != "number":
        return False
    years, cohort = time.dt.year, cohort[cohort.notna() & ~cohort.isin([0, np.inf])]
    return bool(years.is_unique and cohort.between(1800, 2200).all())


def _without_never(column: _Column, form: Form) -> str:
    """Write a column in which what stands for never-treated is missing."""
    if not column.never or (form is NUMBERS and all(v in ("0", 0, np.inf) for v in column.never)):
        return column.code
    listed = ", ".join("np.inf" if value == np.inf else repr(value) for value in column.never)
    return f"{column.code}.mask({column.code}.isin([{listed}]))"


# ---- by the order of categories -----------------------------------------------------------------


def _by_order(t: _Column, g: _Column, form: Form | None) -> str:
    """Write code that numbers ordered categories of periods, if cohorts are among them."""
    dtype = t.given.dtype
    if not t.is_text or not isinstance(dtype, pd.CategoricalDtype) or not dtype.ordered:
        return ""
    labels = list(dtype.categories)
    made = None if form is None else _made(form, labels)
    if (made is not None and not made.is_monotonic_increasing) or any(map(_is_never, labels)):
        return ""  # sorted like words: "wave 10" before "wave 2"
    if g.is_text:
        if not set(g.present) <= {*labels, *g.never}:
            return ""
        same = g.given.dtype == dtype
        number = f"{t.code}.cat.categories.get_indexer({g.code})"
        parts = [f"{g.code} = {f'{g.code}.cat.codes' if same else number} + 1"]
    else:
        if not _are_numbers(g.given, len(labels)):
            return ""
        parts = []
    number = f"{t.code}.cat.codes + 1"
    parts.append(f"{t.code} = " + (f"({number}).replace(0, np.nan)" if t.given.hasnans else number))
    return "; ".join(parts)


def _are_numbers(cohort: pd.Series, n_periods: int) -> bool:
    """Whether cohorts could be numbers of so many periods."""
    cohort = uncategorized(cohort)
    if not pd.api.types.is_numeric_dtype(cohort.dtype):
        return bool(cohort.isna().all())
    values = cohort.to_numpy(dtype=np.float64, na_value=np.nan)
    values = values[np.isfinite(values)]
    return bool(((values >= 0) & (values <= n_periods + 1)).all())
