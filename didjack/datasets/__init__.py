"""Data that come with the package."""

from __future__ import annotations

from importlib.resources import files

import pandas as pd

__all__ = ["load_castle", "load_medicaid", "load_mpdta"]


def load_mpdta() -> pd.DataFrame:
    """Load the county panel on teen employment and minimum wages.

    A balanced panel of 500 counties of the United States over five years, the example of Callaway
    and Sant'Anna (2021) and of the R package ``did``. A county is treated from the year in which
    its state first raised its minimum wage above the federal minimum.

    Returns
    -------
    pandas.DataFrame
        2,500 rows, sorted by county and year, with columns

        ``year`` : int
            2003 to 2007.
        ``countyreal`` : int
            County, FIPS code.
        ``lpop`` : float
            Log of the county's population in thousands; constant over time.
        ``lemp`` : float
            Log of the county's teen employment, the outcome.
        ``first.treat`` : int
            Year of first treatment (2004, 2006 or 2007); 0 for never treated.
        ``treat`` : int
            1 for a county that is ever treated, 0 otherwise.
        ``state`` : int
            State, FIPS code: ``countyreal // 1000``. There are 29.

    Notes
    -----
    Treatment is assigned by state, so cluster by state (``cluster="state"``). The cohort of 2004
    lies in a single state. Without that state there is no such cohort, so the cluster jackknife has
    no replicate of its effects.

    References
    ----------
    Callaway & Sant'Anna (2021), J. Econometrics 225, doi:10.1016/j.jeconom.2020.12.001.

    Examples
    --------
    >>> df = load_mpdta()
    >>> df.shape
    (2500, 7)
    >>> df.loc[df["year"] == 2003, "first.treat"].value_counts().sort_index().to_dict()
    {0: 309, 2004: 20, 2006: 40, 2007: 131}
    """
    return _read("mpdta", "lpop", "lemp")


def load_castle() -> pd.DataFrame:
    """Load the state panel on castle doctrine laws and crime.

    A balanced panel of the 50 states of the United States from 2000 to 2010, the data of Cheng and
    Hoekstra (2013). From 2005 on, 21 states extended the right to use deadly force in self-defense
    to places outside the home. The article asks whether these laws deter burglary, robbery and
    assault, and whether they lead to more homicides.

    Returns
    -------
    pandas.DataFrame
        550 rows, sorted by state and year, with columns

        ``state`` : str
            Name of the state.
        ``sid`` : int
            Number of the state in the article: 1 to 51, by name; 9, the District of Columbia, is
            not in the data.
        ``year`` : int
            2000 to 2010.
        ``cohort`` : int
            First full calendar year of the law (2006 to 2010); 0 for states without one.
        ``post`` : int
            1 from that year on, 0 before: the cohort as a 0/1 treatment.
        ``l_homicide`` : float
            Log of ``homicide``.
        ``homicide``, ``murder``, ``robbery``, ``assault``, ``burglary``, ``larceny``, ``motor``
            Crimes reported to the police per 100,000 inhabitants; ``motor`` is motor vehicle theft,
            ``assault`` aggravated assault.
        ``unemployrt``, ``poverty`` : float
            Unemployment and poverty rate, percent.
        ``l_income``, ``l_police``, ``l_prisoner``, ``l_lagprisoner`` : float
            Logs of income, police officers, prisoners, and prisoners a year earlier.
        ``l_exp_subsidy``, ``l_exp_pubwelfare`` : float
            Logs of public spending on assistance and subsidies, and on public welfare.
        ``blackm_15_24``, ``whitem_15_24``, ``blackm_25_44``, ``whitem_25_44`` : float
            Black and white men of these ages, percent of the population.
        ``popwt`` : float
            Population of the state, constant over time; the weight in the article.

    Notes
    -----
    Thirteen states are treated from 2007 on, and Florida (2006) and Montana (2010) are the only
    states in their cohorts. All variables except ``poverty`` have single precision in the source.

    The values are those of the PyPI package ``causaldata`` (MIT license), which does not have all
    of the article's columns; ``data/make_states.py`` in the repository adds names and cohorts.

    References
    ----------
    Cheng & Hoekstra (2013), J. Human Resources 48(3), doi:10.1353/jhr.2013.0023.

    Examples
    --------
    >>> df = load_castle()
    >>> df.shape
    (550, 26)
    >>> df.loc[df["year"] == 2000, "cohort"].value_counts().sort_index().to_dict()
    {0: 29, 2006: 1, 2007: 13, 2008: 4, 2009: 2, 2010: 1}
    """
    return _read("castle", *_CASTLE_FLOATS)


def load_medicaid() -> pd.DataFrame:
    """Load the state panel on Medicaid expansions and health insurance.

    A balanced panel of 46 states of the United States from 2008 to 2019, an example of Rambachan
    and Roth (2023) and of Mixtape Sessions (Advanced DiD). Under the Affordable Care Act, states
    could expand Medicaid to adults with low incomes from 2014 on. The outcome is the share of
    low-income adults without children who have health insurance, from the American Community
    Survey.

    Returns
    -------
    pandas.DataFrame
        552 rows, sorted by state and year, with columns

        ``state`` : str
            Name of the state.
        ``stfips`` : int
            FIPS code of the state.
        ``year`` : int
            2008 to 2019.
        ``yexp2`` : int
            Year of the expansion as the source has it (2014 to 2019), the cohort; 0 for states that
            did not expand.
        ``dins`` : float
            Share of low-income adults without children who have health insurance.
        ``W`` : int
            Population weight, constant over time.

    Notes
    -----
    Delaware, Massachusetts, New York, Vermont and the District of Columbia, which expanded earlier,
    are not in the data. Louisiana is the only state in the cohort of 2017.

    The values are those of the PyPI package ``moderndid`` (MIT license), where ``yexp2`` is missing
    for states that did not expand; ``data/make_states.py`` in the repository adds the names.

    References
    ----------
    Rambachan & Roth (2023), Rev. Econ. Studies 90, doi:10.1093/restud/rdad018.

    Examples
    --------
    >>> df = load_medicaid()
    >>> df.shape
    (552, 6)
    >>> df.loc[df["year"] == 2008, "yexp2"].value_counts().sort_index().to_dict()
    {0: 16, 2014: 22, 2015: 3, 2016: 2, 2017: 1, 2019: 2}
    """
    return _read("medicaid", "dins")


_CASTLE_FLOATS = (
    *("l_homicide", "homicide", "murder", "robbery", "assault", "burglary", "larceny", "motor"),
    *("unemployrt", "poverty", "l_income", "l_police", "l_prisoner", "l_lagprisoner"),
    *("l_exp_subsidy", "l_exp_pubwelfare", "blackm_15_24", "whitem_15_24"),
    *("blackm_25_44", "whitem_25_44", "popwt"),
)


def _read(name: str, *floats: str) -> pd.DataFrame:
    """Read a packaged table, columns of text and whole numbers but for some."""
    with files(__name__).joinpath(f"{name}.csv").open("rb") as source:
        # `float` reads every digit back; the default parser of pandas 2 may be off in the last.
        return pd.read_csv(source, converters=dict.fromkeys(floats, float))
