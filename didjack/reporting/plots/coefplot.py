"""Several results in one plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from didjack._typing import Floats
from didjack.errors import OptionError
from didjack.options import check_alpha, check_flag, must_be, validate_keywords
from didjack.reporting.plots.axes import plain
from didjack.reporting.plots.coefficient_plots import draw_aggregated, draw_cells, draw_overall
from didjack.reporting.plots.points import Finish, Look, Style, check_color, check_marker
from didjack.reporting.plots.series import Intervals, Series
from didjack.reporting.view import ResultView, Viewed, as_view
from didjack.wording import name_some, plural

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from numpy.typing import NDArray


CLOSE = 0.22
"""Two results stand so far apart, in steps between coefficients."""
WIDE = 0.7
"""All of them together take no more than this."""


@validate_keywords
def coefplot(  # noqa: PLR0913 (a plot has the options that it has)
    results: Viewed | Sequence[Viewed] | Mapping[str, Viewed],
    ax: Axes | NDArray[Any] | Figure | SubFigure | None = None,
    alpha: float | None = None,
    joint: bool = True,
    colors: Sequence[Any] | Mapping[str, Any] | None = None,
    markers: Sequence[str] | Mapping[str, str] | None = None,
    title: str | None = None,
    legend: bool = True,
    xlabel: str | None = None,
    ylabel: str | None = None,
    style: Look = "errorbar",
) -> Axes | NDArray[Any]:
    """Draw several results in one plot, side by side.

    All results must be of the same kind: event studies, effects by cohort, by period, simple
    averages, or ATT(g,t). They appear in the order of ``results``. A coefficient that some results
    do not have is left blank for these.

    Parameters
    ----------
    results : result, sequence of results, or mapping of str to result
        Results of `csdid` or `aggregate`, by their names in the legend. Names that are empty or
        begin with an underscore are refused. Default: (1), (2), ...; one result has the name of
        its outcome.
    ax : matplotlib Axes; for ATT(g,t) a Figure, SubFigure or array of Axes; optional
        Where to draw; default: a new figure. See `GroupTimeResult.plot`.
    alpha : float, optional
        One minus the level of the intervals; default: that of each result's call of `csdid`.
    joint : bool
        Add simultaneous intervals (thin), see `confint`.
    colors : sequence or mapping, optional
        A colour for each result, in their order or by name; default: colours that are
        distinguishable when colour-blind or in grey.
    markers : sequence or mapping, optional
        A marker for each result, in their order or by name: one that matplotlib can fill.
    title : str, optional
        Title of the plot; default: the kind of intervals; "" for no title.
    legend : bool
        Whether to draw a legend. Simple averages have their names on the axis.
    xlabel, ylabel : str, optional
        Labels of the axes, in the syntax of matplotlib; default: what they show; "" for none.
    style : {"errorbar", "ribbon"}
        Intervals as bars, or as ribbons around lines; not for simple averages.

    Returns
    -------
    matplotlib Axes; for ATT(g,t) an array of them, one for each cohort

    Raises
    ------
    OptionError
        An argument is invalid; the results are of several kinds, or have no label in common.

    See Also
    --------
    GroupTimeResult.plot, AggregateResult.plot : one result; `label` and `offset` add it next to
        others.

    Examples
    --------
    >>> import didjack
    >>> df = didjack.datasets.load_mpdta()
    >>> names = {
    ...     "yname": "lemp", "tname": "year", "gname": "first.treat", "idname": "countyreal"
    ... }
    >>> never = didjack.csdid(df, **names)
    >>> later = didjack.csdid(df, **names, control_group="notyettreated")
    >>> ax = didjack.coefplot(
    ...     {"never treated": never.aggregate("event"), "not yet": later.aggregate("event")},
    ...     colors=["black", "tab:red"],
    ... )
    >>> ax.get_xlabel()
    'periods since treatment'
    """
    views = _views(results)
    names = list(views)
    joint = check_flag("joint", joint)
    finish = Finish(title=title, legend=legend, xlabel=xlabel, ylabel=ylabel)
    colour = _for_each("colors", colors, names, check_color)
    marker = _for_each("markers", markers, names, check_marker)
    kind = next(iter(views.values())).scheme
    alone = kind is not None and kind.keys == "none"
    if alone and style != "errorbar":
        raise OptionError(f"style={style!r} is for several coefficients; these are single numbers")
    offsets = np.zeros(len(names)) if alone else _offsets(len(names))
    series = [
        Series(
            view=view,
            intervals=Intervals(
                alpha=view.options.alpha if alpha is None else check_alpha(alpha),
                joint=joint and not alone,
            ),
            style=Style(
                label=plain(name),
                color=colour[name],
                marker=marker[name],
                offset=offset,
                look=style,
            ),
        )
        for (name, view), offset in zip(views.items(), offsets.tolist(), strict=True)
    ]
    if kind is None:
        return draw_cells(series, ax, finish)
    single: Any = ax
    if alone:
        return draw_overall(series, single, finish)
    return draw_aggregated(series, kind, single, finish)


def _views(results: Any) -> dict[str, ResultView]:
    """Check that results are of one kind, and return their views by name."""
    if (one := as_view(results)) is not None:
        results = {one.options.yname: results}
    elif isinstance(results, Sequence) and not isinstance(results, str):
        results = {f"({i + 1})": result for i, result in enumerate(results)}
    if not isinstance(results, Mapping) or not results:
        what = "a result, a list of results, or a mapping such as {'reg': a, 'dr': b}"
        raise must_be("results", what, results)
    views = {}
    for name, result in results.items():
        view = as_view(result)
        if not isinstance(name, str):
            raise must_be("names of results", "strings", name)
        if view is None:
            raise must_be(f"results[{name!r}]", "what csdid() or aggregate() returns", result)
        if not name or name.startswith("_"):
            hint = ", which matplotlib leaves out of legends"
            raise must_be("names of results", "without leading underscore, not empty", name, hint)
        views[name] = view
    kinds = {
        view.scheme.name if view.scheme else "": (view.title, name) for name, view in views.items()
    }
    if len(kinds) > 1:
        listed = [f"{kind} ({name!r})" for kind, name in kinds.values()]
        raise OptionError(f"results are of several kinds: {name_some(listed)}; draw one kind")
    return views


def _for_each(name: str, given: Any, names: list[str], check: Any) -> dict[str, Any]:
    """Return what is given for each result, None where nothing is."""
    if given is None:
        return dict.fromkeys(names)
    if isinstance(given, Mapping):
        unknown = [key for key in given if key not in names]
        if unknown:
            raise OptionError(f"{name} has {name_some(map(repr, unknown))}, which are not results")
        found = {key: given.get(key) for key in names}
    else:
        listed = [] if isinstance(given, str) or not np.iterable(given) else list(given)
        if len(listed) != len(names):
            what = f"a list or mapping with one for each of {plural(len(names), 'result')}"
            raise must_be(name, what, given)
        found = dict(zip(names, listed, strict=True))
    for value in found.values():
        if value is not None:
            check(name, value)
    return found


def _offsets(n: int) -> Floats:
    """Put n results side by side around the place of a coefficient."""
    step = min(CLOSE, WIDE / n)
    return np.asarray((np.arange(n) - (n - 1) / 2.0) * step)
