"""Tests and combinations of coefficients, and minimum detectable effects: methods of `Result`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar, get_args

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from didjack._typing import Floats
from didjack.errors import InferenceWarning, OptionError, warn
from didjack.inference import joint_tests
from didjack.inference import pretest as pre_trends
from didjack.inference.joint_tests import JointTest
from didjack.inference.pretest import PreTest, Statistic
from didjack.inference.targets import absent
from didjack.options import check_listed, check_share, validate_keywords
from didjack.results.base import BaseResult
from didjack.results.result_view import own_index


@validate_keywords
def wald_test(self: BaseResult, R: Any = None, q: ArrayLike | None = None) -> JointTest:
    r"""Test linear restrictions on the coefficients jointly.

    .. math:: F = (R \theta - q)' (R V R')^+ (R \theta - q) / k

    with V the covariance matrix and k the rank of :math:`R V R'` (eigenvalues of its
    correlation matrix below 1e-10 of the largest count as zero). The reference distribution of F
    is F(k, df); for the jackknife with ``reference="model"``, it is that of draws of F under the
    working model. df is the number of jackknife replicates less one for the jackknife, H - 1 for
    clustered analytic standard errors, and infinite (:math:`\chi^2_k / k`) for other analytic and
    for bootstrap standard errors. If some replicates are undefined, the test uses the replicates
    that all of its coefficients have.

    Parameters
    ----------
    R : list, mapping, DataFrame or array, optional
        - list of labels: each of these coefficients;
        - mapping or Series from label to weight: one linear combination; a list of them:
          several;
        - DataFrame with labels as columns: one combination in each row;
        - array of as many columns as coefficients (the overall may be left out).

        Default: all coefficients but base periods and those without rows of the cohort
        or its control group; for an aggregation its components, not the overall, which is an
        average of them.
    q : float or array, optional
        Values of the combinations under the hypothesis; default: zero.

    Returns
    -------
    JointTest
        Fields: statistic (F); critical_value, for the level of the result; df_num; df_denom, None
        where the distribution of F comes from draws; p_value; rank; reason; and simulation_error,
        the standard error of a p-value from draws. NaN, with the reason, if a coefficient has no
        standard error or if there are more restrictions than independent replicates (clusters,
        units) less one.

    Raises
    ------
    OptionError
        A label that no coefficient has, a weight that is not a number, or the wrong number of
        weights or values.

    Warns
    -----
    InferenceWarning
        There is no test; the message gives the reason.

    Notes
    -----
    F tests of many restrictions with ``reference="t"`` over-reject when there are few clusters.
    Their size is approximately correct only if there are far fewer restrictions than replicates.

    Examples
    --------
    Three hypotheses: all effects of the event study are zero; those in the first two years are
    zero; these two are equal:

    >>> import didjack
    >>> df = didjack.datasets.load_mpdta()
    >>> res = didjack.csdid(df, "lemp", "year", "first.treat", "countyreal")
    >>> study = res.aggregate("event")
    >>> for hypothesis in (None, [0, 1], {0: 1, 1: -1}):
    ...     test = study.wald_test(hypothesis)
    ...     print(f"F({test['df_num']}) = {test['statistic']:.2f}, p = {test['p_value']:.3f}")
    F(7) = 3.48, p = 0.003
    F(2) = 4.76, p = 0.010
    F(1) = 3.11, p = 0.078
    """
    targets = self._targets
    if R is None:
        left_out = targets.base | absent(self._fit, targets)
        tested = targets.components[~left_out[targets.components]]
        weights = np.eye(len(targets.index))[tested]
    else:
        weights = joint_tests.restrictions(R, targets.index, targets.components.size)
    return _wald(self, weights, joint_tests.values_of(q, len(weights)))


def _wald(self: BaseResult, weights: Floats, values: Floats) -> JointTest:
    """Test (L, M) restrictions, and warn if that cannot be done."""
    return warn_untested(self._coefficients.test(weights, values))


@validate_keywords
def pretest(
    self: BaseResult, statistic: Statistic = "max", missing: Literal["drop", "nan"] = "drop"
) -> PreTest:
    r"""Test that all effects before treatment (leads) are zero: ATT(g,t), or event times.

    Leads are those with t < g less `anticipation`. The periods of anticipation may already have
    effects and are left out, as are the base periods of a universal base.

    Parameters
    ----------
    statistic : {"max", "wald"}
        - "max": the largest absolute t statistic of all leads that have a standard error, with its
          distribution if all of them are zero. If the t statistics of the leads have different
          reference distributions, the test uses the smallest p-value. It rejects where the
          simultaneous band of the leads, see `confint`, excludes zero for one of them.
        - "wald": the F statistic of `wald_test`, for the first leads whose covariance matrix has
          full rank.
    missing : {"drop", "nan"}
        If some leads have no standard error, test the others ("drop"), or return no test ("nan").

    Returns
    -------
    PreTest
        Fields: statistic; critical_value, for the level of the result; p_value; lead, the label of
        the most significant lead ("max"); df_num and df_denom, None where the statistic has no
        F distribution; n_tested and n_leads, how many; left_out, the labels of those not tested,
        and left_out_reasons, why (no standard error, or redundant); largest_violation, the largest
        absolute end of the simultaneous band of the leads: the data cannot rule out a violation of
        that size; simulation_error, of the p-value; reason, why there is no test.

    Raises
    ------
    OptionError
        An aggregation without event times.

    Warns
    -----
    InferenceWarning
        There is no test; the message gives the reason.

    Notes
    -----
    With a varying base the pre-treatment ATT(g,t) are changes from one period to the next,
    with a universal base changes up to the last period before treatment. R's `did` also tests
    periods of anticipation. A test that does not reject is no evidence of parallel trends where it
    has little power: see largest_violation, and `trend_sensitivity`.

    References
    ----------
    Callaway & Sant'Anna (2021), section 4, doi:10.1016/j.jeconom.2020.12.001. Roth (2022),
    Pretest with caution, AER: Insights 4, doi:10.1257/aeri.20210236.

    Examples
    --------
    >>> import didjack
    >>> df = didjack.datasets.load_mpdta()
    >>> res = didjack.csdid(df, "lemp", "year", "first.treat", "countyreal")
    >>> test = res.pretest()
    >>> test.lead, round(test.statistic, 2), round(test.critical_value, 2), test.n_tested
    ((2007, 2004), 2.02, 2.54, 5)
    >>> wald = res.pretest("wald")
    >>> round(wald["statistic"], 2), round(wald["p_value"], 2)
    (1.54, 0.18)
    """
    check_listed("statistic", statistic, get_args(Statistic))
    check_listed("missing", missing, ("drop", "nan"))
    if self._scheme is not None and not self._scheme.leads:
        raise OptionError(
            f"pretest() needs event times or ATT(g,t), not {self.title}: "
            "result.pretest() or result.aggregate('event').pretest()"
        )
    test = pre_trends.pretest(
        self._coefficients, self._before, statistic, missing == "drop", self.alpha
    )
    return warn_untested(test)


@validate_keywords
def mde(self: BaseResult, power: float = 0.8, alpha: float | None = None) -> pd.Series:
    r"""Return the minimum detectable effects of the design.

    .. math:: MDE = (c_{1 - \alpha / 2} + c_{power})\, SE

    with the standard error SE of a coefficient, and quantiles c of the reference distribution of
    its t statistic. A two-sided test has the given power against an effect of that size.

    Parameters
    ----------
    power : float
        Power of the test, above 0 and below 1.
    alpha : float, optional
        Level of the test; default: that of the result.

    Returns
    -------
    Series
        By coefficient, in units of the outcome; NaN without a standard error.

    Raises
    ------
    OptionError
        `power` is not between 0 and 1, or `alpha` not between 0 and 0.5.

    References
    ----------
    Bloom (1995), Minimum detectable effects, Evaluation Review 19,
    doi:10.1177/0193841X9501900504.

    Examples
    --------
    >>> import didjack
    >>> df = didjack.datasets.load_mpdta()
    >>> res = didjack.csdid(df, "lemp", "year", "first.treat", "countyreal")
    >>> print(f"{res.aggregate('simple').mde()['overall']:.3f}")
    0.034
    """
    check_share("power", power)
    found = self._coefficients.own_variance.detectable(self._level(alpha), power)
    return pd.Series(found, index=own_index(self._targets.index), name="mde")


@validate_keywords
def lincomb(
    self: BaseResult,
    weights: Mapping[Any, float] | pd.Series | Sequence[float] | Floats,
    alpha: float | None = None,
) -> pd.Series:
    """Estimate a linear combination of the coefficients.

    The combination is computed in every jackknife replicate, so that its CV3 is that of the
    combination itself. It is undefined in a replicate in which one of its coefficients is.

    Parameters
    ----------
    weights : mapping or Series from label to weight, or array
        An array has one weight for each coefficient, in the order of `tidy`; that of the overall
        effect may be left out.
    alpha : float, optional
        One minus the level of the interval; default: that of the result.

    Returns
    -------
    Series
        The columns of `tidy` from estimate on.

    Raises
    ------
    OptionError
        A label that no coefficient has, a weight that is not a number, or the wrong number of
        weights.

    Examples
    --------
    >>> import didjack
    >>> df = didjack.datasets.load_mpdta()
    >>> res = didjack.csdid(df, "lemp", "year", "first.treat", "countyreal")
    >>> study = res.aggregate("event")
    >>> print(f"{study.lincomb({0: 0.5, 1: 0.5})['estimate']:.4f}")
    -0.0354
    >>> cohorts = res.aggregate("group")
    >>> print(f"{cohorts.lincomb({2006: 1, 2007: -1})['p_value']:.3f}")
    0.894
    """
    row = joint_tests.weights_of(weights, self._targets.index, self._targets.components.size)
    table = self._coefficients.combination(row, "lincomb", self._level(alpha))
    return table.iloc[0].rename("lincomb")


T = TypeVar("T", JointTest, PreTest)


def warn_untested(test: T) -> T:
    """Warn if a test could not be made."""
    if test.reason:
        what = "Wald test" if isinstance(test, JointTest) else "pre-test"
        warn(f"no {what}: {test.reason}", InferenceWarning)
    return test
