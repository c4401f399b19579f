"""Whether two versions of the package give the same results, bit for bit.

Every method of every result is recorded for all reference data and a few designs on top:

    python benchmarks/same_results.py record before.pkl     # with the one version
    python benchmarks/same_results.py record after.pkl      # with the other
    python benchmarks/same_results.py compare before.pkl after.pkl

`record` imports the `didjack` that Python finds; set PYTHONPATH to choose another, and takes
hours of one core: `--part 2/8` records the second eighth of the designs. Errors and warnings are
results, too. The exit status is 1 if anything differs.
"""

import argparse
import gzip
import inspect
import json
import pickle
import sys
import warnings
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

KINDS = ("simple", "event", "group", "calendar")
VARIANCES = ("CV3", "CV3J", "analytic", "bootstrap")
DATA = Path(__file__).resolve().parent.parent / "tests" / "fixtures"
WINDOWS = (
    ("event", {"min_e": -1, "max_e": 1}),
    ("event", {"balance_e": 1}),
    ("simple", {"max_e": 1}),
    *((kind, {"weights": "cell"}) for kind in KINDS),
)


def plain(value):
    """Take a result apart into things that compare bit for bit."""
    if isinstance(value, pd.DataFrame):
        attrs = {key: plain(item) for key, item in sorted(value.attrs.items())}
        columns = [(str(name), plain(value.iloc[:, j])) for j, name in enumerate(value.columns)]
        return columns, attrs
    if isinstance(value, pd.Series):
        return [str(label) for label in value.index], plain(value.to_numpy())
    if isinstance(value, np.ndarray):
        if value.dtype.kind == "f":
            return str(value.dtype), value.shape, np.where(np.isnan(value), np.nan, value).tobytes()
        return str(value.dtype.kind), value.shape, [plain(item) for item in value.ravel().tolist()]
    if isinstance(value, float):
        return "nan" if np.isnan(value) else value.hex()
    if hasattr(value, "betahat"):
        return [plain(getattr(value, name)) for name in ("betahat", "sigma", "event_time")]
    if hasattr(value, "to_dict"):
        return {name: plain(item) for name, item in value.to_dict().items()}
    return str(value)


def wald_test(result):
    """Make the Wald test, with the fields of all versions."""
    test = result.wald_test()
    return {name: plain(test[name]) for name in ("statistic", "p_value", "rank")}


def wald_pretest(result):
    """Make the Wald pre-test, with the fields of all versions; once there was no other one."""
    choice = "statistic" in inspect.signature(result.pretest).parameters
    test = result.pretest("wald") if choice else result.pretest()
    return {name: plain(test[name]) for name in ("statistic", "p_value", "n_tested", "left_out")}


def methods(result):
    """Yield the name and a call of everything a result can be asked for."""
    yield "tidy", result.tidy
    yield "tidy 0.1", lambda: result.tidy(alpha=0.1)
    yield "confint", result.confint
    yield "band", lambda: result.confint(joint=True)
    yield "replicates", result.replicates
    yield "influence", result.influence
    yield "clusters", result.clusters
    yield "glance", lambda: result.glance().drop(columns=["vcov"])
    yield "summary", lambda: str(result.summary())
    yield "latex", result.to_latex
    yield "html", result.to_html
    yield "repr", lambda: repr(result)
    yield "wald", lambda: wald_test(result)
    yield "sample", lambda: result.sample
    yield "maketables", lambda: result.__maketables_coef_table__
    for kind in VARIANCES:
        yield f"vcov {kind}", lambda kind=kind: result.vcov(kind)
    if hasattr(result, "aggregate"):
        yield "pretest", result.pretest
        yield "pretest wald", lambda: wald_pretest(result)
        yield "cells", lambda: result.cells
        yield "compare", lambda: result.compare_vcov(None)
    else:
        yield "overall", lambda: result.overall
        yield "compare", lambda: result.compare_vcov("all")
        yield "honest", result.honest_inputs
        n = len(result.tidy())
        yield "lincomb", lambda: result.lincomb(np.arange(1.0, n + 1))
    for name in ("trend_sensitivity", "noise_sensitivity"):
        if hasattr(result, name):
            yield name, getattr(result, name)


