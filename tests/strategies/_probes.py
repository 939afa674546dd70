"""Strategies that exist only to be tested: they ask the sides for everything there is."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from lightning_unlearn import Gradient, GradientStrategy, UnlearningStrategy


class LookAhead(UnlearningStrategy):
    """`g_r + u(θ − β g_r)`."""

    def __init__(self, beta: float = 0.3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.beta = beta

    def direction(self, forget, retain):
        return retain.gradient() + forget.gradient(at=retain.gradient() * -self.beta)


class RetainLookAhead(LookAhead):
    """`u + g_r(θ − β u)`: a retain pass elsewhere."""

    def direction(self, forget, retain):
        return forget.gradient() + retain.gradient(at=forget.gradient() * -self.beta)


class HessianProbe(UnlearningStrategy):
    """`g_r + c (H_r u + H_f g_r)`."""

    def __init__(self, c: float = 0.2, method: str = "double_backward", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.c, self.method = c, method

    def direction(self, forget, retain):
        u, g = forget.gradient(), retain.gradient()
        products = retain.hessian_vector_product(u, method=self.method)
        products = products + forget.hessian_vector_product(g, method=self.method)
        return g + products * self.c


class RetainAlone(UnlearningStrategy):
    """The retain gradient, whatever is added to its loss."""

    needs_forget = False

    def direction(self, forget, retain):
        return retain.gradient()


class Masked(GradientStrategy):
    """`g_r + u`, of which every second entry may move."""

    def __init__(self, every: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.every = every

    def combine(self, forget, retain):
        return forget.add_(retain)

    def constrain(self, update):
        masks, offset = {}, 0
        for name, tensor in update.items():
            index = torch.arange(offset, offset + tensor.numel())
            masks[name] = (index % self.every == 0).reshape(tensor.shape)
            offset += tensor.numel()
        return update.keep(masks)


class Prepared(UnlearningStrategy):
    """`g_r + s · (mean label of the forget set) · u`, the mean being taken beforehand."""

    def __init__(self, s: float = 0.5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.s = s

    def prepare(self, module, forget, retain):
        sums = forget.sum(
            lambda b: {"labels": b[1].double().sum(), "samples": torch.tensor(float(len(b[1])))}
        )
        assert retain is not None
        self.state["weight"] = float(sums["labels"] / sums["samples"])

    def direction(self, forget, retain):
        return retain.gradient() + forget.gradient() * (self.s * self.state["weight"])


class Fisher(UnlearningStrategy):
    """`g_r + s · F ⊙ u`, F being the mean over the forget set of squared gradients at the original weights.

    A sample whose gradient is not finite counts as one without a gradient.
    """

    def __init__(self, s: float = 2.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.s = s
        self.fisher: dict[str, torch.Tensor] = {}

    def prepare(self, module, forget, retain):
        def squares(batch):
            total = {"samples": torch.tensor(float(len(batch[0])))}
            for x, y in zip(batch[0], batch[1], strict=True):
                loss = cross_entropy(module(x.unsqueeze(0)), y.unsqueeze(0))
                for name, gradient in self.gradient(module, forget, loss).items():
                    total[name] = total.get(name, 0.0) + (gradient**2).nan_to_num(0.0, 0.0, 0.0)
            return total

        sums = forget.sum(squares)
        count = sums.pop("samples")
        self.fisher = {name: total / count for name, total in sums.items()}

    def gradient(self, module, source, loss):
        return source.gradient(loss)

    def direction(self, forget, retain):
        weighted = forget.gradient().map(lambda name, u: self.fisher[name].to(u.device) * u)
        return retain.gradient() + weighted * self.s

    def state_dict(self):
        return super().state_dict() | {"fisher": self.fisher}

    def load_state_dict(self, state_dict):
        super().load_state_dict(state_dict)
        self.fisher = state_dict["fisher"]


class Covariance(UnlearningStrategy):
    """`g_r + u`, where u of the second layer's weight is `u C`, C being the mean of x xᵀ over its retain inputs x."""

    def __init__(self, s: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.s = s
        self.layer, self.covariance = "", torch.zeros(())

    def prepare(self, module, forget, retain):
        self.layer, layer = [(n, m) for n, m in module.named_modules() if isinstance(m, nn.Linear)][1]
        seen: list[torch.Tensor] = []
        handle = layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach()))

        def products(batch):
            module(batch[0])
            x = seen.pop().nan_to_num(0.0, 0.0, 0.0)
            return {"products": x.T @ x, "samples": torch.tensor(float(len(x)))}

        with torch.no_grad():
            sums = retain.sum(products)
        handle.remove()
        self.covariance = sums["products"] / sums["samples"]

    def direction(self, forget, retain):
        weight = f"{self.layer}.weight"
        u = forget.gradient().map(lambda n, t: t @ self.covariance.to(t) if n == weight else t)
        return retain.gradient() + u * self.s

    def state_dict(self):
        return super().state_dict() | {"layer": self.layer, "covariance": self.covariance}

    def load_state_dict(self, state_dict):
        super().load_state_dict(state_dict)
        self.layer, self.covariance = state_dict["layer"], state_dict["covariance"]


