"""What the user asked for: frozen objects that check themselves."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from functools import partial, wraps
from numbers import Real
from typing import Any, Generic, Literal, ParamSpec, TypeVar, get_args, get_origin, get_type_hints

import numpy as np

from didjack._typing import Floats
from didjack.aliases import ALIASES, ELSEWHERE, RENAMED, VALUE_ALIASES
from didjack.errors import OptionError, UnknownOptionError, warn_deprecated
from didjack.wording import brief, did_you_mean, name_some, nearest

ControlGroup = Literal["nevertreated", "notyettreated"]
BasePeriod = Literal["varying", "universal"]
EstMethod = Literal["dr", "ipw", "reg"]
FixWeights = Literal["varying", "base_period", "first_period"]
Collinear = Literal["nan", "drop"]
Jackknife = Literal["CV3", "CV3J"]
"""Kinds of standard errors that are made from the estimates without each cluster."""
Vcov = Literal[Jackknife, "analytic", "bootstrap"]
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
        """Have an item registered, and the option take its name, for a while."""
        before = CHOICES[self.option]
        self.register(item)
        label: str = item.name  # type: ignore[attr-defined]
        CHOICES[self.option] = (*before, label)
        try:
            yield item
        finally:
            CHOICES[self.option] = before
            del self._items[label]

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


CHOICES: dict[str, tuple[str, ...]] = {
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
"""What options may be: names only, what they stand for is known in one room each."""
JACKKNIFE: tuple[str, ...] = get_args(Jackknife)


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
    hints = [
        f"{name!r}" + (ELSEWHERE.get(name) or did_you_mean(nearest(name, allowed, ALIASES)))
        for name in unknown
    ]
    what = "unknown option" + ("s " if len(hints) > 1 else " ") + ", ".join(hints)
    listed = f"allowed: {', '.join(allowed)}" if allowed else "there are none"
    raise UnknownOptionError(f"{what}; {listed}")


def validate_keywords(function: Callable[P, R]) -> Callable[P, R]:
    """Say in words which keywords a function does not have, or which required ones are missing.

    The function keeps its signature, in which type checkers see the same.
    """
    parameters = inspect.signature(function).parameters
    passed_on = [name for name, one in parameters.items() if one.kind is one.VAR_KEYWORD]
    named = [name for name in parameters if name != "self" and name not in passed_on]
    required = [name for name in parameters if _required(parameters[name])]

    @wraps(function)
    def call(*args: P.args, **options: P.kwargs) -> R:
        for old, (new, since) in RENAMED.items():
            if old in options and new in named[len(args) :] and new not in options:
                options[new] = options.pop(old)
                if since:
                    warn_deprecated(f"{old}=", f"{new}=", since)
        if not passed_on:
            reject_unknown({k: v for k, v in options.items() if k not in named}, named)
        given = {*list(parameters)[: len(args)], *options}
        missing = [name for name in required if name not in given]
        if missing:
            verb = "is" if len(missing) == 1 else "are"
            raise UnknownOptionError(f"{', '.join(missing)} {verb} required")
        return function(*args, **options)

    return call


def _required(parameter: inspect.Parameter) -> bool:
    return parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD


def must_be(name: str, what: str, value: object, hint: str = "") -> OptionError:
    """Return the error for an option that has another value than it must have."""
    return OptionError(f"{name} must be {what}; got {brief(value)}{hint}")


def check_choice(name: str, value: Any, optional: bool = False, called: str = "") -> None:
    """Raise unless `value` is one of the choices of option `name`, `called` otherwise perhaps."""
    allowed = CHOICES[name]
    if value in allowed if isinstance(value, str) else (value is None and optional):
        return
    match = nearest(value, allowed, VALUE_ALIASES) if isinstance(value, str) else None
    listed = ", ".join(repr(choice) for choice in allowed) + (" or None" if optional else "")
    raise must_be(called or name, f"one of {listed}", value, did_you_mean(match))


def check_share(name: str, value: Any) -> float:
    """Return `value` as a float strictly between 0 and 1, or raise."""
    number = isinstance(value, (int, float, np.floating)) and not isinstance(value, bool)
    if number and 0 < value < 1:
        return float(value)
    raise must_be(name, "a number strictly between 0 and 1", value)


def check_alpha(alpha: Any) -> float:
    """Return `alpha` as a float above 0 and up to 0.5, or raise."""
    if check_share("alpha", alpha) > 0.5:
        hint = f" (did you mean {1.0 - float(alpha):.12g}?)"
        raise must_be("alpha", "at most 0.5, one minus the level of an interval", alpha, hint)
    return float(alpha)


def check_count(name: str, value: Any, least: int, most: int | None = None) -> int:
    """Return `value` as an int from `least` to `most`, or raise."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, (bool, np.timedelta64))
    if not whole or value < least or (most is not None and value > most):
        bounds = f">= {least}" if most is None else f"from {least} to {most}"
        raise must_be(name, f"a whole number {bounds}", value)
    return int(value)


