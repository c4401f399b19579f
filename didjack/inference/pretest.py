"""Coefficients before treatment -> a test that they are zero, and the largest violation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from didjack._typing import Bools, Floats, Ints
from didjack.fields import Fields
from didjack.inference.bands import RANK_TOLERANCE
from didjack.inference.coefficients import Coefficients
from didjack.inference.targets import coefficient_names
from didjack.wording import name_labels, p_equals, plural

Statistic = Literal["max", "wald"]

NO_ERROR = "no standard error"
REDUNDANT = "redundant: beyond the rank of the covariance"


@dataclass(frozen=True, repr=False)
class PreTest(Fields):
    """A test that coefficients before treatment are zero.

    Attributes
    ----------
    statistic : the largest absolute t statistic, or F
    critical_value : of the statistic; infinite if p-values come from too few draws for a p-value
        below alpha
    p_value : float
    lead : label of the coefficient with the largest t statistic; None for F
    df_num, df_denom : degrees of freedom of F; None where the statistic has no F distribution
    n_tested, n_leads : number of coefficients tested, and before treatment
    left_out : labels of the coefficients that are not tested
    left_out_reasons : the reason for each of them
    largest_violation : the largest absolute end of the simultaneous band of all coefficients before
        treatment that have a standard error
    simulation_error : standard error of a p-value from draws; 0 where nothing is simulated
    reason : why there is no test; empty if there is one
    """

    _title: ClassVar[str] = "Test for pre-trends"

    statistic: float
    critical_value: float
    p_value: float
    lead: Any
    df_num: float | None
    df_denom: float | None
    n_tested: int
    n_leads: int
    left_out: tuple[Any, ...]
    left_out_reasons: tuple[str, ...]
    largest_violation: float
    simulation_error: float
    reason: str


def pretest(
    coefficients: Coefficients, before: Ints, statistic: Statistic, drop: bool, alpha: float
) -> PreTest:
    """Test that coefficients are zero.

    Parameters
    ----------
    before : (m,) their positions
    statistic : "max": the largest absolute t statistic of all; "wald": F
    drop : whether those without a standard error are left out; of F also those that follow from the
        others, if only under the working model
    alpha : one minus the level of the band, and of the critical value
    """
    bare = np.isnan(coefficients.own_variance.std_error[before])
    if statistic == "wald":
        return _wald(coefficients, before, bare, drop, alpha)
    with_error = before[~bare]
    reason = ""
    if not before.size:
        reason = "there is no coefficient before treatment"
    elif not with_error.size:
        reason = "no coefficient before treatment has a standard error"
    elif bare.any() and not drop:
        labels = coefficients.targets.index[before[bare]]
        reason = (
            f"{plural(int(bare.sum()), 'coefficient')} without a standard error: "
            f"{name_labels(labels, 5)}"
        )
    found: dict[str, Any] = dict.fromkeys(
        ("statistic", "critical_value", "p_value", "simulation_error"), np.nan
    )
    lead = None
    if not reason:
        largest = coefficients.largest(with_error, alpha)
        found = {name: getattr(largest, name) for name in found}
        lead = coefficients.targets.index[[largest.position]].tolist()[0]
    return PreTest(
        **found,
        lead=lead,
        df_num=None,
        df_denom=None,
        n_tested=0 if reason else with_error.size,
        reason=reason,
        **_about(coefficients, before, bare, bare),
        largest_violation=_largest(coefficients, with_error if drop else before, alpha),
    )


def _wald(
    coefficients: Coefficients, before: Ints, bare: Bools, drop: bool, alpha: float
) -> PreTest:
    """Test by F; of redundant coefficients the first are kept, so that it depends on the order."""
    identity = np.eye(len(coefficients.targets.index))
    tested = before
    if drop:
        tested = before[~bare]
        covariance = coefficients.covariance(coefficients.kind, identity[tested])
        tested = tested[independent(covariance)]
        model = coefficients.model_covariance(identity[tested])
        tested = tested if model is None else tested[independent(model)]
    test = coefficients.test(identity[tested], np.zeros(tested.size))
    out = ~np.isin(before, tested) | bare
    names = ("statistic", "critical_value", "p_value", "simulation_error", "reason", "df_denom")
    return PreTest(
        **{name: getattr(test, name) for name in names},
        lead=None,
        df_num=None if test.df_denom is None else test.df_num,
        n_tested=0 if test.reason else int((~out).sum()),
        **_about(coefficients, before, bare, out),
        largest_violation=_largest(coefficients, before[~bare] if drop else before, alpha),
    )


def _about(coefficients: Coefficients, before: Ints, bare: Bools, out: Bools) -> dict[str, Any]:
    """Name what is left out, and why."""
    return {
        "n_leads": before.size,
        "left_out": tuple(coefficients.targets.index[before[out]].tolist()),
        "left_out_reasons": tuple(NO_ERROR if none else REDUNDANT for none in bare[out]),
    }


def independent(covariance: Floats) -> Ints:
    """Return which of M coefficients, in their order, are no combination of earlier ones."""
    error = np.sqrt(np.diag(covariance))
    left = covariance / np.outer(error, error)
    kept = []
    for m in range(error.size):
        if left[m, m] > RANK_TOLERANCE:
            kept.append(m)
            left = left - np.outer(left[:, m], left[m]) / left[m, m]
    return np.array(kept, dtype=np.int64)


def _largest(coefficients: Coefficients, tested: Ints, alpha: float) -> float:
    """Return the largest absolute end of a simultaneous band; NaN where one has no error."""
    variance = coefficients.own_variance
    error = variance.std_error[tested]
    if not tested.size or np.isnan(error).any():
        return np.nan
    value = coefficients.band_values(tested, alpha).value
    return float((np.abs(coefficients.targets.estimates.full[tested]) + value * error).max())


def pretest_words(coefficients: Coefficients, before: Ints, alpha: float) -> str:
    """Say in one sentence, for the foot of a table, how the test ends."""
    test = pretest(coefficients, before, "max", True, alpha)
    if test.reason:
        return f"No test of pre-trends: {test.reason}."
    names = coefficient_names(coefficients.targets.index)
    lead = names[list(coefficients.targets.index).index(test.lead)]
    head = (
        f"Pre-trends ({test.n_tested} of {test.n_leads} leads): largest |t| {test.statistic:.2f} "
        f"({lead})"
    )
    if np.isinf(test.critical_value):
        return f"{head}, {p_equals(test.p_value)}; alpha is too small for a test from draws."
    return (
        f"{head}, critical value {test.critical_value:.2f}, {p_equals(test.p_value)}; "
        f"violations up to {test.largest_violation:.3g} cannot be ruled out."
    )
