"""Adversarial training written again by hand: a player's losses and derivatives, with the other player held."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from tests.manual._modules import critic_loss, generator_loss
from tests.strategies._cases import Case, ascent
from tests.strategies._loops import Hand, clipped
from tests.strategies._modules import MakeOptimizer

LOSSES = {"critic": critic_loss, "generator": generator_loss}


class Player(Hand):
    """One player's losses, as functions of its weights alone.

    Args:
        players: both, by name.
        name: whose step it is.
        pair: the batches of both sides.
        case: gives the forget side's loss as a function of the training loss.
        forget_against: both players as the forget side sees them, if not as they are.
    """

    def __init__(
        self,
        players: nn.ModuleDict,
        name: str,
        pair: dict[str, Any],
        case: Case,
        forget_against: nn.ModuleDict | None = None,
    ) -> None:
        super().__init__(players[name], [pair], 1, case.term, case.outer, case.forget_labels)
        self.players, self.name = players, name
        self.against = {"retain": players, "forget": forget_against or players}
        self.sign = -1.0 if case.term is ascent else 1.0

    def _loss(self, theta: Tensor, side: str) -> Tensor:
        named = self._named(theta)
        players: dict[str, Any] = dict(self.against[side].items())
        players[self.name] = lambda x: functional_call(self.net, named, (x,))
        return LOSSES[self.name](players["critic"], players["generator"], self.window[0][side][0])

    def forget_loss(self, theta: Tensor) -> Tensor:
        return self.outer(self.sign * self._loss(theta, "forget"))

    def retain_loss(self, theta: Tensor) -> Tensor:
        return self._loss(theta, "retain")


def hand_play(
    critic: nn.Module,
    generator: nn.Module,
    make_optimizer: MakeOptimizer,
    pairs: Sequence[dict[str, Any]],
    case: Case,
    order: Sequence[str],
    epochs: int = 2,
    clip: float | None = None,
    stale: bool = False,
) -> dict[str, Tensor]:
    """The weights after `epochs` over `pairs`; in each batch the players step in `order`, each at the weights of then.

    With `stale`, the forget side of a batch sees the other player as it was at the beginning of the batch.
    """
    players = nn.ModuleDict({"critic": copy.deepcopy(critic), "generator": copy.deepcopy(generator)})
    optimizers = {name: make_optimizer(player.parameters()) for name, player in players.items()}
    for step, pair in enumerate([pair for _ in range(epochs) for pair in pairs]):
        beginning = copy.deepcopy(players) if stale else None
        for name in order:
            parameters = list(players[name].parameters())
            before = torch.cat([p.detach().reshape(-1).clone() for p in parameters])
            player = Player(players, name, pair, case, beginning)
            player.step = step
            direction = case.direction(player)
            flat = torch.from_numpy(clipped(direction, clip, "norm").copy())
            for p, part in zip(parameters, flat.split([p.numel() for p in parameters]), strict=True):
                p.grad = part.reshape(p.shape)
            optimizers[name].step()
            assert not torch.equal(before, torch.cat([p.detach().reshape(-1) for p in parameters]))
    return {n: p.detach() for n, p in players.named_parameters()}
