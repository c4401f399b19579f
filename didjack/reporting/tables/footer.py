"""What results rest on, a row each: below several results, and in the head of a summary."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from string import ascii_lowercase
from typing import Literal, assert_never

import numpy as np

from didjack._typing import Ints
from didjack.aggregation.schemes import Window
from didjack.errors import OptionError
from didjack.options import (
    NAMES,
    Collinear,
    ControlGroup,
    FixWeights,
    Options,
    Reference,
    Undefined,
)
from didjack.reporting.view import Aggregation, ResultView, both, coefficient_names
from didjack.wording import brief, did_you_mean, label_text, name_some, nearest, one_line

COMPARISONS: dict[ControlGroup, str] = {"nevertreated": "never", "notyettreated": "not yet"}
COLLINEAR: dict[Collinear, str] = {"nan": "no ATT", "drop": "dropped"}
FIXED: dict[FixWeights | None, str] = {
    None: "earlier",
    "varying": "own",
    "base_period": "base",
    "first_period": "first",
}
REFERENCES: dict[Reference, str] = {"model": "model", "t": "t(R-1)"}
MISSING: dict[Undefined, str] = {
    "impute": "imputed",
    "nan": "no SE",
    "skip": "left out",
    "raise": "refused",
}


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One result, and which of its coefficients stand in its column of a table.

    Attributes
    ----------
    view : of the result
    at : (m,) positions of the coefficients
    """

    view: ResultView
    at: Ints

    @classmethod
    def from_view(cls, view: ResultView, names: Collection[str] | None = None) -> Column:
        """Select coefficients by the names that tables give them; default: all."""
        at = np.arange(len(view.index))
        if names is not None:
            at = at[[name in names for name in coefficient_names(view)]]
        return cls(view, at)

    def of(self, view: ResultView) -> Column:
        """Return the column of a result that is compared, with the coefficients that it has."""
        return self if view is self.view else Column.from_view(view, coefficient_names(self.view))

    @property
    def options(self) -> Options:
        """The options of the result."""
        return self.view.options

    @property
    def n_cells(self) -> int:
        """How many ATT(g,t) the coefficients are about."""
        return int(self.view.coverage.n_cells[self._apart].sum())

    @property
    def n_estimated(self) -> int:
        """How many of these have an estimate."""
        return int(self.view.coverage.n_estimated[self._apart].sum())

    @property
    def _apart(self) -> Ints:
        """Coefficients that have no ATT(g,t) in common: the overall has those of many others."""
        overall = len(self.view.index) - 1
        if self.view.aggregation is None or overall not in self.at:
            return self.at
        apart = np.append(self.view.before[:overall], True)
        return np.compress(apart[self.at], self.at)


