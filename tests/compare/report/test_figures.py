"""What is drawn is what was measured, and every name can be read."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.markers import MarkerStyle

from lightning_unlearn.compare.report._read import cells_of
from lightning_unlearn.compare.report._summarise import summarise
from lightning_unlearn.compare.report.figures import figures
from lightning_unlearn.compare.report.figures._marks import MARKS
from lightning_unlearn.compare.report.figures._placing import place_names
from lightning_unlearn.rendering import svg
from tests.compare.report._cells import A_CLASS, OF_A_CLASS, SAMPLES, comparison, failed, request
from tests.compare.report._oracle import expected


def shown(cells, n=0):
    return {one.name: one for one in figures(summarise(cells_of(cells)).requests[n], 1)}


def texts(figure):
    """Boxes of the names in the axes, as Matplotlib itself draws them, by name."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.canvas.draw()
    axes = figure.axes[0]
    return {t.get_text(): t.get_window_extent(renderer) for t in axes.texts if t.get_text()}, axes.get_window_extent(renderer)  # fmt: skip


def covered(one, other):
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    return max(width, 0) * max(height, 0)


@pytest.mark.parametrize("sample", SAMPLES)
def test_no_name_covers_another_or_leaves_the_axes(sample):
    seen = 0
    for n in range(len(summarise(cells_of(SAMPLES[sample]())).requests)):
        for name, one in shown(SAMPLES[sample](), n).items():
            if name.startswith("trade-off"):
                boxes, area = texts(one.figure)
                assert len(boxes) > 1
                for a, b in combinations(boxes.values(), 2):
                    assert covered(a, b) == 0, name
                for box in boxes.values():
                    assert covered(box, area) > 0.98 * box.width * box.height
                seen += len(boxes)
    assert seen > 4


def test_names_that_are_only_put_beside_their_points_would_cover_one_another():
    """The negative control: what is drawn here needs the search for places."""
    one = shown(comparison(), 1)["trade-off-1-close"]
    for text in one.figure.axes[0].texts:
        text.set_position((5, 0))
    boxes, _ = texts(one.figure)
    assert any(covered(a, b) > 0 for a, b in combinations(boxes.values(), 2))


@given(seed=st.integers(0, 2**32), count=st.integers(1, 14), spread=st.sampled_from([1.0, 8.0, 60.0]))
@settings(max_examples=30, deadline=None, derandomize=True)
def test_places_are_free_as_long_as_there_is_room(seed, count, spread):
    """Points in a crowd of any width, in the area of a figure of ours: no name covers a name or a marker."""
    rng = np.random.default_rng(seed)
    area = (0.0, 0.0, 240.0, 210.0)
    centre = rng.uniform((10, 10), (230, 200))
    points = [
        tuple(p) for p in np.clip(centre + spread * rng.normal(size=(count, 2)), 6, (234, 204)).tolist()
    ]
    sizes = [(float(width), 11.0) for width in rng.uniform(20, 90, size=count)]
    blocked = [(x - 5, y - 5, x + 5, y + 5) for x, y in points]
    boxes = place_names(points, sizes, blocked, area)
    for (left, bottom, right, top), (width, height) in zip(boxes, sizes, strict=True):
        assert (right - left, top - bottom) == (pytest.approx(width), pytest.approx(height))
        assert area[0] <= left <= right <= area[2] + 1e-9
        assert area[1] <= bottom <= top <= area[3] + 1e-9
    for a, b in [*combinations(boxes, 2), *((a, b) for a in boxes for b in blocked)]:
        assert min(a[2], b[2]) <= max(a[0], b[0]) + 1e-9 or min(a[3], b[3]) <= max(a[1], b[1]) + 1e-9


def test_without_room_every_name_is_still_there():
    points = [(5.0, 5.0)] * 9
    assert len(place_names(points, [(30.0, 11.0)] * 9, [], (0.0, 0.0, 40.0, 30.0))) == 9


def test_points_and_bars_are_mean_and_deviation_cut_at_0_and_100():
    cells = comparison()
    axes = shown(cells, 1)["trade-off-1"].figure.axes[0]
    drawn = {}
    for container in axes.containers:
        line, _, (across, up) = container.lines
        ends = [bars.get_segments()[0] for bars in (across, up)]
        drawn[line.get_marker(), round(float(line.get_xdata()[0]), 6)] = (line, ends)
    assert len(drawn) == 10
    wanted = expected(cells, "the digit 3", "ascent")
    (found,) = [of for (marker, _), of in drawn.items() if marker == "v"]
    line, (across, up) = found
    forget, retain = wanted["forget_accuracy"], wanted["retain_accuracy"]
    assert (line.get_xdata()[0], line.get_ydata()[0]) == (pytest.approx(100 * forget["mean"]), pytest.approx(100 * retain["mean"]))  # fmt: skip
    assert across[0][0] == pytest.approx(max(100 * (forget["mean"] - forget["deviation"]), 0))
    assert up[:, 1] == pytest.approx([100 * (retain["mean"] - retain["deviation"]), 100 * (retain["mean"] + retain["deviation"])])  # fmt: skip


