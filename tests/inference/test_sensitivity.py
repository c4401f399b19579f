"""Sensitivity to trends and to noise: hulls of `lincomb`, identities, integrals, refusals."""

import numpy as np
import pandas as pd
import pytest
from scipy import integrate

import didjack
from didjack.errors import OptionError
from didjack.inference.noise_sensitivity import NoiseRatios, reading
from didjack.inference.reference.working_model import Design

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning", "ignore::didjack.DidjackWarning")

NAMES = ["y", "period", "cohort", "id"]
COLUMNS = ["conf_low", "conf_high", "p_value", "critical_value"]


def study(n_clusters=12, treated=4, seed=0, window=None, cohorts=(5, 6), **options):
    df = didjack.simulate.panel(
        n_clusters=n_clusters,
        treated_clusters=treated,
        n_periods=8,
        cohorts=list(cohorts[:treated]),
        cluster_size=6,
        icc=0.3,
        effect=0.6,
        seed=seed,
    )
    df["size"] = 1.0 + df["cluster"] % 3
    result = didjack.csdid(df, *NAMES, cluster="cluster", **options)
    return result.aggregate("event", **(window or {}))


DESIGNS = {
    "varying base": {},
    "universal base": {"base_period": "universal"},
    "anticipation": {"anticipation": 1},
    "anticipation, universal base": {"anticipation": 1, "base_period": "universal"},
    "one treated cluster": {"treated": 1, "n_clusters": 10},
    "two treated clusters": {"treated": 2},
    "weights": {"weightsname": "size", "est_method": "reg"},
    "window": {"window": {"min_e": -3, "max_e": 1}},
    "CV3J": {"vcov": "CV3J"},
    "t": {"reference": "t"},
    "skip": {"treated": 1, "undefined": "skip"},
    "clustered": {"vcov": "analytic"},
    "bootstrap": {"vcov": "bootstrap", "n_boot": 199},
}
FAST = ("varying base", "universal base", "one treated cluster", "clustered")
BY_DESIGN = pytest.mark.parametrize(
    "design",
    [pytest.param(name, marks=[] if name in FAST else pytest.mark.slow) for name in DESIGNS],
)


def unit(result, label):
    return {label: 1.0}


def plus(*parts):
    """Add combinations, (factor, {label: weight}) each."""
    total = {}
    for factor, weights in parts:
        for label, weight in weights.items():
            total[label] = total.get(label, 0.0) + factor * weight
    return {label: weight for label, weight in total.items() if weight} or total


def steps(result):
    """Changes of the deviation before treatment, the last one first, by their definition."""
    base = -1 - result.options.anticipation
    table = result.tidy().set_index("event_time")
    leads = [e for e in table.index if e < base + (result.options.base_period == "varying")]
    if result.options.base_period == "varying":
        found = [{e: 1.0} for e in sorted(leads, reverse=True)]
    else:
        events = [*sorted(leads), base]
        pairs = zip(events[1:], events[:-1], strict=True)
        found = [plus((1.0, {b: 1.0} if b != base else {}), (-1.0, {a: 1.0})) for b, a in pairs]
        found = found[::-1]
    known = table["std_error"].notna()
    return [step for step in found if all(known[label] for label in step)]


def distances(result, target):
    """How many steps after the base period the effects are that a target is the mean of."""
    a = result.options.anticipation
    if target != "overall":
        return np.array([target + 1.0 + a])
    table = result.tidy()
    events = table["event_time"][(table["event_time"] >= 0) & table["estimate"].notna()]
    return events.to_numpy() + 1.0 + a


def line(result, weights, alpha):
    """Estimate, standard error and critical value of a combination, from `lincomb`."""
    row = result.lincomb(weights, alpha)
    critical = (row["conf_high"] - row["conf_low"]) / 2.0 / row["std_error"]
    return row["estimate"], row["std_error"], critical


