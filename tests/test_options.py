"""Options check themselves, and say what was probably meant."""

import copy
import dataclasses
import inspect
import pickle
from abc import ABC, abstractmethod
from typing import Literal

import numpy as np
import pandas as pd
import pytest
from small_panels import NAMES, fit, panel

import didjack
from didjack import OptionError, UnknownOptionError
from didjack import options as options_module
from didjack.aliases import Renamed
from didjack.options import (
    CHOICES,
    EstimationOptions,
    InferenceOptions,
    Options,
    Registry,
    SampleOptions,
    aggregation_type,
    check_alpha,
    check_choice,
    check_count,
    reject_unknown,
)
from didjack.options import NAMES as OPTIONS
from didjack.wording import nearest

pytestmark = pytest.mark.filterwarnings("error", "ignore::didjack.FewClustersWarning")


def made(**options):
    return Options.from_keywords(**NAMES | options)


ODDITIES = [
    *(5, 1.5, -1, 0, "x", "", b"a", [], ["a"], (1,), {}, np.nan, np.inf, 1 + 2j, 2**100, object),
    *(np.array([1, 2]), np.int64(1), np.float64(0.1), np.bool_(True), np.timedelta64(1, "D")),
    *(pd.NA, pd.NaT, pd.Series([1, 2]), pd.DataFrame({"a": [1]}), None, True, False, "0.05"),
]


@pytest.mark.parametrize("name", OPTIONS)
def test_any_value_is_taken_or_refused_in_one_line(name):
    for value in ODDITIES:
        try:
            options = made(**{name: value})
        except OptionError as error:
            message = str(error)
        else:
            message = name
            kept = getattr(options, name)
            assert kept is value or kept == value
            assert type(kept) in (str, int, float, bool, type(None))
        assert name in message
        assert "\n" not in message
        assert len(message) < 300


def test_options_are_frozen_and_follow_the_call():
    options = made()
    with pytest.raises(dataclasses.FrozenInstanceError):
        options.alpha = 0.1
    for function, more in ((didjack.csdid, []), (didjack.ddd, ["pname"])):
        defaults = inspect.signature(function).parameters
        arguments = list(defaults)
        assert sorted(arguments) == sorted({"data", *OPTIONS} - ({"pname"} - {*more}))
        required = [name for name, one in defaults.items() if one.default is one.empty]
        assert required == ["data", "yname", "tname", "gname", *more]
        for part in (SampleOptions, EstimationOptions, InferenceOptions):
            fields = [field for field in dataclasses.fields(part) if field.name in arguments]
            names = [field.name for field in fields]
            assert names == [name for name in arguments if name in names]
            for field in fields:
                if field.default is not dataclasses.MISSING and field.name not in required:
                    assert defaults[field.name].default == field.default


def test_csdid_has_no_eligibility():
    assert made().pname is None
    assert made(pname="who").pname == "who"
    assert sorted({*OPTIONS} - {*made().as_dict()}) == ["pname"]
    with pytest.raises(didjack.UnknownOptionError, match="pname is required"):
        didjack.ddd(pd.DataFrame(), "y", "t", "g", "id")
    with pytest.raises(didjack.OptionError, match="gname and pname are the same column"):
        made(pname=NAMES["gname"])
    with pytest.raises(didjack.OptionError, match="pname must be the name of a column"):
        made(pname=3)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        *[("clustervars", "cluster"), ("alp", "alpha"), ("Cluster", "cluster"), ("dat", "data")],
        *[("idvar", "idname"), ("formula", "xformla"), ("xformula", "xformla"), ("se", "vcov")],
        *[("weights", "weightsname"), ("weight", "weightsname"), ("estimator", "est_method")],
        *[("unbalanced", "allow_unbalanced_panel"), ("random_state", "seed"), ("biters", "n_boot")],
        *[("first_treat", "gname"), ("TIME", "tname"), ("y", "yname"), ("anticip", "anticipation")],
    ],
)
def test_unknown_keywords(typed, meant):
    with pytest.raises(UnknownOptionError) as caught:
        fit(panel(), **{typed: 1})
    assert f"unknown option '{typed}' (did you mean '{meant}'?)" in str(caught.value)
    assert "allowed: data, yname, tname, gname, idname, xformla, cluster" in str(caught.value)