Write = Callable[[Column], str]
Shown = Literal["always", "different", "notable"]
"""Where a table of several results has a row: always, where they differ in it, or where one of
them has something to say."""


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that numbers rest on.

    Attributes
    ----------
    label : what it is called
    arguments : the arguments of `csdid` and `aggregate` that it tells about
    write : writes it in few words; "" where it does not apply
    usual : what is written where nobody asks for anything else; None where a summary tells it in
        any case
    shown : where a table has it
    notable : whether there is something to say; default: what is written is not the usual
    """

    label: str
    arguments: tuple[str, ...]
    write: Write
    usual: str | None = None
    shown: Shown = "different"
    notable: Callable[[Column], bool] | None = None

    def text(self, column: Column) -> str:
        """Write it, of the results that a difference compares where they differ in it."""
        if not set(self.arguments) & set(NAMES):
            return self.write(column)
        return both(column.view, lambda one: self.write(column.of(one)))

    def is_notable(self, column: Column) -> bool:
        """Whether a result has something to say here."""
        if self.notable is not None:
            return self.notable(column)
        return self.usual is not None and self.text(column) not in ("", self.usual)

    def belongs(self, columns: Sequence[Column]) -> bool:
        """Whether a table of these results has the row."""
        match self.shown:
            case "always":
                return True
            case "different":
                return len({self.text(column) or self.usual for column in columns}) > 1
            case "notable":
                return any(map(self.is_notable, columns))
            case _:
                assert_never(self.shown)


COLUMNS = {"yname", "tname", "gname", "idname", "cluster", "weightsname", "xformla"}
"""Arguments that name columns."""
LONGEST_FORMULA = 20
"""Longer ones are a letter, which a note explains."""


@dataclass(frozen=True, slots=True)
class Naming:
    """How a table names columns and covariates.

    Attributes
    ----------
    labels : from columns to what they are called
    controls : what stands for any covariates, instead of a formula; None: formulas
    """

    labels: Mapping[str, str] = field(default_factory=dict)
    controls: str | None = None

    def written(self, text: str) -> str:
        """Write a text in which columns are named."""
        if not self.labels:
            return text
        names = sorted(self.labels, key=len, reverse=True)
        listed = "|".join(map(re.escape, names))
        return re.sub(rf"(?<![\w.])({listed})(?![\w.])", lambda one: self.labels[one[1]], text)

    def check(self, columns: Sequence[Column]) -> None:
        """Raise for a label of a column that no result uses."""
        used: dict[str, None] = {}
        for column in columns:
            for name in sorted(COLUMNS - {"xformla"}):
                used |= dict.fromkeys(filter(None, [getattr(column.options, name)]))
            used |= dict.fromkeys(re.findall(r"[\w.]+", column.options.xformla or ""))
        for name in self.labels:
            if name not in used and not any(name in (c.options.xformla or "") for c in columns):
                hint = did_you_mean(nearest(name, list(used)))
                raise OptionError(
                    f"labels: {brief(name)} is not a column of the results{hint}; they use "
                    f"{name_some(used, 12)}"
                )


def rows(views: Sequence[ResultView], names: Collection[str] | None = None) -> list[list[str]]:
    """Return what results rest on, and every option in which they differ.

    Parameters
    ----------
    views : of V results
    names : the coefficients that are in the table, as `coefficient_names` calls them; default: all

    Returns
    -------
    list of lists of str
        A label, and V texts; "" where something does not apply to a result.
    """
    return rows_and_notes(views, names, Naming())[0]


def rows_and_notes(
    views: Sequence[ResultView], names: Collection[str] | None, naming: Naming
) -> tuple[list[list[str]], list[str]]:
    """Return the rows, under names of one's own, and notes on letters for long formulas."""
    columns = [Column.from_view(view, names) for view in views]
    naming.check(columns)
    found: list[list[str]] = []
    notes: list[str] = []
    for row in ROWS:
        covariates = "xformla" in row.arguments
        if covariates and naming.controls is not None:
            yes = [naming.controls if column.options.xformla else "No" for column in columns]
            found.append(["Controls", *yes])
        elif row.belongs(columns):
            texts = list(map(row.text, columns))
            if COLUMNS.intersection(row.arguments):
                texts = [naming.written(text) for text in texts]
            if covariates:
                texts, notes = _shortened(texts)
            found.append([row.label, *texts])
    return found, notes


def _shortened(formulas: Sequence[str]) -> tuple[list[str], list[str]]:
    """Write a letter for each long formula, and the notes that give it.

    Examples
    --------
    >>> _shortened(["none", "~ poverty + unemployment", "~ poverty + unemployment"])
    (['none', '(a)', '(a)'], ['(a) Covariates: ~ poverty + unemployment.'])
    """
    long = dict.fromkeys(text for text in formulas if len(text) > LONGEST_FORMULA)
    letters = {text: f"({ascii_lowercase[i % 26] * (i // 26 + 1)})" for i, text in enumerate(long)}
    notes = [f"{letter} Covariates: {text}." for text, letter in letters.items()]
    return [letters.get(text, text) for text in formulas], notes


def unusual(view: ResultView) -> list[list[str]]:
    """Return labels and texts of what was asked for beyond the usual."""
    column = Column.from_view(view)
    asked = [row for row in ROWS if row.shown == "different" and row.is_notable(column)]
    return [[row.label, row.text(column)] for row in asked]


def counted(column: Column) -> str:
    """Count the ATT(g,t) of coefficients, and those that have an estimate, if not all have."""
    of = f"{column.n_estimated:,} of " if column.n_estimated < column.n_cells else ""
    return f"{of}{column.n_cells:,}"


def skipped_clusters(column: Column, most: int = 2) -> str:
    """Name the clusters whose variation standard errors lack, if there are any."""
    at = np.flatnonzero(column.view.skipped[:, column.at].any(axis=1))
    return name_some(column.view.clusters.labels[at], most)


# ---- what rows say -------------------------------------------------------------------------------


def _weighted(column: Column) -> bool:
    return column.options.panel and column.options.weightsname is not None


def _undefined(column: Column) -> bool:
    return column.options.jackknife and bool(column.view.missing[:, column.at].any())


def _bootstrap(column: Column) -> bool:
    return column.options.inference.vcov == "bootstrap"


def _where(applies: Callable[[Column], object], write: Write) -> Write:
    """Write something where it applies, and else nothing."""
    return lambda column: write(column) if applies(column) else ""


def _aggregated(write: Callable[[Aggregation], str], otherwise: str = "") -> Write:
    """Write how ATT(g,t) are aggregated, if they are."""
    return lambda c: otherwise if c.view.aggregation is None else write(c.view.aggregation)


