from pathlib import Path

import matplotlib
import pytest
import torch
from matplotlib.figure import Figure
from matplotlib.image import imread

from lightning_unlearn.demo import Digits
from lightning_unlearn.demo._figures import accuracy_curves, prediction_grid
from lightning_unlearn.demo._grid import _in_turn

HISTORY = [
    {"step": 0, "forget_accuracy": 1.0, "retain_accuracy": 1.0, "test_accuracy": 0.98},
    {"step": 10, "forget_accuracy": 0.5, "retain_accuracy": 0.99},
    {"step": 20, "forget_accuracy": 0.0, "retain_accuracy": 1.0, "test_accuracy": 0.97},
]
REFERENCE = {"forget_accuracy": 0.0, "retain_accuracy": 1.0, "test_accuracy": 0.985}


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are saved, to be looked into."""
    figures: list[Figure] = []
    save = Figure.savefig

    def spy(figure: Figure, *args: object, **kwargs: object) -> None:
        figures.append(figure)
        save(figure, *args, **kwargs)

    monkeypatch.setattr(Figure, "savefig", spy)
    return figures


def grid_inputs() -> dict[str, torch.Tensor]:
    digits = Digits(train=False)
    forgotten = digits.targets == 3
    after = torch.where(forgotten, 8, digits.targets)
    before = digits.targets.clone()
    return {
        "images": digits.images,
        "targets": digits.targets,
        "before": before,
        "after": after,
        "forgotten": forgotten,
    }


def test_curves_hold_the_numbers(tmp_path: Path, drawn: list[Figure]) -> None:
    accuracy_curves(HISTORY, REFERENCE, tmp_path / "curves.png", title="Forgetting 3")
    axes = drawn[0].axes[0]
    lines = {line.get_label(): line for line in axes.lines}
    assert lines["forget set"].get_xydata().tolist() == [[0, 100], [10, 50], [20, 0]]
    assert torch.tensor(lines["test set"].get_ydata()).isnan().tolist() == [False, True, False]
    dashed = [line.get_ydata()[0] for line in axes.lines if line.get_label().startswith("_")]
    assert dashed == [0, 100, 98.5]
    assert axes.get_title(loc="left") == "Forgetting 3"
    assert imread(tmp_path / "curves.png").std() > 0


def test_curves_need_neither_reference_nor_all_accuracies(tmp_path: Path, drawn: list[Figure]) -> None:
    accuracy_curves([{"step": 0, "forget_accuracy": 1.0}], {}, tmp_path / "curves.png")
    assert [text.get_text() for text in drawn[0].legends[0].get_texts()] == ["forget set"]


def test_curves_need_a_history(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="`history` must hold at least one row"):
        accuracy_curves([], REFERENCE, tmp_path / "curves.png")


def test_grid_shows_forgotten_ones_above_the_others(tmp_path: Path, drawn: list[Figure]) -> None:
    inputs = grid_inputs()
    prediction_grid(**inputs, path=tmp_path / "grid.png", columns=9, rows=1)
    figure = drawn[0]
    texts = [text.get_text() for text in figure.texts]
    assert texts.index("To be forgotten") < texts.index("To be kept")
    numbers = [text for text in texts if text.isdigit()]
    assert numbers[:18] == ["3", "8"] * 9
    assert numbers[18:36] == [digit for digit in "012456789" for _ in range(2)]
    tops = [axes.get_position().y1 for axes in figure.axes]
    assert len(tops) == 18
    assert min(tops[:9]) > max(tops[9:])


def test_grid_marks_wrong_predictions_by_more_than_colour(tmp_path: Path, drawn: list[Figure]) -> None:
    inputs = grid_inputs()
    prediction_grid(**inputs, path=tmp_path / "grid.png", columns=5, rows=1)
    boxed = [text.get_text() for text in drawn[0].texts if text.get_bbox_patch() is not None]
    assert boxed == ["8"] * 5 + ["3"]  # the last one belongs to the legend


@pytest.mark.parametrize(("mask", "heading"), [(True, "To be forgotten"), (False, "To be kept")])
def test_grid_with_one_group_and_few_images(
    tmp_path: Path, drawn: list[Figure], mask: bool, heading: str
) -> None:
    inputs = {name: tensor[:3] for name, tensor in grid_inputs().items()}
    inputs["forgotten"] = torch.full((3,), mask)
    prediction_grid(**inputs, path=tmp_path / "grid.png")
    assert len(drawn[0].axes) == 3
    headings = [text.get_text() for text in drawn[0].texts if text.get_text().startswith("To be")]
    assert headings == [heading]


def test_grid_keeps_inside_the_page(tmp_path: Path, drawn: list[Figure]) -> None:
    prediction_grid(**grid_inputs(), path=tmp_path / "grid.png")
    width, height = drawn[0].get_size_inches() * drawn[0].dpi
    for text in drawn[0].texts:
        box = text.get_window_extent()
        assert 0 <= box.x0 < box.x1 <= width
        assert 0 <= box.y0 < box.y1 <= height


def test_grid_refuses_lengths_that_differ(tmp_path: Path) -> None:
    inputs = grid_inputs()
    with pytest.raises(ValueError, match="must have one common length of at least 1, found 2, 450"):
        prediction_grid(**{**inputs, "after": inputs["after"][:2]}, path=tmp_path / "grid.png")
    with pytest.raises(ValueError, match="found 0"):
        prediction_grid(**{name: t[:0] for name, t in inputs.items()}, path=tmp_path / "grid.png")


def test_samples_come_from_the_classes_in_turn() -> None:
    targets = torch.tensor([5, 5, 5, 2, 2, 9])
    assert _in_turn(targets, torch.ones(6, dtype=torch.bool), 5) == [3, 0, 5, 4, 1]
    assert _in_turn(targets, targets == 5, 9) == [0, 1, 2]


def test_no_global_state_is_touched(tmp_path: Path) -> None:
    def settings() -> dict[str, object]:  # without the backend, which is resolved when it is looked at
        return {key: matplotlib.rcParams[key] for key in matplotlib.rcParams if key != "backend"}

    before = settings()
    accuracy_curves(HISTORY, REFERENCE, tmp_path / "curves.png")
    prediction_grid(**grid_inputs(), path=tmp_path / "grid.png")
    assert settings() == before


def test_a_failed_drawing_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "curves.png"
    path.write_bytes(b"old")

    def fail(figure: Figure, target: Path) -> None:
        Path(target).write_bytes(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(Figure, "savefig", fail)
    with pytest.raises(OSError, match="no space left"):
        accuracy_curves(HISTORY, REFERENCE, path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["curves.png"]
    assert path.read_bytes() == b"old"