def slow_relative(result, target, m, alpha):
    """The hull of intervals of `lincomb`, each with the largest of three critical values."""
    size, low, high = m * distances(result, target).mean(), [], []
    for step in steps(result) if m else [{}]:
        rows = [
            line(result, plus((1.0, {target: 1.0}), (sign * size, step)), alpha)
            for sign in ((-1, 0, 1) if m else (0,))
        ]
        critical = max(row[2] for row in rows)
        low += [row[0] - critical * row[1] for row in rows]
        high += [row[0] + critical * row[1] for row in rows]
    return min(low), max(high)


@BY_DESIGN
def test_relative_magnitudes_are_hulls_of_combinations(design):
    result = study(**DESIGNS[design])
    m = [0.0, 0.3, 1.0, 2.5]
    for alpha in (0.05, 0.2):
        table = result.trend_sensitivity(m=m, alpha=alpha).table
        assert table["target"].unique().tolist()[-1] == "overall"
        for row in table.itertuples():
            expected = slow_relative(result, row.target, row.m, alpha)
            np.testing.assert_allclose((row.conf_low, row.conf_high), expected, rtol=1e-8)


@BY_DESIGN
def test_without_deviations_it_is_confint(design):
    result = study(**DESIGNS[design])
    own = result.confint(alpha=0.1)
    table = result.trend_sensitivity(m=0, alpha=0.1).table
    assert len(table) > 1
    for row in table.itertuples():
        assert (row.conf_low, row.conf_high) == tuple(own.loc[row.target])


def slow_smooth(result, target, m, alpha, p):
    """The interval of l'theta - K m_p, widened by what the restriction leaves open."""
    s, recent = distances(result, target), steps(result)[:p]
    mean = plus(*((1.0 / p, step) for step in recent))
    estimate, error, critical = line(result, plus((1.0, {target: 1.0}), (-s.mean(), mean)), alpha)
    bound = m * (s * (s + 1.0) + s * (p - 1.0)).mean() / 2.0
    return estimate - critical * error - bound, estimate + critical * error + bound


@BY_DESIGN
def test_smoothness_is_one_of_the_combinations(design):
    result = study(**DESIGNS[design])
    found = result.trend_sensitivity("smoothness", [0.0, 0.05, 10.0])
    n = len(steps(result))
    for row in found.table.itertuples():
        every = [slow_smooth(result, row.target, row.m, 0.05, p) for p in range(1, n + 1)]
        gaps = np.abs(np.array(every) - (row.conf_low, row.conf_high)).max(axis=1)
        size = row.conf_high - row.conf_low
        assert gaps.min() < 1e-8 * size
        if row.m == 10.0:  # what the bound adds decides
            assert gaps.argmin() == 0


def test_smoothness_takes_the_combination_that_is_shortest_if_independent_shocks_are_equal():
    """Without a trend, means of more steps are less noisy: with m = 0 all steps are used."""
    result = study(n_clusters=16, treated=8, seed=3, cohorts=(5,), base_period="universal")
    table = result.trend_sensitivity("smoothness", 0.0).table
    n = len(steps(result))
    for row in table.itertuples():
        expected = slow_smooth(result, row.target, 0.0, 0.05, n)
        np.testing.assert_allclose((row.conf_low, row.conf_high), expected, rtol=1e-8)