def test_several_unknown_keywords():
    with pytest.raises(UnknownOptionError, match=r"options 'zzzz', 'alp' \(did you mean 'alpha'\?"):
        fit(panel(), zzzz=1, alp=2)
    assert issubclass(UnknownOptionError, TypeError)
    reject_unknown({}, ["a"])


@pytest.mark.parametrize(
    ("name", "typed", "meant"),
    [
        *[("control_group", "never", "nevertreated"), ("control_group", "notyet", "notyettreated")],
        *[("control_group", "not_yet_treated", "notyettreated"), ("est_method", "DR", "dr")],
        *[
            ("est_method", "Reg", "reg"),
            ("est_method", "dripw", "dr"),
            ("est_method", "ols", "reg"),
        ],
        *[("est_method", "doubly robust", "dr"), ("base_period", "univ", "universal")],
        *[("vcov", "cv3", "CV3"), ("vcov", "jackknife", "CV3"), ("vcov", "cv3j", "CV3J")],
        *[("vcov", "cluster", "analytic"), ("undefined", "error", "raise")],
        ("undefined", "model", "impute"),
        *[("fix_weights", "first", "first_period"), ("collinear", "omit", "drop")],
        *[
            ("type", "eventstudy", "event"),
            ("type", "Group", "group"),
            ("weights", "cells", "cell"),
        ],
    ],
)
def test_unknown_values(name, typed, meant):
    with pytest.raises(OptionError) as caught:
        check_choice(name, typed)
    message = str(caught.value)
    assert message.startswith(f"{name} must be one of ")
    assert message.endswith(f"; got {typed!r} (did you mean '{meant}'?)")
    assert all(repr(choice) in message for choice in CHOICES[name])


def test_all_choices_are_allowed():
    for name in ("control_group", "base_period", "est_method", "collinear", "vcov", "undefined"):
        for choice in CHOICES[name]:
            assert getattr(made(**{name: choice}), name) == choice
    assert made(fix_weights=None).fix_weights is None
    assert made(fix_weights="varying", weightsname="w").fix_weights == "varying"
    with pytest.raises(OptionError, match="or None"):
        check_choice("fix_weights", "zzz", optional=True)
    assert aggregation_type("dynamic") == "event"
    with pytest.raises(OptionError, match="type must be"):
        aggregation_type(["event"])


@pytest.mark.parametrize("name", ["yname", "tname", "gname"])
def test_columns_that_are_required(name):
    with pytest.raises(UnknownOptionError, match=f"{name} is required"):
        made(**{name: None})


@pytest.mark.parametrize("value", [["y"], ("y",), 5, b"y", 1.5, True])
@pytest.mark.parametrize("name", [*NAMES, "weightsname"])
def test_columns_are_named_by_a_string(name, value):
    with pytest.raises(OptionError, match=f"{name} must be the name of a column, as a string"):
        made(**{name: value})


def test_clustering_is_one_way():
    with pytest.raises(OptionError, match="one-way"):
        made(cluster=["cl", "id"])


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"idname": None}, "idname is required with panel=True"),
        ({"panel": False}, "idname='id' does not go with panel=False"),
        ({"panel": False, "idname": None, "cluster": None}, "cluster is required for vcov='CV3'"),
        ({"panel": False, "idname": None, "cluster": None, "vcov": "CV3J"}, "vcov='analytic'"),
        ({"panel": False, "idname": None, "allow_unbalanced_panel": True}, "does not go with"),
        ({"fix_weights": "varying"}, "fix_weights='varying' needs weightsname"),
        (
            {"fix_weights": "first_period", "weightsname": "w", "panel": False, "idname": None},
            "needs a panel",
        ),
        ({"yname": "t"}, "yname and tname are the same column, 't'"),
        ({"idname": "g"}, "gname and idname are the same column, 'g'"),
        ({"yname": "t", "idname": "t"}, "yname and tname and idname are the same column"),
    ],
)
def test_options_that_do_not_go_together(options, part):
    with pytest.raises(OptionError) as caught:
        made(**options)
    assert part in str(caught.value)


