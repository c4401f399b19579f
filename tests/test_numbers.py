"""Numbers in prose are those of the tables, benchmarks and data that they are taken from.

What README, the home page and the page about inference say of rejection rates is read from the
tables of the Monte Carlo page and of the page of fictitious laws, what README says of speed from
the page of benchmarks: scripts write them. What it says of its example is computed.
"""

import re
import tomllib
from functools import cache
from pathlib import Path

import pandas as pd
import pytest

import didjack

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
ALPHA = 0.05
NOISE = "Breakdown values where treated clusters are noisier"
BROKEN = ("noisier", "neighbours", "treated neighbours")
"""Errors for which the working model does not hold."""
SPELLED = {2: "two", 3: "three", 4: "four"}


def words(text):
    """The words of a text, one space apart."""
    return " ".join(text.split())


def tables(name):
    """The tables of a page of the documentation, by the headings above them."""
    found = {}
    for section in re.split(r"^#+ ", (ROOT / "docs" / name).read_text(), flags=re.M)[1:]:
        heading, _, body = section.partition("\n")
        lines = [line.strip("|\n") for line in body.splitlines() if line.startswith("|")]
        cells = [[cell.strip() for cell in line.split("|")] for line in lines]
        if cells:
            found[heading] = pd.DataFrame(cells[2:], columns=cells[0])
    return found


@cache
def monte_carlo():
    """Rejection rates in percent: of the overall ATT without effect, of joint tests, and power."""
    frames = {}
    for heading, frame in tables("monte_carlo.md").items():
        rates = frame.replace(r"\*|( \(.*\))", "", regex=True)  # italics, simulation errors
        rates = rates.apply(pd.to_numeric, errors="coerce")
        frames[heading] = rates.assign(errors=frame.get("errors", "normal"))
    joint, power = frames.pop("Pre-tests and joint bands"), frames.pop("Power")
    assert "clustered analytic" not in frames.pop(NOISE)
    assert len(frames) == 4
    return pd.concat(frames.values()), joint, power


def span(rates, digits=0):
    """The range of some rates, as prose has it."""
    low, high = (f"{rate:.{digits}f}" for rate in (rates.min(), rates.max()))
    return low if low == high else f"{low} to {high}"


@cache
def real_laws():
    """Rejection rates in percent of fictitious laws, by number of treated clusters and outcome."""
    found = tables("real_laws.md")
    rates = {
        treated: found[f"{name} treated cluster{'s' * (treated > 1)}"]
        .set_index("outcome")
        .replace(r" \(.*\)", "", regex=True)
        .astype(float)
        for treated, name in {1: "One", 2: "Two", 3: "Three", 5: "Five", 10: "Ten"}.items()
    }
    return pd.concat(rates, names=["treated"])


def on_average(rates, digits=0):
    """The range of some rates, and their mean."""
    return f"{span(rates, digits)}%", f"{rates.mean():.{digits}f}%"


def rates_of_real_laws():
    """What README says of fictitious laws."""
    few = real_laws().loc[[1, 2, 3]]
    outcomes = few.index.get_level_values("outcome").nunique()
    clustered, mean = on_average(few["clustered analytic"])
    default, mean_default = on_average(few["CV3, default"])
    return [
        f"{outcomes} real outcomes",
        f"lustered standard errors find an effect in {clustered} of the samples, depending on "
        f"the outcome ({mean} on average), and `didjack` in {default} ({mean_default} on average).",
    ]


def rates_of_readme():
    """What README says of rejection rates."""
    level, joint, power = monte_carlo()
    noisy, quiet = level["errors"] == "noisier", ~level["errors"].isin(BROKEN)
    few, one = level["treated"].isin([2, 3]), level["treated"] == 1
    clustered, law, placebo = "clustered analytic", "CV3, model", "placebo"
    pretests = joint.loc[joint["treated"] == 2, "Wald pre-test, model"]
    found = power.loc[power["treated"] <= 3, law]
    beside = (level["errors"] == "treated neighbours") & ~one
    needed = round(1.0 / ALPHA) - 1
    return [
        f"they reject a true null hypothesis in {span(level.loc[few & quiet, clustered])}% of the "
        "samples at the 5% level. Tests of `didjack` reject in "
        f"{span(level.loc[few & quiet, law])}%.",
        f"tests at the 5% level reject in {span(level.loc[one & quiet, law])}% of the samples.",
        f"rejection rates rise to {span(level.loc[one & noisy, law])}%, and those of the placebo "
        f"test to {span(level.loc[one & noisy, placebo])}%.",
        f"tests reject in {span(level.loc[~one & noisy, law])}%.",
        f"are next to each other, tests reject in {span(level.loc[beside, law])}%.",
        f"With two treated clusters, Wald pre-tests reject in {span(pretests, 1)}%.",
        f"With fewer than {needed} never-treated clusters, a placebo test cannot reject at the 5%",
        f"power against an effect of one and a half standard deviations of the unit-level error "
        f"is {span(found)}%.",
    ]


