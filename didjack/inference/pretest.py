"""Coefficients before treatment -> their joint test, and the largest violation not excluded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from didjack._typing import Floats, Ints
from didjack.inference.bands import RANK_TOLERANCE
from didjack.inference.coefficients import Coefficients
from didjack.inference.joint_tests import JointTest

NO_ERROR = "no standard error"
REDUNDANT = "redundant: beyond the rank of the covariance"


@dataclass(frozen=True, repr=False)
class PreTest(JointTest):
    """A test that coefficients before treatment are zero.

    Attributes
    ----------
    left_out : labels of the coefficients that are not tested
    left_out_reasons : why, one each
    n_tested, n_leads : number of coefficients tested, and before treatment
    largest_violation : the largest absolute end of the simultaneous band of all coefficients before
        treatment that have a standard error
    """

    _title: ClassVar[str] = "Test for pre-trends"

    left_out: tuple[Any, ...]
    left_out_reasons: tuple[str, ...]
    n_tested: int
    n_leads: int
    largest_violation: float


def pretest(coefficients: Coefficients, before: Ints, drop: bool, alpha: float) -> PreTest:
    """Test that coefficients are zero.

    Parameters
    ----------
    before : (m,) their positions
    drop : whether those without a standard error, or that follow from the others, if only under
        the working model, are left out
    alpha : one minus the level of the band

    Returns
    -------
    PreTest
        Of redundant coefficients the first are kept: which are tested depends on their order.
    """
    variance, index = coefficients.own_variance, coefficients.targets.index
    bare = np.isnan(variance.std_error[before])
    tested = before
    if drop:
        tested = before[~bare]
        covariance = coefficients.covariance(coefficients.kind, np.eye(len(index))[tested])
        tested = tested[independent(covariance)]
        model = coefficients.model_covariance(np.eye(len(index))[tested])
        tested = tested if model is None else tested[independent(model)]
    weights = np.eye(len(index))[tested]
    test = coefficients.test(weights, np.zeros(tested.size))
    out = ~np.isin(before, tested) | bare
    return PreTest(
        **test.to_dict(),
        left_out=tuple(index[before[out]].tolist()),
        left_out_reasons=tuple(NO_ERROR if none else REDUNDANT for none in bare[out]),
        n_tested=0 if test.reason else int((~out).sum()),
        n_leads=before.size,
        largest_violation=_largest(coefficients, before[~bare] if drop else before, alpha),
    )


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
    value = coefficients.critical_values(tested, alpha).value
    value = np.fmax(value, variance.critical_value(alpha)[tested])
    return float((np.abs(coefficients.targets.estimates.full[tested]) + value * error).max())


def pretest_words(coefficients: Coefficients, before: Ints, alpha: float) -> str:
    """Say in one sentence, for the foot of a table, how the test ends."""
    test = pretest(coefficients, before, True, alpha)
    reasons = test.left_out_reasons
    counts = [
        f"{reasons.count(reason)} left out ({reason})"
        for reason in (NO_ERROR, REDUNDANT)
        if reason in reasons
    ]
    without = "".join(f"; {count}" for count in counts)
    if test.reason:
        return f"No joint test of what comes before treatment: {test.reason}{without}."
    tested = f"{test.n_tested} of {test.n_leads}" if counts else test.df_num
    return (
        f"Before treatment: {tested} coefficients jointly zero, F {test.statistic:.2f}, "
        f"p {test.p_value:.3f}; violations up to {test.largest_violation:.3g} are not "
        f"excluded{without}."
    )