def test_options_that_do_go_together():
    assert made(cluster="id").cluster == "id"
    assert not made(panel=False, idname=None, cluster=None, vcov="analytic").jackknife
    assert made(panel=np.bool_(True)).panel is True


@pytest.mark.parametrize("alpha", [0.05, np.float64(0.1), np.float32(0.5), 1e-9])
def test_alpha(alpha):
    assert check_alpha(alpha) == float(alpha)


@pytest.mark.parametrize("alpha", [0.95, 0.51])
def test_alpha_is_no_level(alpha):
    with pytest.raises(OptionError, match=rf"did you mean {1 - alpha:g}\?"):
        made(alpha=alpha)


def test_seed_is_a_number():
    assert made().seed == 0
    with pytest.raises(OptionError, match=r"seed must be a whole number from .*; got None"):
        made(seed=None)


def test_counts():
    assert check_count("n", np.int8(3), 1) == 3
    assert check_count("n", 2**80, 1) == 2**80
    with pytest.raises(OptionError, match="from 0 to 5"):
        check_count("n", 6, 0, 5)
    with pytest.raises(OptionError, match=r"anticipation must be .* got 12676506002282294"):
        made(anticipation=2**100)


def test_nearest():
    assert nearest("ALPHA ", ["alpha"]) == "alpha"
    assert nearest("Lpop", ["lPOP", "x"]) == "lPOP"
    assert nearest("zzz", ["alpha"]) is None
    assert nearest("y", ["a"], {"y": "yname"}) is None


# Registries -----------------------------------------------------------------------------------


class Animal(ABC):
    name: str
    legs: int
    food: tuple[str, ...]
    size: Literal["small", "large"]
    wild: bool = False

    @abstractmethod
    def sound(self):
        """Say something."""


class Cat(Animal):
    name, legs, food, size = "cat", 4, ("fish",), "small"

    def sound(self):
        return "meow"


@pytest.fixture
def animals(monkeypatch):
    monkeypatch.setattr(options_module, "CHOICES", CHOICES | {"animal": ("cat",)})
    return Registry("animal", ("cat",), Animal, [Cat()])


def test_a_registry_finds_items_by_name(animals):
    assert animals["cat"].sound() == "meow"
    assert (list(animals), len(animals)) == (["cat"], 1)
    assert "cat" in animals
    assert "dog" not in animals
    with pytest.raises(OptionError, match=r"of 'cat'; got 'Cat' \(did you mean 'cat'\?\)"):
        animals["Cat"]


def test_a_registered_name_is_allowed_as_long_as_it_is_registered(animals):
    lion = type("Lion", (Cat,), {"name": "lion"})()
    with animals.temporarily(lion) as there:
        assert animals["lion"] is lion is there
        check_choice("animal", "lion")
    with pytest.raises(OptionError, match="must be one of 'cat'; got 'lion'"):
        check_choice("animal", "lion")


@pytest.mark.parametrize(
    ("attributes", "error", "part"),
    [
        ({"name": ""}, ValueError, "empty or taken"),
        ({}, ValueError, "'cat' of Toy is empty or taken"),
        ({"name": 3}, TypeError, "'name' of Toy has to be"),
        ({"name": "a", "food": ["fish"]}, TypeError, "'food' of Toy"),
        ({"name": "a", "size": "tiny"}, TypeError, "'size' of Toy"),
        ({"name": "a", "wild": "no"}, TypeError, "'wild' of Toy"),
    ],
)
def test_incomplete_items_are_not_registered(animals, attributes, error, part):
    with pytest.raises(error, match=part):
        animals.register(type("Toy", (Cat,), attributes)())
    assert list(animals) == ["cat"]


