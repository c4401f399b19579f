"""What the user asked for: one frozen object that checks itself."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any, Generic, Literal, ParamSpec, TypeVar, get_args, get_origin, get_type_hints

import numpy as np

from didjack.aliases import ALIASES, VALUE_ALIASES
from didjack.errors import OptionError, UnknownOptionError
from didjack.wording import brief, did_you_mean, nearest

ControlGroup = Literal["nevertreated", "notyettreated"]
BasePeriod = Literal["varying", "universal"]
EstMethod = Literal["dr", "ipw", "reg"]
FixWeights = Literal["varying", "base_period", "first_period"]
Collinear = Literal["nan", "drop"]
Vcov = Literal["CV3", "CV3J", "analytic", "bootstrap"]
Reference = Literal["model", "t"]
Undefined = Literal["impute", "nan", "skip", "raise"]
AggregationType = Literal["simple", "event", "group", "calendar"]
AggregationWeights = Literal["cohort", "cell"]

T = TypeVar("T")
P = ParamSpec("P")
R = TypeVar("R")


class Registry(Generic[T]):
    """The names that an option may have, and the object that each of them stands for.

    Parameters
    ----------
    option : str
        The option, as messages and `CHOICES` call it.
    names : tuple of str
        What the option's `Literal` lists: these and no others have to be registered.
    interface : type
        Class that every item is an instance of. What it annotates without a value, an item has
        to set.
    items : iterable
        The items, each with its `name`.

    Raises
    ------
    TypeError
        An item is incomplete.
    ValueError
        Two items have one name, or the items are not those that `names` lists.
    """

    def __init__(
        self, option: str, names: tuple[str, ...], interface: type, items: Iterable[T]
    ) -> None:
        self.option = option
        self._interface = interface
        self._items: dict[str, T] = {}
        for item in items:
            self.register(item)
        if set(names) != set(self._items):
            raise ValueError(
                f"{option}: its Literal lists {', '.join(names)}, but registered are "
                f"{', '.join(self._items)}"
            )
        CHOICES[option] = self

    def register(self, item: T) -> None:
        """Add an item under its name, or raise TypeError or ValueError."""
        kind, interface = type(item).__name__, self._interface
        if not isinstance(item, interface):
            raise TypeError(f"{self.option}: {kind} is no {interface.__name__}")
        for name, hint in get_type_hints(interface).items():
            if not hasattr(item, name):
                raise TypeError(f"{self.option}: {kind} does not set {name!r}")
            if not _fits(getattr(item, name), hint):
                raise TypeError(f"{self.option}: {name!r} of {kind} has to be {hint}")
        label: str = item.name  # type: ignore[attr-defined]  # interfaces annotate it
        if not label or label in self._items:
            raise ValueError(f"{self.option}: {label!r} of {kind} is empty or taken")
        self._items[label] = item

    @contextmanager
    def temporarily(self, item: T) -> Iterator[T]:
        """Have an item registered for a while."""
        self.register(item)
        try:
            yield item
        finally:
            del self._items[item.name]  # type: ignore[attr-defined]

    def __getitem__(self, name: str) -> T:
        if name not in self._items:
            check_choice(self.option, name)
        return self._items[name]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name in self._items

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)


def _fits(value: object, hint: Any) -> bool:
    """Return whether a value has an annotated type: a class, a Literal, or tuple[...] and such."""
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    return isinstance(value, get_origin(hint) or hint)


CHOICES: dict[str, tuple[str, ...] | Registry[Any]] = {
    "control_group": get_args(ControlGroup),
    "base_period": get_args(BasePeriod),
    "est_method": get_args(EstMethod),
    "fix_weights": get_args(FixWeights),
    "collinear": get_args(Collinear),
    "vcov": get_args(Vcov),
    "reference": get_args(Reference),
    "undefined": get_args(Undefined),
    "type": get_args(AggregationType),
    "weights": get_args(AggregationWeights),
}
"""What options may be. A registry takes the place of its option's names when it is made."""


