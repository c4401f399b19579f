"""Medicaid expansions and insurance in US states: exercise 1 of Advanced DiD, Mixtape Sessions.

Run it as ``python replications/medicaid.py --out DIR``, after ``pip install '.[replications]'``:
the data, and the sensitivity analysis of Rambachan and Roth (2023), are those of `moderndid`.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from study import arguments, block, carriers, compare, errors, finish, said, written

import didjack

SOURCE = "Mixtape Sessions, Advanced DiD, exercise 1, solution in R (did), printed output"
YEARS = range(2009, 2020)
ATT = """
2014 -0.0065  0.0111  0.0015  0.0016  0.0009  0.0467  0.0692  0.0785 0.0725 0.0738 0.0803
2015  0.0071 -0.0245 -0.0027  0.0003 -0.0100 -0.0020  0.0491  0.0526 0.0682 0.0663 0.0738
2016  0.0022  0.0511 -0.0262 -0.0276  0.0440 -0.0322  0.0409  0.0317 0.0368 0.0645 0.0825
2017  0.0102 -0.0161  0.0019  0.0177  0.0012 -0.0063  0.0036  0.0398 0.0471 0.0681 0.0650
2019  0.0189 -0.0269 -0.0244  0.0024  0.0129  0.0003 -0.0108 -0.0182 0.0093 0.0062 0.0365
"""
"""Cohorts x years."""
ERROR, TOLERANCE = "simple, std. error", 0.0002
TIMES_AS_LARGE = np.array([0.5, 1.0, 2.0])
"""Bounds of Rambachan and Roth's relative magnitudes, Mbar."""


def published() -> dict[str, str]:
    """List every published ATT(g,t), and the simple average with its standard error."""
    numbers = {}
    for line in ATT.split("\n")[1:-1]:
        group, *estimates = line.split()
        numbers |= {f"ATT({group},{t})": a for t, a in zip(YEARS, estimates, strict=True)}
    return numbers | {"simple": "0.068", ERROR: "0.0077"}


def found(states: didjack.GroupTimeResult) -> dict[str, float]:
    """Estimate the same."""
    simple = states.aggregate("simple").with_options(vcov="analytic").overall
    return {
        **{f"ATT({row.group},{row.time})": row.estimate for row in states.tidy().itertuples()},
        "simple": simple["estimate"],
        ERROR: simple["std_error"],
    }


def estimated(df: object, base_period: str) -> didjack.GroupTimeResult:
    """Estimate ATT(g,t), all states with the same weight."""
    return didjack.csdid(
        df,
        yname="dins",
        tname="year",
        gname="yexp2",
        idname="stfips",
        cluster="stfips",
        control_group="notyettreated",
        base_period=base_period,
    )


def honest(study: didjack.AggregateResult) -> pd.DataFrame:
    """Find intervals of the average effect after treatment if trends may deviate."""
    from moderndid.didhonest import create_sensitivity_results_rm

    inputs = study.honest_inputs()
    bounds = create_sensitivity_results_rm(
        inputs.betahat,
        inputs.sigma,
        inputs.num_pre,
        inputs.num_post,
        method="Conditional",
        m_bar_vec=TIMES_AS_LARGE,
        l_vec=np.full((inputs.num_post, 1), 1.0 / inputs.num_post),
        grid_points=400,
    )
    return bounds.to_pandas().set_index("Mbar")[["lb", "ub"]]


def about_single(states: didjack.GroupTimeResult) -> dict[str, object]:
    """Count ATT(g,t) from treatment on that differ from zero, and name cohorts of one state."""
    effects = states.tidy().query("event_time >= 0")
    analytic = states.with_options(vcov="analytic").tidy().query("event_time >= 0")
    alone = effects.loc[effects["status"].str.startswith("imputed"), ["group", "status"]]
    return {
        "n_effects": len(effects),
        "n_significant": (analytic["p_value"] < 0.05).sum(),
        "n_left": (effects["p_value"] < 0.05).sum(),
        "alone": " ".join(
            f'The effects of cohort {g} have the status "{why}".'
            for g, why in alone.drop_duplicates().to_numpy()
        ),
    }


def about_average(simple: didjack.AggregateResult) -> dict[str, object]:
    """Standard errors of the published average."""
    return {
        "simple": simple.overall["estimate"],
        "analytic": simple.with_options(vcov="analytic").overall["std_error"],
        "bootstrap": simple.with_options(vcov="bootstrap").overall["std_error"],
        "n_boot": simple.options.n_boot,
        "tolerance": TOLERANCE,
    }


def about_study(study: didjack.AggregateResult) -> dict[str, object]:
    """Test the overall effect of the event study in several ways."""
    randomization = study.randomization_test(n_permutations=199)
    return {
        "treated": study.glance().loc[0, "n_treated_clusters"],
        "clusters": study.glance().loc[0, "n_clusters"],
        "randomization": said(randomization["p_value"]),
        "n_assignments": randomization["n_assignments"],
        "smallest": randomization["smallest_p"],
        "pretest": said(study.pretest()["p_value"]),
        "last": study.tidy()["event_time"].max(),
        **errors(study),
    }


def main(argv: list[str] | None = None) -> int:
    """Replicate, report, and return the exit code."""
    options = arguments(__doc__, argv, "CSV with columns stfips, year, dins, yexp2")
    if options.data:
        df = pd.read_csv(options.data)
    else:
        from moderndid import load_ehec

        df = load_ehec()
    states = estimated(df, "varying")
    comparison = compare(published(), found(states), SOURCE, {ERROR: TOLERANCE})
    study = estimated(df, "universal").aggregate("event", min_e=-6, max_e=5)
    about = about_average(states.aggregate("simple")) | about_single(states) | about_study(study)
    about |= {"carriers": carriers(study), "honest": block(honest(study), 3)}
    report = written("medicaid", comparison, **about)
    models = {"analytic": study.with_options(vcov="analytic"), "CV3, model": study}
    latex = didjack.etable(models, cells="ci").to_latex()
    picture, (left, right) = plt.subplots(1, 2, figsize=(12, 5), layout="constrained")
    study.plot(ax=left, compare="analytic")
    study.plot(ax=right, kind="variance")
    return finish(options.out, comparison, report, latex, picture)


if __name__ == "__main__":
    sys.exit(main())
