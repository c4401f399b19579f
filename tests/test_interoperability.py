"""Results in other packages: sensitivity analyses, tables, pyfixest, data frames, files, pickles.

The page docs/interoperability.md shows the same; what it prints is tested by tests/test_docs.py.
"""

import io
import pickle

import maketables
import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pytest

import didjack

# One state holds the cohort of 2004, and what follows from that has tests of its own.
pytestmark = pytest.mark.filterwarnings("ignore::didjack.InferenceWarning")

NAMES = {"yname": "lemp", "tname": "year", "gname": "first.treat", "idname": "countyreal"}
NOT_INSTALLED = "the extra 'interop' is not installed"


def fit(df=None, **options):
    df = didjack.datasets.load_mpdta() if df is None else df
    return didjack.csdid(df, **NAMES, **({"cluster": "state"} | options))


@pytest.fixture(scope="module")
def by_state():
    return fit()


# ---- HonestDiD ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sensitivity():
    pytest.importorskip("cvxpy", reason=NOT_INSTALLED)
    return pytest.importorskip("moderndid.didhonest", reason=NOT_INSTALLED)


@pytest.fixture(scope="module")
def medicaid(sensitivity):
    """The data of the R package's README: Medicaid and insurance coverage in 43 states."""
    import moderndid

    states = moderndid.load_ehec().to_pandas()
    return states[(states["year"] < 2016) & (states["yexp2"] != 2015)]


def medicaid_study(states, base_period="universal"):
    names = {"yname": "dins", "tname": "year", "gname": "yexp2", "idname": "stfips"}
    result = didjack.csdid(states, **names, base_period=base_period, vcov="analytic")
    return result.aggregate("event")


@pytest.fixture(scope="module")
def published(medicaid):
    """The example of that README.

    Its covariance is that of `fixest`, which multiplies the analytic one by a number.
    """
    states, inputs = medicaid, medicaid_study(medicaid).honest_inputs()
    n, h, k = len(states), states["stfips"].nunique(), inputs.betahat.size + 8
    sigma = inputs.sigma * h / (h - 1) * (n - 1) / (n - k)
    return inputs.betahat, sigma, inputs.num_pre, inputs.num_post


def test_the_published_sets_under_smoothness(sensitivity, published):
    sets = sensitivity.create_sensitivity_results_sm(*published, m_vec=[0.0, 0.01, 0.02, 0.05])
    expected = [[0.0259, 0.0607], [0.0132, 0.0787], [0.00286, 0.0907], [-0.0271, 0.121]]
    np.testing.assert_allclose(sets[["lb", "ub"]].to_numpy(), expected, atol=3e-4)


@pytest.mark.slow
def test_the_published_set_under_relative_magnitudes(sensitivity, published):
    grid = {"grid_points": 201, "grid_lb": -0.01, "grid_ub": 0.1}
    sets = sensitivity.create_sensitivity_results_rm(*published, m_bar_vec=[2.0], **grid)
    # As far as the grid, and the simulated critical values of both programs, go.
    np.testing.assert_allclose(sets[["lb", "ub"]].to_numpy(), [[-0.000916, 0.0881]], atol=6e-4)


@pytest.mark.parametrize("base_period", ["universal", "varying"])
def test_our_intervals_in_the_published_example(medicaid, base_period):
    """They hold what HonestDiD's conditional tests find, and are 7 to 10 percent wider."""
    study = medicaid_study(medicaid, base_period)
    assert medicaid["stfips"].nunique() == 43
    found = study.trend_sensitivity(m=[0.0, 0.5, 1.0, 2.0])
    rows = found.table[found.table["target"] == 0].set_index("m")[["conf_low", "conf_high"]]
    expected = [[0.022, 0.069], [0.014, 0.074], [-0.005, 0.092]]
    np.testing.assert_allclose(rows.loc[[0.5, 1.0, 2.0]], expected, rtol=0, atol=0.5e-3)
    honest = np.array([[0.024, 0.067], [0.017, 0.072], [-0.001, 0.088]])
    assert (rows.loc[[0.5, 1.0, 2.0], "conf_low"] < honest[:, 0]).all()
    assert (rows.loc[[0.5, 1.0, 2.0], "conf_high"] > honest[:, 1]).all()
    np.testing.assert_allclose(rows.loc[0.0], study.confint().loc[0], rtol=1e-12)
    assert 1.0 < found.breakdown[0] < 2.0


