"""The ways in which text writes periods, and the code of pandas that reads each."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

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
