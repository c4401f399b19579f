"""The coefficients of a result, in the full sample and in all replicates."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from didjack._typing import Bools, Floats, Ints
from didjack.averaging.average import Averages
from didjack.averaging.shares import CombinedShares, Shares
from didjack.engine.estimates import REASONS, Code, Codes
from didjack.inference.statistics import first_reason
from didjack.options import Undefined
from didjack.wording import name_some

LEAST_REPLICATES: dict[Undefined, int] = {"model": 3, "skip": 2}
"""What makes up for missing replicates needs so many others."""


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """M coefficients in all replicates.

    Attributes
    ----------
    labels : DataFrame, M rows (M - 1 where the last coefficient is the overall), the label
        columns of `tidy`
    index : labels of the coefficients in matrices
    theta : (R, M) estimates
    retargeted : (R, M) whether a replicate stands for other cells than the full sample
    reference : (M,) whether a coefficient is zero by construction
    status : why the full sample has an estimate or not, M of them
    shares : how much each ATT(g,t) counts in each coefficient, in every replicate
    code : (R, M) `Code` of each replicate, or None where all cells have to be missing
    averages : Averages, for aggregates
    """

    labels: pd.DataFrame
    index: pd.Index
    theta: Floats
    retargeted: Bools
    reference: Bools
    status: list[str]
    shares: Shares
    code: Codes | None = None
    averages: Averages | None = None

    def __post_init__(self) -> None:
        """Let nobody write to the arrays, of which users may come to see parts."""
        for name in ("theta", "retargeted", "reference"):
            read_only = getattr(self, name).view()
            read_only.flags.writeable = False
            object.__setattr__(self, name, read_only)

    @property
    def components(self) -> Ints:
        """Positions of the coefficients that are no average of the others."""
        return np.arange(len(self.labels))

    def missing(self) -> Bools:
        """Return where the full sample has an estimate and a replicate has none, (H, M)."""
        return np.asarray(np.isnan(self.theta[1:]) & ~np.isnan(self.theta[0]))

    def beyond_model(self) -> Bools:
        """Return which coefficients have too few replicates to make up for the others, (M,)."""
        missing = self.missing()
        left = (~missing).sum(axis=0)
        return np.asarray(missing.any(axis=0) & (left < LEAST_REPLICATES["model"]))

    def why_missing(self, column: int, replicate: int) -> str:
        """Explain one missing replicate."""
        if self.code is None:
            return "none of its ATT(g,t) is left"
        return REASONS[Code(self.code[1 + replicate, column])]

    def status_of(self, jackknife: bool, rule: Undefined, clusters: pd.Index) -> list[str]:
        """Write the status of each coefficient: "ok", or a word for what is special about it.

        Parameters
        ----------
        jackknife : whether standard errors come from replicates at all
        rule : what a missing replicate does
        clusters : (H,) labels
        """
        missing, turned = self.missing(), self.retargeted[1:].sum(axis=0)
        texts = list(self.status)
        for m, text in enumerate(texts):
            if text != "ok" or not jackknife:
                continue
            if missing[:, m].any():
                texts[m] = self._what_is_missing(m, missing[:, m], rule, clusters)
            elif turned[m]:
                texts[m] = "retargeted"
        return texts

    def with_coverage(self, status: list[str]) -> list[str]:
        """Add to the status of averages of fewer ATT(g,t) than there are how many they have."""
        if self.averages is None:
            return status
        counts = zip(status, self.averages.n_estimated, self.averages.n_cells, strict=True)
        return [
            f"{text}: {some:,} of {n:,} ATT(g,t)"
            if some < n and text in ("ok", "retargeted")
            else text
            for text, some, n in counts
        ]

    def _what_is_missing(
        self, column: int, missing: Bools, rule: Undefined, clusters: pd.Index
    ) -> str:
        """Say what became of the missing replicates, (H,), of a coefficient."""
        left = int((~missing).sum())
        if rule == "model" and left >= LEAST_REPLICATES[rule]:
            them, are = ("its", "cluster") if left + 1 == missing.size else ("their", "clusters")
            names = name_some(clusters[np.flatnonzero(missing)], most=5)
            return (
                f"model: {are} {names} cannot be left out; {them} shocks are taken to be like the "
                "others'"
            )
        why = first_reason(missing, clusters, partial(self.why_missing, column))
        skipped = rule == "skip" and left >= LEAST_REPLICATES[rule]
        return f"{'skipped' if skipped else 'undefined'}: {why}"

    def combine(self, weights: Floats, name: str) -> Targets:
        """Form a linear combination, (M,) weights, in every replicate.

        It is missing where one of its coefficients is, and stands for other cells where one of
        them does.
        """
        used = np.flatnonzero(weights)
        failing = used[[self.status[m] not in ("ok", "reference") for m in used]]
        reference = bool(self.reference[used].all())
        status = "reference" if reference else "ok"
        if failing.size:
            of = "" if used.size == 1 else f"{self.index[failing[0]]}: "
            status = of + self.status[failing[0]]
        code = None
        if self.code is not None:
            part = self.code[:, used]
            first = (part != 0).argmax(axis=1)
            code = np.take_along_axis(part, first[:, None], axis=1)
        return Targets(
            labels=pd.DataFrame(index=range(1)),
            index=pd.Index([name]),
            theta=combine(self.theta, weights[None]),
            retargeted=np.atleast_2d(self.retargeted[:, used].any(axis=1)).T,
            reference=np.array([reference]),
            status=[status],
            shares=CombinedShares(self.shares, weights),
            code=code,
        )


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
