"""A generator's judge and retained examples, and `Redirect` again by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call
from typing_extensions import override

from lightning_unlearn import Redirect
from lightning_unlearn.objectives import Context
from tests.strategies._fits import CLASSES
from tests.strategies._loops import Hand
from tests.strategies._uno_cases import LATENTS, drawn, sample

PUSH, PULL, COUNT, SEED = 0.7, 0.2, 3, 5
ODDS = drawn(CLASSES)
EXAMPLES = drawn(8, CLASSES).flip(0)


def judge() -> nn.Module:
    made = nn.Linear(CLASSES, 1, bias=False, dtype=torch.float64)
    with torch.no_grad():
        made.weight.copy_(ODDS)
    return made


def redirect(push: float = PUSH, pull: float = PULL) -> Redirect:
    return Redirect(sample, judge(), EXAMPLES, push, pull, count=COUNT, seed=SEED)


class WithAscent(Redirect):
    """Ascent beside it: the laws want a loss that looks at the forget batch, which alone it does not."""

    @override
    def loss(self, module: nn.Module, batch: Any, context: Context) -> Tensor | None:
        redirected, trained = super().loss(module, batch, context), context.training_loss(batch)
        return None if redirected is None or trained is None else redirected - trained


def with_ascent() -> Redirect:
    return WithAscent(sample, judge(), EXAMPLES, PUSH, PULL, count=COUNT, seed=SEED)


def by_hand(samples: Tensor, step: int) -> Tensor:
    """The formula, one example and one sample at a time."""
    rows = np.random.Generator(np.random.Philox(key=[SEED, step])).choice(len(EXAMPLES), COUNT, replace=False)
    pushed = sum(torch.log(1 + torch.exp(g @ ODDS)) for g in samples) / len(samples)
    pulled = sum(min(((EXAMPLES[i] - g) ** 2).sum() for g in samples) for i in rows.tolist()) / COUNT
    return PUSH * pushed + PULL * pulled


def redirected_direction(h: Hand) -> np.ndarray:
    def loss(theta: Tensor) -> Tensor:
        parameters, start = {}, 0
        for name, p in h.net.named_parameters():
            parameters[name] = theta[start : start + p.numel()].view_as(p)
            start += p.numel()
        return h.share * by_hand(functional_call(h.net, parameters, (LATENTS,)), h.step)

    theta = h.theta.clone().requires_grad_()
    return h.g + h.u + torch.autograd.grad(loss(theta), theta)[0].numpy()
