"""The overall ATT under the working model: its critical value, and which clusters carry it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from didjack._typing import Floats
from didjack.engine.fit import Fit
from didjack.inference.evidence import Evidence, Material
from didjack.inference.jackknife import deviations
from didjack.inference.kinds import KINDS
from didjack.inference.targets import Targets


@dataclass(frozen=True, slots=True, eq=False)
class OverallLaw:
    """The law of the t statistic of the overall ATT, of M coefficients the last.

    Attributes
    ----------
    critical_value : of the working model
    student : of t(df)
    df : R - 1
    method : how the law is computed, in words
    leverage : (H,) share of each cluster in the variance of the estimate
    """

    critical_value: float
    student: float
    df: int
    method: str
    leverage: Floats

    @classmethod
    def of(cls, fit: Fit, overall: Targets | None) -> OverallLaw | None:
        """Compute it; None where there is no standard error or no law.

        Parameters
        ----------
        overall : Targets whose last coefficient is the overall ATT, if there is one
        """
        if overall is None or not fit.options.jackknife:
            return None
        evidence = Evidence(fit.under(reference="model"), overall)
        material = _last(evidence)
        variance = KINDS[fit.options.vcov].variance(material)
        loadings = material.loadings(0)
        if np.isnan(variance.std_error[0]) or loadings is None:
            return None
        alpha = evidence.options.alpha
        return cls(
            critical_value=float(variance.critical_value(alpha)[0]),
            student=float(variance.student(alpha)[0]),
            df=int(variance.df[0]),
            method=variance.law.method if variance.law else "",
            leverage=loadings.leverage(evidence.design.variance),
        )


def _last(evidence: Evidence) -> Material:
    """Return what the variance of the last coefficient is made from."""
    weights = np.zeros((1, evidence.targets.theta.shape[1]))
    weights[0, -1] = 1.0
    return Material(evidence.targets.theta[:, [-1]], evidence, weights)


def share_of_retargeted(fit: Fit, overall: Targets | None) -> float:
    """Return the share of the overall ATT's variance that is due to retargeted replicates."""
    if overall is None or not fit.options.jackknife:
        return np.nan
    centre_on_mean = KINDS[fit.options.vcov].centre_on_mean
    square = deviations(overall.theta[:, [-1]], centre_on_mean)[0][:, 0] ** 2
    total = square.sum()
    return float(square[overall.retargeted[1:, -1]].sum() / total) if total > 0 else np.nan
