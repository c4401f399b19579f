"""Sample rules, their ledger and their warnings."""

import subprocess
import sys
import warnings

import bruteforce as bf
import numpy as np
import pandas as pd
import pytest
from small_panels import (
    COVARIATES,
    NAMES,
    assert_same,
    fit,
    panel,
    quiet_fit,
    refusal,
    sample_warnings,
    where,
)

import didjack
from didjack import SampleWarning
from didjack._typing import NEVER
from didjack.intake.clean import clean
from didjack.intake.ledger import LEDGER_COLUMNS
from didjack.options import Options

pytestmark = pytest.mark.filterwarnings("error", "ignore::didjack.FewClustersWarning")

KEPT = ("6 sample", "kept")


@pytest.fixture(scope="module")
def df():
    return panel()


def ledger(result):
    """The ledger as rule -> (action, n_rows, n_units); rules with two entries have a list."""
    table = result.sample
    assert list(table.columns) == LEDGER_COLUMNS
    assert (table["n_rows"] > 0).all()
    entries = {}
    for entry in table.itertuples():
        entries.setdefault(entry.rule[0], []).append((entry.action, entry.n_rows, entry.n_units))
    last = table.iloc[-1]
    assert (last["rule"], last["action"]) == KEPT
    assert last["n_rows"] == result.nobs
    assert last["n_units"] == result.glance()["n_units"].item()
    return {rule: found[0] if len(found) == 1 else found for rule, found in entries.items()}


# ---- one rule at a time -------------------------------------------------------------------------


def test_nothing_to_do(df):
    result, texts = sample_warnings(df, **COVARIATES)
    assert ledger(result) == {"6": ("kept", 240, 48)}
    assert texts == []


def test_rule_1_missing_values(df):
    gaps = where(where(df, [3, 4], "y", np.nan), [3, 70, 90], "x1", np.inf)
    result, texts = sample_warnings(gaps, **COVARIATES)
    assert ledger(result) == {
        "1": ("dropped", 4, 3),
        "5": ("dropped", 11, 3),
        "6": ("kept", 225, 45),
    }
    assert texts[0] == (
        "dropped 4 rows of 3 units: missing or non-finite: 'y' (2), 'x1' (3); first: unit 1, 15, "
        "19 (see result.sample)"
    )
    assert texts[1].startswith("dropped 11 rows of 3 units: not seen in all 5 periods (allow_un")
    assert_same(result, fit(df[~df["id"].isin([1, 15, 19])], **COVARIATES))


def test_rule_1_units_that_are_missing_have_no_name(df):
    result, texts = sample_warnings(where(df, [3, 4], "id", np.nan))
    assert ledger(result) == {
        "1": ("dropped", 2, 0),
        "5": ("dropped", 3, 1),
        "6": ("kept", 235, 47),
    }
    assert texts[0] == "dropped 2 rows: missing or non-finite: 'id' (2) (see result.sample)"
    assert result.sample["examples"][0] == ""


def test_rule_1_never_drops_for_other_columns(df):
    assert_same(fit(df.assign(x1=np.nan, other=None)), fit(df))