def test_items_have_all_that_the_interface_asks_for(animals):
    class Fish(Animal):
        name, legs, size = "fish", 0, "small"

        def sound(self):
            return ""

    with pytest.raises(TypeError, match="Fish does not set 'food'"):
        animals.register(Fish())
    with pytest.raises(TypeError, match="is no Animal"):
        animals.register("fish")
    with pytest.raises(TypeError, match="abstract"):
        animals.register(type("Mute", (Animal,), {"name": "mute"})())


@pytest.mark.parametrize("names", [("cat", "dog"), (), ("dog",)])
def test_registries_have_exactly_the_names_of_the_literal(names):
    with pytest.raises(ValueError, match=r"animal: its Literal lists .*registered are cat"):
        Registry("animal", names, Animal, [Cat()])


def test_options_are_read_by_name():
    options = made(alpha=0.1)
    assert options.as_dict() == {
        name: getattr(options, name) for name in OPTIONS if name != "pname"
    }
    assert set(OPTIONS) < set(dir(options))
    assert (options.alpha, options.jackknife) == (0.1, True)
    with pytest.raises(AttributeError, match="'Options' has no option 'alhpa'"):
        options.alhpa  # noqa: B018
    for other in (pickle.loads(pickle.dumps(options)), copy.deepcopy(options)):
        assert other == options
        assert hash(other) == hash(options)
    with pytest.raises(UnknownOptionError, match=r"'alpah' \(did you mean 'alpha'\?\)"):
        made(alpah=0.1)


@pytest.mark.parametrize("name", OPTIONS)
def test_only_options_of_inference_change_a_fit_that_is_made(name):
    result = fit(panel())
    value = getattr(result.options, name)
    if name in options_module.INFERENCE:
        assert getattr(result._fit.under(**{name: value}).options, name) == value
        return
    for change in (result._fit.under, result.with_options):
        with pytest.raises(OptionError, match=f"'{name}'.*allowed: vcov, reference, undefined"):
            change(**{name: value})


def test_estimates_are_those_of_their_options():
    first = fit(panel(), xformla="~ x1", vcov="analytic")._fit
    options = dataclasses.replace(first.options, estimation=EstimationOptions(est_method="reg"))
    other = dataclasses.replace(first, options=options)  # whatever was kept for the first
    want = fit(panel(), xformla="~ x1", vcov="analytic", est_method="reg")._fit
    np.testing.assert_array_equal(other.estimates.att, want.estimates.att)
    np.testing.assert_array_equal(other.influence, want.influence)
    assert (other.estimates.att != first.estimates.att).any()
    assert first.under(vcov="bootstrap", alpha=0.1).influence is first.influence
    alone = first.with_independent_units()
    assert (alone.by_unit, first.by_unit) == (True, False)
    assert len(alone.influence) > len(first.influence)
    assert alone.estimates is first.estimates


def test_old_names_are_understood_and_deprecated_ones_say_so(monkeypatch):
    @options_module.validate_keywords
    def rows(data, n=1):
        return data, n

    assert rows(df=2, n=3) == (2, 3)  # an error if it warned
    monkeypatch.setitem(options_module.RENAMED, "df", Renamed("data", since="0.9.0"))
    told = r"df= is deprecated since didjack 0\.9\.0; use data="
    with pytest.warns(didjack.DeprecatedWarning, match=told) as caught:
        assert rows(df=2) == (2, 1)
    assert caught[0].filename == __file__
    assert issubclass(didjack.DeprecatedWarning, FutureWarning)  # so that users see it
    with pytest.raises(UnknownOptionError):
        rows(df=2, data=3)
