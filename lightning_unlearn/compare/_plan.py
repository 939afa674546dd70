"""All cells of a comparison."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path

from lightning_unlearn.compare._cell import Kind
from lightning_unlearn.compare._ground import Ground, Planned
from lightning_unlearn.compare._request import strategy_of

_CONTROLS: Mapping[Kind, tuple[str, str]] = {
    "fine-tuning": ("retain fine-tuning", "lightning_unlearn.FineTune"),
    "ascent": ("ascent", "lightning_unlearn.GradientAscent"),
}


def cells_of(ground: Ground, folder: Path) -> Iterator[Planned]:
    """Models that nothing is done to, then strategies, then the controls of each distinct setting.

    Args:
        ground: of a request.
        folder: for the cells.
    """
    request, originals, seeds = ground.request, ground.originals, ground.comparison.seeds.unlearning
    for model in originals:
        yield ground.cell(folder, model, "nothing", "do nothing")
    for model in ground.references:
        yield ground.cell(folder, model, "retraining", "retraining")
    for entry, model, seed in product(request.entries, originals, seeds):
        yield ground.cell(folder, model, "strategy", entry.name, entry.strategy, entry.settings, seed)
    for settings, (kind, (name, path)) in product(request.settings, _CONTROLS.items()):
        strategy = strategy_of({"class_path": path}, name)
        for model, seed in product(originals, seeds):
            yield ground.cell(folder, model, kind, name, strategy, settings, seed)
