"""The front door."""

from __future__ import annotations

from typing import Any

from didjack.engine.fit import Fit
from didjack.errors import UnknownOptionError
from didjack.intake.clean import clean
from didjack.options import (
    BasePeriod,
    Collinear,
    ControlGroup,
    EstMethod,
    FixWeights,
    Options,
    Undefined,
    Vcov,
    reject_unknown,
)
from didjack.results.group_time import GroupTimeResult
from didjack.results.view import report
from didjack.sums.in_memory import InMemory


def csdid(
    df: Any = None,
    yname: str | None = None,
    tname: str | None = None,
    gname: str | None = None,
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
    undefined: Undefined = "nan",
    alpha: float = 0.05,
    n_boot: int = 999,
    seed: int = 0,
    progress: bool | None = None,
    **unknown: Any,
) -> GroupTimeResult:
    r"""Estimate group-time average treatment effects with cluster-jackknife standard errors.

    ATT(g,t) is the average effect in period t on cohort g, the units first treated in period g
    (Callaway and Sant'Anna, 2021). For each g and t it compares the change of the outcome since a
    base period with that of units not (yet) treated. Standard errors are the square roots of the
    diagonal of

    .. math:: CV_3 = \frac{R-1}{R} \sum_h (\theta_{(h)} - \theta)(\theta_{(h)} - \theta)'

    where :math:`\theta_{(h)}` is estimated without cluster h, from scratch: cohort shares,
    propensity scores and regressions included. Tests and intervals use t(R - 1).

    Parameters
    ----------
    df : pandas, polars or pyarrow table
        One row for each unit and period, or for each observation of a repeated cross section.
        It is not modified.
    yname : str
        Column of the outcome; numeric.
    tname : str
        Column of the period: whole numbers, pandas Periods, or dates of a regular frequency.
    gname : str
        Column of the first treated period, on the same scale; 0, inf or missing: never treated.
    idname : str, optional
        Column of the unit; required with ``panel=True``.
    xformla : str, optional
        Covariates as a one-sided formula, such as ``"~ x + C(region) + np.log(pop)"``.
    cluster : str, optional
        Column of the cluster; default: the unit.
    weightsname : str, optional
        Column of sampling weights, not negative.
    panel : bool
        Whether units are followed over time; False for repeated cross sections.
    allow_unbalanced_panel : bool
        Keep units that miss some periods, and use the estimators of repeated cross sections.
    control_group : {"nevertreated", "notyettreated"}
    base_period : {"varying", "universal"}
        Before treatment, compare with the period before, or always with the last one before
        treatment.
    anticipation : int
        Periods before treatment in which there may be effects already.
    est_method : {"dr", "ipw", "reg"}
        Doubly robust, inverse probability weighting, or outcome regression.
    fix_weights : {None, "varying", "base_period", "first_period"}
        Which weights a cell uses where they vary over time.
    collinear : {"nan", "drop"}
        What to do with collinear covariates in a cell.
    vcov : {"CV3", "CV3J", "analytic", "bootstrap"}
        CV3 and CV3J: cluster jackknife, centred on the estimate or on the mean of the replicates.
        "analytic": influence functions; normal if units are independent, t(H - 1) if `cluster`
        names larger groups.
    undefined : {"nan", "skip", "raise"}
        If an estimate cannot be had without some cluster: no standard error, leave the replicate
        out, or an error.
    alpha : float
        One minus the level of confidence intervals.
    n_boot, seed : int
        Draws of the bootstrap and of joint bands, and their seed.
    progress : bool, optional
        Show a bar; default: when it takes more than a second, on a terminal or in a notebook.

    Returns
    -------
    GroupTimeResult
        With one row for each cohort and period in ``tidy()``; average them with ``aggregate()``.

    Raises
    ------
    OptionError
        An option has a value that is not allowed; UnknownOptionError if there is no such option.
    DataError
        The data cannot be used as they are.
    UndefinedReplicateError
        With ``undefined="raise"``.

    References
    ----------
    Callaway & Sant'Anna (2021), J. Econometrics 225, doi:10.1016/j.jeconom.2020.12.001.
    Sant'Anna & Zhao (2020), J. Econometrics 219, doi:10.1016/j.jeconom.2020.06.003.
    Karim, Nielsen, MacKinnon & Webb (2026), Improved inference for CSDID using the cluster
    jackknife.

    Examples
    --------
    >>> import didjack
    >>> df = didjack.datasets.load_mpdta()
    >>> res = didjack.csdid(
    ...     df, yname="lemp", tname="year", gname="first.treat", idname="countyreal",
    ...     cluster="state", vcov="CV3", undefined="skip",
    ... )  # doctest: +SKIP
    """
    settings: dict[str, Any] = {name: value for name, value in locals().items() if name != "df"}
    reject_unknown(settings.pop("unknown"), ["df", *Options.names()])
    if df is None:
        raise UnknownOptionError("df is required: a pandas, polars or pyarrow table")
    options = Options(**settings)
    sample = clean(df, options)
    result = GroupTimeResult.of(Fit.of(InMemory.of(sample, options), options, sample.ledger))
    report(result.view)
    return result
