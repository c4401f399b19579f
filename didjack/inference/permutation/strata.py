"""Strata of clusters, as users give them -> codes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from didjack._typing import Ints
from didjack.errors import DataError, OptionError
from didjack.wording import brief, label_text, name_some, plural

HINT = (
    "a mapping or pandas Series from cluster to stratum, such as "
    "df.set_index('state')['region'] for clusters 'state'"
)


def strata_codes(strata: Any, clusters: pd.Index) -> Ints:
    """Give numbers to the strata of clusters, (H,), in the order in which they come.

    Parameters
    ----------
    strata : Mapping or Series by label of the cluster, in which a label may come several times;
        None: one stratum. Labels of other clusters are passed over
    clusters : (H,) labels of the clusters that are in the sample
    """
    if strata is None:
        return np.zeros(len(clusters), dtype=np.int64)
    if not isinstance(strata, (Mapping, pd.Series)):
        raise OptionError(f"strata={brief(strata)} is not allowed: {HINT}")
    given = strata if isinstance(strata, pd.Series) else _series(strata)
    given = given[given.index.isin(clusters)]
    table = pd.DataFrame({"cluster": given.index, "stratum": given.to_numpy(dtype=object)})
    known = table[table["stratum"].notna()].drop_duplicates()
    _check_constant(known)
    missing = clusters[~clusters.isin(known["cluster"])].append(
        pd.Index(table.loc[table["stratum"].isna(), "cluster"].unique())
    )
    if len(missing):
        raise DataError(
            f"strata has no stratum for {_named(missing.unique())}: it has to be {HINT}"
        )
    of_cluster = known.set_index("cluster")["stratum"].loc[clusters]
    return pd.factorize(of_cluster.to_numpy(dtype=object))[0].astype(np.int64)


def _series(strata: Mapping[Any, Any]) -> pd.Series:
    return pd.Series(list(strata.values()), index=pd.Index(list(strata)), dtype=object)


def _check_constant(known: pd.DataFrame) -> None:
    """Raise if a cluster has several strata."""
    several = known.loc[known["cluster"].duplicated(), "cluster"].unique()
    if not several.size:
        return
    first = known.loc[known["cluster"] == several[0], "stratum"].tolist()
    raise DataError(
        f"strata varies within {_named(several)}: {label_text(several[0])} is in "
        f"{name_some(map(label_text, first), 3)}; a cluster is in one stratum"
    )


def _named(clusters: Any) -> str:
    """Count and name clusters."""
    return f"{plural(len(clusters), 'cluster')} ({name_some(map(label_text, clusters))})"
