"""Errors and warnings -> what a terminal shows of them, and exit codes."""

from __future__ import annotations

import inspect
import re
import shlex
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer

import didjack
from didjack.cli import arguments
from didjack.cli.analyses import Analyses
from didjack.cli.reading import notes, read
from didjack.cli.replication import Run, requirements, script
from didjack.cli.writing import LOG, REQUIREMENTS, SCRIPT, Folder, checksum, write_log
from didjack.demo import main as run_demo
from didjack.demo import paragraph

# ---- warnings and errors -------------------------------------------------------------------------

WRONG_DATA, WRONG_COMMAND, INTERRUPTED = 1, 2, 130
"""Exit codes: nothing came of these data or files, the command is not one, or Ctrl-C."""


def parameters(function: Callable[..., Any]) -> list[str]:
    """Name the options of a function or method: all of its parameters but what it works on.

    Examples
    --------
    >>> parameters(didjack.GroupTimeResult.aggregate)
    ['type', 'min_e', 'max_e', 'balance_e', 'weights', 'cohorts', 'event_times', 'bins']
    """
    tables = ("self", "data", "collect")  # the command reads tables whole
    return [name for name in inspect.signature(function).parameters if name not in tables]


@contextmanager
def reported(context: typer.Context) -> Iterator[Callable[[], list[str]]]:
    """Show warnings and errors without a traceback, and exit with a code that says which.

    Parameters
    ----------
    context : typer.Context
        Of the command, whose parameters have flags.

    Yields
    ------
    function
        Returns the warnings up to then.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", didjack.DidjackWarning)

        def said() -> list[str]:
            # What is deprecated is for developers, and shown to nobody else by Python either.
            shown = [one for one in caught if not issubclass(one.category, DeprecationWarning)]
            texts = dict.fromkeys(str(warning.message) for warning in shown)
            return [f"{text}{_legend(text, context)}" for text in texts]

        code = 0
        try:
            yield said
        except didjack.OptionError as error:
            code, message = WRONG_COMMAND, f"{error}{_legend(str(error), context)}"
        except didjack.DidjackError as error:
            code, message = WRONG_DATA, f"{error}{_legend(str(error), context)}"
        except BrokenPipeError:
            raise  # whoever reads what is printed has seen enough: nothing went wrong
        except KeyboardInterrupt:
            typer.echo("Interrupted", err=True)
            raise typer.Exit(INTERRUPTED) from None
        except OSError as error:
            code, message = WRONG_DATA, str(error)
    for text in said():
        typer.echo(paragraph(text, "Warning: "), err=True)
    if code:
        typer.echo(paragraph(message, "Error: "), err=True)
        raise typer.Exit(code)


def _legend(message: str, context: typer.Context) -> str:
    """Say which flags the arguments of `csdid` are that a message names otherwise."""
    named = {one.name: "/".join([*one.opts, *one.secondary_opts]) for one in context.command.params}
    pairs = [
        f"{name} is {named[name]}"
        for name in parameters(didjack.csdid)
        if re.search(rf"\b{name}\b", message)
        and named.get(name, "") not in ("", f"--{name.replace('_', '-')}")
    ]
    return f" (Here, {', '.join(pairs)}.)" if pairs else ""


# ---- app -----------------------------------------------------------------------------------------

app = typer.Typer(
    name="didjack",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def run() -> None:
    """Run the command that was typed, and exit."""
    try:
        typer.main.get_command(app)()  # `app()` would leave its own `sys.excepthook` behind
    except OSError as error:  # help or an error message could not be printed
        with suppress(OSError):
            typer.echo(f"Error: {error}", err=True)
        raise SystemExit(WRONG_DATA) from None


def _version(asked: bool) -> None:
    if asked:
        typer.echo(didjack.__version__)
        raise typer.Exit


@app.callback()
def _didjack(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Difference in differences with staggered adoption and cluster-jackknife inference."""