def speed_of_readme():
    """What README says of speed."""
    found = tables("benchmarks.md")
    fits = found["Fit"].loc[lambda frame: frame["package"] == "didjack fit"]
    ratio = fits["didjack all ÷ this"].astype(float)
    assert ratio.max() < 1.55
    assert ratio.median() < 1
    assert ratio.iloc[5:].max() < 1  # after the smallest panels
    times = found["Jackknife"]["times faster"].str.replace(",", "").astype(float).min()
    return [
        "less time than a single fit with analytic standard errors (up to 1.5 times as much with "
        "few rows)",
        f"over {int(times) // 100 * 100} times as long",
    ]


def example():
    """The example of README."""
    df = didjack.datasets.load_mpdta()
    res = didjack.csdid(df, "lemp", "year", "first.treat", "countyreal", cluster="state")
    return res, res.aggregate("event")


@cache
def example_of_readme():
    """What README says of its example."""
    with pytest.warns(didjack.DidjackWarning):
        res, study = example()
    at = res.glance().iloc[0]
    values = r"critical value ([\d.]+) \((t\(\d+\)): ([\d.]+)\)"
    law, name, t = re.search(values, words(str(study.summary()))).groups()
    ratio = study.compare_vcov(n_permutations=0)["ratio"]["clustered"]
    return [
        f"employment in {at['n_units']} counties",
        f"{at['n_treated_clusters']} of {at['n_clusters']} states are treated",
        "95% confidence intervals",
        f"the critical value is {law}, compared with {t} for {name}.",
        f"{SPELLED[round(1.0 / ratio)]} times the clustered standard error",
    ]


def versions_of_readme():
    """What README says of versions."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    peers = (ROOT / "benchmarks" / "requirements.txt").read_text()
    return [
        f"Python {project['requires-python'].removeprefix('>=')} or later",
        *(f"`{name}` {version}" for name, version in re.findall(r"^(.*)==(.*)$", peers, re.M)),
    ]


FACTS = [
    rates_of_readme,
    rates_of_real_laws,
    speed_of_readme,
    example_of_readme,
    versions_of_readme,
]


@pytest.mark.parametrize("facts", FACTS, ids=lambda facts: facts.__name__)
def test_readme_says_what_was_found(facts):
    text = words(README.read_text())
    assert [fact for fact in facts() if fact not in text] == []


def test_readme_has_no_other_numbers():
    """Names, years and versions of programs that cannot be installed here are left."""
    text = re.sub(
        r"^```.*?^```$|^\|.*?$|<picture>.*</picture>", "", README.read_text(), flags=re.M | re.S
    )
    text = words(text)
    for fact in (fact for facts in FACTS for fact in facts()):
        text = text.replace(fact, "")
    for name in (
        r"CV3",
        r"\(20\d\d\)",
        "in 2004, by others in 2007",  # the question that README opens with
        r"`did` 2\.5\.1, `didjack` for R 0\.1\.0, `csdidjack` 0\.3",
    ):
        text = re.sub(name, "", text)
    assert re.findall(r".{,20}\d.{,20}", text) == []


def test_home_page_says_the_same():
    text = words((ROOT / "docs" / "index.md").read_text())
    facts = [rates_of_readme()[0], *example_of_readme()[:2], versions_of_readme()[0]]
    facts += rates_of_real_laws()
    assert [fact for fact in facts if fact not in text] == []


def test_page_about_inference_says_what_was_found():
    level = monte_carlo()[0]
    noisy, few = level["errors"] == "noisier", level["treated"].isin([2, 3])
    quiet = ~level["errors"].isin(BROKEN)
    one, law = level["treated"] == 1, "CV3, model"
    text = words((ROOT / "docs" / "inference.md").read_text())
    for fact in (
        f"rejects true null hypotheses in {span(level.loc[few & quiet, 'CV3, t(R-1)'])}%",
        f"which is the default, in {span(level.loc[few & quiet, law])}%",
        f"rejects in {span(level.loc[~one & noisy, law])}% of the samples with two to five treated "
        f"clusters, and in {span(level.loc[one & noisy, law])}% with one",
    ):
        assert fact in text


def test_page_about_inference_says_how_often_sensitivity_intervals_cover():
    table = tables("interoperability.md")["Measured coverage"]
    treated = table["treated clusters"].astype(int)
    assert (treated.min(), treated.max()) == (1, 10)
    rates = table[["event time 0", "event time 2", "overall"]].astype(float).melt()["value"]
    assert rates.min() > 95.0 - 3 * 0.2  # what simulation leaves open
    text = words((ROOT / "docs" / "inference.md").read_text())
    assert f"cover the effect in {span(rates, 1)}% of the samples" in text
