"""An estimator is one class: what has to be in it, and that it then goes the whole way."""

from typing import get_args

import bruteforce as bf
import matplotlib.pyplot as plt
import numpy as np
import pytest
from compare_with_bruteforce import draw, fast, lose_rows

import didjack
from didjack.estimation.estimators import (
    ESTIMATORS,
    Derivatives,
    Estimator,
    OutcomeRegression,
    of_comparison,
    predict,
)
from didjack.options import EstMethod

pytestmark = pytest.mark.filterwarnings("ignore::didjack.DidjackWarning")


class OwnMeans(Estimator):
    """Outcome regression that predicts each period at the covariate mean of its own rows.

    On a panel it is "reg"; in cross sections it is the mean residual of the treated rows.
    """

    name = "own"
    words = "outcome regression, own means"
    short = "own"
    has_logit = False

    def regressions(self, comparison):
        return of_comparison(comparison)

    def contrast(self, side):
        return side.own_y - predict(side.own_x, side.beta)

    def derivatives(self, point):
        none = np.zeros(point.beta.size)
        return Derivatives(-point.sign * point.beta, none, -point.sign * point.own_x, none)


@pytest.fixture
def own():
    with ESTIMATORS.temporarily(OwnMeans()) as estimator:
        yield estimator


def data(panel):
    return draw((0, 4, 0, 5, 4, 0, 5), (9, 8, 14, 7, 10, 8, 11), range(1, 6), 4, panel)


def by_hand(df, g, t, base):
    """The toy estimator of one ATT(g,t), with numpy alone."""
    contrasts = []
    for period in (t, base):
        now = df[df["period"] == period]
        treated, never = now[now["cohort"] == g], now[now["cohort"] == 0]
        x, z = (np.column_stack([np.ones(len(part)), part["x1"]]) for part in (never, treated))
        w = never["w"].to_numpy()
        beta = np.linalg.solve((x * w[:, None]).T @ x, (x * w[:, None]).T @ never["y"])
        contrasts.append(np.average(treated["y"] - z @ beta, weights=treated["w"]))
    return contrasts[0] - contrasts[1]


OPTIONS = {"xformla": "~ x1", "weightsname": "w"}


def test_a_new_estimator_in_all_replicates(own):
    df = data(panel=False)
    result = fast(df, panel=False, est_method="own", **OPTIONS)
    cells = result.cells.set_index(["group", "time"])
    replicates = result.replicates()
    for (g, t), base in cells["base_period"].items():
        assert cells.loc[(g, t), "estimate"] == pytest.approx(by_hand(df, g, t, base), rel=1e-10)
        for h in replicates.index:
            want = by_hand(df[df["cluster"] != h], g, t, base)
            assert replicates.loc[h, (g, t)] == pytest.approx(want, rel=1e-9)
    error, _ = bf.cv3(cells["estimate"].iloc[0], replicates.iloc[:, 0].to_numpy())
    assert result.tidy()["std_error"].iloc[0] == pytest.approx(error, rel=1e-10)


def test_its_analytic_errors_are_those_of_its_derivative(own):
    df, step = data(panel=False), 1e-5
    result = fast(df, panel=False, est_method="own", vcov="analytic", **OPTIONS)
    g, t, base = result.cells[["group", "time", "base_period"]].iloc[0]
    psi = []
    for h in np.unique(df["cluster"]):
        sides = [
            df.assign(w=np.where(df["cluster"] == h, df["w"] * (1 + sign * step), df["w"]))
            for sign in (1, -1)
        ]
        up, down = (by_hand(moved, g, t, base) for moved in sides)
        psi.append((up - down) / (2 * step))
    want = np.sqrt(np.sum(np.square(psi)))
    assert result.tidy()["std_error"].iloc[0] == pytest.approx(want, rel=1e-6)


def test_on_a_panel_it_is_outcome_regression(own):
    df = data(panel=True)
    one, other = (fast(df, est_method=method, **OPTIONS) for method in ("own", "reg"))
    np.testing.assert_allclose(one.replicates(), other.replicates(), rtol=1e-12)
    np.testing.assert_allclose(one.vcov("analytic"), other.vcov("analytic"), rtol=1e-10)


def test_it_goes_the_whole_way(own):
    df = lose_rows(data(panel=True))
    result = fast(df, est_method="own", allow_unbalanced_panel=True, **OPTIONS)
    study = result.aggregate("event")
    assert np.isfinite(study.tidy()[["estimate", "std_error"]]).all(axis=None)
    assert np.isfinite(study.overall["std_error"])
    assert own.words in str(study.summary())
    assert study.glance()["est_method"].tolist() == ["own"]
    study.plot()
    plt.close("all")


def test_unknown_names_are_refused_and_known_ones_listed(own):
    with pytest.raises(didjack.OptionError, match="'dr', 'ipw', 'reg', 'own'"):
        fast(data(panel=True), est_method="owl2")


def test_without_registration_there_is_none():
    with pytest.raises(didjack.OptionError, match=r"est_method must be .* got 'own'"):
        fast(data(panel=True), est_method="own")


def test_every_name_is_registered():
    assert tuple(ESTIMATORS) == get_args(EstMethod)


@pytest.mark.parametrize("missing", ["regressions", "contrast", "derivatives"])
def test_an_estimator_without_a_part_cannot_be_made(missing):
    parts = {name: vars(OwnMeans)[name] for name in ("regressions", "contrast", "derivatives")}
    parts |= {"name": "own", "words": "own", "short": "own", "has_logit": False}
    del parts[missing]
    incomplete = type("Incomplete", (Estimator,), parts)
    with pytest.raises(TypeError, match=missing):
        ESTIMATORS.register(incomplete())


@pytest.mark.parametrize("missing", ["name", "words", "short", "has_logit"])
def test_an_estimator_that_does_not_say_what_it_is_cannot_be_registered(missing):
    parts = {name: value for name, value in vars(OwnMeans).items() if name != missing}
    incomplete = type("Incomplete", (Estimator,), parts)
    with pytest.raises(TypeError, match=missing):
        ESTIMATORS.register(incomplete())
    assert "own" not in ESTIMATORS


def test_a_name_is_registered_once():
    with pytest.raises(ValueError, match="'reg'"):
        ESTIMATORS.register(OutcomeRegression())
