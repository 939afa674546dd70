"""Strategies with every kind of state that an interruption could lose."""

from __future__ import annotations

import torch
from torch.nn.functional import cross_entropy

from lightning_unlearn import Gradient, GradientDifference, GradientStrategy, UnlearningStrategy


class FisherLike(UnlearningStrategy):
    """Weights u by squared gradients at the original weights, which the weights of a resumed run do not give."""

    def prepare(self, module, forget, retain):
        parameters = dict(module.named_parameters())

        def squares(batch):
            with torch.enable_grad():
                loss = cross_entropy(module(batch[0]), batch[1])
            gradients = torch.autograd.grad(loss, list(parameters.values()))
            return {name: g**2 for name, g in zip(parameters, gradients, strict=True)}

        self.state["fisher"] = Gradient(forget.sum(squares))

    def direction(self, forget, retain):
        fisher = self.state["fisher"]
        return retain.gradient() + forget.gradient().map(lambda name, t: t / (fisher[name].sqrt() + 0.1))


class MaskLike(GradientStrategy):
    """Lets only those entries move that were large at the start; the mask is nested in the state."""

    def prepare(self, module, forget, retain):
        masks = {name: p.detach().abs() > 0.2 for name, p in module.named_parameters()}
        self.state["masks"] = {"at": [0.2, "all layers"], "of": masks}

    def combine(self, forget, retain):
        return forget.add_(retain)

    def constrain(self, update):
        return update.keep(self.state["masks"]["of"])


class TeacherLike(UnlearningStrategy):
    """Keeps the predictions near those of the original weights, which a copy in the state makes."""

    def prepare(self, module, forget, retain):
        self.state["teacher"] = {n: t.clone() for n, t in module.state_dict().items() if n.startswith("net")}

    def retain_loss(self, module, batch, batch_idx):
        modes = [(m, m.training) for m in module.modules()]
        teacher = torch.func.functional_call(module.eval(), self.state["teacher"], (batch[0],)).detach()
        for m, mode in modes:
            m.training = mode
        return super().retain_loss(module, batch, batch_idx) + ((module(batch[0]) - teacher) ** 2).mean()

    def direction(self, forget, retain):
        return retain.gradient() + forget.gradient()


class Counting(UnlearningStrategy):
    """Every third step forgets; counts by itself, in numbers, text and a tensor."""

    def direction(self, forget, retain):
        count = self.state["count"] = self.state.get("count", 0) + 1
        self.state["total"] = self.state.get("total", torch.zeros(())) + retain.gradient().norm().float()
        self.state["text"], self.state["ratio"] = f"step {count}", 1 / count
        return forget.gradient() if count % 3 == 0 else retain.gradient() * (1 + self.state["total"])


class Averaging(UnlearningStrategy):
    """A running mean of gradients, filled in `direction`, and the pull of the original weights."""

    keeps_original = True

    def direction(self, forget, retain):
        mean = self.state.get("mean")
        u = forget.gradient()
        self.state["mean"] = u.clone() if mean is None else mean * 0.5 + u
        return retain.gradient() + self.state["mean"] + (self.weights - self.original) * 0.1


PROBES = [FisherLike, MaskLike, TeacherLike, Counting, Averaging]


# ---- negative controls -----------------------------------------------------------------------------------------------
class Elsewhere(Counting):
    """Counts outside of its state."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def direction(self, forget, retain):
        self.count += 1
        return forget.gradient() if self.count % 4 == 0 else retain.gradient()


class WithoutStreams(GradientDifference):
    """Its checkpoints lack what Lightning leaves out."""

    def on_save_checkpoint(self, trainer, pl_module, checkpoint):
        super().on_save_checkpoint(trainer, pl_module, checkpoint)
        del checkpoint["lightning_unlearn"]


class PreparedAgain(FisherLike):
    """Prepares at the weights that it was resumed with."""

    def load_state_dict(self, state_dict):
        super().load_state_dict(state_dict)
        self._restored = False
