"""How often intervals under smoothness (M = 0) cover the truth, with few treated clusters.

Prints what docs/interoperability.md says about it:
    python benchmarks/honest_inputs_coverage.py
"""

import warnings

import numpy as np
import pandas as pd
from scipy.stats import norm

import didjack

DRAWS = 600
NORMAL = norm.isf(0.025)


def without_trend(sigma, event_time, n_pre):
    """Return weights of smallest variance on the effect at event time 0 less a linear trend."""
    since = event_time + 1.0
    target = np.eye(since.size - n_pre)[0]
    lead, inverse = since[:n_pre], np.linalg.pinv(sigma[:n_pre, :n_pre])
    start = -inverse @ sigma[:n_pre, n_pre:] @ target
    slope = inverse @ lead
    weights = start + slope * (-(since[n_pre:] @ target) - lead @ start) / (lead @ slope)
    return np.concatenate([weights, target])


def covers(weights, inputs):
    """Say whether the normal interval of a combination contains the effect, 1."""
    margin = NORMAL * np.sqrt(weights @ inputs.sigma @ weights)
    return abs(weights @ inputs.betahat - 1.0) <= margin


def draw(treated, leads, seed):
    """Return who covers in one panel."""
    df = didjack.simulate.panel(
        n_clusters=20,
        treated_clusters=treated,
        n_periods=7,
        cohorts=[5],
        cluster_size=10,
        icc=0.3,
        seed=seed,
    )
    result = didjack.csdid(
        df, "y", "period", "cohort", "id", cluster="cluster", base_period="universal"
    )
    study, row = result.aggregate("event", min_e=-1 - leads), {}
    for critical_values in ("normal", "own"):
        inputs = study.honest_inputs(critical_values)
        n_pre, size = inputs.num_pre, inputs.betahat.size
        # What sigma is if shocks are independent over time and equally large.
        simple = np.eye(size) + 1.0
        weights = {
            "effect": np.eye(size)[n_pre],
            "fixed": without_trend(simple, inputs.event_time, n_pre),
            "shortest": without_trend(inputs.sigma, inputs.event_time, n_pre),
        }
        for name, each in weights.items():
            row[f"{name}, {critical_values}"] = covers(each, inputs)
    return row


def main():
    """Print shares in percent."""
    for treated, leads in ((4, 3), (4, 2), (8, 3)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", didjack.DidjackWarning)
            rows = pd.DataFrame([draw(treated, leads, seed) for seed in range(DRAWS)])
        print(f"{treated} treated clusters, {leads} leads")
        print((100 * rows.mean()).round(1).to_string(), end="\n\n")


if __name__ == "__main__":
    main()
