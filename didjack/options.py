"""What the user asked for: one frozen object that checks itself."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, cast, get_args

from didjack.errors import OptionError, UnknownOptionError

ControlGroup = Literal["nevertreated", "notyettreated"]
BasePeriod = Literal["varying", "universal"]
EstMethod = Literal["dr", "ipw", "reg"]
FixWeights = Literal["varying", "base_period", "first_period"]
Collinear = Literal["nan", "drop"]
Vcov = Literal["CV3", "CV3J", "analytic", "bootstrap"]
Undefined = Literal["nan", "skip", "raise"]
AggregationType = Literal["simple", "event", "group", "calendar"]
AggregationWeights = Literal["cohort", "cell"]

CHOICES: dict[str, tuple[str, ...]] = {
    "control_group": get_args(ControlGroup),
    "base_period": get_args(BasePeriod),
    "est_method": get_args(EstMethod),
    "fix_weights": get_args(FixWeights),
    "collinear": get_args(Collinear),
    "vcov": get_args(Vcov),
    "undefined": get_args(Undefined),
    "type": get_args(AggregationType),
    "weights": get_args(AggregationWeights),
}

# What users of related packages type, and what they mean by it.
ALIASES = {
    "data": "df",
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


def nearest(name: str, allowed: Iterable[str]) -> str | None:
    """Return the allowed name a mistyped one most likely stands for, if any is near."""
    allowed = list(allowed)
    alias = ALIASES.get(name.lower())
    if alias in allowed:
        return alias
    close = difflib.get_close_matches(name.lower(), allowed, n=1, cutoff=0.5)
    return close[0] if close else None


def reject_unknown(unknown: Mapping[str, object], allowed: Iterable[str]) -> None:
    """Raise for keywords a function does not have, naming the nearest one it has."""
    if not unknown:
        return
    allowed = list(allowed)
    hints = [
        f"{name!r}" + (f" (did you mean {match!r}?)" if (match := nearest(name, allowed)) else "")
        for name in unknown
    ]
    raise UnknownOptionError(f"unknown option {', '.join(hints)}; allowed: {', '.join(allowed)}")


def check_choice(name: str, value: Any, optional: bool = False) -> None:
    """Raise unless `value` is one of the choices of option `name`."""
    allowed = CHOICES[name]
    if value in allowed if isinstance(value, str) else (value is None and optional):
        return
    match = nearest(value, allowed) if isinstance(value, str) else None
    hint = f" (did you mean {match!r}?)" if match else ""
    listed = ", ".join(repr(choice) for choice in allowed) + (" or None" if optional else "")
    raise OptionError(f"{name}={value!r} is not allowed{hint}; allowed: {listed}")


def check_alpha(alpha: Any) -> float:
    """Return `alpha` as a float strictly between 0 and 1, or raise."""
    number = isinstance(alpha, (int, float)) and not isinstance(alpha, bool)
    if not number or not 0 < alpha < 1:
        raise OptionError(f"alpha={alpha!r} is not allowed; it must lie strictly between 0 and 1")
    return float(alpha)


def check_count(name: str, value: Any, least: int) -> int:
    """Return `value` as an int that is at least `least`, or raise."""
    whole = hasattr(value, "__index__") and not isinstance(value, bool)
    if not whole or int(value) < least:
        raise OptionError(f"{name}={value!r} is not allowed; it must be a whole number >= {least}")
    return int(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of one call of `csdid`, checked; the fields have the names of its arguments."""

    yname: str
    tname: str
    gname: str
    idname: str | None = None
    xformla: str | None = None
    cluster: str | None = None
    weightsname: str | None = None
    panel: bool = True
    allow_unbalanced_panel: bool = False
    control_group: ControlGroup = "nevertreated"
    base_period: BasePeriod = "varying"
    anticipation: int = 0
    est_method: EstMethod = "dr"
    fix_weights: FixWeights | None = None
    collinear: Collinear = "nan"
    vcov: Vcov = "CV3"
    undefined: Undefined = "nan"
    alpha: float = 0.05
    n_boot: int = 999
    seed: int | None = None
    progress: bool | None = None

    def __post_init__(self) -> None:
        for name in ("yname", "tname", "gname"):
            if getattr(self, name) is None:
                raise UnknownOptionError(f"{name} is required: the name of a column")
        for name in ("yname", "tname", "gname", "idname", "cluster", "weightsname", "xformla"):
            self._check_string(name)
        for name in ("panel", "allow_unbalanced_panel"):
            if not isinstance(getattr(self, name), bool):
                raise OptionError(f"{name}={getattr(self, name)!r} is not allowed: True or False")
        if self.progress not in (None, True, False):
            raise OptionError(f"progress={self.progress!r} is not allowed: True, False or None")
        for name in ("control_group", "base_period", "est_method", "collinear", "vcov"):
            check_choice(name, getattr(self, name))
        check_choice("undefined", self.undefined)
        check_choice("fix_weights", self.fix_weights, optional=True)
        object.__setattr__(self, "alpha", check_alpha(self.alpha))
        object.__setattr__(self, "anticipation", check_count("anticipation", self.anticipation, 0))
        object.__setattr__(self, "n_boot", check_count("n_boot", self.n_boot, 1))
        if self.seed is not None:
            object.__setattr__(self, "seed", check_count("seed", self.seed, 0))
        self._check_together()

    def _check_string(self, name: str) -> None:
        value = getattr(self, name)
        if value is not None and not isinstance(value, str):
            hint = ""
            if name == "cluster" and isinstance(value, (list, tuple)):
                hint = "; clustering is one-way, the unit is nested in it"
            raise OptionError(f"{name}={value!r} is not allowed: a string{hint}")

    def _check_together(self) -> None:
        if self.panel and self.idname is None:
            raise OptionError("idname is required with panel=True (or set panel=False)")
        if not self.panel and self.idname is not None:
            raise OptionError(
                f"idname={self.idname!r} does not go with panel=False: repeated cross sections "
                "have no unit that is seen twice; leave idname out, or set panel=True"
            )
        if not self.panel and self.allow_unbalanced_panel:
            raise OptionError("allow_unbalanced_panel=True does not go with panel=False")
        if not self.panel and self.cluster is None and self.jackknife:
            raise OptionError(
                f"cluster is required for vcov={self.vcov!r} with panel=False: name the column "
                "of the clusters, or use vcov='analytic'"
            )
        if self.fix_weights is not None and self.weightsname is None:
            raise OptionError(f"fix_weights={self.fix_weights!r} needs weightsname")
        if self.fix_weights in ("base_period", "first_period") and not self.panel:
            raise OptionError(f"fix_weights={self.fix_weights!r} needs a panel (panel=True)")

    @property
    def jackknife(self) -> bool:
        """Whether standard errors come from the cluster jackknife."""
        return self.vcov in ("CV3", "CV3J")

    @classmethod
    def names(cls) -> list[str]:
        """List the options in the order of `csdid`'s arguments."""
        return [field.name for field in fields(cls)]


def aggregation_type(value: Any) -> AggregationType:
    """Return the aggregation type, with the alias ``"dynamic"`` resolved, or raise."""
    value = "event" if value == "dynamic" else value
    check_choice("type", value)
    return cast(AggregationType, value)
