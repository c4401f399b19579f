"""Tables in a LaTeX document: it compiles, and nothing is wider than the page."""

import shutil
import subprocess
from itertools import product

import pytest

import didjack
from didjack import etable

NAMES = ["lemp", "year", "first.treat", "countyreal"]
PACKAGES = ["booktabs", "makecell", "siunitx", "threeparttable"]
PREAMBLE = rf"\documentclass{{article}}\usepackage{{{','.join(PACKAGES)}}}"
NASTY = "50% of_x & {y} $z$ #1 ~^\\ <b> *c* [d] | `e` é"


def missing():
    """Name what a document needs and is not installed."""
    programs = [name for name in ("pdflatex", "kpsewhich") if shutil.which(name) is None]
    if programs:
        return programs
    files = [f"{name}.sty" for name in PACKAGES]
    found = subprocess.run(["kpsewhich", *files], capture_output=True, text=True, check=False)
    return [file for file in files if file not in found.stdout]


pytestmark = [
    pytest.mark.skipif(bool(missing()), reason=f"not installed: {', '.join(missing())}"),
    pytest.mark.filterwarnings("ignore::didjack.InferenceWarning"),
]


@pytest.fixture(scope="module")
def fits():
    df = didjack.datasets.load_mpdta()
    options = product(["dr", "reg"], ["nevertreated", "notyettreated"], ["varying", "universal"])
    return [
        didjack.csdid(
            *(df, *NAMES, "~ lpop"),
            cluster="state",
            est_method=method,
            control_group=group,
            base_period=base,
        )
        for method, group, base in options
    ]


def compiled(tables, folder):
    """The log of a document with some tables."""
    text = "\n\n".join([PREAMBLE, r"\begin{document}", *tables, r"\end{document}"])
    folder.joinpath("tables.tex").write_text(text, "utf-8")
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "tables.tex"],
        cwd=folder,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]
    return folder.joinpath("tables.log").read_text(errors="replace")


def test_eight_specifications_fit_the_page(fits, tmp_path):
    events = [fit.aggregate("event") for fit in fits]
    tables = [
        etable(events, caption="Event study"),
        etable(events, caption="With stars", stars=True, groups=["A"] * 4 + [""] * 2 + ["B"] * 2),
        etable(events, caption="Intervals", cells="ci"),
        etable(events, which="overall", stars={"***": 0.999}),
        etable(fits, caption="Group-time effects"),
        events[0].summary(),
        events[1].summary(),
        fits[0].summary(),
        fits[0].aggregate("group").summary(),
    ]
    log = compiled([table.to_latex() for table in tables], tmp_path)
    assert "Overfull \\hbox" not in log


def test_fragments_and_nasty_names_compile(fits, tmp_path):
    event = fits[1].aggregate("event")
    table = etable(
        {NASTY: event, "two": event},
        rename={"overall ATT": NASTY, "event time 0": "[0]", "event time 1": "*1"},
        groups=[NASTY, ""],
        caption=NASTY,
        label="tab:nasty_1",
        notes=NASTY,
        fragment=True,
    )
    table.save(tmp_path / "part.tex")
    own = r"\begin{table}\centering\caption{Own}\input{part.tex}\end{table}"
    log = compiled([own, table.to_latex(fragment=False), r"Table~\ref{tab:nasty_1}"], tmp_path)
    assert "Overfull \\hbox" not in log


def test_siunitx_fits_the_page_and_says_what_the_table_says(fits, tmp_path):
    events = [fit.aggregate("event") for fit in fits[:4]]
    tables = [
        etable(events, caption="Event study", label="tab:s"),
        etable(events, stars={"***": 0.999}, groups=["50% [A]", "50% [A]", "B", ""]),
        etable(events[:2], cells="ci", rename={r"event time (.*)": r"$t = \1$"}, math=True),
        etable(events[:3], cells="p", notes=NASTY),
        etable({NASTY: events[0]}, rename={"event time 0": "[0]", "event time 1": "*1"}),
        events[0].summary(),
    ]
    log = compiled([table.to_latex(style="siunitx") for table in tables], tmp_path)
    assert "Overfull \\hbox" not in log
