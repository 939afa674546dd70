"""The training loop written again by hand: flat float64 vectors, plain torch, nothing of the package."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

# logits, labels -> mean over the batch; or numerator and divisor, whose means over the window are to be divided
Term = Callable[[Tensor, Tensor], "Tensor | tuple[Tensor, Tensor]"]
Outer = Callable[[Tensor], Tensor]


class Hand:
    """Losses and derivatives of one accumulation window, by autograd on one flat vector of weights.

    Args:
        net: a plain module.
        window: the pairs of batches between two optimiser steps.
        accumulate: what Lightning divides by, also in a shorter last window.
        term: the forget side's loss of a batch.
        outer: the function of its mean over the window.
        forget_labels: all labels of the forget set.
        original: the module before the first step.
        penalty: of a net, what is added to the losses of both sides before `outer`; `None` for nothing.
        step: number of optimiser steps before this one.
        total: number of all of them.
    """

    def __init__(
        self,
        net: nn.Module,
        window: list[dict[str, Any]],
        accumulate: int,
        term: Term,
        outer: Outer,
        forget_labels: Tensor,
        original: nn.Module | None = None,
        penalty: Callable[[Any], Tensor] | None = None,
        step: int = 0,
        total: int = 1,
    ) -> None:
        self.net = net
        self.penalty = penalty
        self.original = net if original is None else original
        self.window = window
        self.step, self.total = step, total
        self.share = len(window) / accumulate
        self.term = term
        self.outer = outer
        self.forget_labels = forget_labels.numpy()
        self.theta = torch.cat([p.detach().reshape(-1) for p in net.parameters()])

    def _named(self, theta: Tensor) -> dict[str, Tensor]:
        sizes = [p.numel() for p in self.net.parameters()]
        parts = theta.split(sizes)
        return {n: v.reshape(p.shape) for (n, p), v in zip(self.net.named_parameters(), parts, strict=True)}

    def _mean(self, theta: Tensor, side: str, term: Term) -> Tensor:
        named = self._named(theta)
        batches = [pair[side] for pair in self.window]

        def net(x: Tensor) -> Tensor:
            return functional_call(self.net, named, (x,))

        terms = [term(net(x), y) for x, y in batches]
        if isinstance(terms[0], tuple):
            above, below = (torch.stack(part).mean() for part in zip(*terms, strict=True))
            mean = above / below.detach()
        else:
            mean = torch.stack(terms).mean()
        return mean if self.penalty is None else mean + self.penalty(net)

    def forget_loss(self, theta: Tensor) -> Tensor:
        return self.share * self.outer(self._mean(theta, "forget", self.term))

    def retain_loss(self, theta: Tensor) -> Tensor:
        return self.share * self._mean(theta, "retain", nn.functional.cross_entropy)

    def _gradient(self, loss: Outer, shift: Any = 0.0) -> np.ndarray:
        theta = (self.theta + torch.as_tensor(shift)).requires_grad_()
        return torch.autograd.grad(loss(theta), theta)[0].numpy()

    @cached_property
    def u(self) -> np.ndarray:
        return self._gradient(self.forget_loss)

    @cached_property
    def g(self) -> np.ndarray:
        return self._gradient(self.retain_loss)

    def u_at(self, shift: np.ndarray) -> np.ndarray:
        return self._gradient(self.forget_loss, shift)

    def g_at(self, shift: np.ndarray) -> np.ndarray:
        return self._gradient(self.retain_loss, shift)

    @cached_property
    def forget_hessian(self) -> np.ndarray:
        return torch.autograd.functional.hessian(self.forget_loss, self.theta).numpy()

    @cached_property
    def retain_hessian(self) -> np.ndarray:
        return torch.autograd.functional.hessian(self.retain_loss, self.theta).numpy()


def clipped(direction: np.ndarray, value: float | None, algorithm: str) -> np.ndarray:
    """Gradient clipping, as torch documents it."""
    if value is None:
        return direction
    if algorithm == "value":
        return np.clip(direction, -value, value)
    return direction * min(1.0, value / (np.linalg.norm(direction) + 1e-6))


def hand_fit(
    net: nn.Module,
    make_optimizer: Callable[[Any], torch.optim.Optimizer],
    pairs: list[dict[str, Any]],
    case: Any,
    *,
    epochs: int = 2,
    accumulate: int = 1,
    clip: float | None = None,
    algorithm: str = "norm",
) -> list[Tensor]:
    """The parameters after `epochs` over `pairs`, every step's direction computed by `case.direction`."""
    original, net = net, copy.deepcopy(net)
    parameters = list(net.parameters())
    optimizer = make_optimizer(parameters)
    labels = case.forget_labels
    steps = range(0, len(pairs), accumulate)
    for epoch in range(epochs):
        for step, start in enumerate(steps, epoch * len(steps)):
            window = pairs[start : start + accumulate]
            before = torch.cat([p.detach().reshape(-1).clone() for p in parameters])

            def closure(window: list[dict[str, Any]] = window, step: int = step) -> float:
                hand = Hand(
                    net, window, accumulate, case.term, case.outer, labels, original, case.penalty,
                    step=step, total=epochs * len(steps),
                )  # fmt: skip
                flat = torch.from_numpy(clipped(case.direction(hand), clip, algorithm).copy())
                for p, part in zip(parameters, flat.split([p.numel() for p in parameters]), strict=True):
                    p.grad = part.reshape(p.shape).clone()
                loss = hand.forget_loss if case.retain_free else hand.retain_loss
                return float(loss(hand.theta))

            optimizer.step(closure)
            after = torch.cat([p.detach().reshape(-1) for p in parameters])
            held = case.held(original, before, after, step)
            with torch.no_grad():
                for p, part in zip(parameters, held.split([p.numel() for p in parameters]), strict=True):
                    p.copy_(part.reshape(p.shape))
    return [p.detach() for p in parameters]
