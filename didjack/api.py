"""The front door."""

from __future__ import annotations

from typing import Any

from didjack.data.checks import check_second_cluster
from didjack.data.clean import clean
from didjack.data.lazy.lazy_table import is_lazy
from didjack.errors import UnknownOptionError
from didjack.estimation.fit import Fit
from didjack.estimation.sums import SumSource
from didjack.options import (
    BasePeriod,
    Collinear,
    ControlGroup,
    EstMethod,
    FixWeights,
    Options,
    Reference,
    Undefined,
    Vcov,
    validate_keywords,
)
from didjack.results.group_time import GroupTimeResult, group_time_result
from didjack.results.result_view import report


@validate_keywords
def csdid(
    data: Any,
    yname: str,
    tname: str,
    gname: str,
    idname: str | None = None,
    xformla: str | None = None,
    *,
    cluster: str | None = None,
    weightsname: str | None = None,
    panel: bool = True,
    allow_unbalanced_panel: bool = False,
    control_group: ControlGroup = "nevertreated",
    base_period: BasePeriod = "varying",
    anticipation: int = 0,
    est_method: EstMethod = "dr",
    fix_weights: FixWeights | None = None,
    collinear: Collinear = "nan",
    vcov: Vcov = "CV3",
    reference: Reference = "model",
    undefined: Undefined = "impute",
    alpha: float = 0.05,
    n_boot: int = 999,
    seed: int = 0,
    progress: bool | None = None,
    collect: bool = False,
) -> GroupTimeResult:
    r"""Estimate group-time average treatment effects with cluster-jackknife standard errors.

    ATT(g,t) is the average effect in period t on cohort g, the units first treated in period g
    (Callaway and Sant'Anna, 2021). It is estimated by the change of the outcome in the cohort since
    a base period, less the change in a control group that is not (yet) treated. Standard errors are
    the square roots of the diagonal of

    .. math:: CV_3 = \frac{R-1}{R} \sum_h (\theta_{(h)} - \theta)(\theta_{(h)} - \theta)'

    where :math:`\theta_{(h)}` is the estimate without cluster h; cohort shares, propensity scores
    and regressions are estimated again, too. Tests and intervals use the null distribution of the
    t statistic in this design, under a working model of cluster-level shocks. With few treated
    clusters it has much heavier tails than t(R - 1).

    Parameters
    ----------
    data : pandas, polars or pyarrow table, or a lazy one of DuckDB, polars, Spark or Ibis
        One row for each unit and period, or for each observation of a repeated cross section.
        It is not modified. The engine of a lazy table groups its rows, see "Large data" in the
        documentation.
    yname : str
        Column of the outcome; numeric.
    tname : str
        Column of the period: whole numbers, pandas Periods, or dates of a regular frequency.
    gname : str
        Column of the first treated period, on the same scale; 0, inf or missing: never treated.
        `first_treated` constructs it from a 0/1 treatment indicator.
    idname : str, optional
        Column of the unit; required with ``panel=True``.
    xformla : str, optional
        Covariates as a one-sided formula, such as ``"~ x + C(region) + np.log(pop)"``. A formula
        is Python code that is run: use only formulas that you wrote or read.
    cluster : str, optional
        Column of the cluster, the level at which treatment is assigned; default: the unit.
        Required for the jackknife with ``panel=False``.
    weightsname : str, optional
        Column of sampling weights, not negative. Rows of weight zero are dropped.
    panel : bool
        Whether units are followed over time; False for repeated cross sections.
    allow_unbalanced_panel : bool
        Keep units that miss some periods, and use the estimators of repeated cross sections.
        Otherwise such units are dropped, with a warning.
    control_group : {"nevertreated", "notyettreated"}
        The control group of cohort g in period t: units that are never treated, or all that
        are not treated by then (nor, with `anticipation`, about to be), never-treated included.
    base_period : {"varying", "universal"}
        Base period of pre-treatment ATT(g,t): the period before ("varying", so that they are
        changes from one period to the next), or the last period before treatment ("universal").
        In the periods of `anticipation` and from treatment on, both use the last period before
        these.
    anticipation : int
        Number of periods before treatment in which there may already be effects. Base periods and
        the treatment of control units are at least that far away.
    est_method : {"dr", "ipw", "reg"}
        Doubly robust, inverse probability weighting, or outcome regression. Without covariates
        they are the same.
    fix_weights : {None, "varying", "base_period", "first_period"}
        Which weights an ATT(g,t) of a panel uses where they vary over time: those of the earlier
        of its two periods (None), of each row's own period (rows are then compared as repeated
        cross sections), of the cohort's base period (the last one before treatment and
        anticipation, in all its cells), or of the unit's first period. On a balanced panel
        covariates are those of the earlier period in any case.
    collinear : {"nan", "drop"}
        Result for an ATT(g,t) whose covariates are collinear among its rows: no estimate, with
        status "collinear", or an estimate that omits the later ones of these covariates.
    vcov : {"CV3", "CV3J", "analytic", "bootstrap"}
        "CV3", "CV3J": cluster jackknife, centred on the estimate or on the mean of the replicates.
        "analytic": influence functions; normal if units are independent, t(H - 1) if `cluster`
        names larger groups. "bootstrap": multiplier bootstrap of these influence functions.
    reference : {"model", "t"}
        Reference distribution of the jackknife's t statistics. "model": their null distribution in
        this design if errors are normal, independent between clusters, and have a variance that
        depends only on the size of the cluster; never less conservative than t(R - 1). "t":
        t(R - 1), as in R ``didjack`` and Stata ``csdidjack``. The column ``df`` contains the
        degrees of freedom of the t distribution with the same critical value at `alpha`.
    undefined : {"impute", "nan", "skip", "raise"}
        What happens if an estimate is not defined without some cluster. "impute": the standard
        error uses the other jackknife replicates, and the part of this cluster is imputed under the
        working model; with ``reference="t"`` it acts as "nan". "nan": no standard error. "skip":
        the replicate is left out, so that the standard error has no variation from this cluster.
        "raise": an error.
    alpha : float
        One minus the level of confidence intervals, for all methods of the result.
    n_boot : int
        Number of draws of the bootstrap.
    seed : int
        Seed of the bootstrap and of simulated critical values; nothing else is random.
    progress : bool, optional
        Show a bar; default: when it takes more than a second, on a terminal or in a notebook.
    collect : bool
        Load the required columns of a lazy table into memory. Some options need this; an error
        then says so, and how much memory is needed. No effect for other tables.

    Returns
    -------
    GroupTimeResult
        With one row for each cohort and period in ``tidy()``; aggregate them with ``aggregate()``.

    Raises
    ------
    OptionError
        An option has an invalid value; UnknownOptionError if there is no such option, or a
        required one is missing.
    DataError
        The data cannot be used as they are; the message names column, count and first offenders.
    UndefinedReplicateError
        With ``undefined="raise"``.

    Warns
    -----
    SampleWarning
        The sample rules dropped or recoded rows; ``result.sample`` lists what they did.
    EstimationWarning
        Some ATT(g,t) could not be estimated, or only without some covariates.
    InferenceWarning
        A standard error is missing or leaves clusters out; FewClustersWarning if inference is
        driven by few of them.

    References
    ----------
    Callaway & Sant'Anna (2021), J. Econometrics 225, doi:10.1016/j.jeconom.2020.12.001.
    Sant'Anna & Zhao (2020), J. Econometrics 219, doi:10.1016/j.jeconom.2020.06.003.
    Karim, Nielsen, MacKinnon & Webb (2026), Improved inference for CSDID using the cluster
    jackknife.

    Examples
    --------
    Minimum wages and teen employment in 500 counties, with each county as its own cluster:

    >>> import didjack
    >>> df = didjack.datasets.load_mpdta()
    >>> res = didjack.csdid(
    ...     df, yname="lemp", tname="year", gname="first.treat", idname="countyreal",
    ...     xformla="~ lpop", control_group="notyettreated",
    ... )
    >>> study = res.aggregate("event").tidy()
    >>> print(study[["event_time", "estimate", "std_error", "p_value"]].round(3).to_string())
       event_time  estimate  std_error  p_value
    0          -3     0.027      0.014    0.055
    1          -2    -0.005      0.013    0.700
    2          -1    -0.023      0.015    0.121
    3           0    -0.020      0.012    0.085
    4           1    -0.055      0.017    0.001
    5           2    -0.138      0.036    0.001
    6           3    -0.107      0.034    0.004
    """
    return _estimate(**locals())


