"""A cell of three comparisons over classes of rows goes the whole way.

Clusters are treated in period 4 or never, and some of their units are eligible. With classes of
cohort and eligibility a cell can be a triple difference. Each number is held against three fits of
one comparison each, or against brute force.
"""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from compare_with_bruteforce import draw, fast, stages
from scipy import stats

from didjack._typing import NEVER
from didjack.estimation import cells
from didjack.estimation.cells import Code, SignedComparison
from didjack.estimation.fit import Fit
from didjack.estimation.sums import SumSource
from didjack.inference.reference.working_model import Design
from didjack.results.group_time import group_time_result

pytestmark = pytest.mark.filterwarnings("ignore::didjack.DidjackWarning")

TREATED_1, TREATED_0, NEVER_1, NEVER_0 = range(4)
"""Classes: first treated in 4 and eligible, the others there; the never-treated in the same way."""

CELLS = {
    # Ortiz-Villavicencio & Sant'Anna (2025): the treated against each of the three other classes.
    "triple difference": [
        (1, TREATED_1, (TREATED_0,)),
        (1, TREATED_1, (NEVER_1,)),
        (-1, TREATED_1, (NEVER_0,)),
    ],
    "other treated rows": [
        (1, TREATED_1, (NEVER_1, NEVER_0)),
        (-1, TREATED_0, (NEVER_0,)),
        (-1, NEVER_1, (NEVER_0,)),
    ],
}
SAMPLES = {
    "panel": {},
    "panel, weights": {"weightsname": "wt", "base_period": "universal"},
    "cross sections": {"panel": False},
}
METHODS = {
    "no covariates": {"est_method": "reg"},
    "reg": {"est_method": "reg", "xformla": "~ x1"},
    "ipw": {"est_method": "ipw", "xformla": "~ x1"},
    "dr": {"est_method": "dr", "xformla": "~ x1"},
}


def data(options):
    """Rows with their class, of eight clusters."""
    shape = (0, 4, 0, 4, 4, 0, 4, 0), (29, 28, 34, 27, 30, 38, 31, 26)
    df = draw(*shape, range(1, 7), 4, options.get("panel", True))
    return df.assign(kind=np.where(df["cohort"] == 4, 0, 2) + (df["x2"] == 0))


class Planned(cells.Comparisons):
    """The comparisons of the one class that an effect is asked for of."""

    wanted = ()

    def of_class(self, g, latest):
        return self.wanted if g == TREATED_1 else ()


@pytest.fixture(params=CELLS)
def wanted(request, monkeypatch):
    found = tuple(SignedComparison(*one) for one in CELLS[request.param])
    monkeypatch.setattr(Planned, "wanted", found)
    monkeypatch.setattr(cells, "Comparisons", Planned)
    return found


def fit_of_classes(df, **options):
    """Fit with classes in the place of cohorts, each of which has the cohort that it belongs to."""
    checked, clean, source = stages(
        df.assign(cohort=df["kind"].map({0: 4, 1: 5, 2: 6, 3: 0})), **options
    )
    cohorts = np.array([4, 4, NEVER, NEVER])
    rows = replace(source.rows, layout=replace(source.layout, cohorts=cohorts))
    return Fit.from_source(SumSource(rows, jackknife=False), checked, clean.ledger)


def apart(df, wanted, monkeypatch, **options):
    """Fit each comparison with its own rows; yield its sign and result."""
    with monkeypatch.context() as usual:
        usual.setattr(cells, "Comparisons", Planned.__base__)
        for sign, treated, others, _ in wanted:
            own = df[df["kind"].isin((treated, *others))]
            cohort = np.where(own["kind"] == treated, 4, 0)
            yield sign, fast(own.assign(cohort=cohort), **options)


def everywhere(table, clusters, fill):
    """Rows of all clusters; those that a fit does not have change nothing."""
    return table.reindex(clusters).fillna(fill).to_numpy()


@pytest.fixture(params=SAMPLES)
def sample(request):
    return SAMPLES[request.param]


