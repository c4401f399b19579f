"""The arguments of ``didjack fit``: their flags and what help says of them.

Those that `csdid` and `aggregate` have are named as there, and have their choices.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from typer import Argument, BadParameter, Option

from didjack.data.formula import parse
from didjack.inference.trend_sensitivity import Restriction
from didjack.options import (
    AggregationType,
    AggregationWeights,
    BasePeriod,
    Collinear,
    ControlGroup,
    EstMethod,
    FixWeights,
    Reference,
    Undefined,
    Vcov,
)

COLUMNS, SAMPLE, ESTIMATION, INFERENCE, AGGREGATION, TESTS, OUTPUT = (
    *("Columns", "Sample", "Estimation", "Inference", "Aggregation"),
    *("Tests and sensitivity", "Output"),
)
"""Groups of options in the help."""

Data = Annotated[
    Path, Argument(help="Table: .csv, .csv.gz (or .bz2, .xz, .zip, .zst), .parquet or .dta.")
]

# ---- columns ------------------------------------------------------------------------------------

Yname = Annotated[str, Option("--y", help="Outcome.", rich_help_panel=COLUMNS)]
Tname = Annotated[
    str, Option("--time", help="Period: whole numbers or dates.", rich_help_panel=COLUMNS)
]
Gname = Annotated[
    str | None,
    Option(
        "--cohort",
        help="First treated period; 0, inf or missing: never treated.",
        rich_help_panel=COLUMNS,
    ),
]
Treatment = Annotated[
    str | None,
    Option(
        "--treatment",
        help="Instead of --cohort: 1 from the first treated period of a unit (or, in cross "
        "sections, a cluster) on, 0 before.",
        rich_help_panel=COLUMNS,
    ),
]
Idname = Annotated[
    str | None, Option("--id", help="Unit; required for panels.", rich_help_panel=COLUMNS)
]
Cluster = Annotated[
    str | None,
    Option(
        "--cluster",
        help="The level at which treatment is assigned; default: the unit.",
        rich_help_panel=COLUMNS,
    ),
]
Weightsname = Annotated[
    str | None, Option("--weights", help="Sampling weights.", rich_help_panel=COLUMNS)
]
Xformla = Annotated[
    str | None,
    Option(
        "--covariates",
        help="A formula, such as '~ x + C(region) + np.log(pop)'. It is run as Python code.",
        rich_help_panel=COLUMNS,
    ),
]
Dates = Annotated[
    bool,
    Option(
        "--dates",
        help="Time and cohort are dates that the file has as strings, such as 2004-01-01.",
        rich_help_panel=COLUMNS,
    ),
]

# ---- sample and estimation ----------------------------------------------------------------------

Panel = Annotated[
    bool,
    Option(
        "--panel/--cross-sections",
        help="Units followed over time, or repeated cross sections (without --id).",
        rich_help_panel=SAMPLE,
    ),
]
Unbalanced = Annotated[
    bool,
    Option(
        "--unbalanced",
        help="Keep units that miss some periods; otherwise they are dropped, with a warning.",
        rich_help_panel=SAMPLE,
    ),
]
Control = Annotated[
    ControlGroup,
    Option(
        "--control-group",
        help="Control group: the never-treated, or all units that are not yet treated.",
        rich_help_panel=ESTIMATION,
    ),
]
Base = Annotated[
    BasePeriod,
    Option(
        "--base-period",
        help="Base period of effects before treatment: the period before, or the last period "
        "before treatment.",
        rich_help_panel=ESTIMATION,
    ),
]
Anticipation = Annotated[
    int,
    Option(
        "--anticipation",
        help="Periods before treatment in which there may be effects already.",
        rich_help_panel=ESTIMATION,
    ),
]
Method = Annotated[
    EstMethod,
    Option(
        "--method",
        help="Doubly robust, inverse probability weighting, or outcome regression.",
        rich_help_panel=ESTIMATION,
    ),
]
Fixed = Annotated[
    FixWeights | None,
    Option(
        "--fix-weights",
        help="Which weights of a panel are used if they vary over time; default: those of the "
        "earlier of the two periods.",
        rich_help_panel=ESTIMATION,
    ),
]
IfCollinear = Annotated[
    Collinear,
    Option(
        "--collinear",
        help="Where covariates are collinear: no estimate, or one without some of them.",
        rich_help_panel=ESTIMATION,
    ),
]

# ---- inference ----------------------------------------------------------------------------------

Errors = Annotated[
    Vcov,
    Option(
        "--vcov",
        help="Standard errors: cluster jackknife (CV3, or centred on the replicates' mean, CV3J), "
        "influence functions, or their bootstrap.",
        rich_help_panel=INFERENCE,
    ),
]
ReferenceOption = Annotated[
    Reference,
    Option(
        "--reference",
        help="Reference distribution of the jackknife's t statistics: their null distribution in "
        "this design, or t(R - 1).",
        rich_help_panel=INFERENCE,
    ),
]
IfUndefined = Annotated[
    Undefined,
    Option(
        "--undefined",
        help="If an estimate is not defined without some cluster: impute its part of the variance "
        "under the working model, report no standard error, leave it out, or fail.",
        rich_help_panel=INFERENCE,
    ),
]
Alpha = Annotated[
    float,
    Option(
        "--alpha",
        help="One minus the level of intervals: 0.05 for 95% intervals.",
        rich_help_panel=INFERENCE,
    ),
]
Draws = Annotated[
    int, Option("--n-boot", help="Draws of the bootstrap.", rich_help_panel=INFERENCE)
]
Seed = Annotated[
    int,
    Option(
        "--seed",
        help="Seed of the bootstrap and of simulated critical values.",
        rich_help_panel=INFERENCE,
    ),
]

# ---- aggregation --------------------------------------------------------------------------------

Aggregate = Annotated[
    AggregationType | None,
    Option(
        "--aggregate",
        help="Aggregate all ATT(g,t), by event time, by cohort or by period; default: the "
        "ATT(g,t) themselves.",
        rich_help_panel=AGGREGATION,
    ),
]
MinE = Annotated[
    float | None, Option("--min-e", help="First event time.", rich_help_panel=AGGREGATION)
]
MaxE = Annotated[
    float | None, Option("--max-e", help="Last event time.", rich_help_panel=AGGREGATION)
]
BalanceE = Annotated[
    float | None,
    Option(
        "--balance-e",
        help="Only cohorts observed for this many periods after treatment.",
        rich_help_panel=AGGREGATION,
    ),
]
Weighted = Annotated[
    AggregationWeights,
    Option(
        "--weigh-by",
        help="Weights of ATT(g,t): that of their cohort, or of their own treated rows.",
        rich_help_panel=AGGREGATION,
    ),
]

# ---- tests --------------------------------------------------------------------------------------

Randomization = Annotated[
    bool,
    Option(
        "--randomization",
        help="Test the overall ATT by reassigning cohorts to other clusters.",
        rich_help_panel=TESTS,
    ),
]
Permutations = Annotated[
    int,
    Option(
        "--n-permutations", help="Number of random assignments in that test.", rich_help_panel=TESTS
    ),
]
Placebo = Annotated[
    bool,
    Option(
        "--placebo",
        help="Test the effect on a single treated cluster by placebos in never-treated clusters.",
        rich_help_panel=TESTS,
    ),
]
TrendSensitivity = Annotated[
    Restriction | None,
    Option(
        "--trend-sensitivity",
        help="Intervals of an event study that allow for deviations from parallel trends.",
        rich_help_panel=TESTS,
    ),
]
NoiseSensitivity = Annotated[
    bool,
    Option(
        "--noise-sensitivity",
        help="Intervals if treated clusters are noisier than the others.",
        rich_help_panel=TESTS,
    ),
]


def folder(typed: str) -> Path:
    """Read the name of a folder; an empty one would be the folder the command runs in."""
    if not typed.strip():
        raise BadParameter("it is empty; name a folder, or . for the one you are in")
    return Path(typed)


# ---- output -------------------------------------------------------------------------------------

Out = Annotated[
    Path | None,
    Option(
        "--out",
        parser=folder,
        metavar="FOLDER",
        help="Folder for estimates.csv, table.tex, plot.png, plot.pdf, log.txt, replicate.py and "
        "requirements.txt, and for tests; created if it does not exist.",
        rich_help_panel=OUTPUT,
    ),
]
Force = Annotated[bool, Option("--force", help="Overwrite these files.", rich_help_panel=OUTPUT)]
Progress = Annotated[
    bool | None,
    Option(
        "--progress/--no-progress",
        help="Show a bar; default: when it takes more than a second, on a terminal.",
        rich_help_panel=OUTPUT,
    ),
]
Figure = Annotated[Path, Argument(help="File of the figure: .png, .pdf or .svg.")]


def labels(given: dict[str, Any]) -> list[str]:
    """Return the columns of units and clusters that are not used as numbers too.

    Parameters
    ----------
    given : dict
        Options of `fit` by name.
    """
    roles = ("yname", "tname", "gname", "treatment", "weightsname")
    numbers = {given[role] for role in roles}
    formula = parse(given["xformla"])
    if formula is not None:
        numbers |= set(formula.names.numbers)
    named = dict.fromkeys([given["idname"], given["cluster"]])
    return [name for name in named if name is not None and name not in numbers]
