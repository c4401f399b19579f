"""Compile everything ahead of the first study, for images and lessons."""

from __future__ import annotations

import warnings
from typing import Any

from didjack.api import csdid
from didjack.errors import DidjackWarning
from didjack.simulate import panel, repeated_cross_section


def warmup() -> None:
    """Compile all numerical code and store it on disk, so that later calls start at once.

    The code is otherwise compiled when it is first needed, which takes seconds. It is stored in the
    cache of numba, whose location is set by ``NUMBA_CACHE_DIR``. Call this once when you set up a
    machine image, a container or a classroom.

    Examples
    --------
    >>> import didjack
    >>> didjack.warmup()
    """
    names: dict[str, Any] = {"yname": "y", "tname": "period", "gname": "cohort"}
    names |= {"cluster": "cluster", "progress": False}
    design: dict[str, Any] = {"n_clusters": 12, "n_periods": 5, "seed": 1}
    covariates: dict[str, Any] = {"n_covariates": 1, "n_dummies": 1, "weights": True}
    balanced = panel(**design, **covariates)
    sections = repeated_cross_section(**design, **covariates)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DidjackWarning)
        for method in ("reg", "ipw", "dr"):
            for more in ({}, {"xformla": "~ x1 + x2", "weightsname": "w"}):
                options = names | more | {"est_method": method}
                results = [
                    csdid(balanced, idname="id", **options),
                    csdid(balanced.iloc[1:], idname="id", allow_unbalanced_panel=True, **options),
                    csdid(sections, panel=False, **options),
                ]
                for result in results:
                    study = result.aggregate("event")
                    study.confint(joint=True)
                    for vcov in ("analytic", "bootstrap"):
                        study.with_options(vcov=vcov).tidy(joint=True)
                    result.aggregate("simple").randomization_test(n_permutations=9)
        study.trend_sensitivity()
        # So many rows that logits without a cluster are expanded, and dummies that may be dropped.
        many = repeated_cross_section(
            **covariates, n_clusters=50, cluster_size=120, n_periods=3, cohorts=[2], seed=1
        )
        csdid(many, panel=False, xformla="~ x1 + x2", collinear="drop", **names).coef()
