"""Minimum wages and teen employment in US counties: Callaway and Sant'Anna (2021).

Run it as ``python replications/minimum_wage.py --out DIR``; the data are in the package.
"""

import sys

import matplotlib.pyplot as plt
import pandas as pd
from study import arguments, carriers, compare, errors, finish, said, written

import didjack

SOURCE = (
    "Vignette 'Getting started' of the R package did (Callaway and Sant'Anna): mpdta, "
    "xformla = ~1, never treated, standard errors by county"
)
ESTIMATES = {
    "ATT(2004,2004)": "-0.0105",
    "ATT(2004,2005)": "-0.0704",
    "ATT(2004,2006)": "-0.1373",
    "ATT(2004,2007)": "-0.1008",
    "simple": "-0.0400",
    "dynamic overall": "-0.0772",
}
ERRORS = {
    "ATT(2004,2004), std. error": "0.0233",
    "simple, std. error": "0.0120",
    "dynamic overall, std. error": "0.0200",
}


def found(counties: didjack.GroupTimeResult) -> dict[str, float]:
    """Estimate what is published, with analytic errors by county."""
    numbers = {}
    for row in counties.tidy().itertuples():
        name = f"ATT({row.group},{row.time})"
        numbers |= {name: row.estimate, f"{name}, std. error": row.std_error}
    for name, kind in (("simple", "simple"), ("dynamic overall", "event")):
        overall = counties.aggregate(kind).overall
        numbers |= {name: overall["estimate"], f"{name}, std. error": overall["std_error"]}
    return numbers


def main(argv: list[str] | None = None) -> int:
    """Replicate, report, and return the exit code."""
    options = arguments(__doc__, argv, "CSV with the columns of didjack.datasets.load_mpdta()")
    df = pd.read_csv(options.data) if options.data else didjack.datasets.load_mpdta()
    columns = {
        "yname": "lemp",
        "tname": "year",
        "gname": "first.treat",
        "idname": "countyreal",
    }
    counties = didjack.csdid(df, **columns, vcov="analytic")
    comparison = compare(ESTIMATES | ERRORS, found(counties), SOURCE)

    states = didjack.csdid(df, **columns, cluster="state")
    study, simple = states.aggregate("event"), states.aggregate("simple")
    pretest = states.pretest()
    report = written(
        "minimum_wage",
        comparison,
        simple=simple.overall["estimate"],
        simple_model=said(simple.overall["p_value"]),
        pretest=said(pretest["p_value"]),
        statistic=pretest["statistic"],
        critical=pretest["critical_value"],
        violation=pretest["largest_violation"],
        carriers=carriers(study),
        **errors(study, n_permutations=199),
    )
    models = {
        "by county": counties.aggregate("event"),
        "by state, t(R-1)": study.with_options(reference="t", undefined="skip"),
        "by state, model": study,
    }
    latex = didjack.etable(models, cells="ci").to_latex()
    picture, (left, right) = plt.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
    study.plot(ax=left, compare="analytic")
    study.plot(ax=right, kind="replicates")
    return finish(options.out, comparison, report, latex, picture)


if __name__ == "__main__":
    sys.exit(main())
