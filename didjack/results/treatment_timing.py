"""A table -> who is treated when, before anything is estimated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args

from didjack.data.timing import read_timing
from didjack.errors import OptionError
from didjack.options import SampleOptions, check_listed, validate_keywords
from didjack.reporting.plots.points import Finish
from didjack.reporting.plots.timing_plots import TimingWords, draw_timing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from numpy.typing import NDArray

TimingRows = Literal["cohort", "cluster"]


@validate_keywords
def timing_plot(  # noqa: PLR0913 (a plot has the options that it has)
    data: Any,
    tname: str,
    gname: str,
    idname: str | None = None,
    cluster: str | None = None,
    yname: str | None = None,
    weightsname: str | None = None,
    rows: TimingRows = "cohort",
    ax: Axes | NDArray[Any] | Figure | SubFigure | None = None,
    title: str | None = None,
    legend: bool = True,
    ylabel: str | None = None,
) -> NDArray[Any]:
    """Draw who is treated when, and mean outcomes by cohort.

    The table is drawn as it is, without the sample rules of `csdid`. Rows without period, cluster,
    outcome or weight are left out.

    Parameters
    ----------
    data : pandas, polars or pyarrow table
        It is not modified.
    tname, gname : str
        Columns of the period, and of the first treated period, as in `csdid`.
    idname, cluster : str, optional
        Columns of the unit, and of the cluster, which default to the unit. They are counted, and
        with ``rows="cluster"`` each cluster is a row.
    yname : str, optional
        Column of the outcome: a second panel has its means by cohort.
    weightsname : str, optional
        Column of sampling weights of the means.
    rows : {"cohort", "cluster"}
        What the rows of the first panel are. The color of a cluster in a period says which share of
        its rows is treated.
    ax : matplotlib Axes, array of Axes, Figure or SubFigure, optional
        Where to draw; default: a new figure. With `yname`, two Axes or an empty figure.
    title : str, optional
        Title of the first panel; default: what it shows; "" for no title.
    legend : bool
        Whether there are legends.
    ylabel : str, optional
        Label of the outcome; default: the name of its column.

    Returns
    -------
    array of matplotlib Axes
        The panel of treatment, and with `yname` that of the means.

    Raises
    ------
    DataError
        A column does not exist or cannot be read.
    OptionError
        An argument is invalid; ``rows="cluster"`` without `cluster` or `idname`.

    Examples
    --------
    >>> import didjack
    >>> df = didjack.datasets.load_castle()
    >>> panels = didjack.timing_plot(
    ...     df, tname="year", gname="cohort", idname="sid", cluster="state", yname="l_homicide"
    ... )
    >>> [text.get_text() for text in panels[0].get_yticklabels()][:2]
    ['2006 (1 cluster)', '2007 (13 clusters)']
    >>> panels[1].get_ylabel()
    'mean of l_homicide'
    """
    check_listed("rows", rows, get_args(TimingRows))
    finish = Finish(title=title, legend=legend, ylabel=ylabel)
    if rows == "cluster" and cluster is None and idname is None:
        raise OptionError("rows='cluster' needs a cluster: name its column, or idname")
    options = SampleOptions(
        yname="" if yname is None else yname,
        tname=tname,
        gname=gname,
        idname=idname,
        cluster=cluster,
        weightsname=weightsname,
        panel=idname is not None,
    )
    counted: Any = "cluster" if cluster is not None else "unit" if idname is not None else "row"
    named = (cluster or idname) if rows == "cluster" else None
    words = TimingWords(named, counted, options.yname)
    return draw_timing(read_timing(data, options), words, ax, finish)
