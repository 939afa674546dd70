"""Strategies that exist only to be tested: they ask the sides for everything there is."""

from __future__ import annotations

from typing import Any

import torch

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
        self.weight = float(sums["labels"] / sums["samples"])

    def direction(self, forget, retain):
        return retain.gradient() + forget.gradient() * (self.s * self.weight)


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
