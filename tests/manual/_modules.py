"""Modules that step their optimisers themselves."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as L
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, softplus

from tests.strategies._fits import FEATURES
from tests.strategies._modules import MakeOptimizer, Net, sgd


class ManualNet(Net):
    """One optimiser, stepped by hand."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.automatic_optimization = False

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        loss = super().training_step(batch, batch_idx)
        optimizer = self.optimizers()
        optimizer.zero_grad()
        self.manual_backward(loss["loss"] if self.output == "dict" else loss)
        optimizer.step()
        return loss


class ClosureNet(Net):
    """Its optimiser evaluates the loss itself."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.automatic_optimization = False

    def training_step(self, batch: Any, batch_idx: int) -> None:
        optimizer = self.optimizers()

        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = cross_entropy(self(batch[0]), batch[1])
            self.manual_backward(loss)
            return loss

        optimizer.step(closure=closure)


def noise_of(inputs: Tensor) -> Tensor:
    """What the generator starts from: a function of the batch, so that a loop by hand can do the same."""
    return inputs.roll(1, dims=1).flip(0)


def critic_loss(critic: Any, generator: Any, inputs: Tensor) -> Tensor:
    fake = generator(noise_of(inputs)).detach()
    return softplus(-critic(inputs)).mean() + softplus(critic(fake)).mean()


def generator_loss(critic: Any, generator: Any, inputs: Tensor) -> Tensor:
    return softplus(-critic(generator(noise_of(inputs)))).mean()


class Gan(L.LightningModule):
    """Critic and generator with an optimiser each; the critic steps first, `critic_steps` times.

    Args:
        style: `"plain"`, `"toggled"` (as Lightning's examples), `"shared"` (one forward pass of the generator for both
            losses, its graph alive while the critic steps), `"closure"`.
    """

    def __init__(
        self, style: str = "plain", critic_steps: int = 1, make_optimizer: MakeOptimizer = sgd, **options: Any
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.generator = nn.Sequential(nn.Linear(FEATURES, 5), nn.Tanh(), nn.Linear(5, FEATURES)).double()
            self.critic = nn.Sequential(nn.Linear(FEATURES, 5), nn.Tanh(), nn.Linear(5, 1)).double()
        self.style, self.critic_steps, self.make_optimizer = style, critic_steps, make_optimizer
        self.clip: float | None = options.get("clip")

    def forward(self, inputs: Tensor) -> Tensor:
        return self.generator(inputs)

    def training_step(self, batch: Any, batch_idx: int) -> None:
        inputs = batch[0]
        critic_optimizer, generator_optimizer = self.optimizers()
        shared = self.generator(noise_of(inputs)) if self.style == "shared" else None

        def of_critic() -> Tensor:
            generator = self.generator if shared is None else lambda _: shared
            return critic_loss(self.critic, generator, inputs)

        def of_generator() -> Tensor:
            generator = self.generator if shared is None else lambda _: shared
            return generator_loss(self.critic, generator, inputs)

        for _ in range(self.critic_steps):
            self.play(critic_optimizer, of_critic)
        self.play(generator_optimizer, of_generator)

    def play(self, optimizer: Any, loss_of: Any) -> None:
        if self.style == "closure":

            def closure() -> None:
                optimizer.zero_grad()
                self.manual_backward(loss_of())

            optimizer.step(closure=closure)
            return
        if self.style == "toggled":
            self.toggle_optimizer(optimizer)
        loss = loss_of()
        self.log(f"loss_{len(optimizer.param_groups[0]['params'][0])}", loss)
        optimizer.zero_grad()
        self.manual_backward(loss)
        if self.clip is not None:
            self.clip_gradients(optimizer, self.clip, "norm")
        optimizer.step()
        if self.style == "toggled":
            self.untoggle_optimizer(optimizer)

    def configure_optimizers(self) -> Any:
        return self.make_optimizer(self.critic.parameters()), self.make_optimizer(self.generator.parameters())
