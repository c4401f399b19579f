"""Pictures look as they did, and nothing in them covers anything else.

As a script (``python tests/reporting/test_pictures.py``), draw the pictures in `baseline` anew;
look at them before they are kept.
"""

import sys
import warnings
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from looks import difference, draws_text
from matplotlib.collections import LineCollection
from matplotlib.container import BarContainer

sys.path.insert(0, str(Path(__file__).parent))
from pictures import PICTURES

import didjack

BASELINE = Path(__file__).with_name("baseline")
DPI = 50
PLAIN_TEXT = {"text.hinting": "none"}


@contextmanager
def drawn(name):
    """Draw a picture in matplotlib's own style."""
    with (
        plt.style.context(["default", PLAIN_TEXT], after_reset=True),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", didjack.InferenceWarning)
        yield np.ravel(PICTURES[name]())[0].figure.canvas.figure
    plt.close("all")


def save(figure, path):
    figure.savefig(path, dpi=DPI, metadata={"Software": None})


@pytest.fixture(scope="module", params=PICTURES)
def picture(request):
    with drawn(request.param) as figure:
        yield request.param, figure


@pytest.mark.thin(3)
@draws_text
def test_looks_as_it_did(picture, tmp_path):
    name, figure = picture
    save(figure, tmp_path / f"{name}.png")
    different = difference(BASELINE / f"{name}.png", tmp_path / f"{name}.png")
    assert different is None, different


def test_every_baseline_is_compared():
    assert {path.stem for path in BASELINE.glob("*.png")} == set(PICTURES)


# What covers what -----------------------------------------------------------------------------


def data_boxes(ax):
    """Return what is drawn of data on axes, (n, 4), in pixels."""
    boxes = [np.empty((0, 4))]
    for line in ax.lines:
        if line.get_marker() != "None" and line.get_transform() is ax.transData:
            at = ax.transData.transform(np.column_stack(line.get_data()).reshape(-1, 2))
            boxes.append(np.hstack([at, at]))
    for lines in ax.collections:
        if isinstance(lines, LineCollection):
            ends = [ax.transData.transform(path.vertices) for path in lines.get_paths()]
            boxes += [np.hstack([end.min(axis=0), end.max(axis=0)])[None] for end in ends]
    bars = [bar for some in ax.containers if isinstance(some, BarContainer) for bar in some]
    boxes += [np.array([bar.get_window_extent().extents]) for bar in bars]
    found = np.concatenate(boxes)
    return found[np.isfinite(found).all(axis=1)]


def overlap(one, other):
    """Return whether two boxes overlap by more than a pixel."""
    return (
        min(one[2], other[2]) - max(one[0], other[0]) > 1.0
        and min(one[3], other[3]) - max(one[1], other[1]) > 1.0
    )


def tick_labels(axis):
    return [text for text in axis.get_ticklabels() if text.get_text() and text.get_visible()]


def check_ticks(ax):
    for axis, along in ((ax.xaxis, 0), (ax.yaxis, 1)):
        texts = tick_labels(axis)
        if not axis.get_tick_params().get("labelbottom", True):
            continue
        boxes = [text.get_window_extent().extents for text in texts]
        if texts and texts[0].get_rotation():
            size = texts[0].get_fontsize() * ax.figure.dpi / 72.0
            steps = np.diff([ax.transData.transform((t.get_position()[0], 0))[0] for t in texts])
            assert (steps * np.sin(np.deg2rad(texts[0].get_rotation())) > size).all()
            continue
        for one, other in pairwise(sorted(boxes, key=lambda box: box[along])):
            assert not overlap(one, other)


def check_data(ax):
    """All data are within the axes, or a mark at the border says where they go on."""
    inside = ax.bbox.extents
    boxes = data_boxes(ax)
    assert ((boxes[:, 0] > inside[0] - 1.0) & (boxes[:, 2] < inside[2] + 1.0)).all()
    marked = {
        round(float(ax.transData.transform((line.get_xdata()[0], 0))[0]))
        for line in ax.lines
        if line.get_marker() in ("^", "v") and line.get_transform() is not ax.transData
    }
    beyond = (boxes[:, 1] < inside[1] - 1.0) | (boxes[:, 3] > inside[3] + 1.0)
    assert {round(float(x)) for x in (boxes[beyond, 0] + boxes[beyond, 2]) / 2} == marked


def check_legend(ax):
    legend = ax.get_legend()
    if legend is None:
        return
    box = legend.get_window_extent().extents
    if box[3] < ax.bbox.y0:  # below the axes
        assert box[3] <= ax.xaxis.label.get_window_extent().y0
        assert box[0] >= 0.0
        assert box[1] >= 0.0
        assert box[2] <= ax.figure.bbox.x1
        return
    border = ax.bbox.extents + np.array([0.0, -1.0, 0.0, 1.0])
    for one in data_boxes(ax):
        assert not overlap(box, one + np.array([-2.0, -2.0, 2.0, 2.0])) or (
            one[1] < border[1] or one[3] > border[3]
        )
    for text in ax.texts:
        assert not overlap(box, text.get_window_extent().extents)
    assert box[0] >= border[0] - 1.0
    assert box[2] <= border[2] + 1.0


def check_texts(figure):
    """Nothing that is written is cut off, nor over another title."""
    written = [
        text
        for ax in figure.axes
        for text in (ax.title, ax._left_title, ax.xaxis.label, ax.yaxis.label, *ax.texts)
    ]
    for part in (figure, *figure.subfigs):
        written += [text for text in (part._suptitle, part._supylabel) if text is not None]
        written += [text for legend in part.legends for text in legend.get_texts()]
    boxes = [text.get_window_extent().extents for text in written if text.get_text()]
    for at, (left, low, right, high) in enumerate(boxes):
        assert left >= -1.0
        assert low >= -1.0
        assert right <= figure.bbox.width + 1.0
        assert high <= figure.bbox.height + 1.0
        assert not any(overlap(boxes[at], other) for other in boxes[at + 1 :])


@pytest.mark.thin(3)
def test_nothing_covers_anything(picture):
    _, figure = picture
    figure.canvas.draw()
    for ax in figure.axes:
        check_ticks(ax)
        check_data(ax)
        check_legend(ax)
    check_texts(figure)


@pytest.mark.thin(3)
def test_the_line_of_equal_shares_runs_through_no_label(picture):
    name, figure = picture
    lines = [line for line in figure.axes[0].lines if "equal shares" in line.get_label()]
    assert bool(lines) == name.startswith("variance")
    for line in lines:
        at = line.axes.transData.transform((line.get_xdata()[0], 0))[0]
        boxes = [text.get_window_extent() for text in line.axes.texts]
        assert not any(box.x0 < at < box.x1 for box in boxes)


if __name__ == "__main__":
    for each in PICTURES:
        with drawn(each) as it:
            save(it, BASELINE / f"{each}.png")