def check_flag(name: str, value: Any, optional: bool = False) -> bool:
    """Return `value` as a bool, or raise: a text, even "False", is not one."""
    if not isinstance(value, (bool, np.bool_)):
        raise must_be(name, "True, False or None" if optional else "True or False", value)
    return bool(value)


def check_listed(name: str, value: Any, allowed: tuple[str, ...]) -> None:
    """Raise unless `value` is one of some words."""
    if not isinstance(value, str) or value not in allowed:
        raise must_be(name, f"one of {', '.join(map(repr, allowed))}", value)


def check_column(name: str, value: Any, hint: str = "") -> None:
    """Raise unless `value` could be the name of a column."""
    if not isinstance(value, str):
        raise must_be(name, "the name of a column, as a string", value, hint)


def _check_fields(options: Any, check: Callable[[str, Any], Any], *names: str) -> None:
    """Replace fields of a frozen object by what a check makes of them."""
    for name in names:
        object.__setattr__(options, name, check(name, getattr(options, name)))


def _check_choices(options: Any) -> None:
    """Raise unless each field that has choices is one of them."""
    for field in fields(options):
        if field.name in CHOICES:
            value = getattr(options, field.name)
            check_choice(field.name, value, optional=field.default is None)


ROLES = ("yname", "tname", "gname", "idname", "pname")
"""No two of these columns are the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleOptions:
    """Which columns hold what, and which rows are used; `pname` for triple differences alone."""

    yname: str
    tname: str
    gname: str
    idname: str | None = None
    xformla: str | None = None
    pname: str | None = None
    cluster: str | None = None
    weightsname: str | None = None
    panel: bool = True
    allow_unbalanced_panel: bool = False
    collect: bool = False

    def __post_init__(self) -> None:
        for name in ("yname", "tname", "gname"):
            if getattr(self, name) is None:
                raise UnknownOptionError(f"{name} is required: the name of a column")
        for name in (*ROLES, "cluster", "weightsname", "xformla"):
            self._check_string(name)
        _check_fields(self, check_flag, "panel", "allow_unbalanced_panel", "collect")
        self._check_roles()
        if self.panel and self.idname is None:
            raise OptionError("idname is required with panel=True (or set panel=False)")
        if not self.panel and self.idname is not None:
            raise OptionError(
                f"idname={self.idname!r} does not go with panel=False: repeated cross sections "
                "have no unit that is observed twice; leave idname out, or set panel=True"
            )
        if not self.panel and self.allow_unbalanced_panel:
            raise OptionError("allow_unbalanced_panel=True does not go with panel=False")

    def _check_string(self, name: str) -> None:
        value = getattr(self, name)
        if value is None or isinstance(value, str):
            return
        if name == "xformla":
            raise must_be(name, "a string such as '~ x1 + x2'", value)
        several = name == "cluster" and isinstance(value, (list, tuple))
        hint = "; clustering is one-way, the unit is nested in it" if several else ""
        check_column(name, value, hint)

    def _check_roles(self) -> None:
        """Raise where one column is to be two of outcome, period, cohort, unit and eligibility."""
        roles: dict[str, list[str]] = {}
        for name in ROLES:
            roles.setdefault(getattr(self, name), []).append(name)
        for column, names in roles.items():
            if column is not None and len(names) > 1:
                raise OptionError(f"{' and '.join(names)} are the same column, {column!r}")

    @property
    def by_unit(self) -> bool:
        """Whether units are the clusters."""
        return self.cluster is None or self.cluster == self.idname


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimationOptions:
    """What an ATT(g,t) compares, and how it is estimated."""

    control_group: ControlGroup = "nevertreated"
    base_period: BasePeriod = "varying"
    anticipation: int = 0
    est_method: EstMethod = "dr"
    fix_weights: FixWeights | None = None
    collinear: Collinear = "nan"

    def __post_init__(self) -> None:
        _check_choices(self)
        whole = partial(check_count, least=0, most=MOST_PERIODS)
        _check_fields(self, whole, "anticipation")


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceOptions:
    """Standard errors, tests and intervals, and whether progress is shown: no estimate changes."""

    vcov: Vcov = "CV3"
    reference: Reference = "model"
    undefined: Undefined = "impute"
    alpha: float = 0.05
    n_boot: int = 999
    seed: int = 0
    progress: bool | None = None

    def __post_init__(self) -> None:
        if self.progress is not None:
            _check_fields(self, partial(check_flag, optional=True), "progress")
        _check_choices(self)
        object.__setattr__(self, "alpha", check_alpha(self.alpha))
        _check_fields(self, partial(check_count, least=2, most=MOST_DRAWS), "n_boot")
        _check_fields(self, partial(check_count, least=0, most=MOST_SEED), "seed")

    @property
    def jackknife(self) -> bool:
        """Whether standard errors need the estimates without each cluster."""
        return self.vcov in JACKKNIFE

    @property
    def missing_replicates(self) -> Undefined:
        """What becomes of an error with undefined replicates: t(R - 1) has no model to impute."""
        return "nan" if (self.undefined, self.reference) == ("impute", "t") else self.undefined


@dataclass(frozen=True)
class Options:
    """The options of one call of `csdid`, checked.

    An option can be read by its name alone, without its part: `options.alpha` is
    `options.inference.alpha`.
    """

    sample: SampleOptions
    estimation: EstimationOptions
    inference: InferenceOptions

    @classmethod
    def from_keywords(cls, **options: Any) -> Options:
        """Sort the arguments of `csdid` into the parts."""
        reject_unknown({name: value for name, value in options.items() if name not in NAMES}, NAMES)
        return cls(
            *(
                part(**{name: options[name] for name in _names(part) if name in options})
                for part in PARTS.values()
            )
        )

    def __post_init__(self) -> None:
        """Raise where options of several parts do not go together."""
        sample, estimation, inference = self.sample, self.estimation, self.inference
        if not sample.panel and sample.cluster is None and inference.jackknife:
            raise OptionError(
                f"cluster is required for vcov={inference.vcov!r} with panel=False: name the "
                "column of the clusters, or use vcov='analytic'"
            )
        fixed = estimation.fix_weights
        if fixed is not None and sample.weightsname is None:
            raise OptionError(f"fix_weights={fixed!r} needs weightsname")
        if fixed in ("base_period", "first_period") and not sample.panel:
            raise OptionError(f"fix_weights={fixed!r} needs a panel (panel=True)")

    def __getattr__(self, name: str) -> Any:
        for part, kind in PARTS.items():
            if hasattr(kind, name) and not name.startswith("_"):
                return getattr(getattr(self, part), name)
        raise AttributeError(f"{type(self).__name__!r} has no option {name!r}")

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *NAMES})

    def as_dict(self) -> dict[str, Any]:
        """Return all options in a dict, by the names of the arguments of `csdid` or `ddd`."""
        parts = (self.sample, self.estimation, self.inference)
        found = {name: getattr(part, name) for part in parts for name in _names(type(part))}
        if self.sample.pname is None:
            del found["pname"]
        return found

    def under(self, **inference: Any) -> Options:
        """Return the same options but for some of `InferenceOptions`."""
        reject_unknown(
            {name: value for name, value in inference.items() if name not in INFERENCE}, INFERENCE
        )
        return replace(self, inference=replace(self.inference, **inference))


def _names(part: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(part))


PARTS: dict[str, type[Any]] = {
    "sample": SampleOptions,
    "estimation": EstimationOptions,
    "inference": InferenceOptions,
}
NAMES = tuple(name for part in PARTS.values() for name in _names(part))
INFERENCE = _names(InferenceOptions)


def aggregation_type(value: Any) -> AggregationType:
    """Return the aggregation type, with the alias ``"dynamic"`` resolved, or raise."""
    value = "event" if isinstance(value, str) and value == "dynamic" else value
    check_choice("type", value)
    kind: AggregationType = value
    return kind


def check_numbers(name: str, given: Any, least: float | None, most: float = np.inf) -> Floats:
    """Read numbers of at least `least`, or above zero, sorted, each once; or raise."""
    items = np.atleast_1d(np.asarray(given, dtype=object)).ravel().tolist()
    if not all(isinstance(one, (Real, Decimal)) and not isinstance(one, bool) for one in items):
        raise OptionError(f"{name} must be numbers; got {brief(given)}")
    try:
        values = np.unique(np.array([float(one) for one in items]))
    except OverflowError as error:
        raise OptionError(f"{name} must be finite numbers; got {brief(given)}") from error
    bad = ~(np.isfinite(values) & (values <= most))
    bad |= values <= 0 if least is None else values < least
    if not values.size or bad.any():
        what = "above 0" if least is None else f"of at least {least:g}"
        what += f" and at most {most:g}" if (values > most).any() else ""
        got = brief(given) if not values.size else name_some(values[bad].tolist(), 3)
        raise OptionError(f"{name} must be finite numbers {what}; got {got}")
    return np.asarray(values)
