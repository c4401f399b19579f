"""Randomisation and placebo tests as users see them: arguments checked, results as Series."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, get_args

import numpy as np
import pandas as pd

from didjack.errors import DataError, InferenceWarning, OptionError, warn
from didjack.estimation.fit import Fit
from didjack.inference.permutation.permuted import Overall, one_cohort_each, strata_codes
from didjack.inference.permutation.placebo import PlaceboTest, placebo_test
from didjack.inference.permutation.randomization import (
    MOST_UNDEFINED,
    Draws,
    RandomizationTest,
    Statistic,
    randomization_test,
)
from didjack.inference.reference.working_model import Design
from didjack.options import MOST_SEED, check_count, check_listed
from didjack.wording import brief, plural

MOST_PERMUTATIONS = 1_000_000


def draws(fit: Fit, n_permutations: int, seed: int, strata: Any) -> Draws:
    """Check how assignments are to be drawn."""
    n_permutations = check_count("n_permutations", n_permutations, 1, MOST_PERMUTATIONS)
    seed = check_count("seed", seed, 0, MOST_SEED)
    cohort = one_cohort_each(fit, "randomization_test()")
    code = np.zeros(cohort.size, dtype=np.int64)
    there = cohort >= 0
    code[there] = strata_codes(strata, fit.layout.cluster_labels[there])
    return Draws(cohort, code, n_permutations, seed)


def randomization(
    fit: Fit, overall: Overall, drawn: Draws, statistic: Statistic, null: float
) -> pd.Series:
    """Run a randomisation test, and warn of what its p-value cannot be."""
    check_listed("statistic", statistic, get_args(Statistic))
    number = isinstance(null, (int, float, np.integer, np.floating)) and not isinstance(null, bool)
    if not number or not np.isfinite(null):
        raise OptionError(f"null={brief(null)} is not allowed; it must be a finite number")
    test = randomization_test(fit, overall, drawn, statistic, float(null))
    _warn_of_failures(test)
    _warn_of_few("randomization_test()", plural(test.n_assignments, "assignment"), test, fit)
    return pd.Series(
        {
            "estimate": test.estimate,
            "statistic": test.statistic,
            "p_value": test.p_value,
            "conf_low": test.low,
            "conf_high": test.high,
            "smallest_p": test.smallest_p,
            "n_assignments": test.n_assignments,
            "n_failed": test.n_failed,
        },
        dtype=object,
        name="randomization",
    )


def placebos(fit: Fit, overall: Overall) -> PlaceboTest:
    """Run a placebo test."""
    v = Design.of(fit).variance
    return placebo_test(fit, overall, one_cohort_each(fit, "placebo_test()"), v)


def placebo(fit: Fit, test: PlaceboTest) -> pd.Series:
    """Tabulate a placebo test, and warn of what its p-value cannot be."""
    _warn_of_few("placebo_test()", plural(test.placebos.size, "placebo"), test, fit)
    table = pd.Series(
        {
            "estimate": test.estimate,
            "statistic": test.estimate,
            "p_value": test.p_value,
            "conf_low": test.estimate - test.margin,
            "conf_high": test.estimate + test.margin,
            "smallest_p": test.smallest_p,
            "n_placebos": test.placebos.size,
            "n_failed": test.n_failed,
        },
        dtype=object,
        name="placebo",
    )
    # Not a Series: pandas compares attrs when it puts tables together.
    table.attrs["placebos"] = dict(zip(test.clusters, test.placebos.tolist(), strict=True))
    return table


def rows_to_compare(fit: Fit, overall: Overall, n_permutations: int) -> dict[str, pd.Series]:
    """Run the tests that can be had of the overall ATT, as rows of a comparison of errors."""
    found: dict[str, pd.Series] = {}
    with suppress(OptionError):  # without clusters there is nothing to permute
        fit = fit.under(vcov="CV3")
    if n_permutations:
        with suppress(DataError, OptionError):  # there is no such test here, as these say
            drawn = draws(fit, n_permutations, fit.options.inference.seed, None)
            test = randomization_test(fit, overall, drawn, "t", 0.0)
            found["randomization"] = _row(test, test.statistic, test.low, test.high)
    with suppress(DataError, OptionError):
        placebo = placebos(fit, overall)
        ends = placebo.estimate - placebo.margin, placebo.estimate + placebo.margin
        found["placebo"] = _row(placebo, placebo.estimate, *ends)
    return found


def _row(
    test: RandomizationTest | PlaceboTest, statistic: float, low: float, high: float
) -> pd.Series:
    values = {"estimate": test.estimate, "statistic": statistic, "p_value": test.p_value}
    return pd.Series(values | {"conf_low": low, "conf_high": high})


def _warn_of_few(what: str, number: str, test: RandomizationTest | PlaceboTest, fit: Fit) -> None:
    """Warn where the test can never reject."""
    alpha, smallest = fit.options.inference.alpha, test.smallest_p
    if smallest > alpha:
        warn(
            f"{what} has {number}: the smallest p-value there can be is {smallest:.3g}, so it "
            f"never rejects at {alpha:g}, and its interval is wide or infinite",
            InferenceWarning,
        )


def _warn_of_failures(test: RandomizationTest) -> None:
    """Warn where too many assignments have no statistic."""
    if np.isnan(test.p_value):
        total = test.n_assignments + test.n_failed
        warn(
            f"no p-value: {test.n_failed} of {total} assignments have no statistic, more than "
            f"{MOST_UNDEFINED:.0%}: the effect, or a replicate of it, cannot be estimated in "
            "them; statistic='estimate' needs no replicates",
            InferenceWarning,
        )