def _estimate(data: Any, **settings: Any) -> GroupTimeResult:
    """Clean the data, estimate, and warn of what a user should know."""
    if data is None:
        raise UnknownOptionError("data is required: a pandas, polars or pyarrow table")
    options = Options.from_keywords(**settings)
    if is_lazy(data):
        from didjack.data.lazy.lazy_sample import (
            clean as clean_lazy,  # and narwhals: takes long to import
        )

        sample = clean_lazy(data, options.sample, options.estimation, options.inference.progress)
    else:
        sample = clean(data, options.sample, options.estimation)
    if options.inference.jackknife:
        check_second_cluster(sample, options.sample)
    fit = Fit.from_source(SumSource.from_sample(sample, options.estimation), options, sample.ledger)
    result = group_time_result(fit)
    report(result._view)  # noqa: SLF001
    return result


@validate_keywords
def ddd(
    data: Any,
    yname: str,
    tname: str,
    gname: str,
    idname: str | None = None,
    xformla: str | None = None,
    *,
    pname: str,
    cluster: str | None = None,
    weightsname: str | None = None,
    panel: bool = True,
    allow_unbalanced_panel: bool = False,
    control_group: ControlGroup = "nevertreated",
    base_period: BasePeriod = "varying",
    anticipation: int = 0,
    est_method: EstMethod = "dr",
    fix_weights: FixWeights | None = None,
    collinear: Collinear = "nan",
    vcov: Vcov = "CV3",
    reference: Reference = "model",
    undefined: Undefined = "impute",
    alpha: float = 0.05,
    n_boot: int = 999,
    seed: int = 0,
    progress: bool | None = None,
    collect: bool = False,
) -> GroupTimeResult:
    r"""Estimate group-time effects by triple differences, with cluster-jackknife standard errors.

    A state (or another cluster) enables the treatment of its eligible units in period g. The
    outcomes of eligible and of other units in these states are compared, and the change in this
    gap is compared with that in states that do not enable the treatment. Errors that are common to
    all units of a state, or to all eligible units, are differenced out. Let DiD(C) be the estimate
    of `csdid` for the eligible units of cohort g, with the rows C as the control group. Then

    .. math:: ATT(g,t) = DiD(g, other) + DiD(c, eligible) - DiD(c, other)

    where c is the control group. Each of the three comparisons has its own propensity scores and
    regressions (Ortiz-Villavicencio and Sant'Anna, 2025). With covariates this is not the
    difference between the `csdid` estimates for eligible and for other units, unless both groups
    have the same distribution of covariates. Inference is that of `csdid`.

    Parameters
    ----------
    data : pandas, polars or pyarrow table, or a lazy one of DuckDB, polars, Spark or Ibis
        One row for each unit and period, or for each observation of a repeated cross section.
    yname, tname, idname, xformla : str
        As in `csdid`: columns of outcome, period and unit, and the covariates.
    gname : str
        Column of the period in which the unit's state enables treatment, whether or not the unit is
        eligible; 0, inf or missing: never.
    pname : str
        Column that is 1 (True) for eligible units, and 0 (False) for others, such as ages or
        occupations to which a law does not apply. It must be constant over time.
    cluster, weightsname, panel, allow_unbalanced_panel : optional
        As in `csdid`. `cluster` is the level at which treatment is enabled.
    control_group : {"nevertreated", "notyettreated"}
        States that never enable treatment, or all that have not enabled it by then. The latter are
        compared one cohort at a time, because their shares of eligible units differ. Cohort c has
        the weight :math:`1 / (1/n_{c1} + 1/n_{c0})`, where :math:`n_{c1}` and :math:`n_{c0}` are
        the sums of weights of its eligible and its other units. Replicates compute it again.
    base_period, anticipation, est_method, fix_weights, collinear : optional
        As in `csdid`.
    vcov, reference, undefined, alpha, n_boot, seed, progress, collect : optional
        As in `csdid`. In the working model of `reference`, the eligible and the other units of each
        cluster have separate errors in each period.

    Returns
    -------
    GroupTimeResult
        With one row for each cohort and period in ``tidy()``; aggregate them with ``aggregate()``,
        by the weights of the eligible units of cohorts.

    Raises
    ------
    OptionError
        An option has an invalid value; UnknownOptionError if there is no such option, or a required
        one is missing.
    DataError
        The data cannot be used as they are: `pname` is not 0 or 1, varies within a unit, or is
        the same for all; and whatever `csdid` does not accept.
    UndefinedReplicateError
        With ``undefined="raise"``.

    Warns
    -----
    SampleWarning, EstimationWarning, InferenceWarning
        As `csdid` does. An ATT(g,t) whose cohort, or control group, has no eligible or no other
        units is missing, with a status that says so.

    References
    ----------
    Ortiz-Villavicencio & Sant'Anna (2025), Better understanding triple differences estimators,
    doi:10.48550/arXiv.2505.09942.

    Examples
    --------
    An effect of 1 on the young in five of twenty states:

    >>> import didjack
    >>> df = didjack.simulate.panel(n_clusters=20, treated_clusters=5, effect=0.0, seed=1)
    >>> df["young"] = df["id"] % 2 == 0
    >>> df["y"] += df["young"] & (df["cohort"] > 0) & (df["period"] >= df["cohort"])
    >>> res = didjack.ddd(df, "y", "period", "cohort", "id", pname="young", cluster="cluster")
    >>> overall = res.aggregate("simple").overall
    >>> print(f"{overall['estimate']:.2f} ({overall['std_error']:.2f})")
    0.69 (0.26)
    """
    if pname is None:
        raise UnknownOptionError(
            "pname is required: the 0/1 column of eligible units; or use csdid"
        )
    return _estimate(**locals())
