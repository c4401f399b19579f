"""Placebo test for one treated cluster (Conley & Taber 2011; Ferman & Pinto 2019).

Without the treated cluster, its cohort is given to each never-treated cluster in turn. What is
then estimated shows how far estimates lie from zero where there is no effect. Leaving a cluster out
is what the jackknife does, so a placebo is the replicate without the treated cluster of the sample
in which another one is of its cohort, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from didjack._typing import NEVER, Floats, Ints
from didjack.errors import OptionError
from didjack.estimation.fit import Fit
from didjack.fields import Fields
from didjack.inference.permutation.permuted import TIE, Overall
from didjack.progress import Progress
from didjack.wording import label_text, name_some

ROUNDING = 1e-12
"""alpha (C + 1) is not to fall below a whole number by a rounding error."""


@dataclass(frozen=True, eq=False, repr=False)
class PlaceboTest(Fields):
    """A test of one treated cluster by placebo estimates in never-treated clusters.

    Attributes
    ----------
    estimate : of the treated cluster
    statistic : the same
    p_value : share of estimates that are at least as large as the actual one, itself included
    conf_low, conf_high : ends of the interval, infinite if there are too few placebos
    smallest_p : the smallest possible p-value
    n_placebos, n_failed : never-treated clusters with a placebo estimate, and without
    placebos : (C,) estimates by never-treated cluster, on the scale of the treated one
    treated : label of the treated cluster
    """

    _title: ClassVar[str] = "Placebo test of the overall ATT"

    estimate: float
    statistic: float
    p_value: float
    conf_low: float
    conf_high: float
    smallest_p: float
    n_placebos: int
    n_failed: int
    placebos: pd.Series
    treated: object

    @classmethod
    def from_placebos(
        cls, estimate: float, treated: object, placebos: pd.Series, n_failed: int, alpha: float
    ) -> PlaceboTest:
        """Compare an estimate with placebos, (C,) by cluster."""
        size, n = np.abs(placebos.to_numpy()), len(placebos)
        larger = int((size >= (1.0 - TIE) * abs(estimate)).sum())
        m = int(alpha * (n + 1.0) * (1.0 + ROUNDING))
        margin = float(np.sort(size)[-m]) if m > 0 else np.inf
        return cls(
            estimate=estimate,
            statistic=estimate,
            p_value=(1.0 + larger) / (n + 1.0),
            conf_low=estimate - margin,
            conf_high=estimate + margin,
            smallest_p=1.0 / (n + 1.0),
            n_placebos=n,
            n_failed=n_failed,
            placebos=placebos,
            treated=treated,
        )


def placebo_test(fit: Fit, overall: Overall, cohort: Ints, v: Floats) -> PlaceboTest:
    """Compare the estimate with those of never-treated clusters.

    Parameters
    ----------
    fit : Fit
    overall : the aggregated effect that is tested
    cohort : (H,) positions of the cohorts of the clusters; -1 without units
    v : (H,) relative variance of the cluster-level shocks
    """
    treated = _treated(fit, cohort)
    silent = fit.under(vcov="CV3", progress=False)
    estimate = float(overall.estimate(silent).full)
    if np.isnan(estimate):
        raise OptionError("there is no estimate of the overall ATT to test")
    never = np.flatnonzero((cohort >= 0) & (fit.layout.distinct_cohorts[cohort] == NEVER))
    others = np.repeat(cohort[None], never.size, axis=0)
    others[np.arange(never.size), never] = cohort[treated]
    found = np.empty(never.size)
    with Progress(fit.options.inference.progress, never.size) as progress:
        placebos = overall.under_assignments(silent, others, with_treatment=False)
        for position, (estimates,) in enumerate(placebos):
            found[position] = estimates.deleted[treated]
            progress.advance(1)
    known = ~np.isnan(found)
    labels = fit.layout.cluster_labels
    values = (found * np.sqrt(v[treated] / v[never]))[known]
    placebos = pd.Series(values, index=labels[never[known]], name="placebo")
    n_failed = int((~known).sum())
    return PlaceboTest.from_placebos(
        estimate, labels[treated], placebos, n_failed, fit.options.inference.alpha
    )


def _treated(fit: Fit, cohort: Ints) -> int:
    """Return the one treated cluster, or raise."""
    layout = fit.layout
    treated = np.flatnonzero((cohort >= 0) & (layout.distinct_cohorts[cohort] != NEVER))
    if treated.size != 1:
        shown = name_some([label_text(key) for key in layout.cluster_labels[treated]], 3)
        raise OptionError(
            f"placebo_test() is for one treated cluster, here there are {treated.size} ({shown}); "
            "use randomization_test()"
        )
    if (cohort >= 0).sum() < 3:
        raise OptionError("placebo_test() needs at least two never-treated clusters")
    return int(treated[0])
