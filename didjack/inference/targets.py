"""ATT(g,t) of a fit -> what aggregation knows of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from didjack._typing import Bools, Floats, Ints
from didjack.aggregation.aggregate import AggregatedEffects
from didjack.aggregation.schemes import SCHEMES, CellTable
from didjack.aggregation.shares import CombinedShares, Shares
from didjack.errors import EstimationWarning, warn
from didjack.estimation.cells import REASONS, CellEstimates, Code, Codes
from didjack.estimation.fit import Fit
from didjack.estimation.layout import ALL_PERIODS, Arm, Layout
from didjack.estimation.sums import SumSource
from didjack.leave_one_out import Replicates
from didjack.options import Undefined
from didjack.status import BASE, OK, Status, StatusCode
from didjack.wording import label_text, name_some, short

# ---- cell table ----------------------------------------------------------------------------------

T = TypeVar("T", bound=np.generic)
FAILED_FITS = (Code.OVERLAP, Code.SINGULAR)


def cell_table(fit: Fit, by_cell: bool = False) -> CellTable:
    """Take the cells of a fit, with their own weights or those of their cohorts."""
    estimated = fit.estimated(fit.options.inference.jackknife)
    estimates = estimated.shown, estimated.extra
    return table_of_cells(fit.layout, estimates, estimated.share.stacked, by_cell)


def table_of_cells(
    layout: Layout, estimates: tuple[CellEstimates, CellEstimates], share: Floats, by_cell: bool
) -> CellTable:
    """Take the cells of the full sample and the extra ones, with their weights.

    Parameters
    ----------
    share : (R, C) weight of each cohort
    by_cell : whether cells have their own weights, or those of their cohorts
    """
    shown, extra = estimates
    parts = [shown, extra] if extra.cells else [shown]
    cells = shown.cells + extra.cells
    cohort = np.array([cell.cohort for cell in cells], dtype=np.int64)
    time = np.array([cell.time for cell in cells], dtype=np.int64)
    return CellTable(
        cohort=layout.cohorts[cohort],
        time=layout.periods[time],
        att=_joined([part.att for part in parts]),
        changed=_joined([part.changed for part in parts]),
        weight=_joined([part.treated for part in parts]) if by_cell else share,
        of_weight=np.arange(cohort.size) if by_cell else cohort,
        first=shown.first,
        last=shown.last,
        n_shown=len(shown.cells),
    )


def design_table(fit: Fit, table: CellTable) -> CellTable:
    """Return the table from which it follows how much each cell counts in the working model.

    In triple differences the working model is that of the estimator without covariates throughout:
    cells that have rows count, even if a logit or a regression on covariates failed.
    """
    if fit.layout.kinds == 1:
        return table
    estimated = fit.estimated(fit.options.inference.jackknife)
    code = _joined([estimated.shown.code, estimated.extra.code])
    return replace(table, att=np.where(np.isin(code, FAILED_FITS), 0.0, table.att))


def _joined(parts: list[NDArray[T]]) -> NDArray[T]:
    """Put columns side by side; a single part, which may be large, is not copied."""
    return parts[0] if len(parts) == 1 else np.hstack(parts)


# ---- coverage ------------------------------------------------------------------------------------

REMEDIES = {
    StatusCode.COLLINEAR: "collinear='drop'",
    StatusCode.NO_OVERLAP: "est_method='reg'",
}
"""What may help where ATT(g,t) have no estimate, by their status."""


def unestimated(fit: Fit, targets: Targets) -> Ints:
    """Return which ATT(g,t) that coefficients are about have rows but no estimate, sorted."""
    bare = np.flatnonzero(np.isnan(Replicates(fit.estimates.att).full))
    if targets.aggregated is not None:
        bare = targets.aggregated.missing
    return bare[~fit.estimates.empty[bare]]


def absent(fit: Fit, targets: Targets) -> Bools:
    """Return which coefficients, (M,), are about ATT(g,t) without rows alone."""
    empty, aggregated = fit.estimates.empty, targets.aggregated
    if aggregated is None:
        return empty
    gone = np.asarray((aggregated.n_cells > 0) & (aggregated.n_estimated == 0))
    of_failed = aggregated.loading.component[unestimated(fit, targets)]
    gone[of_failed[of_failed >= 0]] = False
    return gone


def with_status(fit: Fit, cells: Ints) -> list[str]:
    """Write ATT(g,t) and why they have no estimate."""
    labels, status = fit.layout.axis.labels, fit.cell_status()
    keys = zip(labels(fit.cell_cohort[cells]), labels(fit.cell_time[cells]), strict=True)
    return [
        f"({label_text(key)}): {short(str(status[j]), 50)}"
        for key, j in zip(keys, cells, strict=True)
    ]


def skipped(fit: Fit, targets: Targets) -> Bools:
    """Return whose variation a standard error lacks, as a replicate is left out, (H or 0, M)."""
    missing = targets.missing()
    options = fit.options.inference
    if not options.jackknife or options.missing_replicates != "skip":
        return np.zeros_like(missing)
    return np.asarray(missing & ((~missing).sum(axis=0) >= LEAST_REPLICATES["skip"]))


def report_empty(fit: Fit) -> None:
    """Warn of ATT(g,t) without rows of the cohort or of its control group."""
    empty = np.flatnonzero(fit.estimates.empty)
    if empty.size:
        labels = fit.layout.axis.labels
        keys = zip(labels(fit.cell_cohort[empty]), labels(fit.cell_time[empty]), strict=True)
        names = name_some((f"ATT({label_text(key)})" for key in keys), most=3)
        have = "has" if empty.size == 1 else "have"
        warn(
            f"{empty.size:,} of {fit.estimates.empty.size:,} ATT(g,t) {have} no rows of the cohort "
            f"or of its control group: {names}; aggregated effects leave "
            f"{'it' if have == 'has' else 'them'} out (see result.cells)",
            EstimationWarning,
        )


def report_failures(fit: Fit, targets: Targets) -> None:
    """Warn of ATT(g,t) that could not be estimated."""
    bad = unestimated(fit, targets)
    if bad.size:
        warn(
            f"{bad.size:,} of {fit.estimates.att.shape[1]:,} ATT(g,t) could not be estimated and "
            f"{'is' if bad.size == 1 else 'are'} NaN: {name_some(with_status(fit, bad), most=1)} "
            f"({_remedy(fit, bad)})",
            EstimationWarning,
        )


def report_partial(fit: Fit, targets: Targets, title: str) -> bool:
    """Warn of aggregated effects that lack some of their ATT(g,t); say whether there are any."""
    aggregated, bad = targets.aggregated, unestimated(fit, targets)
    if aggregated is None or not bad.size:
        return False
    n_cells, n_left = aggregated.n_cells, aggregated.n_estimated
    parts = [
        f"{bad.size:,} of {n_cells[targets.components].sum():,} ATT(g,t) of the {title} could not "
        "be estimated"
    ]
    for what, which in (("aggregated without them", n_left > 0), ("NaN", n_left == 0)):
        keys = targets.index[np.flatnonzero(which & (n_left < n_cells))]
        if len(keys):
            parts.append(f"{what}: {name_some(map(label_text, keys), most=2)}")
    warn(f"{'; '.join(parts)} (see result.cells)", EstimationWarning)
    return True


def _remedy(fit: Fit, cells: Ints) -> str:
    """Say what may help where some ATT(g,t) have no estimate."""
    status = fit.cell_status()
    found = {status[j].code for j in cells}
    ways = ["fewer covariates", *(way for code, way in REMEDIES.items() if code in found)]
    return f"see result.cells; {' or '.join(ways)} may help"


# ---- targets -------------------------------------------------------------------------------------

LEAST_REPLICATES: dict[Undefined, int] = {"impute": 3, "skip": 2}
"""A standard error without the missing replicates needs so many others."""


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """M coefficients in all replicates.

    Attributes
    ----------
    labels : DataFrame, M rows (M - 1 where the last coefficient is the overall), the label
        columns of `tidy`
    index : labels of the coefficients in matrices
    theta : (R, M) estimates
    composition : (R, M) whether a replicate stands for other cells than the full sample
    base : (M,) whether a coefficient is zero by construction, of a base period
    status : why the full sample has an estimate or not, M of them
    shares : how much each ATT(g,t) counts in each coefficient, in every replicate
    code : (R, M) `Code` of each replicate, or None where all cells have to be missing
    aggregated : AggregatedEffects, for aggregations
    """

    labels: pd.DataFrame
    index: pd.Index
    theta: Floats
    composition: Bools
    base: Bools
    status: list[Status]
    shares: Shares
    code: Codes | None = None
    aggregated: AggregatedEffects | None = None

    def __post_init__(self) -> None:
        """Let nobody write to the arrays, of which users may come to see parts."""
        for name in ("theta", "composition", "base"):
            read_only = getattr(self, name).view()
            read_only.flags.writeable = False
            object.__setattr__(self, name, read_only)

    @property
    def estimates(self) -> Replicates[np.float64]:
        """The estimates, of the full sample and without each cluster."""
        return Replicates(self.theta)

    @property
    def components(self) -> Ints:
        """Positions of the coefficients that do not aggregate the others."""
        return np.arange(len(self.labels))

    def missing(self) -> Bools:
        """Return where the full sample has an estimate and a replicate has none, (H, M)."""
        theta = self.estimates
        return np.asarray(np.isnan(theta.deleted) & ~np.isnan(theta.full))

    def changed(self) -> Bools:
        """Return where a replicate stands for other cells than the full sample, (H, M)."""
        return Replicates(self.composition).deleted

    def estimated_otherwise(self) -> Bools:
        """Return where a replicate has an estimate, of other cells than the full sample, (H, M)."""
        return np.asarray(self.changed() & ~np.isnan(self.estimates.deleted))

    def beyond_imputation(self) -> Bools:
        """Return which coefficients have too few replicates to impute the others, (M,)."""
        missing = self.missing()
        left = (~missing).sum(axis=0)
        return np.asarray(missing.any(axis=0) & (left < LEAST_REPLICATES["impute"]))

    def why_missing(self, column: int, replicate: int) -> str:
        """Explain one missing replicate."""
        if self.code is None:
            return "none of its ATT(g,t) is left"
        return REASONS[Code(Replicates(self.code).deleted[replicate, column])]

    def status_of(self, jackknife: bool, rule: Undefined, clusters: pd.Index) -> list[Status]:
        """Return the status of each coefficient with its standard error.

        Parameters
        ----------
        jackknife : whether standard errors come from replicates at all
        rule : what a missing replicate does
        clusters : (H,) labels
        """
        missing = self.missing()
        turned = self.changed().sum(axis=0)
        found = list(self.status)
        for m, status in enumerate(found):
            if status != OK or not jackknife:
                continue
            if missing[:, m].any():
                found[m] = self._what_is_missing(m, missing[:, m], rule, clusters)
            elif turned[m]:
                found[m] = Status(StatusCode.COMPOSITION)
        return found

    def with_coverage(self, statuses: list[Status]) -> list[Status]:
        """Add to the status of aggregated effects that lack ATT(g,t) how many they have."""
        if self.aggregated is None:
            return statuses
        counts = zip(statuses, self.aggregated.n_estimated, self.aggregated.n_cells, strict=True)
        return [
            replace(status, detail=f"{some:,} of {n:,} ATT(g,t)")
            if some < n and status.code in (StatusCode.OK, StatusCode.COMPOSITION)
            else status
            for status, some, n in counts
        ]

    def _what_is_missing(
        self, column: int, missing: Bools, rule: Undefined, clusters: pd.Index
    ) -> Status:
        """Return what became of the missing replicates, (H,), of a coefficient."""
        gone = np.flatnonzero(missing)
        labels, left = tuple(clusters[gone]), missing.size - gone.size
        if rule == "impute" and left >= LEAST_REPLICATES[rule]:
            return Status(StatusCode.IMPUTED, labels)
        skipped = rule == "skip" and left >= LEAST_REPLICATES[rule]
        code = StatusCode.SKIPPED if skipped else StatusCode.UNDEFINED
        return Status(code, labels, self.why_missing(column, int(gone[0])))

    def combine(self, weights: Floats, name: str) -> Targets:
        """Form a linear combination, (M,) weights, in every replicate.

        It is missing where one of its coefficients is, and stands for other cells where one of
        them does.
        """
        used = np.flatnonzero(weights)
        failing = used[[self.status[m] not in (OK, BASE) for m in used]]
        base = bool(self.base[used].all())
        status = BASE if base else OK
        if failing.size:
            of = "" if used.size == 1 else f"{self.index[failing[0]]}"
            status = replace(self.status[failing[0]], coefficient=of)
        code = None
        if self.code is not None:
            part = self.code[:, used]
            first = (part != 0).argmax(axis=1)
            code = np.take_along_axis(part, first[:, None], axis=1)
        return Targets(
            labels=pd.DataFrame(index=range(1)),
            index=pd.Index([name]),
            theta=combine(self.theta, weights[None]),
            composition=np.atleast_2d(self.composition[:, used].any(axis=1)).T,
            base=np.array([base]),
            status=[status],
            shares=CombinedShares(self.shares, weights),
            code=code,
        )


def coefficient_names(index: pd.Index) -> list[str]:
    """Write the labels of coefficients as tables show them, such as "event time -2".

    Parameters
    ----------
    index : (M,) labels, whose name says what they are of
    """
    if index.nlevels == 2:
        return [f"ATT({label_text(key)})" for key in index]
    words = {SCHEMES[kind].label: SCHEMES[kind].words for kind in SCHEMES}
    before = words.get(str(index.name), "")
    return [
        "overall ATT" if key == "overall" else f"{before} {label_text(key)}".strip()
        for key in index
    ]


def combine(values: Floats, weights: Floats) -> Floats:
    """Multiply (N, M) values with (L, M) weights: (N, L); NaN only where it has a weight."""
    used = (weights != 0).any(axis=0)
    part = values if used.all() else values[:, used]
    weights = weights[:, used].T
    gone = np.isnan(part)
    if not gone.any():
        return np.asarray(part @ weights)
    result = np.where(gone, 0.0, part) @ weights
    touched = gone.astype(float) @ (weights != 0).astype(float) > 0
    return np.asarray(np.where(touched, np.nan, result))


# ---- size ----------------------------------------------------------------------------------------

ROUNDING = 1e-13
"""A standard error below this share of what was summed is rounding error: 450 units in the last
place, which sums and solved equations lose where nothing varies."""


def cell_size(fit: Fit) -> Floats:
    """Return the size of the mean outcomes that each ATT(g,t) compares, (K,).

    The largest absolute mean of any cohort, in the period or its base period.
    """
    return fit.once("size of cells", partial(_cell_size, fit))


def _cell_size(fit: Fit) -> Floats:
    by_period = _by_period(fit.source.replicated(False))
    cells = fit.estimates.cells
    ends = np.array([(cell.base, cell.time) for cell in cells], dtype=np.int64).reshape(-1, 2)
    return np.asarray(by_period[ends].max(axis=1))


def target_size(of_cells: Floats, targets: Targets) -> Floats:
    """Return the size of what each coefficient is made of, (M,), from that of cells, (K,)."""
    if targets.aggregated is None:
        return of_cells
    return np.asarray(targets.aggregated.loading.magnitude().times(of_cells[None])[0])


def varies(error: Floats, size: Floats) -> Bools:
    """Return which standard errors, (M,), are more than rounding error; not where NaN."""
    return np.asarray(error > ROUNDING * size)


def _by_period(source: SumSource) -> Floats:
    """Return the largest absolute mean outcome of any cohort, (T,)."""
    layout = source.layout
    largest = np.zeros(layout.periods.size)
    for cohort in range(layout.cohorts.size):
        np.fmax(largest, np.abs(_means(source, layout, cohort)), out=largest)
    return largest


def _means(source: SumSource, layout: Layout, cohort: int) -> Floats:
    """Return the mean outcome of a cohort, (T,); NaN where it has no weight."""
    periods = [ALL_PERIODS] if layout.panel else range(layout.periods.size)
    found = [source.sums((cohort,), Arm(0, 0, period)) for period in periods]
    total = np.concatenate([sums.y[0] for sums in found])
    weight = np.array([sums.weight[0] for sums in found])
    weight = np.broadcast_to(weight, total.shape)
    means: Floats = np.divide(total, weight, out=np.full(total.shape, np.nan), where=weight > 0)
    return means
