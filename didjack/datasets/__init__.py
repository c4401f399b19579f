"""Data that come with the package."""

from __future__ import annotations

from importlib.resources import files

import pandas as pd

__all__ = ["load_mpdta"]


def load_mpdta() -> pd.DataFrame:
    """Load the county panel on teen employment and minimum wages.

    A balanced panel of 500 United States counties over five years, the example of
    Callaway and Sant'Anna (2021) and of the R package ``did``. A county is treated from the year
    in which its state first raised its minimum wage above the federal one.

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
    Treatment is assigned by state, so ``cluster="state"`` is the level to cluster at. The cohort
    of 2004 lies in a single state. Deleting that state leaves nothing of the cohort, so a cluster
    jackknife has no replicate for its effects.

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
    with files(__name__).joinpath("mpdta.csv").open("rb") as source:
        # `float` reads every digit back; the default parser of pandas 2 may be off in the last.
        return pd.read_csv(source, converters={"lpop": float, "lemp": float})