def registered(option: str, name: str) -> Any:
    """Return what a name stands for, for those who may not import the room that registers it."""
    items = CHOICES[option]
    if not isinstance(items, Registry):
        raise TypeError(f"{option} has no registry")
    return items[name]


MOST_PERIODS = 2**53
"""Periods, cohorts and spans of them stay below this, so that adding two never overflows."""
MOST_DRAWS = 10**8
"""Draws of the bootstrap are kept: so many take 0.8 GB for each coefficient."""
MOST_SEED = 2**64 - 1
"""A seed is a number of 64 bits."""


def reject_unknown(unknown: Mapping[str, object], allowed: Iterable[str]) -> None:
    """Raise for keywords a function does not have, naming the nearest one it has."""
    if not unknown:
        return
    allowed = list(allowed)
    hints = [f"{name!r}" + did_you_mean(nearest(name, allowed, ALIASES)) for name in unknown]
    what = "unknown option" + ("s " if len(hints) > 1 else " ") + ", ".join(hints)
    listed = f"allowed: {', '.join(allowed)}" if allowed else "there are none"
    raise UnknownOptionError(f"{what}; {listed}")


INFERENCE = ("vcov", "reference", "undefined", "alpha", "n_boot", "seed", "progress")
"""Options that leave the estimates as they are."""


def told_apart(function: Callable[P, R]) -> Callable[P, R]:
    """Say in words which keywords a function does not have, or which required ones are missing.

    The function keeps its signature, in which type checkers see the same.
    """
    parameters = inspect.signature(function).parameters
    named = [name for name in parameters if name != "self"]
    required = [name for name, one in parameters.items() if one.default is one.empty]

    @wraps(function)
    def call(*args: P.args, **options: P.kwargs) -> R:
        if "df" in options and "data" in named and not args and "data" not in options:
            options["data"] = options.pop("df")  # what the first parameter was called
        reject_unknown({k: v for k, v in options.items() if k not in named}, named)
        missing = [name for name in required[len(args) :] if name not in options]
        if missing:
            verb = "is" if len(missing) == 1 else "are"
            raise UnknownOptionError(f"{', '.join(missing)} {verb} required")
        return function(*args, **options)

    return call


def check_choice(name: str, value: Any, optional: bool = False, called: str = "") -> None:
    """Raise unless `value` is one of the choices of option `name`, `called` otherwise perhaps."""
    allowed = CHOICES[name]
    if value in allowed if isinstance(value, str) else (value is None and optional):
        return
    match = nearest(value, allowed, VALUE_ALIASES) if isinstance(value, str) else None
    listed = ", ".join(repr(choice) for choice in allowed) + (" or None" if optional else "")
    raise OptionError(
        f"{called or name}={brief(value)} is not allowed{did_you_mean(match)}; allowed: {listed}"
    )


def check_share(name: str, value: Any) -> float:
    """Return `value` as a float strictly between 0 and 1, or raise."""
    number = isinstance(value, (int, float, np.floating)) and not isinstance(value, bool)
    if number and 0 < value < 1:
        return float(value)
    allowed = "it must be a number strictly between 0 and 1"
    raise OptionError(f"{name}={brief(value)} is not allowed; {allowed}")


def check_alpha(alpha: Any) -> float:
    """Return `alpha` as a float above 0 and up to 0.5, or raise."""
    if check_share("alpha", alpha) > 0.5:
        raise OptionError(
            f"alpha={brief(alpha)} is not allowed; it is one minus the level of an interval "
            f"(did you mean {1.0 - float(alpha):.12g}?)"
        )
    return float(alpha)


