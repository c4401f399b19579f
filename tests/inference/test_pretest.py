"""The pre-test by the largest |t|: it agrees with the band, uses all leads, and has its size."""

import numpy as np
import pytest
from scipy import stats

import didjack

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning", "ignore::didjack.DidjackWarning")

NAMES = ["y", "period", "cohort", "id"]
KINDS = {
    "CV3": {},
    "CV3J": {"vcov": "CV3J"},
    "t": {"reference": "t"},
    "analytic": {"vcov": "analytic"},
    "by unit": {"vcov": "analytic", "cluster": None},
    "bootstrap": {"vcov": "bootstrap", "n_boot": 399},
}


def panel(treated=4, seed=0, trend=0.0, **options):
    df = didjack.simulate.panel(
        n_clusters=12,
        treated_clusters=treated,
        cohorts=[5, 6] if treated > 1 else [5],
        n_periods=7,
        cluster_size=6,
        icc=0.3,
        seed=seed,
        **options,
    )
    df["y"] += trend * df["period"] * (df["cohort"] > 0)
    return df


def fit(df, **options):
    return didjack.csdid(df, *NAMES, **({"cluster": "cluster"} | options))


@pytest.mark.thin(3)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("base_period", "treated"),
    [
        ("varying", 5),
        *(
            pytest.param(base, treated, marks=pytest.mark.slow)
            for base, treated in (("varying", 1), ("varying", 2), ("universal", 5))
        ),
    ],
)
def test_it_rejects_where_the_band_of_a_lead_excludes_zero(kind, base_period, treated):
    rejected = 0
    for seed, trend in enumerate((0.0, 0.4, 1.0)):
        df = panel(treated, seed, trend)
        study = fit(df, base_period=base_period, **KINDS[kind]).aggregate("event")
        leads = fit(df, base_period=base_period, **KINDS[kind]).aggregate("event", max_e=-1)
        for alpha in (0.01, 0.05, 0.1, 0.3):
            test = study.with_options(alpha=alpha).pretest()
            if test.reason:
                assert np.isnan(test.p_value)
                continue
            band = leads.confint(alpha, joint=True).drop("overall", errors="ignore").dropna()
            excludes = ((band["conf_low"] > 0) | (band["conf_high"] < 0)).any()
            assert (test.p_value < alpha) == excludes
            assert (test.statistic > test.critical_value) == excludes
            largest = np.abs(band[["conf_low", "conf_high"]].to_numpy()).max()
            assert test.largest_violation == pytest.approx(largest)
            rejected += excludes
    assert rejected or treated == 1


@pytest.mark.parametrize("kind", KINDS)
def test_statistic_and_lead_are_found_in_the_table(kind):
    result = fit(panel(5, trend=0.5), **KINDS[kind])
    study = result.aggregate("event")
    test, table = study.pretest(), study.tidy().set_index("event_time")
    leads = table[table.index < 0]
    assert test.n_tested == test.n_leads == len(leads)
    assert test.statistic == abs(leads["statistic"][test.lead])
    assert test.p_value >= leads["p_value"].min()
    one = result.pretest()
    assert one.lead in result.tidy().set_index(["group", "time"]).index
    row = result.tidy().set_index(["group", "time"]).loc[one.lead]
    assert one.statistic == abs(row["statistic"])
    assert (one.df_num, one.df_denom) == (None, None)
    assert "df" not in repr(one)


def test_all_leads_count():
    """Leads that F leaves out as redundant are tested like the others."""
    df = didjack.simulate.panel(
        n_clusters=12, treated_clusters=6, cohorts=[8, 10], n_periods=12, cluster_size=5, seed=1
    )
    calm = fit(df).pretest()
    assert calm.n_tested == calm.n_leads == 14
    assert calm.left_out == ()
    for cohort, period in ((8, 3), (10, 9)):
        changed = df.copy()
        at = (changed["cohort"] == cohort) & (changed["period"] == period)
        changed.loc[at, "y"] += 100.0
        loud = fit(changed).pretest()
        assert loud.p_value < 0.01
        assert loud.largest_violation > 90.0
        assert loud.lead[0] == cohort