@pytest.mark.thin(5)
@pytest.mark.parametrize("method", METHODS)
def test_estimates_and_errors_are_sums(method, sample, wanted, monkeypatch):
    options = sample | METHODS[method]
    df = data(options)
    result = group_time_result(fit_of_classes(df, **options))
    clusters = result.replicates().index
    estimate, replicates, influence = 0.0, 0.0, 0.0
    for sign, one in apart(df, wanted, monkeypatch, **options):
        own = one.tidy()["estimate"]
        estimate += sign * own.to_numpy()
        replicates += sign * everywhere(
            one.replicates(), clusters, own.set_axis(one.replicates().columns)
        )
        fit = one._fit.under(vcov="analytic")
        psi = pd.DataFrame(fit.influence, one.replicates().index)
        influence += sign * everywhere(psi, clusters, 0.0)
    close = {"rtol": 1e-9, "atol": 1e-10}
    np.testing.assert_allclose(result.tidy()["estimate"], estimate, **close)
    np.testing.assert_allclose(result.replicates(), replicates, **close)
    moving = ~result._targets.base
    r = len(clusters)
    jackknife = np.sqrt((r - 1) / r * ((replicates - estimate) ** 2).sum(axis=0))
    np.testing.assert_allclose(result.tidy()["std_error"][moving], jackknife[moving], **close)
    fit = result._fit.under(vcov="analytic")
    np.testing.assert_allclose(fit.influence, influence, **close)
    analytic = np.sqrt((influence**2).sum(axis=0))
    table = group_time_result(fit).tidy()
    np.testing.assert_allclose(table["std_error"][moving], analytic[moving], **close)
    event = result.aggregate("event")  # one cohort: its cells by another name
    np.testing.assert_allclose(event.tidy()["estimate"], estimate, **close)
    assert set(result.tidy()["status"]) <= {"ok", "base"}
    printed = [float(word) for word in re.findall(r"-?\d+\.\d+", str(result.summary()))]
    assert np.abs(np.subtract.outer(estimate, printed)).min(axis=1).max() < 0.005


def dense(loadings, clusters, at, n_periods):
    """Write loadings out for all clusters and periods, (R, H, T)."""
    full = np.zeros((1 + len(clusters), len(clusters), n_periods))
    own = np.zeros((loadings.beta.n_deleted + 1, at.size, n_periods))
    for q, period in enumerate(loadings.period):
        own[:, :, period] += loadings.beta.stacked[:, [q]] * loadings.weight[q]
    h = np.arange(at.size)
    own[1 + h, h] = 0.0
    full[:, at] = own[0]  # without a cluster that the fit lacks, it is as in the full sample
    full[np.ix_(1 + at, at)] = own[1:]
    return full


def test_the_reference_distribution_is_that_of_the_sum(sample, wanted, monkeypatch):
    options = sample | {"est_method": "reg", "reference": "model"}
    df = data(options)
    result = group_time_result(fit_of_classes(df, **options))
    clusters, n_periods = result.replicates().index, 6
    design, last = Design.from_fit(result._fit), len(result.tidy()) - 1
    found = dense(
        design.loadings(result._targets.shares, last), clusters, np.arange(len(clusters)), n_periods
    )
    want = 0.0
    for sign, one in apart(df, wanted, monkeypatch, **options):
        loadings = Design.from_fit(one._fit).loadings(one._targets.shares, last)
        at = clusters.get_indexer(one.replicates().index)
        want = want + sign * dense(loadings, clusters, at, n_periods)
    np.testing.assert_allclose(found, want, atol=1e-12)

    row = result.tidy().iloc[last]
    rng, moved = np.random.default_rng(0), np.abs(want).sum(axis=(0, 1)) > 0
    shocks = rng.standard_normal((100_000, len(clusters), moved.sum()))
    shocks *= np.sqrt(design.variance)[:, None]
    theta = np.einsum("bht,rht->rb", shocks, want[:, :, moved], optimize=True)
    r = len(clusters)
    t = theta[0] / np.sqrt((r - 1) / r * ((theta[1:] - theta[0]) ** 2).sum(axis=0))
    statistic = abs(row["estimate"] / row["std_error"])
    share = (np.abs(t) > statistic).mean()
    want = max(share, 2.0 * stats.t.sf(statistic, r - 1))
    assert row["p_value"] == pytest.approx(want, abs=0.01)
    statistics = np.zeros(last + 1)
    statistics[last] = statistic
    alone = result._coefficients.own_variance.reference.p_value(statistics)[last]
    assert alone == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize("wanted", ["triple difference"], indirect=True)
def test_counts_and_failures_are_those_of_all_comparisons(wanted):
    df = data({})
    table = fit_of_classes(df, est_method="reg").cells()
    units = df.drop_duplicates("id")["kind"].value_counts()
    assert (table["n_treated"] == units[TREATED_1]).all()
    assert (table["n_comparison"] == units.drop(TREATED_1).sum()).all()

    flat = df.assign(z=np.where(df["kind"] == NEVER_0, 0.0, df["x1"] ** 2))
    fit = fit_of_classes(flat, est_method="reg", xformla="~ x1 + z")
    assert set(map(str, fit.cell_status())) == {"collinear: z"}  # the last comparison alone fails
    assert np.isnan(fit.estimates.att).all()

    few = df[(df["kind"] != NEVER_1) | (df["cluster"] == 2)]
    estimates = fit_of_classes(few, est_method="reg").estimates
    lost = np.flatnonzero((estimates.code != Code.OK).any(axis=1))
    assert lost.tolist() == [1 + 2]
    assert (estimates.code[lost] == Code.NO_COMPARISON).all()