@app.command(no_args_is_help=True)
def fit(
    context: typer.Context,
    data: arguments.Data,
    yname: arguments.Yname,
    tname: arguments.Tname,
    gname: arguments.Gname = None,
    treatment: arguments.Treatment = None,
    idname: arguments.Idname = None,
    cluster: arguments.Cluster = None,
    weightsname: arguments.Weightsname = None,
    xformla: arguments.Xformla = None,
    dates: arguments.Dates = False,
    panel: arguments.Panel = True,
    allow_unbalanced_panel: arguments.Unbalanced = False,
    control_group: arguments.Control = "nevertreated",
    base_period: arguments.Base = "varying",
    anticipation: arguments.Anticipation = 0,
    est_method: arguments.Method = "dr",
    fix_weights: arguments.Fixed = None,
    collinear: arguments.IfCollinear = "nan",
    vcov: arguments.Errors = "CV3",
    reference: arguments.ReferenceOption = "model",
    undefined: arguments.IfUndefined = "impute",
    alpha: arguments.Alpha = 0.05,
    n_boot: arguments.Draws = 999,
    seed: arguments.Seed = 0,
    type: arguments.Aggregate = None,
    min_e: arguments.MinE = None,
    max_e: arguments.MaxE = None,
    balance_e: arguments.BalanceE = None,
    weights: arguments.Weighted = "cohort",
    randomization: arguments.Randomization = False,
    n_permutations: arguments.Permutations = 999,
    placebo: arguments.Placebo = False,
    trend_sensitivity: arguments.TrendSensitivity = None,
    noise_sensitivity: arguments.NoiseSensitivity = False,
    out: arguments.Out = None,
    force: arguments.Force = False,
    progress: arguments.Progress = None,
) -> None:
    r"""Estimate effects, print the summary, and write tables and plots to a folder.

    An event study of counties, with standard errors clustered by state:

        didjack fit data.csv --y lemp --time year --cohort first.treat \
            --id countyreal --cluster state --aggregate event --out results

    The simple average with a covariate, and not-yet-treated controls:

        didjack fit data.csv --y lemp --time year --cohort first.treat \
            --id countyreal --cluster state --covariates '~ lpop' \
            --control-group notyettreated --aggregate simple

    A 0/1 treatment instead of the cohort, with tests and sensitivity analyses:

        didjack fit states.csv --y l_homicide --time year --treatment post \
            --id state --aggregate event --randomization \
            --trend-sensitivity relative_magnitudes --noise-sensitivity --out results

    Repeated cross sections with weights:

        didjack fit survey.dta --cross-sections --y wage --time year \
            --cohort adopted --cluster state --weights w --aggregate group

    Exit codes: 0, success; 1, data error; 2, usage error; 130, stopped by Ctrl-C (128 + n: by
    signal n).
    """
    given = dict(locals())
    with reported(context) as said:
        _fit(given, said)


def _fit(given: dict[str, Any], said: Callable[[], list[str]]) -> None:
    """Do what `fit` is asked for by its arguments."""
    data, type_ = given["data"], given["type"]
    average = {name: given[name] for name in _of_average(given)}
    if type_ is None:
        _only_aggregated(average)
    analyses = Analyses.from_options(given)
    treated = _treated(given)
    folder = None if given["out"] is None else _folder(given["out"], given["force"], data)
    dates = [given["tname"], *filter(None, [given["gname"]])] if given["dates"] else []
    labels = arguments.labels(given)
    df = _table(data, dates, labels)
    options = {name: given[name] for name in parameters(didjack.csdid)}
    if treated:
        options["gname"] = _new_name(df)
        df[options["gname"]] = didjack.first_treated(df, *treated)
    effects = didjack.csdid(df, **options)
    result = effects if type_ is None else effects.aggregate(**average)
    found = analyses.run(result)
    if folder is not None:
        used = {} if type_ is None else average
        run = Run(data, checksum(data), dates, labels, treated, options, used)
        log = write_log(_command(), run, result, found, said())
        texts = {LOG: log, SCRIPT: script(run, found), REQUIREMENTS: requirements()}
        folder.write(result, found, texts)
    typer.echo(result.summary())
    for one in found:
        typer.echo(f"\n{one.found!r}")
    if folder is not None:
        typer.echo(f"Output written to {folder.path}")


def _treated(given: dict[str, Any]) -> list[str]:
    """Return the columns that cohorts are made from: treatment, period and who is treated."""
    if (given["gname"] is None) == (given["treatment"] is None):
        raise didjack.OptionError("name either --cohort or --treatment")
    if given["treatment"] is None:
        return []
    who = given["idname"] or given["cluster"]
    if who is None:
        raise didjack.OptionError("--treatment needs --id, or in cross sections --cluster")
    return [given["treatment"], given["tname"], who]


def _new_name(df: pd.DataFrame) -> str:
    """Return a name for the column of cohorts that no other has."""
    name = "first_treated"
    while name in df:
        name += "_"
    return name


def _table(data: Path, dates: list[str], labels: list[str]) -> pd.DataFrame:
    """Read the table, and say on stderr where it matters that its labels are text."""
    df = read(data, dates, labels)
    _say(notes(df, labels))
    return df


def _folder(out: Path, force: bool, data: Path) -> Folder:
    """Make the folder, and say on stderr what another run has left there."""
    folder = Folder.from_path(out, force, data)
    _say(folder.notes())
    return folder


def _say(notes: list[str]) -> None:
    for note in notes:
        typer.echo(f"Note: {note}", err=True)


def _command() -> str:
    """Return the command as it was typed."""
    return shlex.join(["didjack", *sys.argv[1:]])


def _of_average(given: dict[str, Any]) -> list[str]:
    """Name the arguments of `aggregate` that the command has."""
    return [name for name in parameters(didjack.GroupTimeResult.aggregate) if name in given]


def _only_aggregated(average: dict[str, Any]) -> None:
    """Raise for options of an aggregation that is not asked for."""
    usual = inspect.signature(didjack.GroupTimeResult.aggregate).parameters
    for name, value in average.items():
        if name != "type" and value != usual[name].default:
            raise didjack.OptionError(
                f"{name}={value!r} is for aggregated effects: it needs --aggregate"
            )


@app.command()
def demo(context: typer.Context, figure: arguments.Figure = Path("didjack-demo.png")) -> None:
    """Run the example on packaged data: tables, warnings and a figure."""
    with reported(context):
        run_demo(str(figure))