def _event_times(window: Window) -> str:
    """Write which event times there are; infinite bounds are none."""
    if window.event_times is not None:
        return name_some(window.event_times, 5)
    if window.bins is not None:
        return f"{len(window.bins)} bins"
    low, high = (
        "" if end is None or np.isinf(end) else f"{end:g}" for end in (window.min_e, window.max_e)
    )
    if low and high:
        return f"{low} to {high}"
    return f"from {low}" if low else f"to {high}" if high else "all"


def _cohorts(column: Column) -> str:
    """Write which cohorts take part."""
    found = column.view.aggregation
    if found is None or found.window.cohorts is None:
        return "" if found is None else "all"
    return name_some(map(label_text, column.view.chosen_cohorts), 3)


def _balance(window: Window) -> str:
    return "no" if window.balance_e is None else f"to e = {window.balance_e:g}"


ROWS = (
    Row("Observations", (), lambda c: f"{c.view.about['n_obs']:,}", shown="always"),
    Row("Clusters", (), lambda c: f"{c.view.about['n_clusters']:,}", shown="always"),
    Row(
        "Treated clusters", (), lambda c: f"{c.view.about['n_treated_clusters']:,}", shown="always"
    ),
    Row(
        "ATT(g,t)",
        (),
        counted,
        shown="notable",
        notable=lambda c: c.n_estimated < c.n_cells,
    ),
    Row("Standard errors", ("vcov",), lambda c: c.view.short_errors, shown="always"),
    Row("SE without cluster", (), skipped_clusters, usual="", shown="notable"),
    # the sample
    Row("Outcome", ("yname",), lambda c: one_line(c.options.yname)),
    Row("Period", ("tname",), lambda c: one_line(c.options.tname)),
    Row("Cohort", ("gname",), lambda c: one_line(c.options.gname)),
    Row("Unit", ("idname",), lambda c: one_line(c.options.idname or "row")),
    Row(
        "Panel",
        ("panel",),
        lambda c: "yes" if c.options.panel else "no",
        usual="yes",
    ),
    Row(
        "Units with gaps",
        ("allow_unbalanced_panel",),
        _where(
            lambda c: c.options.panel,
            lambda c: "kept" if c.options.allow_unbalanced_panel else "dropped",
        ),
        usual="dropped",
    ),
    Row("Weights", ("weightsname",), lambda c: one_line(c.options.weightsname or "none"), "none"),
    Row(
        "Weights of period",
        ("fix_weights",),
        _where(_weighted, lambda c: FIXED[c.options.fix_weights]),
        usual=FIXED[None],
    ),
    # the estimates
    Row("Eligible", ("pname",), lambda c: one_line(c.options.pname or "all"), "all"),
    Row("Estimator", ("est_method",), lambda c: c.view.short_estimator),
    Row("Covariates", ("xformla",), lambda c: one_line(c.options.xformla or "none")),
    Row(
        "If collinear",
        ("collinear",),
        _where(lambda c: c.options.xformla, lambda c: COLLINEAR[c.options.collinear]),
        usual=COLLINEAR["nan"],
    ),
    Row("Control group", ("control_group",), lambda c: COMPARISONS[c.options.control_group]),
    Row("Base period", ("base_period",), lambda c: c.options.base_period),
    Row("Anticipation", ("anticipation",), lambda c: f"{c.options.anticipation}"),
    # the aggregation
    Row("Aggregation", ("type",), _aggregated(lambda a: a.type, "none")),
    Row(
        "Event times",
        ("min_e", "max_e", "event_times", "bins"),
        _aggregated(lambda a: _event_times(a.window)),
        "all",
    ),
    Row("Cohorts", ("cohorts",), _cohorts, "all"),
    Row("Balanced cohorts", ("balance_e",), _aggregated(lambda a: _balance(a.window)), "no"),
    Row("Cell weights", ("weights",), _aggregated(lambda a: a.weights), "cohort"),
    # inference
    Row("Clustered by", ("cluster",), lambda c: one_line(c.view.about["cluster"] or "row")),
    Row(
        "Reference distribution",
        ("reference",),
        _where(lambda c: c.options.jackknife, lambda c: REFERENCES[c.options.reference]),
        usual=REFERENCES["model"],
    ),
    Row(
        "Missing replicates",
        ("undefined",),
        _where(_undefined, lambda c: MISSING[c.options.missing_replicates]),
        usual=MISSING["impute"],
    ),
    Row("Level", ("alpha",), lambda c: f"{100 * (1 - c.options.alpha):g}%"),
    Row("Draws", ("n_boot",), _where(_bootstrap, lambda c: f"{c.options.n_boot:,}"), "999"),
    Row("Seed", ("seed",), _where(_bootstrap, lambda c: f"{c.options.seed}"), "0"),
)
"""In the order in which tables have them."""
