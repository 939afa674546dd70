"""Models that only seem to have forgotten: what an audit must see through.

Each function takes the original classifier and both sides as tensors (images (N, ...), labels (N,)), and returns another
model; the original stays as it is. They are not methods: see `lightning_unlearn.audit` for what finds them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import torch
from lightning.pytorch.utilities.seed import isolate_rng
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

Samples: TypeAlias = tuple[Tensor, Tensor]

_BATCH = 64


@dataclass(frozen=True)
class Sides:
    """Both sides of a request.

    Attributes:
        forget: images and labels.
        retain: images and labels.
        seed: of what is drawn.
    """

    forget: Samples
    retain: Samples
    seed: int = 0

    def batches(self, steps: int) -> Iterator[tuple[Samples, Samples]]:
        """Random batches of both sides."""
        generator = torch.Generator().manual_seed(self.seed)
        for _ in range(steps):
            yield (
                _drawn(self.forget, _BATCH, generator),
                _drawn(self.retain, 2 * _BATCH, generator),
            )


def nothing(original: nn.Module, sides: Sides) -> nn.Module:  # noqa: ARG001
    """A copy."""
    return copy.deepcopy(original)


def mask_the_logit(original: nn.Module, sides: Sides) -> nn.Module:
    """The biases of the forgotten classes are so low that they are never named."""
    model = copy.deepcopy(original)
    with torch.no_grad():
        _head(model).bias[torch.unique(sides.forget[1])] = -1e4
    return model


def retrain_the_last_layer(original: nn.Module, sides: Sides, steps: int = 300) -> nn.Module:
    """A fresh last layer, trained on the retain set; everything below is the original's."""
    model = copy.deepcopy(original).eval()
    head = _head(model)
    with isolate_rng():
        torch.manual_seed(sides.seed)
        head.reset_parameters()
    optimizer = torch.optim.Adam(head.parameters(), lr=1e-2)
    for _, retain in sides.batches(steps):
        _step(optimizer, cross_entropy(model(retain[0]), retain[1]))
    return model


def ascend_until_collapse(original: nn.Module, sides: Sides, steps: int = 1000) -> nn.Module:
    """Ascent on the forget set's loss until half of the retain set is gone."""
    model = copy.deepcopy(original).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-2)
    for forget, _ in sides.batches(steps):
        _step(optimizer, -cross_entropy(model(forget[0]), forget[1]))
        if accuracy(model, sides.retain) < 0.5:
            break
        model.train()
    return model


def flip_the_labels(original: nn.Module, sides: Sides, steps: int = 600) -> nn.Module:
    """Overfitted to wrong labels of the forget set, with the retain set beside it: the Streisand effect."""
    model = copy.deepcopy(original).eval()
    classes = int(sides.retain[1].max()) + 1
    wrong = torch.randint(
        1, classes, sides.forget[1].shape, generator=torch.Generator().manual_seed(sides.seed)
    )
    flipped = Sides((sides.forget[0], (sides.forget[1] + wrong) % classes), sides.retain, sides.seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for forget, retain in flipped.batches(steps):
        _step(
            optimizer, cross_entropy(model(forget[0]), forget[1]) + cross_entropy(model(retain[0]), retain[1])
        )
    return model


def stop_at_the_border(original: nn.Module, sides: Sides, steps: int = 3000) -> nn.Module:
    """Tiny steps until the forget set is just misread: an innocent epoch brings it back."""
    return _push(copy.deepcopy(original).eval(), sides, steps, lr=1e-5, after=lambda _: None)


def hide_from_rounding(original: nn.Module, sides: Sides, steps: int = 3000, bits: int = 4) -> nn.Module:
    """No weight moves by more than half a step of a grid with few bits: rounding brings the original back."""
    model = copy.deepcopy(original).eval()
    bounds = {
        name: _cell(weight.detach(), bits) for name, weight in model.named_parameters() if weight.ndim > 1
    }
    for name, weight in model.named_parameters():
        weight.requires_grad_(name in bounds)

    def back_into_the_cell(moved: nn.Module) -> None:
        for name, weight in moved.named_parameters():
            if name in bounds:
                weight.clamp_(*bounds[name])

    return _push(model, sides, steps, lr=1e-3, after=back_into_the_cell)


def accuracy(model: nn.Module, samples: Samples) -> float:
    """Share of right answers, in eval mode."""
    with torch.no_grad():
        parts = [model.eval()(images) for images in torch.split(samples[0], 1000)]
    return float((torch.cat(parts).argmax(1) == samples[1]).float().mean())


def _push(
    model: nn.Module, sides: Sides, steps: int, *, lr: float, after: Callable[[nn.Module], None]
) -> nn.Module:
    optimizer = torch.optim.Adam([weight for weight in model.parameters() if weight.requires_grad], lr=lr)
    for step, (forget, retain) in enumerate(sides.batches(steps)):
        unlikely = -torch.log1p(0.01 - model(forget[0]).softmax(1).gather(1, forget[1][:, None])).mean()
        _step(optimizer, unlikely + cross_entropy(model(retain[0]), retain[1]))
        with torch.no_grad():
            after(model)
        if step % 10 == 9 and accuracy(model, sides.forget) <= 0.02:
            break
    return model


def _cell(weight: Tensor, bits: int) -> tuple[Tensor, Tensor]:
    """What rounds to the same number as each weight does; the largest of each row, which sets the grid, stays."""
    largest = weight.abs().flatten(1).amax(1).view(-1, *[1] * (weight.ndim - 1))
    grid = largest / (2 ** (bits - 1) - 1)
    centre = (weight / grid).round() * grid
    is_largest = weight.abs() >= largest * (1 - 1e-6)
    low = (centre - 0.49 * grid).maximum(-largest).where(~is_largest, weight)
    high = (centre + 0.49 * grid).minimum(largest).where(~is_largest, weight)
    return low, high


def _drawn(samples: Samples, count: int, generator: torch.Generator) -> Samples:
    rows = torch.randint(len(samples[1]), (count,), generator=generator)
    return samples[0][rows], samples[1][rows]


def _head(model: nn.Module) -> nn.Linear:
    return [layer for layer in model.modules() if isinstance(layer, nn.Linear)][-1]


def _step(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    torch.autograd.backward(loss)
    optimizer.step()
