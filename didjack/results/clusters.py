"""What each cluster does to the estimates: methods of `Result`."""

from __future__ import annotations

import numpy as np
import pandas as pd

from didjack.inference import diagnostics
from didjack.options import validate_keywords
from didjack.results.base import BaseResult
from didjack.results.result_view import labelled, own_frame
from didjack.wording import encodable


@validate_keywords
def replicates(self: BaseResult) -> pd.DataFrame:
    """Return the leave-one-cluster-out estimates.

    Returns
    -------
    DataFrame
        A row for each cluster and a column for each coefficient; NaN where an estimate cannot be
        computed. The overall effect of an aggregation is in the last column.

    Raises
    ------
    OptionError
        The result has no jackknife standard errors.

    Examples
    --------
    >>> import didjack
    >>> df = didjack.datasets.load_mpdta()
    >>> res = didjack.csdid(
    ...     df, "lemp", "year", "first.treat", "countyreal", cluster="state"
    ... )
    >>> res.aggregate("group").replicates().head(3).round(4)
    group    2004    2006    2007  overall
    state
    8     -0.0797 -0.0229 -0.0350  -0.0372
    12    -0.0797 -0.0450 -0.0261  -0.0350
    13    -0.0692 -0.0158 -0.0275  -0.0294
    """
    self._need_replicates("replicates()")
    labels = self._fit.layout.cluster_labels.rename(self.options.cluster or self.options.idname)
    return labelled(self._targets.estimates.deleted, labels, self._targets.index)


@validate_keywords
def influence(self: BaseResult) -> pd.DataFrame:
    """Return the influence of each cluster on the estimates.

    Returns
    -------
    DataFrame
        The estimate minus the estimate without the cluster, in units of the outcome: a row for each
        cluster and a column for each coefficient, sorted by the absolute influence on the overall
        ATT (of ATT(g,t): on their simple average), the largest first.

    Raises
    ------
    OptionError
        The result has no jackknife standard errors.

    Examples
    --------
    >>> import didjack
    >>> df = didjack.datasets.load_mpdta()
    >>> res = didjack.csdid(
    ...     df, "lemp", "year", "first.treat", "countyreal", cluster="state"
    ... )
    >>> res.aggregate("group").influence()["overall"].head(3).round(3).to_dict()
    {8: 0.006, 17: -0.006, 26: -0.005}
    """
    self._need_replicates("influence()")
    table = -(replicates(self) - self._targets.estimates.full)
    overall = diagnostics.overall_theta(self._fit, self._overall_evidence)
    size = np.abs(overall.full - overall.deleted)
    order = np.argsort(-np.nan_to_num(size, nan=np.inf), kind="stable")
    return pd.DataFrame(table.iloc[order])


@validate_keywords
def clusters(self: BaseResult) -> pd.DataFrame:
    """Describe the clusters, one row each.

    Returns
    -------
    DataFrame
        n_obs and n_units; cohorts, the first treated periods of its units (``"never"`` for never
        treated); treated, whether it is in a treated cohort; treated_share, its share of the weight
        of all treated units; influence, the overall ATT (of a group-time result: the simple
        average) minus its estimate without the cluster, in units of the outcome; variance_share,
        its share of the CV3 (CV3J) variance of the same; partial_leverage, its share of the
        variance that the overall ATT has under the working model (see `reference` in `csdid`),
        whatever the outcomes. The last three are NaN without a jackknife.

    References
    ----------
    MacKinnon, Nielsen & Webb (2023), Leverage, influence, and the jackknife in clustered
    regression models, Stata Journal 23, doi:10.1177/1536867X231212433.

    Examples
    --------
    >>> import didjack
    >>> df = didjack.datasets.load_mpdta()
    >>> res = didjack.csdid(
    ...     df, "lemp", "year", "first.treat", "countyreal", cluster="state"
    ... )
    >>> clusters = res.clusters()[["n_units", "treated_share", "variance_share"]]
    >>> clusters.sort_values("variance_share").tail(2).round(3)
           n_units  treated_share  variance_share
    state
    12          13          0.068           0.106
    17          20          0.105           0.637
    """
    return own_frame(diagnostics.clusters(self._fit, self._overall_evidence))


@validate_keywords
def glance(self: BaseResult) -> pd.DataFrame:
    r"""Return one row about the sample and the options.

    n_empty_clusters is the number of clusters that the sample rules left without units; they
    are among n_clusters and count in the degrees of freedom, as in the reference packages.

    effective_clusters and effective_treated_clusters are
    :math:`(\sum_h w_h)^2 / \sum_h w_h^2` with the weight of all units, and of all treated
    units, by cluster: the number of clusters if all have the same weight, and fewer otherwise. For
    the mean of independent units of equal variance this is the effective number :math:`G^*` of
    Carter, Schnepel & Steigerwald (2017), doi:10.1162/REST_a_00639; in general theirs depends on
    an assumed error covariance.

    With a jackknife, under the working model that `reference` of `csdid` explains: g_star,
    :math:`(\sum_h \gamma_h)^2 / \sum_h \gamma_h^2` with the partial leverages of `clusters`;
    critical_value and critical_value_t, of the overall ATT under the model and of t(R - 1);
    reference_method, how its reference distribution was computed; composition_share, the share of
    the overall ATT's variance that comes from replicates in which other ATT(g,t) are averaged than
    in the full sample. NaN where there is no reference distribution.

    Returns
    -------
    DataFrame
        One row: n_obs, n_units, n_clusters, n_treated_clusters, n_groups, n_periods, options of
        the result by their names, n_empty_clusters, and the quantities above.

    Examples
    --------
    >>> import didjack
    >>> df = didjack.datasets.load_mpdta()
    >>> res = didjack.csdid(
    ...     df, "lemp", "year", "first.treat", "countyreal", cluster="state"
    ... )
    >>> row = res.aggregate("simple").glance().iloc[0]
    >>> print(*row[["n_obs", "n_clusters", "n_treated_clusters", "reference_method"]])
    2500 29 13 exact
    >>> print(*row[["g_star", "critical_value", "critical_value_t"]].astype(float).round(2))
    5.95 2.15 2.05
    """
    overall = diagnostics.at_a_glance(self._fit, self._overall_evidence)
    row = self._fit.describe() | overall
    shown = {key: encodable(one) if isinstance(one, str) else one for key, one in row.items()}
    return pd.DataFrame([shown])