def test_bound_of_smoothness_is_attained():
    """The largest deviation that is left open is the one that the bound says: by construction."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        n_steps, p = 8, int(rng.integers(1, 4))
        weight = rng.dirichlet(np.ones(3))
        s = np.array([1.0, 2.0, 3.0])
        m = rng.uniform(0.1, 2.0)
        bound = m * float(weight @ (s * (s + 1.0) + s * (p - 1.0))) / 2.0
        changes = m * rng.choice([-1.0, 1.0], size=(400, n_steps - 1))
        changes[0] = m
        path = np.cumsum(np.column_stack([rng.normal(size=400), changes]), axis=1)
        before, after = path[:, :5], path[:, 5:]
        off = np.cumsum(after, axis=1) @ weight - (weight @ s) * before[:, -p:].mean(axis=1)
        assert np.abs(off).max() == pytest.approx(bound)


@BY_DESIGN
@pytest.mark.parametrize("restriction", ["relative_magnitudes", "smoothness"])
def test_intervals_p_values_and_breakdown_values_agree(design, restriction):
    result = study(**DESIGNS[design])
    for alpha in (0.05, 0.3):
        found = result.trend_sensitivity(restriction, [0.0, 0.1, 0.5, 1.0, 4.0], alpha)
        table = found.table
        excludes = (table["conf_low"] > 0) | (table["conf_high"] < 0)
        assert (excludes == (table["p_value"] < alpha)).all()
        for target, value in found.breakdown.items():
            own = table[(table["target"] == target) & (table["m"] == 0)].iloc[0]
            if restriction == "relative_magnitudes":
                assert (value > 0) == (own["conf_low"] * own["conf_high"] > 0)
            if 0 < value < np.inf:
                near = [value * (1 - 1e-6), value * (1 + 1e-6)]
                rows = result.trend_sensitivity(restriction, near, alpha).table
                rows = rows[rows["target"] == target]
                inside = rows["conf_low"] * rows["conf_high"] > 0
                assert inside.tolist() == [True, False]


def test_wider_with_larger_deviations():
    table = study().trend_sensitivity(m=[0.0, 0.5, 1.0, 2.0]).table
    for _, rows in table.groupby("target"):
        assert (np.diff(rows["conf_high"] - rows["conf_low"]) > 0).all()
        assert (np.diff(rows["p_value"]) >= 0).all()


def test_steps_without_a_standard_error_are_left_out_and_named():
    df = didjack.simulate.panel(
        n_clusters=12, treated_clusters=4, n_periods=8, cohorts=[6], cluster_size=6, seed=1
    )
    constant = df["period"] <= 2
    df.loc[constant, "y"] = 1.0  # no change from the first period to the second
    found = didjack.csdid(df, *NAMES, cluster="cluster").aggregate("event").trend_sensitivity()
    assert found.left_out == (-4,)
    assert found.steps == (-1, -2, -3)
    assert "steps to event times -4" in repr(found)


def test_order_of_rows_changes_no_bit():
    df = didjack.simulate.panel(n_clusters=10, cohorts=[5], n_periods=7, cluster_size=5, seed=2)
    shuffled = df.sample(frac=1.0, random_state=0)
    for restriction in ("relative_magnitudes", "smoothness"):
        one, two = (
            didjack.csdid(d, *NAMES, cluster="cluster").aggregate("event") for d in (df, shuffled)
        )
        pd.testing.assert_frame_equal(
            one.trend_sensitivity(restriction).table,
            two.trend_sensitivity(restriction).table,
            check_exact=True,
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"m": -0.5}, r"m must be finite numbers of at least 0; got -0.5"),
        ({"m": [0.5, np.inf]}, "m must be finite numbers of at least 0 .*; got inf"),
        ({"m": np.nan}, "m must be finite numbers"),
        ({"m": []}, "m must be finite numbers"),
        ({"m": "large"}, "m must be numbers; got 'large'"),
        ({"restriction": "smooth"}, "restriction .*'relative_magnitudes'"),
        ({"alpha": 0.7}, "alpha"),
        ({"nonsense": 1}, "nonsense"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(OptionError, match=message):
        study().trend_sensitivity(**options)


def test_where_there_is_no_trend_to_look_at():
    result = study()
    with pytest.raises(OptionError, match="needs an event study, not group effects"):
        result._on(result._fit) and didjack.csdid(
            didjack.simulate.panel(n_clusters=8, seed=0), *NAMES
        ).aggregate("group").trend_sensitivity()
    with pytest.raises(OptionError, match="needs event times before treatment"):
        study(window={"min_e": 0}).trend_sensitivity()
    with pytest.raises(OptionError, match="needs an effect"):
        study(window={"max_e": -1}).trend_sensitivity()


def test_periods_with_gaps_are_refused():
    df = didjack.simulate.panel(n_clusters=10, cohorts=[6], n_periods=8, cluster_size=5, seed=2)
    df = df[df["period"] != 3]
    result = didjack.csdid(df, *NAMES, cluster="cluster").aggregate("event")
    with pytest.raises(OptionError, match="gaps between 2 and 4: number the periods"):
        result.trend_sensitivity()


# Noise ------------------------------------------------------------------------------------------


def slow_noise(result, position, ratio):
    """P-value and standard error's factor from loadings written out, and plain integration."""
    design = Design.from_fit(result._fit)
    loadings = design.loadings(result._targets.shares, position)
    indicator = (loadings.period[:, None] == loadings.periods).astype(float)
    full = np.einsum("rq,qh,qt->rht", loadings.beta.stacked, loadings.weight, indicator)
    at = np.arange(loadings.weight.shape[1])
    full[1 + at, at] = 0.0
    treated = result.clusters()["treated"].to_numpy()
    v = design.variance * np.where(treated, ratio**2, 1.0)
    theta = result._targets.theta[:, position]
    kept = ~np.isnan(theta[1:])
    rows = np.concatenate([full[:1], (full[1:] - full[0])[kept]])
    gram = np.einsum("aht,h,bht->ab", rows, v, rows)
    shrink = (kept.sum() - 1.0) / kept.sum()
    scale = 1.0
    if not kept.all():
        scale = np.sqrt(gram[0, 0] / (shrink * np.trace(gram[1:, 1:])))
    error = scale * np.sqrt(shrink * np.nansum((theta[1:] - theta[0]) ** 2))
    t = theta[0] / error
    signs = np.concatenate([[1.0], np.full(kept.sum(), -(t**2) * shrink * scale**2)])
    values, vectors = np.linalg.eigh(gram)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    weights = np.linalg.eigvalsh(root.T @ (signs[:, None] * root))
    weights = weights / np.abs(weights).max()

    def integrand(u):
        angle = 0.5 * np.arctan(weights * u).sum()
        return np.sin(angle) / (u * np.prod((1.0 + (weights * u) ** 2) ** 0.25))

    found = integrate.quad(integrand, 0.0, np.inf, limit=2_000)[0]
    return 0.5 + found / np.pi, error


