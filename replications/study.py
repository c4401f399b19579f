"""What the replications share: published and estimated numbers, and the files of a run."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

import didjack

WIDTH = 120


def arguments(
    description: str, argv: Sequence[str] | None, data: str | None = None
) -> argparse.Namespace:
    """Read ``--out`` and, if it is said what they are, ``--data``."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--out", type=Path, required=True, help="folder that results go to")
    if data:
        parser.add_argument("--data", type=Path, help=data)
    return parser.parse_args(argv)


def half_a_unit(printed: str) -> float:
    """Half a unit of the last printed digit: 0.00005 for "0.0400"."""
    return float(Decimal((0, (5,), Decimal(printed).as_tuple().exponent - 1)))


def compare(
    published: Mapping[str, str],
    found: Mapping[str, float],
    source: str,
    explained: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """Compare published numbers with those of didjack.

    Parameters
    ----------
    published : quantities and their values, with the digits that are printed
    found : the same numbers, computed here
    source : where they are printed
    explained : tolerances of those that differ for a reason that the report gives; the others
        have half a unit of their last digit

    Returns
    -------
    DataFrame
        Columns quantity, published, source, didjack, difference, tolerance.
    """
    table = pd.DataFrame(
        {
            "quantity": list(published),
            "published": list(published.values()),
            "source": source,
            "didjack": [found[quantity] for quantity in published],
        }
    )
    table["difference"] = table["didjack"] - table["published"].astype(float)
    limits = {quantity: half_a_unit(digits) for quantity, digits in published.items()}
    table["tolerance"] = table["quantity"].map(limits | dict(explained or {}))
    return table


def beyond(comparison: pd.DataFrame) -> pd.DataFrame:
    """Rows that differ by more than they may, or are missing."""
    return comparison[~(comparison["difference"].abs() <= comparison["tolerance"])]


def agreement(comparison: pd.DataFrame) -> str:
    """Say how many published numbers are reproduced."""
    printed = comparison["published"].map(half_a_unit)
    same = (comparison["difference"].abs() <= printed).sum()
    many = f"{same} of {len(comparison)}"
    return f"{many} published numbers are reproduced to the last printed digit."


def block(table: pd.DataFrame, digits: int = 4) -> str:
    """Show a table in Markdown, as plain text."""
    lines = table.round(digits).to_string().splitlines()
    return "\n".join(["```text", *(line.rstrip() for line in lines), "```"])


def said(p_value: float, alpha: float = 0.05) -> str:
    """Say whether a test rejects."""
    return f"{'rejects' if p_value < alpha else 'does not reject'} (p = {p_value:.3g})"


def errors(average: didjack.AggregateResult, n_permutations: int = 0) -> dict[str, object]:
    """Test an overall ATT with all kinds of standard errors, as numbers for a report.

    ``ratio`` is CV3 over the clustered analytic standard error.
    """
    table = average.compare_vcov(n_permutations=n_permutations)
    law, t = table.loc["CV3, model"], table.loc["CV3, t(R-1)"]
    analytic = table.loc["clustered" if "clustered" in table.index else "analytic"]
    return {
        "overall": average.overall["estimate"],
        "errors": block(table[["std_error", "df", "p_value", "conf_low", "conf_high"]]),
        "unclustered": said(table.loc["analytic", "p_value"]),
        "ratio": law["std_error"] / analytic["std_error"],
        "df_t": t["df"],
        "t": said(t["p_value"]),
        "df": law["df"],
        "law": said(law["p_value"]),
    }


def carriers(average: didjack.AggregateResult, n_shown: int = 3) -> str:
    """Say which clusters drive an overall ATT and its variance, with a table of them."""
    table = average.clusters().sort_values("variance_share", ascending=False)
    table["leave_one_out"] = average.replicates()["overall"]
    first, about = table.iloc[0], average.glance().iloc[0]
    columns = ["cohorts", "treated_share", "leave_one_out", "variance_share", "partial_leverage"]
    return (
        f"{about['n_treated_clusters']} of {about['n_clusters']} clusters are treated; the "
        f"effective number of treated clusters is {about['effective_treated_clusters']:.1f}. "
        f"Cluster {table.index[0]} accounts for {first['variance_share']:.0%} of the variance. "
        f"The overall ATT is {first['leave_one_out']:.4f} without it, and "
        f"{average.overall['estimate']:.4f} with it.\n\n"
        f"{block(table[columns].head(n_shown), 3)}"
    )


def written(name: str, comparison: pd.DataFrame, **numbers: object) -> str:
    """Put numbers into the report of a study, ``reports/name.md``.

    What is beyond its tolerance comes last.
    """
    template = (Path(__file__).parent / "reports" / f"{name}.md").read_text()
    text = template.format(agreement=agreement(comparison), **numbers)
    wrong = beyond(comparison)
    if len(wrong):
        text += f"\n\n**Not reproduced:**\n\n{block(wrong.drop(columns='source'), 9)}"
    parts = [part.strip() for part in text.split("\n\n") if part.strip()]
    whole = ("```", "#")  # tables and headings keep their lines
    return "\n\n".join(
        part if part.startswith(whole) else textwrap.fill(part, WIDTH, break_on_hyphens=False)
        for part in parts
    )


def finish(out: Path, comparison: pd.DataFrame, report: str, latex: str, picture: Figure) -> int:
    """Write and print what a run gives.

    Parameters
    ----------
    out : folder, made if it is not there
    comparison : as of `compare`
    report : Markdown
    latex : a table
    picture : is closed

    Returns
    -------
    int
        The exit code: 1 if a number differs by more than its tolerance.
    """
    out.mkdir(parents=True, exist_ok=True)
    comparison.to_csv(out / "comparison.csv", index=False)
    (out / "table.tex").write_text(latex)
    (out / "report.md").write_text(report + "\n")
    picture.savefig(out / "figure.png", dpi=150, bbox_inches="tight")
    plt.close(picture)
    print(report)
    return int(len(beyond(comparison)) > 0)
