r"""Simulated data with staggered adoption at the level of clusters, and known effects.

`panel` follows units over time; `repeated_cross_section` draws new ones every period. Both draw
from one model. With :math:`s = t - t_1`, unit `i` of cluster `h`, cohort `g` has in period `t`

.. math::

    y_{it} = a_i + 0.1 s + (0.5 + \gamma s) \sum_k x_{ik} + ATT(g, t)
             + \sigma \left(\sqrt{\iota}\, \nu_{ht} + \sqrt{1 - \iota}\, \varepsilon_{it}\right),

    \nu_{ht} = \rho\, \nu_{h,t-1} + \sqrt{1 - \rho^2}\, \eta_{ht}, \qquad
    ATT(g, t) = 1\{t \ge g > 0\}\, (\tau + \delta\, (t - g)).

Here :math:`a_i \sim N(0, \sigma_a^2)`, and :math:`\varepsilon_{it}`, :math:`\eta_{ht}` and
:math:`\nu_{h 1}` are standard normal. The options of the two functions set these parameters:
``effect`` :math:`\tau`, ``effect_slope`` :math:`\delta`, ``icc`` :math:`\iota`, ``rho``
:math:`\rho`, ``error_sd`` :math:`\sigma`, ``unit_sd`` :math:`\sigma_a`, ``covariate_trend``
:math:`\gamma`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields
from functools import wraps
from typing import ParamSpec

import pandas as pd

from didjack.errors import UnknownOptionError
from didjack.options import reject_unknown
from didjack.simulate.model import Model

__all__ = ["panel", "repeated_cross_section"]

P = ParamSpec("P")


def _with_options_of(
    model: Callable[P, Model],
) -> Callable[[Callable[[Model], pd.DataFrame]], Callable[P, pd.DataFrame]]:
    """Make a function of a model one of the model's options, signature included."""
    signature = inspect.signature(model)

    def decorate(draw: Callable[[Model], pd.DataFrame]) -> Callable[P, pd.DataFrame]:
        @wraps(draw)
        def call(*args: P.args, **options: P.kwargs) -> pd.DataFrame:
            known = [field.name for field in fields(Model)]
            reject_unknown({k: v for k, v in options.items() if k not in known}, known)
            if args:
                raise UnknownOptionError(f"give the options of {draw.__name__} by name")
            return draw(model(*args, **options))

        call.__signature__ = signature.replace(  # type: ignore[attr-defined]
            return_annotation="pd.DataFrame"
        )
        call.__annotations__ = {
            **{name: option.annotation for name, option in signature.parameters.items()},
            "return": "pd.DataFrame",
        }
        return call

    return decorate


@_with_options_of(Model)
def panel(model: Model) -> pd.DataFrame:
    r"""Draw a balanced panel with staggered adoption by clusters.

    The model is in the description of `didjack.simulate`. All options are keyword-only.

    Parameters
    ----------
    n_clusters : int, default 20
        Number of clusters, H.
    cluster_size : float or array_like of shape (H,), default 20
        Mean number of units of a cluster, or the number of each one. Sizes are rounded, and at
        least 1.
    size_dispersion : float, default 0
        Coefficient of variation of the cluster sizes. They are equal if it is 0, and drawn from
        a gamma distribution otherwise. It must be 0 if `cluster_size` lists every cluster.
    n_periods : int, default 8
        Number of periods, at least 2.
    first_period : int, default 1
        The first of the consecutive periods.
    cohorts : sequence of int, optional
        First treated periods. They must be among the periods; the first period makes a cohort
        that is treated throughout. Default: two, about one and two thirds into the periods.
    treated_clusters : int or mapping of int to int, optional
        Number of treated clusters, spread over `cohorts` as evenly as possible (earlier ones get
        the remainder), or a mapping from cohort to its number of clusters. The other clusters
        are never treated. Default: all groups, the never-treated one included, are of about the
        same number of clusters. Which clusters are treated is random.
    never : bool, default True
        Whether at least one cluster has to be never treated. If False, all are treated.
    effect : float, default 1
        Effect in the first treated period.
    effect_slope : float, default 0
        Change of the effect per period since treatment. The true effect of cohort `g` in period
        ``t >= g`` is ``effect + effect_slope * (t - g)`` for every unit.
    icc : float, default 0.2
        Intra-cluster correlation: the share, between 0 and 1, of the errors' variance that is
        common to a cluster in a period.
    rho : float, default 0.5
        Autocorrelation of the common errors, between -1 and 1. They start stationary.
    error_sd : float, default 1
        Standard deviation of the errors, common and own parts together.
    unit_sd : float, default 1
        Standard deviation of the unit effects.
    n_covariates : int, default 0
        Number of normal covariates with variance 1, constant over time.
    n_dummies : int, default 0
        Number of 0/1 covariates, constant over time. Each is 1 where a variable drawn like a
        normal covariate is positive.
    covariate_shift : float, default 0.5
        Mean of the normal covariates, and of the variables behind the dummies, among units that
        are treated at some time. It is 0 among the never treated.
    covariate_trend : float, default 0.1
        Change of the outcome per period and unit of each covariate. If this and
        `covariate_shift` are not 0, trends are parallel only given the covariates.
    weights : bool, default False
        Whether to add sampling weights, uniform between 0.5 and 2 and independent of all else.
    seed : int, numpy.random.Generator or None, optional
        Seed of the random numbers. A generator is used, and advanced. None: a new seed each time.

    Returns
    -------
    pandas.DataFrame
        One row per unit and period, sorted by both, with columns ``id`` (1 to the number of
        units), ``cluster`` (1 to H), ``period``, ``cohort`` (0 = never treated), ``y``, then
        ``x1``, ``x2``, ... (first the normal covariates, then the dummies), then ``w`` with
        ``weights=True``.

    Raises
    ------
    OptionError
        An option has an invalid value, or the options contradict each other.

    See Also
    --------
    repeated_cross_section : The same model with new units in every period.

    Notes
    -----
    The random numbers do not depend on the effects. Two draws with one seed that differ in
    `effect` or `effect_slope` only have the same untreated outcomes.

    Examples
    --------
    >>> df = panel(n_clusters=6, cluster_size=10, treated_clusters={4: 2, 6: 1}, seed=1)
    >>> df.shape
    (480, 5)
    >>> df.groupby("cohort")["cluster"].nunique().to_dict()
    {0: 3, 4: 2, 6: 1}
    """
    return model.draw(repeated=True)


@_with_options_of(Model)
def repeated_cross_section(model: Model) -> pd.DataFrame:
    """Draw repeated cross sections with staggered adoption by clusters.

    Parameters
    ----------
    **options
        Those of `panel`. `cluster_size` is the number of observations of a cluster in each
        period; unit effects, covariates and weights are drawn for each observation.

    Returns
    -------
    pandas.DataFrame
        One row per observation, sorted by period and cluster, with columns ``obs`` (1 to the
        number of rows), and from ``cluster`` on those of `panel`.

    Raises
    ------
    OptionError
        An option has an invalid value, or the options contradict each other.

    See Also
    --------
    panel : The same model with the same units in every period; describes all options.

    Examples
    --------
    >>> df = repeated_cross_section(n_clusters=6, cluster_size=10, n_dummies=1, seed=1)
    >>> df.shape
    (480, 6)
    >>> list(df.columns)
    ['obs', 'cluster', 'period', 'cohort', 'y', 'x1']
    """
    return model.draw(repeated=False)