@pytest.mark.parametrize(
    "design", ["varying base", "one treated cluster", "two treated clusters", "weights"]
)
@pytest.mark.filterwarnings("ignore::scipy.integrate.IntegrationWarning")
def test_noise_is_that_of_plain_integration(design):
    from scipy import stats

    result = study(**DESIGNS[design])
    ratios = [0.5, 1.0, 2.0]
    found = result.noise_sensitivity(ratios)
    last = len(result._targets.index) - 1
    rows = found.table[found.table["target"] == "overall"].set_index("ratio")
    count = int(result.overall["n_replicates"])
    for ratio in ratios:
        p_value, error = slow_noise(result, last, ratio)
        statistic = result.overall["estimate"] / error
        p_value = max(p_value, 2.0 * stats.t.sf(abs(statistic), count - 1))
        assert rows.loc[ratio, "p_value"] == pytest.approx(p_value, abs=2e-6)
        margin = rows.loc[ratio, "critical_value"] * error
        assert rows.loc[ratio, "conf_high"] == pytest.approx(result.overall["estimate"] + margin)


@pytest.mark.parametrize("design", ["varying base", "one treated cluster", "CV3J", "skip"])
def test_a_ratio_of_one_is_the_result_itself(design):
    result = study(**DESIGNS[design])
    table = result.noise_sensitivity(1.0).table
    own = result.tidy().set_index("event_time")
    for row in table.itertuples():
        expected = result.overall if row.target == "overall" else own.loc[row.target]
        names = ["conf_low", "conf_high", "p_value"]
        got = [row.conf_low, row.conf_high, row.p_value]
        np.testing.assert_allclose(got, expected[names].astype(float), rtol=1e-9, atol=1e-12)


def test_breakdown_values_of_noise():
    result = study(treated=2, seed=4)
    found = result.noise_sensitivity()
    value = found.breakdown["overall"]
    assert 0 < value < np.inf
    for factor, significant in ((1 - 1e-6, True), (1 + 1e-6, False)):
        rows = result.noise_sensitivity(value * factor).table
        row = rows[rows["target"] == "overall"].iloc[0]
        assert (row["p_value"] <= 0.05) == significant
    assert f"at most {value:.3g} times as noisy" in found.reading()