def attempt(call):
    """Return what a call gives, its error, and its warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = plain(call())
        except Exception as error:  # whatever it is, the other version has to do the same
            found = f"{type(error).__name__}: {error}"
    return found, [f"{w.category.__name__}: {w.message}" for w in caught]


def record_result(name, result, into):
    """Ask a result for everything."""
    for what, call in methods(result):
        into[f"{name} | {what}"] = attempt(call)


def record_fit(didjack, name, df, options, into):
    """Fit, average in all ways, and ask for everything."""
    made = []

    def fit():
        made.append(didjack.csdid(df, **options))

    into[f"{name} | fit"] = attempt(fit)
    if not made:
        return
    result = made[0]
    record_result(name, result, into)
    averages = [(kind, {}) for kind in KINDS]
    for kind, more in [*averages, *WINDOWS]:
        label = f"{name} {kind} {more or ''}"
        found = []

        def average(kind=kind, more=more, found=found):
            found.append(result.aggregate(kind, **more))

        into[f"{label} | aggregate"] = attempt(average)
        for one in found:
            if more:
                into[f"{label} | tidy"] = attempt(one.tidy)
                into[f"{label} | overall"] = attempt(lambda one=one: one.overall)
                into[f"{label} | vcov"] = attempt(lambda one=one: one.vcov("analytic"))
            else:
                record_result(label, one, into)


def designs(didjack):
    """Yield name, data and options: the reference cases, then designs of other kinds."""
    cases = json.loads(gzip.decompress((DATA / "reference.json.gz").read_bytes()))
    names = {"countyreal": "id", "state": "cluster", "year": "period"}
    names |= {"first.treat": "cohort", "lemp": "y", "lpop": "x1"}
    frames = {"mpdta": didjack.datasets.load_mpdta().rename(columns=names)}
    for case in cases.values():
        frames.setdefault(case["data"], None)
    frames |= {name: pd.read_csv(DATA / f"{name}.csv") for name, df in frames.items() if df is None}
    undefined = ("skip", "nan")
    for number, (name, case) in enumerate(cases.items()):
        options = case["options"] | {"undefined": undefined[number % 2]}
        yield name, frames[case["data"]], options
        options = options | {"vcov": VARIANCES[1 + number % 3]}
        yield f"{name} {options['vcov']}", frames[case["data"]], options
    simulate = didjack.simulate
    panel = simulate.panel(
        n_clusters=60, cluster_size=40, n_covariates=2, n_dummies=1, weights=True, seed=1
    )
    waves = simulate.repeated_cross_section(
        n_clusters=40, cluster_size=30, n_covariates=1, n_dummies=2, weights=True, seed=2
    )
    names = {"yname": "y", "tname": "period", "gname": "cohort", "cluster": "cluster"}
    unit = {"idname": "id"}
    for method in ("dr", "ipw", "reg"):
        for more in (
            {"xformla": "~ x1 + x2 + x3"},
            {"xformla": "~ x1 + x2 + I(2 * x1)", "collinear": "drop", "weightsname": "w"},
        ):
            options = names | {"est_method": method} | more
            yield f"panel {method} {more}", panel, options | unit
            yield f"waves {method} {more}", waves, options | {"panel": False}
            lost = panel[np.random.default_rng(0).random(len(panel)) > 0.05]
            more = unit | {"allow_unbalanced_panel": True}
            yield f"lost {method} {options['xformla']}", lost, options | more
    gappy = panel[(panel["cluster"] != 3) | (panel["period"] != 4)]
    options = names | unit | {"allow_unbalanced_panel": True}
    yield "rebalanced", gappy, options
    for fix in ("varying", "base_period", "first_period"):
        varying = panel.assign(w=panel["w"] * (1 + 0.1 * (panel["period"] % 3)))
        more = unit | {"fix_weights": fix, "weightsname": "w", "xformla": "~ x1"}
        yield f"fix_weights {fix}", varying, names | more
    yield "units as clusters", panel, {**names, **unit, "cluster": None, "xformla": "~ x1"}


def record(path, part):
    """Write the results of the package that Python finds, of one part of the designs."""
    import didjack

    print("recording", Path(didjack.__file__).parent)
    number, n_parts = (int(text) for text in part.split("/"))
    found = {}
    for name, df, options in islice(designs(didjack), number - 1, None, n_parts):
        record_fit(didjack, name, df, options, found)
    Path(path).write_bytes(pickle.dumps(found))
    print(f"{len(found):,} results of {sum(key.endswith('| fit') for key in found)} fits")


def compare(before, after):
    """Print what differs; return how many results do."""
    old, new = (pickle.loads(Path(path).read_bytes()) for path in (before, after))
    different = [key for key in old.keys() | new.keys() if old.get(key) != new.get(key)]
    for key in sorted(different)[:40]:
        print(f"DIFFERS {key}\n  {str(old.get(key))[:600]}\n  {str(new.get(key))[:600]}")
    print(f"{len(old) - len(different):,} of {len(old):,} results are the same, bit for bit")
    return len(different)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    actions = parser.add_subparsers(dest="action", required=True)
    recorded = actions.add_parser("record")
    recorded.add_argument("path")
    recorded.add_argument("--part", default="1/1", help="which of how many parts, as 2/8")
    compared = actions.add_parser("compare")
    compared.add_argument("before")
    compared.add_argument("after")
    arguments = parser.parse_args()
    if arguments.action == "record":
        record(arguments.path, arguments.part)
    else:
        sys.exit(compare(arguments.before, arguments.after) > 0)