def check_count(name: str, value: Any, least: int, most: int | None = None) -> int:
    """Return `value` as an int from `least` to `most`, or raise."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, (bool, np.timedelta64))
    if not whole or value < least or (most is not None and value > most):
        bounds = f">= {least}" if most is None else f"from {least} to {most}"
        raise OptionError(
            f"{name}={brief(value)} is not allowed; it must be a whole number {bounds}"
        )
    return int(value)


def check_flag(name: str, value: Any, optional: bool = False) -> bool:
    """Return `value` as a bool, or raise: a text, even "False", is not one."""
    if not isinstance(value, (bool, np.bool_)):
        none = " or None" if optional else ""
        raise OptionError(f"{name}={brief(value)} is not allowed: True or False{none}")
    return bool(value)


def check_listed(name: str, value: Any, allowed: tuple[str, ...]) -> None:
    """Raise unless `value` is one of some words."""
    if not isinstance(value, str) or value not in allowed:
        listed = ", ".join(map(repr, allowed))
        raise OptionError(f"{name}={brief(value)} is not allowed; allowed: {listed}")


def check_column(name: str, value: Any, hint: str = "") -> None:
    """Raise unless `value` could be the name of a column."""
    if not isinstance(value, str):
        hint = "the name of a column, as a string" + hint
        raise OptionError(f"{name}={brief(value)} is not allowed: {hint}")


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
    reference: Reference = "model"
    undefined: Undefined = "impute"
    alpha: float = 0.05
    n_boot: int = 999
    seed: int = 0
    progress: bool | None = None
    collect: bool = False

    def __post_init__(self) -> None:
        for name in ("yname", "tname", "gname"):
            if getattr(self, name) is None:
                raise UnknownOptionError(f"{name} is required: the name of a column")
        for name in ("yname", "tname", "gname", "idname", "cluster", "weightsname", "xformla"):
            self._check_string(name)
        for name in ("panel", "allow_unbalanced_panel", "collect"):
            object.__setattr__(self, name, check_flag(name, getattr(self, name)))
        if self.progress is not None:
            object.__setattr__(self, "progress", check_flag("progress", self.progress, True))
        for name in CHOICES:
            if name in self.__slots__:
                check_choice(name, getattr(self, name), optional=name == "fix_weights")
        object.__setattr__(self, "alpha", check_alpha(self.alpha))
        bounds = {
            "anticipation": (0, MOST_PERIODS),
            "n_boot": (2, MOST_DRAWS),
            "seed": (0, MOST_SEED),
        }
        for name, (least, most) in bounds.items():
            object.__setattr__(self, name, check_count(name, getattr(self, name), least, most))
        self._check_together()

    def _check_string(self, name: str) -> None:
        value = getattr(self, name)
        if value is None or isinstance(value, str):
            return
        if name == "xformla":
            hint = "a string such as '~ x1 + x2'"
            raise OptionError(f"{name}={brief(value)} is not allowed: {hint}")
        several = name == "cluster" and isinstance(value, (list, tuple))
        hint = "; clustering is one-way, the unit is nested in it" if several else ""
        check_column(name, value, hint)

    def _check_together(self) -> None:
        self._check_roles()
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

    def _check_roles(self) -> None:
        """Raise where one column is to be two of outcome, period, cohort and unit."""
        roles: dict[str, list[str]] = {}
        for name in ("yname", "tname", "gname", "idname"):
            roles.setdefault(getattr(self, name), []).append(name)
        for column, names in roles.items():
            if column is not None and len(names) > 1:
                raise OptionError(f"{' and '.join(names)} are the same column, {column!r}")

    @property
    def jackknife(self) -> bool:
        """Whether standard errors need the estimates without each cluster."""
        return bool(registered("vcov", self.vcov).needs_replicates)

    @property
    def missing_replicates(self) -> Undefined:
        """What becomes of an error with undefined replicates: t(R - 1) has no model to impute."""
        return "nan" if (self.undefined, self.reference) == ("impute", "t") else self.undefined

    @property
    def by_unit(self) -> bool:
        """Whether units are the clusters."""
        return self.cluster is None or self.cluster == self.idname


def aggregation_type(value: Any) -> AggregationType:
    """Return the aggregation type, with the alias ``"dynamic"`` resolved, or raise."""
    value = "event" if isinstance(value, str) and value == "dynamic" else value
    check_choice("type", value)
    kind: AggregationType = value
    return kind