def test_summaries_say_the_same_of_noise_and_look_for_it_once(monkeypatch):
    searched, search = [], NoiseRatios._breakdown
    monkeypatch.setattr(
        NoiseRatios, "_breakdown", lambda self, *at: searched.append(at) or search(self, *at)
    )
    result = study(treated=2, seed=4)
    text = " ".join(str(result.summary()).split())
    assert str(result.summary())
    assert len(searched) == 1
    found = result.noise_sensitivity()
    assert len(searched) == len(found.breakdown)
    sentence = found.reading().replace("overall effect", "overall ATT").removesuffix(".")
    seen = found.observation().partition(",")[0].replace("Before", "before")
    assert f"{sentence}; {seen}." in text


@pytest.mark.parametrize(
    ("breakdown", "text"),
    [
        (np.nan, "has no standard error."),
        (0.0, "is not significant at 5%, however noisy treated clusters are."),
        (0.4, "would be significant at 5% only if treated clusters were at most 0.4 times as"),
        (1.5, "is significant at 5% if treated clusters are at most 1.5 times as noisy as the"),
        (np.inf, "is significant at 5%, however noisy treated clusters are."),
    ],
)
def test_readings_of_breakdown_values_of_noise(breakdown, text):
    assert reading("effect", breakdown, 0.05).startswith(f"The effect {text}")


def test_observed_ratio_by_hand():
    """One treated cluster, as large as the others: movements before treatment, by definition."""
    df = didjack.simulate.panel(
        n_clusters=9, treated_clusters=1, n_periods=7, cohorts=[5], cluster_size=5, seed=5
    )
    found = didjack.csdid(df, *NAMES, cluster="cluster").aggregate("simple").noise_sensitivity()
    means = df[df["period"] < 5].pivot_table(index="cluster", columns="period", values="y")
    change = means.diff(axis=1).iloc[:, 1:]
    own = change - (change.sum() - change) / (len(change) - 1)
    treated = df.groupby("cluster")["cohort"].max() > 0
    square = (own**2).mean(axis=1)
    expected = np.sqrt(square[treated].mean() / square[~treated].mean())
    assert found.observed_ratio == pytest.approx(expected)
    never = square[~treated]
    others = [np.sqrt(x / never.drop(k).mean()) for k, x in never.items()]
    assert found.n_sets == len(never)
    assert found.observed_percentile == 100 * np.mean(np.array(others) <= expected)


def test_random_sets_have_a_seed():
    one, two = (study(n_clusters=24, treated=6, seed=6).noise_sensitivity() for _ in range(2))
    assert one.n_sets == 999
    assert one.observed_percentile == two.observed_percentile


def test_noise_of_group_time_effects_is_that_of_their_simple_average():
    df = didjack.simulate.panel(n_clusters=10, treated_clusters=2, cluster_size=5, seed=7)
    result = didjack.csdid(df, *NAMES, cluster="cluster")
    pd.testing.assert_frame_equal(
        result.noise_sensitivity().table, result.aggregate("simple").noise_sensitivity().table
    )


@pytest.mark.parametrize(
    ("options", "given", "message"),
    [
        ({}, {"ratios": 0}, "ratios must be finite numbers above 0; got 0"),
        ({}, {"ratios": [1.0, -1.0]}, "ratios must be finite numbers above 0; got -1"),
        ({}, {"ratios": np.inf}, "ratios must be finite"),
        ({}, {"ratios": None, "alpha": 2}, "alpha"),
        ({"vcov": "analytic"}, {}, "needs the reference distribution .*vcov='analytic'"),
        ({"reference": "t"}, {}, "needs the reference distribution .*reference='t'"),
    ],
)
def test_bad_arguments_of_noise(options, given, message):
    with pytest.raises(OptionError, match=message):
        study(**options).noise_sensitivity(**given)


def test_noise_needs_never_treated_clusters():
    df = didjack.simulate.panel(n_clusters=8, cluster_size=6, n_periods=6, seed=8)
    df["cohort"] = np.where(df["id"] % 2 == 0, 4, 0)  # in every cluster
    result = didjack.csdid(df, *NAMES, cluster="cluster").aggregate("simple")
    with pytest.raises(OptionError, match="clusters without treated units; all 8 have some"):
        result.noise_sensitivity()


