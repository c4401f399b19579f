"""How long does a fit take, and a fit with the whole jackknife, next to the fits of others?"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
from contenders import PEERS, Case, Estimates, didjack_all, didjack_fit
from report import Check, Report, Table, difference, main, number
from timing import Seconds, interleave, quiet, ratios
from workloads import microdata, panel, time_varying

FIT, ALL, REFERENCE = "didjack fit", "didjack all", "diff-diff"
YARDSTICK = "yardstick"
SAME = 1e-5
SIZES = (2_000, 20_000, 100_000)
DUMMIES = ("x1", "x2", "x3")


def survey(method: str) -> Case:
    """Return the survey microdata; some packages want a unit for each row."""
    data = microdata()
    data["id"] = np.arange(len(data))
    return Case(f"survey microdata, {method}, 3 dummies", data, method, DUMMIES, panel=False)


def panels(n_units: int) -> Iterator[Case]:
    """Yield the panel cases of one size."""
    data = panel(n_units)
    rows = f"panel {len(data):,} rows"
    yield Case(f"{rows}, reg", data, "reg")
    for method in ("reg", "dr", "ipw"):
        yield Case(f"{rows}, {method}, 2 covariates", data, method, ("x1", "x2"))
    del data
    varying = time_varying(n_units)
    yield Case(f"{rows}, dr, 2 time-varying covariates", varying, "dr", ("z1", "z2"))


def cases(quick: bool) -> Iterator[Case]:
    """Yield all cases, one data set in memory at a time."""
    for n_units in SIZES[:1] if quick else SIZES:
        yield from panels(n_units)
    for method in ("reg",) if quick else ("reg", "ipw", "dr"):
        yield survey(method)


LIMITS = {
    "reg": {2_000: 2.0, 20_000: 0.7, 100_000: 0.4},
    "dr": {2_000: 1.5, 20_000: 1.0, 100_000: 0.7},
}
"""With the law of every coefficient, times the peer's plain fit, by number of units."""


def yardstick(case: Case) -> tuple[int, str, float]:
    """Return the target of a case: its number, the method of the peer's fit, and the limit."""
    if not case.panel:
        return 3, "reg", 0.6 if case.method == "reg" else 2.0
    method = "reg" if case.method == "reg" else "dr"
    if case.covariates[:1] == ("z1",):
        return 2, method, 10.0
    return 1 if method == "reg" else 2, method, LIMITS[method][case.data["id"].nunique()]


def largest_gap(ours: pd.Series, theirs: pd.Series) -> tuple[float, int]:
    """Return the largest difference, and how many coefficients only one of the two has."""
    ours, theirs = ours.dropna(), theirs.dropna()
    common = ours.index.intersection(theirs.index)
    gap = (ours.loc[common] - theirs.loc[common]).abs().max()
    return float(gap), len(ours) + len(theirs) - 2 * len(common)


def compare(ours: Estimates, theirs: Estimates) -> str:
    """Describe how two sets of estimates differ: ATT(g,t) / event study."""
    texts, fine = [], True
    for a, b in ((ours.att, theirs.att), (ours.event, theirs.event)):
        gap, alone = largest_gap(a, b)
        texts.append(difference(gap) + (f" ({alone} in one only)" if alone else ""))
        fine = fine and gap <= SAME and not alone
    return " / ".join(texts) + ("" if fine else " **differs**")


def reason(error: BaseException) -> str:
    """Write why a package failed, in one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:90]}"


def attempt_all(case: Case) -> tuple[dict[str, Estimates], dict[str, str]]:
    """Call every package once, which warms it up too; return estimates and failures."""
    done, failed = {}, {}
    for name, contender in {FIT: didjack_fit, ALL: didjack_all, **PEERS}.items():
        try:
            with quiet():
                done[name] = contender(case)
        except Exception as error:
            failed[name] = reason(error)
    return done, failed


def time_all(case: Case, names: list[str], budget: float) -> dict[str, Seconds]:
    """Time the packages that work in turns, and the peer's fit that the target refers to."""
    contenders = {FIT: didjack_fit, ALL: didjack_all, **PEERS}
    calls = {name: partial(contenders[name], case) for name in names}
    other = replace(case, method=yardstick(case)[1])
    calls[YARDSTICK] = partial(PEERS[REFERENCE], other)
    if other.method == case.method and REFERENCE in calls:
        calls[YARDSTICK] = calls.pop(REFERENCE)
    taken = interleave(calls, budget, longer=(ALL, REFERENCE, YARDSTICK))
    if other.method == case.method:
        taken[REFERENCE] = taken[YARDSTICK]
    return taken


def rows_of(
    case: Case, taken: dict[str, Seconds], done: dict[str, Estimates], failed: Collection[str]
) -> list[list[str]]:
    """Write one row a package."""
    rows = []
    for name in (ALL, FIT, *PEERS):
        label = [case.name if name == ALL else "", name]
        if name in failed:
            rows.append([*label, "–", "", "", "failed"])
            continue
        low, middle, high = ratios(taken[ALL], taken[name])
        spread = "" if name == ALL else f"{number(low)} – {number(high)}"
        same = "" if name == ALL else compare(done[ALL], done[name])
        ratio = "" if name == ALL else number(middle)
        rows.append([*label, number(statistics.median(taken[name])), ratio, spread, same])
    return rows


def check_of(case: Case, taken: dict[str, Seconds]) -> Check:
    """Hold a case against its target."""
    target, method, limit = yardstick(case)
    low, middle, high = ratios(taken[ALL], taken[YARDSTICK])
    what = f"{case.name}, all ÷ diff-diff's {method} fit"
    return Check(target, what, middle, limit, low, high)


def run(args: argparse.Namespace) -> Report:
    """Time all cases."""
    table = Table(
        "Fit",
        ["workload", "package", "seconds", "didjack all ÷ this", "least – largest", "difference"],
        note=(
            "Medians. A peer's fit, and *didjack fit*: every ATT(g,t) with its analytic error, "
            "and the event study. *didjack all*: every ATT(g,t) and all four aggregations with "
            "CV3. Ratios are taken within rounds in which the packages take turns. Last column: "
            "largest absolute difference of the point estimates from *didjack all*, ATT(g,t) / "
            f"event study; more than {SAME:g} is marked. (With dr, diff-diff divides the weighted "
            "comparison mean by the number of treated units instead of the sum of the weights.)"
        ),
        n_text=2,
    )
    report = Report([table])
    for case in cases(args.quick):
        done, failed = attempt_all(case)
        for name, why in failed.items():
            table.note += f" *{name}* fails with {case.name}: {why}"
        if ALL not in done:
            table.rows.append([case.name, ALL, "–", "", "", "failed"])
            continue
        taken = time_all(case, list(done), 0.3 if args.quick else 1.0)
        table.rows += rows_of(case, taken, done, failed)
        report.checks.append(check_of(case, taken))
    return report


if __name__ == "__main__":
    main(run, __doc__)
