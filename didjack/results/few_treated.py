"""What a summary says of the overall ATT where few clusters are treated."""

from __future__ import annotations

from contextlib import suppress

import numpy as np

from didjack.errors import DataError, OptionError
from didjack.inference.diagnostics import FEW, treated_weight
from didjack.inference.noise_sensitivity import NoiseRatios, reading
from didjack.results.base import BaseResult
from didjack.results.estimates import MOST_CLUSTERS
from didjack.results.permutation import placebos
from didjack.wording import p_equals, p_text


def sentences(result: BaseResult, alpha: float) -> list[str]:
    """Return the placebo test with one treated cluster, and with few how much noise decides."""
    fit = result._fit
    n_treated = int((treated_weight(fit) > 0).sum())
    options = fit.options.inference
    if not 0 < n_treated < FEW or not options.jackknife or result._overall_evidence is None:
        return []
    overall = result._aggregation
    if np.isnan(overall._coefficients.own_variance.std_error[-1]):
        return []
    what = "overall ATT" if overall is result else f"{overall.title} of ATT(g,t)"
    found = []
    if n_treated == 1 and fit.layout.n_clusters <= MOST_CLUSTERS:
        found += _placebo(overall, what)
    if options.reference == "model":
        found += _noise(overall, what, alpha)
    return found


def _placebo(result: BaseResult, what: str) -> list[str]:
    """Say what placebos tell about one treated cluster."""
    with suppress(DataError, OptionError):  # there is no such test here, as these say
        test = placebos(result._fit, result._overall)
        return [
            f"Placebo test of the {what}: {p_equals(test.p_value)} (smallest attainable "
            f"{p_text(test.smallest_p)}). P-values in the table assume normal cluster-level shocks."
        ]
    return []


def _noise(result: BaseResult, what: str, alpha: float) -> list[str]:
    """Say how much noisier treated clusters may be."""
    with suppress(OptionError):  # no clusters without treated units
        ratios = NoiseRatios(result._coefficients)
        value = ratios.breakdown(len(result._targets.index) - 1, alpha)
        if np.isnan(value) or value == 0.0:
            return []
        seen = "" if np.isinf(value) else ratios.observed.words
        sentence = reading(what, value, alpha)
        return [f"{sentence[:-1]}; {seen}." if seen else sentence]
    return []
