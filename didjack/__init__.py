"""Inference in staggered difference-in-differences with the cluster jackknife."""

from didjack import datasets, simulate
from didjack.api import csdid
from didjack.errors import (
    DataError,
    DidjackError,
    DidjackWarning,
    EstimationWarning,
    FewClustersWarning,
    InferenceWarning,
    OptionError,
    SampleWarning,
    UndefinedReplicateError,
    UnknownOptionError,
)
from didjack.intake.treatment import first_treated
from didjack.lazy.scan import scan
from didjack.reporting import coefplot, etable
from didjack.results.group_time import AggregateResult, GroupTimeResult

__version__ = "0.2.0"

__all__ = [
    "AggregateResult",
    "DataError",
    "DidjackError",
    "DidjackWarning",
    "EstimationWarning",
    "FewClustersWarning",
    "GroupTimeResult",
    "InferenceWarning",
    "OptionError",
    "SampleWarning",
    "UndefinedReplicateError",
    "UnknownOptionError",
    "coefplot",
    "csdid",
    "datasets",
    "etable",
    "first_treated",
    "scan",
    "simulate",
]
