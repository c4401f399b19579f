"""Castle doctrine laws and homicide in US states: Cheng and Hoekstra (2013).

Run it as ``python replications/castle.py --out DIR``; the data are in the package.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import statsmodels.formula.api as smf
from study import arguments, carriers, compare, errors, finish, said, written

import didjack

SOURCE = (
    "Cheng and Hoekstra (2013), J. Human Resources 48(3), doi:10.1353/jhr.2013.0023, abstract: an "
    "increase in homicides of 8 percent"
)
PUBLISHED = {"homicides, two-way fixed effects": "0.08"}
CRIMES = ("burglary", "robbery", "assault")


def two_way(df: pd.DataFrame) -> float:
    """Estimate the regression of the article, with a 0/1 law, weighted by population."""
    model = smf.wls("l_homicide ~ post + C(state) + C(year)", df, weights=df["popwt"])
    return float(model.fit().params["post"])


def estimated(df: pd.DataFrame, crime: str) -> didjack.GroupTimeResult:
    """Estimate ATT(g,t) on the log of a crime rate, states weighted by population."""
    logs = df.assign(log_rate=np.log(df[crime]))
    return didjack.csdid(
        logs,
        yname="log_rate",
        tname="year",
        gname="cohort",
        idname="state",
        cluster="state",
        weightsname="popwt",
    )


def main(argv: list[str] | None = None) -> int:
    """Replicate, report, and return the exit code."""
    options = arguments(__doc__, argv, "CSV with the columns of didjack.datasets.load_castle()")
    df = pd.read_csv(options.data) if options.data else didjack.datasets.load_castle()
    regression = two_way(df)
    comparison = compare(PUBLISHED, {"homicides, two-way fixed effects": regression}, SOURCE)

    homicide = estimated(df, "homicide")
    average, study = homicide.aggregate("group"), homicide.aggregate("event", min_e=-5, max_e=3)
    others = {crime: estimated(df, crime).aggregate("group") for crime in CRIMES}
    burglary = others["burglary"]
    trends = estimated(df, "burglary").aggregate("event", min_e=-5, max_e=3).trend_sensitivity()
    cohort = average.tidy().set_index("group").loc[2006]
    report = written(
        "castle",
        comparison,
        regression=regression,
        florida=cohort["estimate"],
        florida_error=cohort["std_error"],
        burglary=burglary.overall["estimate"],
        burglary_test=said(burglary.overall["p_value"]),
        robbery_test=said(others["robbery"].overall["p_value"]),
        assault_test=said(others["assault"].overall["p_value"]),
        breakdown=trends.breakdown["overall"],
        carriers=carriers(average),
        **errors(average, n_permutations=199),
    )
    latex = didjack.etable({"homicide": average, **others}).to_latex()
    picture, (left, right) = plt.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
    study.plot(ax=left, ylabel="Effect on the log homicide rate", n_clusters=True)
    average.plot(ax=right, kind="replicates")
    return finish(options.out, comparison, report, latex, picture)


if __name__ == "__main__":
    sys.exit(main())