def test_leads_without_a_standard_error_are_left_out_and_named():
    df = panel(4)
    df.loc[df["period"] <= 2, "y"] = 1.0
    result = fit(df)
    test = result.pretest()
    assert set(test.left_out) == {(5, 2), (6, 2)}
    assert test.left_out_reasons == ("no standard error",) * 2
    assert (test.n_tested, test.n_leads) == (5, 7)
    with pytest.warns(didjack.InferenceWarning, match="no pre-test: 2 coefficients without"):
        assert result.pretest(missing="nan").reason


def test_one_lead_is_its_own_test():
    study = fit(panel(4, trend=0.2)).aggregate("event", min_e=-1, max_e=2)
    test, row = study.pretest(), study.tidy().set_index("event_time").loc[-1]
    assert test.p_value == pytest.approx(row["p_value"], rel=1e-12)
    margin = (row["conf_high"] - row["conf_low"]) / 2
    assert test.critical_value == pytest.approx(margin / row["std_error"])


def test_wald_has_the_critical_value_of_its_draws():
    for seed in range(6):
        result = fit(panel(5, seed, trend=0.2 * seed))
        for alpha in (0.05, 0.2, 0.5):
            test = result.with_options(alpha=alpha).pretest("wald")
            assert (test.p_value < alpha) == (test.statistic > test.critical_value)
            assert (test.df_num, test.df_denom, test.lead) == (None, None, None)
    test = fit(panel(5), reference="t").pretest("wald")
    assert test.critical_value == pytest.approx(stats.f.isf(0.05, test.df_num, test.df_denom))
    test = fit(panel(5), vcov="analytic", cluster=None).pretest("wald")
    chi2 = stats.chi2.isf(0.05, test.df_num) / test.df_num
    assert test.critical_value == pytest.approx(chi2)


def test_a_statistic_that_does_not_exist():
    with pytest.raises(didjack.OptionError, match=r"statistic must be .*'max', 'wald'"):
        fit(panel()).pretest("F")


@pytest.mark.slow
@pytest.mark.parametrize("treated", [2, 6])
def test_true_nulls_are_rejected_in_five_percent(treated):
    rejected = sum(
        fit(panel(treated, seed), est_method="reg").pretest().p_value < 0.05 for seed in range(120)
    )
    assert 1 <= rejected <= 14  # 6 are expected, with a standard error of 2.4


@pytest.mark.parametrize("kind", ["CV3", "CV3J", "bootstrap"])
def test_levels_that_draws_are_too_few_for(kind):
    """P-values from B draws are at least 1 / (B + 1): nothing is significant at a level below."""
    study = fit(panel(trend=5.0), **KINDS[kind]).aggregate("event")
    n_draws = study.confint(joint=True).attrs["n_draws"]
    smallest = 1.0 / (n_draws + 1.0)
    enough, few = study.with_options(alpha=1.5 * smallest), study.with_options(alpha=smallest)
    for statistic in ("max", "wald") if kind != "bootstrap" else ("max",):
        test, none = (one.pretest(statistic) for one in (enough, few))
        assert test.p_value == none.p_value >= smallest
        assert np.isfinite([test.critical_value, test.largest_violation]).all()
        assert none.critical_value == none.largest_violation == np.inf
    assert "alpha is too small for a test from draws" in " ".join(str(few.summary()).split())
    assert np.isfinite(enough.confint(joint=True)).all(axis=None)
    for band in (
        lambda: few.confint(joint=True),
        lambda: few.tidy(joint=True),
        lambda: study.plot(alpha=smallest),
    ):
        with pytest.raises(didjack.OptionError, match=f"from {n_draws:,} draws.* joint=False"):
            band()
    assert np.isfinite(few.confint()).all(axis=None)


@pytest.mark.parametrize("kind", ["t", "analytic"])
def test_levels_of_bands_that_are_not_counted_from_draws(kind):
    study = fit(panel(), **KINDS[kind]).aggregate("event")
    values = [
        study.confint(alpha, joint=True).attrs["critical_value"] for alpha in (1e-4, 1e-5, 1e-6)
    ]
    assert np.isfinite(values).all()
    assert values == sorted(set(values))
