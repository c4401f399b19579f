"""Randomization and placebo tests of the overall ATT: methods of `Result`."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, get_args

import numpy as np
import pandas as pd

from didjack.errors import DataError, InferenceWarning, OptionError, warn
from didjack.estimation.fit import Fit
from didjack.inference.permutation import placebo, randomization
from didjack.inference.permutation.permuted import (
    Overall,
    Permutable,
    one_cohort_each,
    strata_codes,
)
from didjack.inference.permutation.placebo import PlaceboTest
from didjack.inference.permutation.randomization import (
    MOST_UNDEFINED,
    Draws,
    RandomizationTest,
    Statistic,
)
from didjack.inference.reference.working_model import Design
from didjack.options import MOST_SEED, check_count, check_listed, must_be, validate_keywords
from didjack.results.base import BaseResult
from didjack.wording import plural

MOST_PERMUTATIONS = 1_000_000


def draws(fit: Fit, overall: Permutable, n_permutations: int, seed: int, strata: Any) -> Draws:
    """Check how assignments are to be drawn."""
    n_permutations = check_count("n_permutations", n_permutations, 1, MOST_PERMUTATIONS)
    seed = check_count("seed", seed, 0, MOST_SEED)
    cohort = one_cohort_each(fit, "randomization_test()")
    code = np.zeros(cohort.size, dtype=np.int64)
    there = cohort >= 0
    code[there] = strata_codes(strata, fit.layout.cluster_labels[there])
    alike = overall.exchangeable(fit)
    code = code * (1 + int(alike.max(initial=0))) + alike
    return Draws(cohort, code, n_permutations, seed)


def placebos(fit: Fit, overall: Permutable) -> PlaceboTest:
    """Run a placebo test."""
    if not isinstance(overall, Overall):
        raise OptionError(
            "placebo_test() is of one result, not of a difference: use randomization_test(), or "
            "test each of the two"
        )
    v = Design.from_fit(fit).total
    return placebo.placebo_test(fit, overall, one_cohort_each(fit, "placebo_test()"), v)


def rows_to_compare(fit: Fit, overall: Permutable, n_permutations: int) -> dict[str, pd.Series]:
    """Run the tests that can be had of the overall ATT, as rows of a comparison of errors."""
    found: dict[str, pd.Series] = {}
    with suppress(OptionError):  # without clusters there is nothing to permute
        fit = fit.under(vcov="CV3")
    if n_permutations:
        with suppress(DataError, OptionError):  # there is no such test here, as these say
            drawn = draws(fit, overall, n_permutations, fit.options.inference.seed, None)
            test = randomization.randomization_test(fit, overall, drawn, "t", 0.0)
            found["randomization"] = _row(test)
    with suppress(DataError, OptionError):
        found["placebo"] = _row(placebos(fit, overall))
    return found


def _row(test: RandomizationTest | PlaceboTest) -> pd.Series:
    names = ["estimate", "statistic", "p_value", "conf_low", "conf_high"]
    return pd.Series({name: test[name] for name in names})


def _warn_of_few(what: str, number: str, test: RandomizationTest | PlaceboTest, fit: Fit) -> None:
    """Warn where the test can never reject."""
    alpha, smallest = fit.options.inference.alpha, test.smallest_p
    if smallest > alpha:
        warn(
            f"{what} has {number}: the smallest possible p-value is {smallest:.3g}, so it "
            f"never rejects at {alpha:g}, and its interval is wide or infinite",
            InferenceWarning,
        )


def _warn_of_failures(test: RandomizationTest) -> None:
    """Warn where too many assignments have no statistic."""
    if np.isnan(test.p_value):
        total = test.n_assignments + test.n_failed
        warn(
            f"no p-value: {test.n_failed} of {total} assignments have no statistic, more than "
            f"{MOST_UNDEFINED:.0%}: a jackknife replicate of the effect cannot be estimated; "
            "statistic='estimate' needs no replicates",
            InferenceWarning,
        )


@validate_keywords
def randomization_test(
    self: BaseResult,
    statistic: Statistic = "t",
    n_permutations: int = 999,
    seed: int = 0,
    strata: Any = None,
    null: float = 0.0,
    alpha: float | None = None,
) -> RandomizationTest:
    r"""Test the overall ATT by reassigning cohorts to other clusters.

    Each assignment is estimated again with the same options, including all jackknife replicates.
    The p-value is the share of assignments, including the actual one, whose statistic is at least
    as large in absolute value. It is exact if the effect is the same constant in all treated
    unit-periods and clusters are exchangeable. With "t" it is approximately valid if clusters
    differ somewhat.

    Parameters
    ----------
    statistic : {"t", "estimate"}
        The t statistic with the cluster-jackknife standard error (CV3, or CV3J if the result uses
        it), or the estimate itself. With one treated cluster there is no t statistic.
    n_permutations : int
        All distinct assignments are used if there are at most one more than this, otherwise
        the actual one and this many random ones.
    seed : int
        Seed of the random assignments.
    strata : mapping or Series, optional
        Stratum of each cluster, by its label: cohorts are reassigned within strata only. A
        Series may name a cluster several times: ``df.set_index("state")["region"]``.
    null : float
        The effect that is tested.
    alpha : float, optional
        One minus the level of the interval; default: that of the result.

    Returns
    -------
    RandomizationTest
        Fields: estimate; statistic; p_value, NaN if more than 5% of the assignments have no
        statistic; conf_low and conf_high, the ends of the effects that are not rejected, which
        may be infinite; smallest_p, the smallest possible p-value; n_assignments, those with a
        statistic; n_failed, those without.

    Raises
    ------
    DataError
        A cluster has several cohorts or strata, or there is only one assignment.
    OptionError
        An argument is invalid, or there is no t statistic.

    Warns
    -----
    InferenceWarning
        There are too few assignments to reject, or no p-value.

    References
    ----------
    MacKinnon & Webb (2020), Randomization inference for difference-in-differences with few
    treated clusters, J. Econometrics 218, doi:10.1016/j.jeconom.2020.04.024.

    Examples
    --------
    >>> import didjack
    >>> df = didjack.datasets.load_mpdta()
    >>> res = didjack.csdid(
    ...     df, "lemp", "year", "first.treat", "countyreal", cluster="state"
    ... )
    >>> test = res.aggregate("group").randomization_test(n_permutations=99)
    >>> print(f"t = {test['statistic']:.2f}, p = {test['p_value']:.2f}")
    t = -2.46, p = 0.01
    """
    fit = self._fit.under(alpha=self._level(alpha))
    drawn = draws(fit, self._overall, n_permutations, seed, strata)
    check_listed("statistic", statistic, get_args(Statistic))
    number = isinstance(null, (int, float, np.integer, np.floating)) and not isinstance(null, bool)
    if not number or not np.isfinite(null):
        raise must_be("null", "a finite number", null)
    test = randomization.randomization_test(fit, self._overall, drawn, statistic, float(null))
    _warn_of_failures(test)
    _warn_of_few("randomization_test()", plural(test.n_assignments, "assignment"), test, fit)
    return test


@validate_keywords
def placebo_test(self: BaseResult, alpha: float | None = None) -> PlaceboTest:
    r"""Test the overall ATT of one treated cluster by placebo estimates.

    The treated cluster is left out, and its cohort is assigned to each never-treated cluster in
    turn. The placebo estimates are then estimates without any effect. The p-value is the share of
    placebo estimates, including the actual estimate, that are at least as large in absolute value.
    Placebo estimates are scaled by :math:`\sqrt{v(n) / v(n_j)}`, the ratio of the standard
    deviations of the errors in the treated cluster, of size n, and in placebo cluster j. A working
    model of these is fitted to untreated rows.

    The test assumes that the errors of the treated cluster have the same distribution as those of
    the others, up to its size. No test can verify that.

    Parameters
    ----------
    alpha : float, optional
        One minus the level of the interval; default: that of the result.

    Returns
    -------
    PlaceboTest
        Fields: estimate; statistic, the same; p_value; conf_low and conf_high, the estimate and the
        m-th largest placebo, m the whole part of alpha (C + 1) with C placebos, infinite if
        m = 0; smallest_p, 1 / (C + 1); n_placebos, C; n_failed, clusters without a placebo.
        placebos has them by cluster; ``plot(kind="placebo")`` draws them.

    Raises
    ------
    OptionError
        Not exactly one cluster is treated.
    DataError
        A cluster has several cohorts.

    Warns
    -----
    InferenceWarning
        There are too few placebos to reject.

    References
    ----------
    Conley & Taber (2011), Inference with "difference in differences" with a small number of
    policy changes, Rev. Economics and Statistics 93, doi:10.1162/REST_a_00049. Ferman & Pinto
    (2019), Inference in differences-in-differences with few treated groups and
    heteroskedasticity, Rev. Economics and Statistics 101, doi:10.1162/rest_a_00759.

    Examples
    --------
    Without the states that raised their minimum wage later, one treated state is left:

    >>> import didjack
    >>> df = didjack.datasets.load_mpdta()
    >>> early = df[df["first.treat"] < 2005]
    >>> res = didjack.csdid(
    ...     early, "lemp", "year", "first.treat", "countyreal", cluster="state", alpha=0.1
    ... )
    >>> test = res.aggregate("simple").placebo_test()
    >>> test["n_placebos"], round(test["p_value"], 3), round(test["smallest_p"], 3)
    (16, 0.235, 0.059)
    """
    fit = self._fit.under(alpha=self._level(alpha))
    test = placebos(fit, self._overall)
    _warn_of_few("placebo_test()", plural(test.n_placebos, "placebo"), test, fit)
    return test