def test_bars_end_at_0_and_at_100():
    ends = [
        bars.get_segments()[0]
        for n in (0, 1)
        for one in shown(comparison(), n).values()
        for container in one.figure.axes[0].containers
        for bars in container.lines[2]
    ]
    assert min(end.min() for end in ends) == 0.0
    assert max(end.max() for end in ends) == 100.0


def test_the_original_and_the_retrained_model_are_named():
    names, _ = texts(shown(comparison(), 1)["trade-off-1"].figure)
    assert {"original", "retrained", "ascent", "retain fine-tuning", "6 in the close-up"} == set(names)
    names, _ = texts(shown(comparison(), 1)["trade-off-1-close"].figure)
    assert set(names) == {*A_CLASS, "retrained"}


def test_there_is_no_close_up_where_nothing_is_close():
    alone = request("r", {"A": ((0.5, 0.9, 0.9, 0.5), 0.01, 6)}, OF_A_CLASS)
    assert list(shown(alone)) == ["trade-off-1", "gap-1"]


def test_dots_are_the_gaps_of_the_cells_and_the_shade_is_the_floor():
    cells = comparison()
    one = shown(cells, 1)["gap-1"]
    axes = one.figure.axes[0]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    y = labels.index("GradientSurgery")
    wanted = expected(cells, "the digit 3", "strategy", "GradientSurgery")["average_gap"]
    dots = [line for line in axes.lines if len(line.get_xdata()) == 6 and y < line.get_ydata()[0] < y + 0.5]
    (dots,) = dots
    assert np.mean(dots.get_xdata()) == pytest.approx(wanted["mean"])
    assert np.std(dots.get_xdata(), ddof=1) == pytest.approx(wanted["deviation"])
    floor = expected(cells, "the digit 3", "retraining")["average_gap"]["mean"]
    (shade,) = [patch for patch in axes.patches if patch.get_label() == "floor: retraining itself"]
    assert (shade.get_x(), shade.get_width()) == (0.0, pytest.approx(floor))
    assert labels[0] == "LUR"
    assert labels[-1] == "retraining"


@pytest.mark.parametrize(("gap", "scale"), [(0.02, "linear"), (0.5, "symlog")])
def test_gaps_that_differ_a_lot_have_a_log_axis(gap, scale):
    cells = request("r", {"A": A_CLASS["SFRon"]}, OF_A_CLASS)
    for one in cells:
        away = 0.0 if one["kind"] == "retraining" else gap
        one["evaluations"] = [{"seed": 1, **dict.fromkeys(("forget_accuracy", "retain_accuracy", "test_accuracy", "membership", "mia_efficacy"), 0.3 + away)}]  # fmt: skip
    axes = shown(cells)["gap-1"].figure.axes[0]
    assert axes.get_xscale() == scale
    assert axes.get_xlim()[1] > 100 * gap


def test_a_row_that_failed_is_in_the_figure_as_such():
    one = shown(SAMPLES["incomplete"]())["gap-1"]
    assert "failed: 6 of 6" in [text.get_text() for text in one.figure.axes[0].texts]
    assert ("LUR", "–", "–", "6 failed") in one.rows


def test_without_references_there_are_no_gaps_to_draw():
    assert list(shown(SAMPLES["without_reference"]())) == ["trade-off-1"]


def test_without_any_number_there_is_no_figure():
    assert shown([failed(c, "no") for c in SAMPLES["one_seed"]()]) == {}


def test_no_two_kinds_share_a_colour_or_a_shape():
    paths = {MarkerStyle(mark.marker).get_path().transformed(MarkerStyle(mark.marker).get_transform()).vertices.tobytes() for mark in MARKS.values()}  # fmt: skip
    assert len(paths) == len({mark.colour for mark in MARKS.values()}) == len(MARKS) == 5


@pytest.mark.parametrize("name", ["$x^2$", "$", "名前", "a & b < c", "\\frac", "{x}", ""])
def test_names_are_text_and_no_formula(name):
    cells = request("r", {name: A_CLASS["SFRon"]}, OF_A_CLASS, originals=(1,), unlearnings=(1,))
    for one in shown(cells).values():
        assert name.replace("&", "&amp;").replace("<", "&lt;") in svg(one.figure, one.name)


def test_every_figure_has_words_and_numbers():
    for sample in SAMPLES:
        for one in shown(SAMPLES[sample]()).values():
            assert len(one.alt) > 40
            assert one.alt.endswith(".")
            assert all(len(row) == len(one.head) for row in one.rows)