# Awkward intervals ------------------------------------------------------------------------------


def jumpy(seed, **options):
    """Effects of 2 in a few small clusters, with replicates that are missing."""
    df = didjack.simulate.panel(
        n_clusters=8, cluster_size=2, n_periods=7, treated_clusters=3, cohorts=[4, 5], seed=seed
    )
    df["y"] += 2.0 * ((df["cohort"] > 0) & (df["period"] >= df["cohort"]))
    return didjack.csdid(df, *NAMES, cluster="cluster", **options).aggregate("event")


def test_an_interval_that_jumps_at_zero_has_a_breakdown_value_of_zero():
    found = jumpy(20).trend_sensitivity(m=[0, 1e-9])
    at_zero, beyond = found.table[found.table["target"] == 1].itertuples()
    assert at_zero.conf_low > 0
    assert beyond.conf_low < 0
    assert found.breakdown[1] == 0.0
    assert found.reading(1).endswith("is significant at 5% only if trends are parallel.")
    assert "even if trends are parallel" in found.reading(3)


def test_intervals_that_are_not_nested_are_said_not_to_be():
    found = jumpy(21, base_period="universal").trend_sensitivity("smoothness", [0, 0.1, 0.2])
    rows = found.table[found.table["target"] == 3]
    assert (rows["conf_low"] * rows["conf_high"] > 0).tolist() == [False, False, True]
    assert found.breakdown[3] > 0.2
    assert not found.nested[3]
    assert "for some m up to" in found.reading(3)
    assert found.nested[0]
    assert "remains significant" in found.reading(0)


def test_targets_are_found_by_their_printed_names():
    df = didjack.simulate.panel(n_clusters=10, treated_clusters=3, cohorts=[4, 5], seed=1)
    result = didjack.csdid(df, *NAMES, cluster="cluster")
    groups = result.aggregate("group").noise_sensitivity([1, 2])
    assert groups.reading("cohort 4") == groups.reading(4)
    assert groups.reading(4).startswith("The effect on cohort 4 ")
    assert groups.reading("overall ATT") == groups.reading()
    periods = result.aggregate("calendar").noise_sensitivity([1, 2])
    assert periods.reading(5).startswith("The effect in period 5 ")
    for target in (True, [4], {}, "cohort 9"):
        with pytest.raises(OptionError, match="target must be one of 4, 5, overall; got"):
            groups.reading(target)


def test_plots_show_effects_from_treatment_on():
    import matplotlib.pyplot as plt

    result = study()
    for found in (result.trend_sensitivity(), result.noise_sensitivity([1, 2])):
        titles = [ax.get_title(loc="left") for ax in found.plot()]
        assert titles[0] == "Effect at event time 0"
        assert titles[-1] == "Overall effect"
        assert not any("time -" in title for title in titles)
        (one,) = found.plot(targets="overall")
        low = found.table[found.table["target"] == "overall"]["conf_low"]
        drawn = one.containers[0].lines[2][0].get_segments()
        np.testing.assert_allclose([segment[0][1] for segment in drawn], low)
        with pytest.raises(OptionError, match="at least one target"):
            found.plot(targets=[])
        plt.close("all")


@pytest.mark.parametrize("given", [10**400, [True], np.bool_(True), ["1"], 1j, 1e300])
def test_what_is_no_number_of_use(given):
    with pytest.raises(OptionError, match=r"m must be (finite )?numbers"):
        study().trend_sensitivity(m=given)
    with pytest.raises(OptionError, match=r"ratios must be (finite )?numbers"):
        study().noise_sensitivity(ratios=given)


def test_the_mark_of_imputed_errors_is_none_of_the_stars():
    result = study(treated=1, n_clusters=8)
    for stars, mark in (({"†": 0.1}, "‡"), ({"††": 0.1, "‡": 0.05}, "§")):
        table = didjack.etable(result, stars=stars)
        assert any(note.startswith(f"{mark} Not identified") for note in table.notes)
    full = didjack.etable(result, stars={"†": 0.1, "‡": 0.05, "§": 0.01, "¶": 0.001})
    assert any(note.startswith("(imputed) Not identified") for note in full.notes)
