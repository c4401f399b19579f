"""Placebo test for one treated cluster (Conley & Taber 2011; Ferman & Pinto 2019).

Without the treated cluster, its cohort is given to each never-treated cluster in turn. What is
then estimated shows how far estimates lie from zero where there is no effect. Leaving a cluster out
is what the jackknife does, so a placebo is the replicate without the treated cluster of the sample
in which another one is of its cohort, too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from didjack._typing import NEVER, Floats, Ints
from didjack.errors import OptionError
from didjack.estimation.fit import Fit
from didjack.inference.permutation.permuted import TIE, Overall
from didjack.progress import Progress
from didjack.wording import label_text, name_some

ROUNDING = 1e-12
"""alpha (C + 1) is not to fall below a whole number by a rounding error."""


@dataclass(frozen=True, slots=True, eq=False)
class PlaceboTest:
    """The result of a test.

    Attributes
    ----------
    estimate : of the treated cluster
    treated : label of that cluster
    clusters : (C,) labels of the never-treated clusters that have a placebo estimate
    placebos : (C,) their estimates, on the scale of the treated cluster
    n_failed : never-treated clusters without
    alpha : one minus the level of the interval
    """

    estimate: float
    treated: object
    clusters: pd.Index
    placebos: Floats
    n_failed: int
    alpha: float

    @property
    def p_value(self) -> float:
        """The share of estimates that are as large as the actual one, itself included."""
        larger = (np.abs(self.placebos) >= (1.0 - TIE) * abs(self.estimate)).sum()
        return float((1.0 + larger) / (self.placebos.size + 1.0))

    @property
    def smallest_p(self) -> float:
        """The smallest p-value there can be."""
        return 1.0 / (self.placebos.size + 1.0)

    @property
    def margin(self) -> float:
        """Half the length of the interval; infinite where there are too few placebos."""
        m = int(self.alpha * (self.placebos.size + 1.0) * (1.0 + ROUNDING))
        return float(np.sort(np.abs(self.placebos))[-m]) if m > 0 else np.inf


def placebo_test(fit: Fit, overall: Overall, cohort: Ints, v: Floats) -> PlaceboTest:
    """Compare the estimate with those of never-treated clusters.

    Parameters
    ----------
    fit : Fit
    overall : the average that is tested
    cohort : (H,) positions of the cohorts of the clusters; -1 without units
    v : (H,) relative variance of the shocks of each cluster
    """
    treated = _treated(fit, cohort)
    silent = fit.under(vcov="CV3", progress=False)
    estimate = float(overall.of(silent).full)
    if np.isnan(estimate):
        raise OptionError("there is no estimate of the overall ATT to test")
    never = np.flatnonzero((cohort >= 0) & (fit.layout.cohorts[cohort] == NEVER))
    source, found = silent.source.replicated(False), np.empty(never.size)
    with Progress(fit.options.progress, never.size) as progress:
        for position, cluster in enumerate(never.tolist()):
            other = cohort.copy()
            other[cluster] = cohort[treated]
            found[position] = overall.of_source(silent, source.relabelled(other)).deleted[treated]
            progress.advance(1)
    known = ~np.isnan(found)
    labels = fit.layout.cluster_labels
    return PlaceboTest(
        estimate=estimate,
        treated=labels[treated],
        clusters=labels[never[known]],
        placebos=(found * np.sqrt(v[treated] / v[never]))[known],
        n_failed=int((~known).sum()),
        alpha=fit.options.alpha,
    )


def _treated(fit: Fit, cohort: Ints) -> int:
    """Return the one treated cluster, or raise."""
    layout = fit.layout
    treated = np.flatnonzero((cohort >= 0) & (layout.cohorts[cohort] != NEVER))
    if treated.size != 1:
        shown = name_some([label_text(key) for key in layout.cluster_labels[treated]], 3)
        raise OptionError(
            f"placebo_test() is for one treated cluster, here there are {treated.size} ({shown}); "
            "use randomization_test()"
        )
    if (cohort >= 0).sum() < 3:
        raise OptionError(
            "placebo_test() needs two never-treated clusters at least, one to be compared with "
            "the other"
        )
    return int(treated[0])