class Nosy(UnlearningStrategy):
    """Asks for all there is, many times, and returns the retain gradient."""

    def prepare(self, module, forget, retain):
        for source in (forget, retain):
            source.sum(lambda batch: {"loss": module(batch[0]).sum()})

    def direction(self, forget, retain):
        u, g = forget.gradient(), retain.gradient()
        for name, side, v in (("forget", forget, g), ("retain", retain, u)):
            self.diagnostics[f"loss_of_{name}"] = side.loss
            side.gradient(at=v * -0.1)
            side.hessian_vector_product(v)
            side.hessian_vector_product(v, method="finite_difference")
        return retain.gradient()

    def constrain(self, update):
        return update


class Asking(UnlearningStrategy):
    """Calls `ask(forget, retain)`, keeps what it returns, and steps along the retain gradient."""

    def __init__(self, ask, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ask = ask
        self.answers: list[Any] = []

    def direction(self, forget, retain):
        self.answers.append(self.ask(forget, retain))
        return retain.gradient()


# ---- broken on purpose: negative controls ------------------------------------------------------------------------
class PerMicroBatch(GradientStrategy):
    """Projects each retain micro-batch's share by itself: the classic accumulation mistake."""

    def combine(self, forget, retain):
        raise AssertionError("never reached")

    def on_after_backward(self, trainer, pl_module):
        session = self._attached
        session.after_own_backward()
        parts = getattr(self, "_parts", None)
        window, session._window = session._window, session._window[-1:]
        forget, retain = session.sides()
        now = retain.gradient().clone()
        g = now if parts is None else now - parts[0]
        part = forget.gradient().project_off(g) + g
        total = part if parts is None else parts[1] + part
        session._window = window
        self._parts = (now, total)
        if session.at_boundary(trainer.fit_loop.batch_idx):
            session.write(total)
            self._parts, self._combined = None, True


class LocalProjection(GradientStrategy):
    """Projects each process's gradients, and averages what comes of it: the classic data-parallel mistake."""

    def combine(self, forget, retain):
        raise AssertionError("never reached")

    def on_after_backward(self, trainer, pl_module):
        session = self._attached
        session.after_own_backward()
        if not session.at_boundary(trainer.fit_loop.batch_idx):
            return
        session.sides()
        session._runner.known = None
        names, parameters = zip(*session.parameters().items(), strict=True)
        local = {}
        for side, sign in (("forget", -1.0), ("retain", 1.0)):
            batches = [micro.halves[side] for micro in session._window]
            with torch.enable_grad(), trainer.precision_plugin.forward_context():
                loss = sum(sign * cross_entropy(pl_module(x), y) for x, y in batches)
            share = 1.0 / trainer.accumulate_grad_batches
            gradients = torch.autograd.grad(loss * share, parameters, allow_unused=True)
            local[side] = Gradient(dict(zip(names, gradients, strict=True)))
        combined = local["forget"].project_off(local["retain"]) + local["retain"]
        session.write(combined.map(lambda _, t: trainer.strategy.reduce(t.clone(), reduce_op="mean")))
        self._combined = True


class Unwrapped(GradientStrategy):
    """Runs the forget pass on the module itself, past the wrapper that averages over processes."""

    def setup(self, trainer, pl_module, stage):
        super().setup(trainer, pl_module, stage)
        self._attached._runner._training_step = pl_module.training_step

    def combine(self, forget, retain):
        return forget.project_off(retain) + retain


class FisherByBackward(Fisher):
    """Takes its gradients by `backward`, of which the wrapper hears."""

    def gradient(self, module, source, loss):
        loss.backward()
        gradients = {n: p.grad for n, p in module.named_parameters() if p.grad is not None}
        for p in module.parameters():
            p.grad = None
        return gradients


class Leaky(GradientStrategy):
    """Runs the forget pass by hand, on the bare module, and so leaves every trace there is."""

    def combine(self, forget, retain):
        raise AssertionError("never reached")

    def on_after_backward(self, trainer, pl_module):
        batch = self._attached._window[-1].halves["forget"]
        gradients = {name: p.grad for name, p in pl_module.named_parameters()}
        with torch.enable_grad():
            pl_module.training_step(batch, 0)
        self._attached.after_own_backward()
        self._attached.sides()
        self._attached.write(Gradient(gradients))
        self._combined = True


class Hiding(UnlearningStrategy):
    """Makes an inf look healthy, and hides the pass that it came from."""

    def direction(self, forget, retain):
        u = forget.gradient().map(lambda _, t: t.nan_to_num(0.0, 0.0, 0.0))
        forget._gradient = forget._result = None
        return retain.gradient() + u


class Forgetful(LookAhead):
    """Leaves its patches in place."""

    def _detach(self):
        self._session = None