def test_without_violations_the_scaled_covariance_gives_our_interval(sensitivity):
    study = fit(base_period="universal").aggregate("event", max_e=1)
    inputs = study.honest_inputs(critical_values="own")
    arguments = inputs.betahat, inputs.sigma, inputs.num_pre, inputs.num_post
    original = sensitivity.construct_original_cs(*arguments)
    own = study.confint().loc[0].to_numpy()
    np.testing.assert_allclose([original.lb, original.ub], own, rtol=1e-9)


# ---- maketables ---------------------------------------------------------------------------------


def test_maketables_puts_results_side_by_side(by_state):
    group, event = by_state.aggregate("group"), by_state.aggregate("event")
    table = maketables.ETable([group, event])
    rows = table.df.droplevel(0)
    assert rows.shape == (15, 2)
    overall = group.overall
    cell = rows.loc["overall ATT"].iloc[0]
    assert f"{overall['estimate']:.3f}**" in cell  # p is below 0.05
    assert f"({overall['std_error']:.3f})" in cell
    assert rows.loc["Standard errors"].tolist() == ["CV3, by state"] * 2
    assert rows.loc["cohort 2004"].iloc[1] == ""
    tex = table.make("tex")
    assert "cohort 2004 & \\makecell" in tex
    assert "event time -3" in table.make("html")


# ---- pyfixest -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def saturated():
    pyfixest = pytest.importorskip("pyfixest", reason=NOT_INSTALLED)
    columns = dict(zip(("yname", "tname", "gname", "idname"), NAMES.values(), strict=True))
    df = didjack.datasets.load_mpdta()
    return pyfixest.event_study(df, **columns, cluster="state", estimator="saturated", att=False)


def test_pyfixest_saturated_is_universal_and_never_treated(saturated):
    result = fit(base_period="universal", vcov="analytic")
    study = result.aggregate("event").tidy().set_index("event_time").drop(-1)
    theirs = saturated.aggregate()
    assert theirs.index.tolist() == study.index.tolist()
    np.testing.assert_allclose(theirs["Estimate"].astype(float), study["estimate"], atol=1e-9)
    cells = result.tidy()
    cells = cells[cells["status"] != "base"]
    lead = cells["time"] - cells["group"]
    label = [
        f"rel_time::{float(e)}:first_treated_period::{g}"
        for e, g in zip(lead, cells["group"], strict=True)
    ]
    theirs = saturated.tidy().loc[label]
    np.testing.assert_allclose(theirs["Estimate"], cells["estimate"], atol=1e-9)
    # One number between the standard errors of all cells: that of small samples.
    ratio = theirs["Std. Error"].to_numpy() / cells["std_error"].to_numpy()
    n, h = 2500, 29
    expected = np.sqrt(h / (h - 1) * (n - 1) / (n - cells.shape[0] - 5))
    np.testing.assert_allclose(ratio, expected, rtol=1e-6)


def test_pyfixest_tests_cells_with_the_normal_or_many_degrees_of_freedom(saturated):
    ours = fit(base_period="universal").aggregate("event").tidy().set_index("event_time")
    theirs = saturated.aggregate().astype(float)
    assert theirs.loc[2, "Pr(>|t|)"] < 1e-6 < 0.1 < ours.loc[2, "p_value"]


