"""Collect the reference results in one small file, for the tests.

    python tests/data/make_reference.py GOLDEN

GOLDEN is the directory that holds `results/*.json`: what R `did` 2.5.1 with `DRDID` 1.2.3 gives on
the data beside this file, for the full sample and without each cluster. The csv files are the
simulated data those results were computed on; the values of `mpdta`, which the results use too,
come from `didjack.datasets.load_mpdta`.

Writes `reference.json.gz`, one entry for each case:

- `options` for `didjack.csdid`; `data`, the name of the data
- `cells` [[group, time]], `estimate`, `se` (independent units), `se_clustered`
- `clusters`; `replicates`, clusters x cells, null where a replicate has no such cell
- `aggregations`: for each type `labels`, and `estimate`, `se`, `se_clustered`, `replicates` of its
  components and then its overall; `cv3`, `df` and `p` of the overall

Numbers have the 15 significant digits that R wrote.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

OUT = Path(__file__).with_name("reference.json.gz")
TYPES = {"simple": "simple", "dynamic": "event", "group": "group", "calendar": "calendar"}


def listed(value):
    """R writes vectors of length one as scalars, and missing values as null or text."""
    if value is None:
        return []
    values = value if isinstance(value, list) else [value]
    return [None if v in (None, "NA", "NaN") else float(f"{v:.15g}") for v in values]


def one(value):
    """Read a scalar."""
    return (listed(value) or [None])[0]


def options(config):
    """Write the settings of R as keywords of `csdid`."""
    panel = str(config["panel"]).upper() == "TRUE"
    weights = config.get("weights")
    return {
        "yname": "y",
        "tname": "period",
        "gname": "cohort",
        "idname": "id" if panel else None,
        "xformla": None if config["xformla"] == "~1" else config["xformla"],
        "cluster": "cluster",
        "weightsname": weights if isinstance(weights, str) and weights not in ("", "NA") else None,
        "panel": panel,
        "allow_unbalanced_panel": str(config["unbalanced"]).upper() == "TRUE",
        "control_group": config["control_group"],
        "base_period": config["base_period"],
        "anticipation": int(config["anticipation"]),
        "est_method": config["est_method"],
    }


def aligned(keys, own_keys, values):
    """Put the values of a replicate at the places of the full sample's keys."""
    own = dict(zip(own_keys, values, strict=True))
    assert set(own) <= set(keys), "a replicate has what the full sample has not"
    return [own.get(key) for key in keys]


def cells_of(att_gt):
    return list(zip(listed(att_gt["group"]), listed(att_gt["t"]), strict=True))


def aggregation(result, kind):
    """Estimates, errors and replicates of the components of an aggregation and its overall."""
    full, clustered = result["aggte"][kind], result["aggte_clustered"][kind]
    labels = listed(full["egt"])
    replicates = []
    for replicate in result["leave_one_out"].values():
        own = replicate.get("aggte", {}).get(kind)
        if own is None:
            replicates.append([None] * (len(labels) + 1))
        else:
            row = aligned(labels, listed(own["egt"]), listed(own["att"]))
            replicates.append([*row, one(own["overall"])])
    cv3 = result["cv3_overall"][kind]
    return {
        "labels": labels,
        "estimate": [*listed(full["att"]), one(full["overall"]["att"])],
        "se": [*listed(full["se"]), one(full["overall"]["se"])],
        "se_clustered": [*listed(clustered["se"]), one(clustered["overall"]["se"])],
        "replicates": replicates,
        "cv3": one(cv3["se"]),
        "df": one(cv3["df"]),
        "p": one(cv3["p"]),
    }


def case(result):
    """Give one case its compact form."""
    cells = cells_of(result["att_gt"])
    replicates = []
    for replicate in result["leave_one_out"].values():
        own = replicate.get("att_gt")
        row = [None] * len(cells)
        if own is not None:
            row = aligned(cells, cells_of(own), listed(own["att"]))
        replicates.append(row)
    return {
        "data": result["config"]["data"],
        "options": options(result["config"]),
        "cells": cells,
        "estimate": listed(result["att_gt"]["att"]),
        "se": listed(result["att_gt"]["se"]),
        "se_clustered": listed(result["att_gt_clustered_se"]),
        "clusters": [int(label) for label in result["leave_one_out"]],
        "replicates": replicates,
        "aggregations": {
            mine: aggregation(result, kind)
            for kind, mine in TYPES.items()
            if result["aggte"].get(kind)
        },
    }


def main(golden):
    cases = {}
    for path in sorted(Path(golden, "results").glob("*.json")):
        result = json.loads(path.read_text())
        cases[path.stem] = case(result)
    text = json.dumps(cases, separators=(",", ":"))
    # No time stamp, so that making the file again gives the same bytes.
    OUT.write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))
    print(f"{OUT}: {len(cases)} cases, {OUT.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