def test_rule_2_late_cohorts(df):
    late = df.assign(g=df["g"].mask(df["id"] <= 2, 2006).replace(0, 2009))
    result, texts = sample_warnings(late)
    n = int((late["g"] > 2005).sum())
    assert ledger(result) == {"2": ("recoded", n, n // 5), "6": ("kept", 240, 48)}
    assert texts == []  # nothing is lost
    assert_same(result, fit(df))


def test_rule_2_counts_from_the_end_of_anticipation(df):
    late = df.assign(g=df["g"].replace(0, 2007))
    result = quiet_fit(late, anticipation=1)
    assert ledger(result)["2"][0] == "recoded"
    assert_same(result, quiet_fit(df, anticipation=1))
    # Treated a year after the last period, but anticipating it within.
    soon = df.assign(g=df["g"].mask(df["id"] <= 2, 2006))
    assert "2" not in ledger(quiet_fit(soon, anticipation=1))


def test_rule_3_nevertreated(df):
    none = df.assign(g=df["g"].replace(0, 2004))
    result, texts = sample_warnings(none)
    last = none["g"] == 2005
    assert ledger(result) == {
        "3": [("recoded", int(last.sum()), int(last.sum()) // 5), ("dropped", 48, 48)],
        "6": ("kept", 192, 48),
    }
    assert texts[0].startswith(f"recoded {last.sum()} rows of {last.sum() // 5} units: no never-tr")
    assert "the last cohort (2005) serves as comparison" in texts[0]
    assert "dropped 48 rows of 48 units: no comparison unit is left from period 2005" in texts[1]
    same = none.assign(g=none["g"].replace(2005, 0))
    assert_same(result, fit(same[same["t"] < 2005]))


def test_rule_3_notyettreated(df):
    none = df.assign(g=df["g"].replace(0, 2004))
    result, texts = sample_warnings(none, control_group="notyettreated")
    assert ledger(result)["3"][1] == ("dropped", 48, 48)
    assert len(texts) == 1
    assert "no comparison unit is left from period 2005 on" in texts[0]


def test_rule_3_anticipation(df):
    none = df.assign(g=df["g"].replace(0, 2004))
    _, texts = sample_warnings(none, anticipation=1)
    assert any("from period 2004 on" in text for text in texts)


def test_rule_4_already_treated(df):
    early = df.assign(g=df["g"].mask(df["id"] <= 2, 2001).mask(df["id"] == 3, 1990))
    result, texts = sample_warnings(early)
    assert ledger(result) == {"4": ("dropped", 15, 3), "6": ("kept", 225, 45)}
    assert texts == [
        "dropped 15 rows of 3 units: already treated in the first period (2001); first: unit 1, "
        "2, 3 (see result.sample)"
    ]
    assert_same(result, fit(df[df["id"] > 3]))
    _, texts = sample_warnings(df.assign(g=df["g"].mask(df["id"] == 3, 2002)), anticipation=1)
    assert "or, with anticipation=1, affected" in texts[0]


def test_rule_5_balanced(df):
    short = df.drop(index=[0, 7, 8])
    result, texts = sample_warnings(short)
    assert ledger(result) == {"5": ("dropped", 7, 2), "6": ("kept", 230, 46)}
    assert texts == [
        "dropped 7 rows of 2 units: not seen in all 5 periods (allow_unbalanced_panel=True keeps "
        "them); first: unit 1, 2 (see result.sample)"
    ]
    assert_same(result, fit(df[df["id"] > 2]))


def test_rule_5_unbalanced(df):
    result, texts = sample_warnings(df.drop(index=[0, 7, 8]), allow_unbalanced_panel=True)
    assert ledger(result) == {"5": ("kept", 7, 2), "6": ("kept", 237, 48)}
    assert texts == []
    assert_same(fit(df, allow_unbalanced_panel=True), fit(df))


def test_rule_5_looks_at_the_periods_that_are_left(df):
    """Units that miss only the periods that rule 3 drops are complete."""
    none = df.assign(g=df["g"].replace(0, 2004))
    gaps = none[(none["t"] < 2005) | (none["id"] > 5)]
    result = quiet_fit(gaps)
    assert "5" not in ledger(result)
    assert_same(result, quiet_fit(none))


def test_all_rules_at_once(df):
    busy = df.assign(g=df["g"].mask(df["id"] == 1, 2001).mask(df["id"] == 2, 2007).replace(0, 2004))
    busy = where(busy, [20, 21], "y", np.nan).drop(index=[30])
    result, texts = sample_warnings(busy, **COVARIATES)
    assert list(result.sample["rule"].str[0]) == ["1", "2", "4", "5", "6"]
    entries = ledger(result)
    assert entries["1"] == ("dropped", 2, 1)
    assert entries["2"] == ("recoded", 5, 1)
    assert entries["4"] == ("dropped", 5, 1)
    assert entries["5"] == ("dropped", 7, 2)
    assert entries["6"] == ("kept", 239 - 2 - 5 - 7, 45)
    assert len(texts) == 3
    lost = sum(entries[rule][1] for rule in "145")
    assert lost + result.nobs == len(busy)


def test_repeated_cross_sections(df):
    """A row is its own unit."""
    busy = where(df, [20, 21], "w", np.nan)
    busy["g"] = busy["g"].mask(busy["id"] == 6, 2001)
    result, texts = sample_warnings(busy, panel=False, idname=None, weightsname="w")
    assert ledger(result) == {
        "1": ("dropped", 2, 2),
        "4": ("dropped", 5, 5),
        "6": ("kept", 233, 233),
    }
    assert (
        texts[0] == "dropped 2 rows: missing or non-finite: 'w' (2); first: row 20, 21 (see "
        "result.sample)"
    )
    assert texts[1].startswith("dropped 5 rows: already treated")
    assert "; first: row 25, 26, 27 (" in texts[1]  # numbers of the user's table


def test_the_ledger_is_a_copy(df):
    result = fit(df)
    mine = result.sample
    mine.loc[0, "n_rows"] = -1
    assert result.sample["n_rows"].tolist() == [240]


# ---- zero as a period ---------------------------------------------------------------------------


def around_zero(df, shift=2003):
    return df.assign(t=df["t"] - shift, g=(df["g"] - shift).where(df["g"] > 0, 0))


def test_zero_among_the_periods(df):
    zero = around_zero(df)
    n = int((zero["g"] == 0).sum())
    result, texts = sample_warnings(zero)
    assert len(texts) == 1
    assert f"recoded {n} rows of {n // 5} units: 0 in 'g' is read as never-treated" in texts[0]
    assert "0 is among the periods of 't'" in texts[0]
    assert "add the same number to both columns" in texts[0]
    assert ledger(result)["1"] == ("recoded", n, n // 5)
    # What it warns of: the cohort that is treated in period 0 is lost.
    assert 0 not in result.tidy()["group"].tolist()


def test_zero_between_the_periods(df):
    odd = df.assign(t=2 * (df["t"] - 2003) - 1, g=(2 * (df["g"] - 2003) - 1).where(df["g"] > 0, 0))
    assert len(sample_warnings(odd)[1]) == 1


def test_zero_outside_of_the_periods(df):
    for shift in (2000, 2010):
        assert sample_warnings(around_zero(df, shift))[1] == []


def test_zero_is_no_cohort_among_missing_ones(df):
    """Missing as never-treated and 0 as a period: it has to be said which is which."""
    clear = around_zero(df)
    clear["g"] = clear["g"].where(df["g"] > 0)
    refusal(clear, "mixes missing values", "0 is among the periods", "add the same number")


# ---- rule 6: errors -----------------------------------------------------------------------------


def test_two_cohorts(df):
    moved = where(where(df, [200], "g", 2004), [3], "g", 2003).astype({"g": int})
    refusal(moved, "2 units of 'id' in more than one cohort ('g')", "1 (2003, never)", "41 (200")
    refusal(moved, "in more than one cohort", allow_unbalanced_panel=True)
    years = moved.assign(
        t=pd.PeriodIndex(moved["t"].astype(str), freq="Y"),
        g=pd.PeriodIndex(moved["g"].replace(0, 2003).astype(str), freq="Y"),
    )
    refusal(years, "41 (200")
    fit(moved, panel=False, idname=None)


def test_two_clusters(df):
    moved = where(df, [20, 21], "cl", 3).astype({"cl": int})
    refusal(moved, "1 unit of 'id' in more than one cluster ('cl')", "first: 5 (2, 3)")
    named = moved.assign(cl="state " + moved["cl"].astype(str), id="unit " + df["id"].astype(str))
    refusal(named, "unit 5 (state 2, state 3)")
    fit(moved, cluster=None)


def test_duplicates(df):
    twice = pd.concat([df, df.iloc[[3, 7, 9, 11, 3]]])
    refusal(
        twice,
        "('id', 't') is not unique",
        "9 rows",
        "(1, 2004), (2, 2003), (2, 2005)",
        "panel=False",
    )
    refusal(twice, "is not unique", allow_unbalanced_panel=True)
    sparse = twice.assign(t=twice["t"] * 10**6, g=twice["g"] * 10**6, id=twice["id"] * 10**9)
    refusal(sparse, "9 rows", "(1000000000, 2004000000)")
    years = twice.assign(t=pd.PeriodIndex(twice["t"].astype(str), freq="Y"), g=pd.NaT)
    refusal(years, "(1, 2004), (2, 2003)")


def test_many_periods_and_few_rows():
    """The table of units and periods need not fit into memory."""
    rng = np.random.default_rng(0)
    df = pd.DataFrame({"id": np.arange(3000) // 3, "t": rng.permutation(3000), "y": 1.0})
    df["cl"], df["g"] = df["id"] % 7, np.where(df["id"] % 2, 1500, 0)
    refusal(df, "no unit of 'id' is seen in all 3000 periods", "allow_unbalanced_panel=True")
    data = clean(df.assign(t=df["t"] + 1), Options(**NAMES, allow_unbalanced_panel=True))
    assert data.pooled
    assert data.periods.size == 3000


def test_no_treated_cohort(df):
    for g in (0, 3000, np.inf, np.nan):
        refusal(df.assign(g=g), "gname 'g'", "no treated cohort is left", "240 rows")
    refusal(df.assign(g=df["g"].where(df["g"] == 0, 2001)), "no treated cohort is left")


def test_no_comparison_unit(df):
    for g in (2001, 2003, 2005):
        for control_group in ("nevertreated", "notyettreated"):
            refusal(
                df.assign(g=g), f"cohort {g}", "no comparison unit", control_group=control_group
            )
    # All never-treated units are incomplete.
    gaps = df[(df["g"] > 0) | (df["t"] > 2001)]
    refusal(gaps, "gname 'g': no comparison unit is left after the sample rules")
    assert quiet_fit(gaps, control_group="notyettreated").tidy()["estimate"].notna().any()


def test_a_single_period(df):
    refusal(df[df["t"] == 2003], "tname 't' has a single period (2003)")
    none = df.assign(g=df["g"].replace({0: 2005, 2003: 2004}))
    refusal(none[none["t"].isin([2003, 2005])], "tname 't': a single period (2003) is left")


def test_clusters(df):
    refusal(df.assign(cl=7), "cluster 'cl' has 1 cluster (7)", "at least 2")
    refusal(df.assign(cl="all"), "1 cluster (all)", vcov="CV3J")
    fit(df.assign(cl=7), vcov="analytic")
    refusal(df[df["id"].isin([1])], "no treated cohort")


def test_rules_that_leave_one_cluster(df):
    short = df.assign(cl=np.where(df["id"] <= 40, "long", "short"))
    refusal(short[(short["id"] <= 40) | (short["t"] > 2001)], "1 cluster (long)", "at least 2")


# ---- what comes out -----------------------------------------------------------------------------


@pytest.mark.parametrize("shuffle", [False, True])
def test_clean_data(df, shuffle):
    rows = df.sample(frac=1, random_state=1) if shuffle else df
    data = clean(rows, Options(**NAMES | COVARIATES))
    np.testing.assert_array_equal(data.y, rows["y"])
    np.testing.assert_array_equal(data.periods[data.period], rows["t"])
    np.testing.assert_array_equal(data.unit, rows["id"] - 1)
    np.testing.assert_array_equal(data.cluster_labels[data.cluster], rows["cl"])
    np.testing.assert_array_equal(data.weight, rows["w"])
    np.testing.assert_array_equal(data.cohort == NEVER, rows["g"] == 0)
    np.testing.assert_array_equal(data.cohort[data.cohort != NEVER], rows["g"][rows["g"] > 0])
    np.testing.assert_array_equal(data.x, rows.assign(one=1)[["one", "x1", "x2"]])
    assert data.horizon == 2005
    assert not data.pooled
    for array in (data.y, data.period, data.cohort, data.unit, data.cluster, data.weight, data.x):
        assert array.flags.c_contiguous
        for column in rows:
            assert not np.shares_memory(array, rows[column].to_numpy())


def test_periods_from_zero_are_copied_too():
    df = panel(first_period=1, cohorts=[2, 3]).assign(t=lambda d: d["t"] - 1)
    with pytest.warns(SampleWarning, match="0 in 'g'"):
        data = clean(df, Options(**NAMES))
    assert not np.shares_memory(data.period, df["t"].to_numpy())


def test_clusters_are_those_of_complete_rows(df):
    """A cluster of always treated units counts, one of incomplete rows does not."""
    odd = df.assign(g=df["g"].mask(df["cl"] == 1, 2001), y=df["y"].mask(df["cl"] == 2))
    with pytest.warns(SampleWarning):
        data = clean(odd, Options(**NAMES))
    assert data.cluster_labels.tolist() == [1, *range(3, 13)]
    assert data.cluster.min() == 1


# ---- against an independent version of the rules ------------------------------------------------


def mess(seed):
    """A small panel with gaps, missing values, and cohorts before, within and after its periods."""
    rng = np.random.default_rng(seed)
    n, periods = rng.integers(4, 12), np.unique(rng.integers(1, 9, rng.integers(2, 7)))
    cohorts = rng.choice([0, 1, 2, 3, 4, 5, 6, 8, 9, 11], rng.integers(1, 5))
    df = pd.DataFrame({"id": np.repeat(np.arange(n), periods.size), "t": np.tile(periods, n)})
    df["g"] = rng.choice(cohorts, n)[df["id"]]
    df["cl"] = rng.integers(0, 4, n)[df["id"]]
    df["y"] = rng.normal(size=len(df))
    df["x1"] = rng.normal(size=len(df))
    df["w"] = rng.integers(1, 3, len(df)).astype(float)
    if rng.random() < 0.6:
        for column in ("y", "x1", "w", "t"):
            lost = rng.random(len(df)) < 0.03
            df[column] = df[column].astype(float).mask(lost, rng.choice([np.nan, np.inf]))
    if rng.random() < 0.5:
        df = df[rng.random(len(df)) > 0.04]
    if rng.random() < 0.3:
        df["g"] = df["g"].where(df["g"] > 0)
    return df.sample(frac=1, random_state=seed)


def outcome_of_rules(df, options):
    """Rows, units and cohorts that the package keeps, or None."""
    data = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SampleWarning)
        try:
            data = clean(df, Options(**NAMES | COVARIATES | {"xformla": "~ x1"} | options))
        except didjack.DataError:
            return None
    table = pd.DataFrame({"y": data.y, "x": data.x[:, 1], "w": data.weight})
    table["t"], table["g"] = data.periods[data.period].astype(float), data.cohort.astype(float)
    table["g"] = table["g"].mask(data.cohort == NEVER, np.inf)
    assert data.ledger["n_rows"].iloc[-1] == len(table)
    assert not data.pooled or options.get("allow_unbalanced_panel") or not options["panel"]
    return table.sort_values(["y"]).reset_index(drop=True)


def outcome_of_brute_force(df, options):
    """The same of `bruteforce`."""
    rules = {k: v for k, v in options.items() if k not in ("idname", "vcov")}
    names = ("y", "t", "g", "id", ("x1",), "cl", "w")
    try:
        sample, _, _ = bf.prepare(df, names, rules)
    except bf.SampleError:
        return None
    table = sample.rows[["y", "x0", "w", "t", "g"]].set_axis(["y", "x", "w", "t", "g"], axis=1)
    last = table["g"].max()
    if options.get("control_group") == "notyettreated" and last not in sample.cohorts:
        table["g"] = table["g"].replace(last, np.inf)  # untreated in all periods that are left
    return table.sort_values(["y"]).reset_index(drop=True)


@pytest.mark.parametrize(
    "options",
    [
        {"panel": True},
        {"panel": True, "control_group": "notyettreated"},
        {"panel": True, "anticipation": 1},
        {"panel": True, "allow_unbalanced_panel": True, "anticipation": 2},
        {"panel": False, "idname": None, "control_group": "notyettreated"},
    ],
)
def test_rules_agree_with_an_independent_version(options):
    kept = refused = 0
    for seed in range(60):
        df = mess(seed)
        got = outcome_of_rules(df, options | {"vcov": "analytic"})
        want = outcome_of_brute_force(df, options)
        if got is None or want is None:
            refused += 1
            # The package also refuses a sample without comparison units, and a single cohort.
            assert got is None
            if want is not None:
                assert not np.isinf(want["g"]).any() or np.isinf(want["g"]).all()
            continue
        kept += 1
        pd.testing.assert_frame_equal(got, want)
    assert kept >= 10
    assert refused >= 10


# ---- warnings -----------------------------------------------------------------------------------


def test_warnings_point_at_the_line_of_the_user(df):
    gaps = where(df, [3], "y", np.nan)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        didjack.csdid(gaps, **NAMES)
    assert {w.filename for w in caught} == {__file__}
    about_rows = [w for w in caught if not issubclass(w.category, didjack.FewClustersWarning)]
    assert about_rows
    assert all(issubclass(w.category, SampleWarning) for w in about_rows)
    assert all("see result.sample" in str(w.message) for w in about_rows)


def test_warnings_point_at_users_whose_folder_has_a_similar_name(df, tmp_path):
    """A script beside the package, in a folder whose name starts with that of the package."""
    folder = tmp_path / "didjack_project"
    folder.mkdir()
    where(df, [3], "y", np.nan).to_csv(folder / "data.csv", index=False)
    (folder / "didjack_script.py").write_text(
        "import pandas as pd, didjack\n"
        f"didjack.csdid(pd.read_csv({str(folder / 'data.csv')!r}), **{NAMES!r})\n"
    )
    run = subprocess.run(
        [sys.executable, str(folder / "didjack_script.py")], capture_output=True, text=True
    )
    assert run.returncode == 0
    assert "didjack_script.py:2: SampleWarning: dropped 1 row of 1 unit" in run.stderr


def test_warnings_can_be_errors(df):
    gaps = where(df, [3], "y", np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("error", SampleWarning)
        with pytest.raises(SampleWarning, match="dropped 1 row"):
            fit(gaps)


def test_each_rule_warns_once(df):
    """However many rows and units it concerns."""
    gaps = where(df, range(0, 100, 5), "y", np.nan)
    _, texts = sample_warnings(gaps)
    assert len(texts) == 2
    assert all(len(text) < 200 for text in texts)