def test_pyfixest_crv3_is_our_cv3_but_for_a_factor():
    pyfixest = pytest.importorskip("pyfixest", reason=NOT_INSTALLED)
    df = didjack.datasets.load_mpdta()
    one = df[df["first.treat"].isin([0, 2007])].assign(D=lambda d: (d["first.treat"] > 0) * 1)
    formula = "lemp ~ i(year, D, ref=2006) | countyreal + year"
    theirs = pyfixest.feols(formula, one, vcov={"CRV3": "state"}).tidy()
    ours = fit(one, base_period="universal").tidy().dropna()
    np.testing.assert_allclose(theirs["Estimate"], ours["estimate"], atol=1e-9)
    ratio = theirs["Std. Error"].to_numpy() / ours["std_error"].to_numpy()
    n, h = len(one), one["state"].nunique()
    expected = h / (h - 1) * np.sqrt((n - 1) / (n - len(ours) - 5))
    np.testing.assert_allclose(ratio, expected, rtol=1e-6)


# ---- data frames and files ----------------------------------------------------------------------

LABELS = {
    "years": lambda year: year,
    "dates": lambda year: pd.to_datetime(year.astype("string")),
    "periods": lambda year: pd.PeriodIndex(pd.to_datetime(year.astype("string")), freq="Y"),
}


@pytest.fixture(scope="module", params=LABELS)
def labelled(request):
    df = didjack.datasets.load_mpdta()
    first = df["first.treat"].where(df["first.treat"] > 0).astype("Int64")
    label = LABELS[request.param]
    return fit(df.assign(year=label(df["year"]), **{"first.treat": label(first)}))


@pytest.mark.parametrize("kind", [None, "event", "group", "calendar", "simple"])
def test_tidy_has_plain_columns_and_keeps_them_in_parquet(labelled, kind):
    table = (labelled if kind is None else labelled.aggregate(kind)).tidy()
    kinds = {pd.api.types.infer_dtype(table[name]) for name in table}
    assert kinds <= {"integer", "floating", "string", "datetime64", "period"}
    file = io.BytesIO()
    table.to_parquet(file)
    pd.testing.assert_frame_equal(pd.read_parquet(file), table)
    assert nw.from_native(table, eager_only=True)["estimate"].to_numpy().size == len(table)


@pytest.mark.parametrize("kind", [None, "event", "group", "calendar", "simple"])
def test_tidy_in_polars(by_state, kind):
    table = (by_state if kind is None else by_state.aggregate(kind)).tidy()
    other = pl.from_pandas(table)
    assert other.columns == table.columns.tolist()
    assert not {pl.Object, pl.Null} & set(other.dtypes)
    np.testing.assert_array_equal(other["estimate"].to_numpy(), table["estimate"])
    assert other["status"].to_list() == table["status"].tolist()


def test_what_has_labels_of_two_kinds_goes_out_as_text(by_state):
    study = by_state.aggregate("group")
    table = pl.from_pandas(study.tidy(overall=True).astype({"group": str}))
    assert table["group"].to_list() == ["2004", "2006", "2007", "overall"]
    matrix = study.vcov().rename(index=str, columns=str)
    file = io.BytesIO()
    matrix.to_parquet(file)
    np.testing.assert_array_equal(pd.read_parquet(file), study.vcov().to_numpy())
    clusters = pl.from_pandas(by_state.clusters().astype({"cohorts": str}).reset_index())
    assert clusters.height == 29


def test_vcov_as_an_array_is_the_users_own(by_state):
    study = by_state.aggregate("event")
    matrix = study.vcov().to_numpy(copy=True)
    np.testing.assert_allclose(np.sqrt(np.diag(matrix))[:-1], study.tidy()["std_error"])
    matrix[:] = 0.0
    assert study.vcov().to_numpy().any()


def test_pickles_are_equal_and_without_the_users_table(by_state):
    study = by_state.aggregate("event")
    again = pickle.loads(pickle.dumps(study))
    assert again == study
    pd.testing.assert_frame_equal(again.tidy(), study.tidy())
    np.testing.assert_array_equal(again.vcov(), study.vcov())
