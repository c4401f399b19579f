"""What results rest on, a row each: below several results, and in the head of a summary."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, assert_never

import numpy as np

from didjack.averaging.window import Window
from didjack.options import Collinear, ControlGroup, FixWeights, Reference, Undefined, registered
from didjack.reporting.view import Averaging, ResultView
from didjack.wording import name_some, one_line

COMPARISONS: dict[ControlGroup, str] = {"nevertreated": "never", "notyettreated": "not yet"}
COLLINEAR: dict[Collinear, str] = {"nan": "no estimate", "drop": "dropped"}
FIXED: dict[FixWeights | None, str] = {
    None: "earlier period",
    "varying": "own period",
    "base_period": "base period",
    "first_period": "first period",
}
REFERENCES: dict[Reference, str] = {"model": "model", "t": "t(R-1)"}
MISSING: dict[Undefined, str] = {
    "model": "modelled",
    "nan": "no std. error",
    "skip": "left out",
    "raise": "refused",
}

Write = Callable[[ResultView], str]
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
    notable: Callable[[ResultView], bool] | None = None

    def is_notable(self, view: ResultView) -> bool:
        """Whether a result has something to say here."""
        if self.notable is not None:
            return self.notable(view)
        return self.usual is not None and self.write(view) not in ("", self.usual)

    def belongs(self, views: Sequence[ResultView]) -> bool:
        """Whether a table of these results has the row."""
        match self.shown:
            case "always":
                return True
            case "different":
                return len({self.write(view) or self.usual for view in views}) > 1
            case "notable":
                return any(self.is_notable(view) for view in views)
            case _:
                assert_never(self.shown)


def rows(views: Sequence[ResultView]) -> list[list[str]]:
    """Return what results rest on, and every option in which they differ.

    Parameters
    ----------
    views : of V results

    Returns
    -------
    list of lists of str
        A label, and V texts; "" where something does not apply to a result.
    """
    return [[row.label, *map(row.write, views)] for row in ROWS if row.belongs(views)]


def unusual(view: ResultView) -> list[list[str]]:
    """Return labels and texts of what was asked for beyond the usual."""
    asked = [row for row in ROWS if row.shown == "different" and row.is_notable(view)]
    return [[row.label, row.write(view)] for row in asked]


def skipped_clusters(view: ResultView, most: int = 3) -> str:
    """Name the clusters whose variation standard errors lack, if there are any."""
    at = np.flatnonzero(view.skipped.any(axis=1))
    return f"cluster {name_some(view.clusters.labels[at], most)}" if at.size else ""


# ---- what rows say -------------------------------------------------------------------------------


def _weighted(view: ResultView) -> bool:
    return view.options.panel and view.options.weightsname is not None


def _undefined(view: ResultView) -> bool:
    return view.options.jackknife and bool(view.missing.any())


def _bootstrap(view: ResultView) -> bool:
    return view.options.vcov == "bootstrap"


def _where(applies: Callable[[ResultView], object], write: Write) -> Write:
    """Write something where it applies, and else nothing."""
    return lambda view: write(view) if applies(view) else ""


def _averaged(write: Callable[[Averaging], str], otherwise: str = "") -> Write:
    """Write how ATT(g,t) are averaged, if they are."""
    return lambda view: otherwise if view.averaging is None else write(view.averaging)


def _event_times(window: Window) -> str:
    """Write the bounds of event times; infinite ones are none."""
    low, high = (
        "" if end is None or np.isinf(end) else f"{end:g}" for end in (window.min_e, window.max_e)
    )
    if low and high:
        return f"{low} to {high}"
    return f"from {low}" if low else f"to {high}" if high else "all"


def _balance(window: Window) -> str:
    return "no" if window.balance_e is None else f"to e = {window.balance_e:g}"


ROWS = (
    Row("Observations", (), lambda v: f"{v.about['n_obs']:,}", shown="always"),
    Row("Clusters", (), lambda v: f"{v.about['n_clusters']:,}", shown="always"),
    Row("Treated clusters", (), lambda v: f"{v.about['n_treated_clusters']:,}", shown="always"),
    Row(
        "ATT(g,t)",
        (),
        lambda v: v.coverage.words,
        shown="notable",
        notable=lambda v: bool(v.coverage.missing),
    ),
    Row("Standard errors", ("vcov",), lambda v: v.errors, shown="always"),
    Row("No variation of", (), skipped_clusters, usual="", shown="notable"),
    # the sample
    Row("Outcome", ("yname",), lambda v: one_line(v.options.yname)),
    Row("Period", ("tname",), lambda v: one_line(v.options.tname)),
    Row("Cohort", ("gname",), lambda v: one_line(v.options.gname)),
    Row("Unit", ("idname",), lambda v: one_line(v.options.idname or "row")),
    Row(
        "Data",
        ("panel",),
        lambda v: "panel" if v.options.panel else "cross sections",
        usual="panel",
    ),
    Row(
        "Units with gaps",
        ("allow_unbalanced_panel",),
        _where(
            lambda v: v.options.panel,
            lambda v: "kept" if v.options.allow_unbalanced_panel else "dropped",
        ),
        usual="dropped",
    ),
    Row("Weights", ("weightsname",), lambda v: one_line(v.options.weightsname or "none"), "none"),
    Row(
        "Weights from",
        ("fix_weights",),
        _where(_weighted, lambda v: FIXED[v.options.fix_weights]),
        usual=FIXED[None],
    ),
    # the estimates
    Row(
        "Estimator",
        ("est_method",),
        lambda v: str(registered("est_method", v.options.est_method).short),
    ),
    Row("Covariates", ("xformla",), lambda v: one_line(v.options.xformla or "none")),
    Row(
        "If collinear",
        ("collinear",),
        _where(lambda v: v.options.xformla, lambda v: COLLINEAR[v.options.collinear]),
        usual=COLLINEAR["nan"],
    ),
    Row("Comparison group", ("control_group",), lambda v: COMPARISONS[v.options.control_group]),
    Row("Base period", ("base_period",), lambda v: v.options.base_period),
    Row("Anticipation", ("anticipation",), lambda v: f"{v.options.anticipation}"),
    # the averages
    Row("Aggregation", ("type",), _averaged(lambda a: a.type, "none")),
    Row("Event times", ("min_e", "max_e"), _averaged(lambda a: _event_times(a.window)), "all"),
    Row("Balanced cohorts", ("balance_e",), _averaged(lambda a: _balance(a.window)), "no"),
    Row("Cell weights", ("weights",), _averaged(lambda a: a.weights), "cohort"),
    # inference
    Row("Clustered by", ("cluster",), lambda v: one_line(v.about["cluster"] or "row")),
    Row(
        "Reference law",
        ("reference",),
        _where(lambda v: v.options.jackknife, lambda v: REFERENCES[v.options.reference]),
        usual=REFERENCES["model"],
    ),
    Row(
        "Missing replicates",
        ("undefined",),
        _where(_undefined, lambda v: MISSING[v.options.missing_replicates]),
        usual=MISSING["model"],
    ),
    Row("Level", ("alpha",), lambda v: f"{100 * (1 - v.options.alpha):g}%"),
    Row("Draws", ("n_boot",), _where(_bootstrap, lambda v: f"{v.options.n_boot:,}"), "999"),
    Row("Seed", ("seed",), _where(_bootstrap, lambda v: f"{v.options.seed}"), "0"),
)
"""In the order in which tables have them."""
