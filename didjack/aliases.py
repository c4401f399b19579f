"""What users of related packages type, and what they mean by it."""

from typing import NamedTuple

ALIASES = {
    "df": "data",
    "y": "yname",
    "outcome": "yname",
    "t": "tname",
    "time": "tname",
    "g": "gname",
    "cohort": "gname",
    "group": "gname",
    "first_treat": "gname",
    "id": "idname",
    "unit": "idname",
    "formula": "xformla",
    "covariates": "xformla",
    "clustervars": "cluster",
    "clustervar": "cluster",
    "weights": "weightsname",
    "unbalanced": "allow_unbalanced_panel",
    "estimator": "est_method",
    "biters": "n_boot",
    "boot_iterations": "n_boot",
    "random_state": "seed",
    "se": "vcov",
    "level": "alpha",
}
"""Names of options, and what these are called here."""

ELSEWHERE = {"pname": " (triple differences are estimated by ddd())"}
"""Options that another function has."""


class Renamed(NamedTuple):
    """A parameter that had another name.

    Attributes
    ----------
    new : its name
    since : the version from which the old name is deprecated; None if it remains understood
    """

    new: str
    since: str | None = None


RENAMED = {"df": Renamed("data")}
"""Parameters by the names that they had."""

VALUE_ALIASES = {
    "dripw": "dr",
    "drdid": "dr",
    "doubly robust": "dr",
    "or": "reg",
    "ols": "reg",
    "outcome regression": "reg",
    "stdipw": "ipw",
    "cr3": "CV3",
    "jackknife": "CV3",
    "cluster": "analytic",
    "clustered": "analytic",
    "robust": "analytic",
    "iid": "analytic",
    "boot": "bootstrap",
    "dynamic": "event",
    "eventstudy": "event",
    "time": "calendar",
    "omit": "drop",
    "dropna": "skip",
    "error": "raise",
    "model": "impute",
}
"""What is chosen for an option, and what it is called here."""
