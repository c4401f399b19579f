"""Sample rules 1 to 5, one at a time and together."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from small_panels import (
    COVARIATES,
    assert_same,
    fit,
    panel,
    quiet_fit,
    refusal,
    sample_warnings,
    where,
)

import didjack
from didjack.data.sample import LEDGER_COLUMNS

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
    assert texts[1].startswith(
        "dropped 11 rows of 3 units: not observed in all 5 periods (allow_un"
    )
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
    assert "the last cohort (2005) is the control group, periods from 2005 on are dr" in texts[0]
    assert len(texts) == 1
    same = none.assign(g=none["g"].replace(2005, 0))
    assert_same(result, fit(same[same["t"] < 2005]))


def test_rule_3_notyettreated(df):
    none = df.assign(g=df["g"].replace(0, 2004))
    result, texts = sample_warnings(none, control_group="notyettreated")
    assert ledger(result)["3"][1] == ("dropped", 48, 48)
    assert len(texts) == 1
    assert "no control unit is left from period 2005 on" in texts[0]


def test_rule_3_anticipation(df):
    none = df.assign(g=df["g"].replace(0, 2004))
    _, texts = sample_warnings(none, anticipation=1)
    assert any("periods from 2004 on are dropped" in text for text in texts)


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
        "dropped 7 rows of 2 units: not observed in all 5 periods (allow_unbalanced_panel=True "
        "keeps them); first: unit 1, 2 (see result.sample)"
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


# ---- zero as a period ----------------------------------------------------------------------------


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


def test_a_stray_period_that_empties_the_panel_is_named():
    df = didjack.datasets.load_mpdta()
    df.loc[5, "year"] = 20050
    with pytest.raises(didjack.DataError, match=r"tname 'year', 20050 has the fewest rows \(1 of"):
        didjack.csdid(df, "lemp", "year", "first.treat", "countyreal")


def lost_never_treated(seed, anticipation=0):
    """A panel in which balancing takes all never-treated units, and which rows these are."""
    draws = np.random.default_rng(seed)
    cohort = np.array([3, 5, 6, 0])[np.arange(120) % 4]
    grid = pd.MultiIndex.from_product([range(120), range(1, 8)], names=["id", "t"])
    df = grid.to_frame(index=False)
    df["g"], df["s"] = cohort[df["id"]], df["id"] % 20
    df["y"] = draws.normal(size=len(df)) + (df["g"] > 0) * (df["t"] >= df["g"] - anticipation)
    df["x"] = draws.normal(size=120)[df["id"]]
    df.loc[(df["g"] == 0) & (df["t"] == draws.integers(1, 8)), "x"] = np.nan
    return df, df["g"] == 0


@pytest.mark.parametrize("control_group", ["nevertreated", "notyettreated"])
@pytest.mark.parametrize("anticipation", [0, 1])
@pytest.mark.parametrize("base_period", ["varying", "universal"])
def test_never_treated_units_lost_by_balancing(control_group, anticipation, base_period):
    df, lost = lost_never_treated(3, anticipation)
    options = {"control_group": control_group, "anticipation": anticipation}
    names = {"yname": "y", "tname": "t", "gname": "g", "idname": "id", "cluster": "s"}
    names |= {"xformla": "~ x", "est_method": "reg", "base_period": base_period}
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        result = didjack.csdid(df, **names, **options)
        want = didjack.csdid(df[~lost], **names, **options)
        for kind in ("simple", "event", "group"):
            pd.testing.assert_frame_equal(
                result.aggregate(kind).tidy(), want.aggregate(kind).tidy(), check_exact=True
            )
    pd.testing.assert_frame_equal(result.replicates(), want.replicates(), check_exact=True)
    assert any("not observed in all 7 periods" in str(one.message) for one in said)
    rules = result.sample["rule"].tolist()
    assert rules.index("5 balanced panel") < rules.index("3 no never-treated")
    assert len(result.replicates()) == df.loc[~lost, "s"].nunique() == 15


def test_never_treated_units_lost_by_balancing_in_an_engine():
    df, _ = lost_never_treated(3)
    names = {"yname": "y", "tname": "t", "gname": "g", "idname": "id", "cluster": "s"}
    frame = pl.from_pandas(df).lazy()
    words = "no never-treated unit of 'id' is observed in all 7"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", didjack.SampleWarning)
        with pytest.raises(didjack.DataError, match=words):
            didjack.csdid(frame, **names, xformla="~ x", est_method="reg")


def test_rule_three_applies_again_after_balancing_alone():
    """Of a last cohort with rows in dropped periods alone, no rows are left to compare with."""
    draws = np.random.default_rng(0)
    df = pd.DataFrame({"g": np.array([3, 4, 6])[np.arange(600) % 3], "s": np.arange(600) % 20})
    df["t"], df["y"] = draws.integers(1, 8, 600), draws.normal(size=600)
    df = df[(df["g"] < 6) | (df["t"] >= 6)]
    names = {"yname": "y", "tname": "t", "gname": "g", "cluster": "s", "panel": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", didjack.DidjackWarning)
        with pytest.raises(didjack.DataError, match="no control unit is left"):
            didjack.csdid(df, **names)
        cells = didjack.csdid(df, **names, control_group="notyettreated").cells
    assert cells[["group", "time"]].to_numpy().tolist() == [[3, 2], [3, 3], [4, 2]]
