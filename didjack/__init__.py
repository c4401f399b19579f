"""Inference in staggered difference-in-differences with the cluster jackknife."""

TYPE_CHECKING = False  # type checkers take it for true; the module `typing` would load for nothing
if TYPE_CHECKING:
    from didjack import datasets, simulate
    from didjack.api import csdid, ddd
    from didjack.compiling import warmup
    from didjack.data.cohorts import first_treated
    from didjack.data.lazy.scan import scan
    from didjack.errors import (
        DataError,
        DeprecatedWarning,
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
    from didjack.reporting import coefplot, etable
    from didjack.results.differences import difference
    from didjack.results.group_time import AggregateResult, GroupTimeResult
    from didjack.results.groups import GroupResults
    from didjack.results.treatment_timing import timing_plot
    from didjack.subgroups import by

__version__ = "0.3.0"

__all__ = [
    "AggregateResult",
    "DataError",
    "DeprecatedWarning",
    "DidjackError",
    "DidjackWarning",
    "EstimationWarning",
    "FewClustersWarning",
    "GroupResults",
    "GroupTimeResult",
    "InferenceWarning",
    "OptionError",
    "SampleWarning",
    "UndefinedReplicateError",
    "UnknownOptionError",
    "by",
    "coefplot",
    "csdid",
    "datasets",
    "ddd",
    "difference",
    "etable",
    "first_treated",
    "scan",
    "simulate",
    "timing_plot",
    "warmup",
]

# Nothing is loaded before it is used: the command takes care of Ctrl-C before the second begins
# that numpy, pandas and numba take.
_HOMES = {
    "AggregateResult": "results.group_time",
    "GroupResults": "results.groups",
    "GroupTimeResult": "results.group_time",
    "by": "subgroups",
    "coefplot": "reporting",
    "csdid": "api",
    "datasets": "datasets",
    "ddd": "api",
    "difference": "results.differences",
    "etable": "reporting",
    "first_treated": "data.cohorts",
    "scan": "data.lazy.scan",
    "simulate": "simulate",
    "timing_plot": "results.treatment_timing",
    "warmup": "compiling",
}


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])


if not TYPE_CHECKING:

    def __getattr__(name):
        """Load a public name when it is first used."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        home = import_module(f"{__name__}.{_HOMES.get(name, 'errors')}")
        value = home if _HOMES.get(name) == name else getattr(home, name)
        globals()[name] = value
        return value
