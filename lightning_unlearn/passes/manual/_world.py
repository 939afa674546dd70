"""What one run of `training_step` has made of a module, so that another one can run in between."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from lightning_unlearn.passes import _streams
from lightning_unlearn.passes._moved import put_back
from lightning_unlearn.passes._runner import Runner
from lightning_unlearn.passes._streams import Streams
from lightning_unlearn.passes._traces import Buffers, Metrics

_TOGGLED = "_param_requires_grad_state"  # private: where `toggle_optimizer` keeps what `untoggle_optimizer` puts back


class World:
    """Gradients, `requires_grad`, buffers, metrics, random streams, options of optimisers: everything but the weights.

    Buffers and gradients change hands as objects: a copy in place would count as a change for a graph that waits.

    Args:
        runner: knows module, Trainer and device.
    """

    def __init__(self, runner: Runner) -> None:
        module, device = runner.module, runner.device
        wrapper: Any = runner.trainer.strategy.model
        self._runner, self._module, self._wrapper, self._device = runner, module, wrapper, device
        copies = bool(getattr(wrapper, "gradient_as_bucket_view", False))
        self.gradients: dict[nn.Parameter, Tensor | None] = {
            p: p.grad.clone() if copies and p.grad is not None else p.grad for p in module.parameters()
        }
        self._flags = {p: p.requires_grad for p in module.parameters()}
        self._toggled: Any = getattr(module, _TOGGLED, {})
        self._buffers = [(m, n, b) for m in module.modules() for n, b in m.named_buffers(recurse=False)]
        self._moved = runner.moved.values()
        groups = [group for optimizer in runner.trainer.optimizers for group in optimizer.param_groups]
        self._options = [(g, {k: v for k, v in g.items() if k != "params"}) for g in groups]
        self._metrics = Metrics(module.modules())
        self._synchronises: bool | None = getattr(wrapper, "require_backward_grad_sync", None)
        self._streams = _streams.record(device)

    def beginning(
        self, gradients: Mapping[nn.Parameter, Tensor], buffers: Buffers, streams: Streams
    ) -> World:
        """A world like this one, in which a run begins with the given gradients, buffers and streams."""
        world = object.__new__(World)
        vars(world).update(vars(self))
        world.gradients = {p: gradients.get(p) for p in self.gradients}
        world._toggled = {}
        world._buffers = buffers.copies()
        world._moved = buffers.moved
        world._metrics = self._metrics.copy()
        world._streams = streams
        return world

    def _install(self) -> None:
        for p, gradient in self.gradients.items():
            p.grad = gradient
            p.requires_grad_(self._flags[p])
        setattr(self._module, _TOGGLED, self._toggled)
        for owner, name, buffer in self._buffers:
            if getattr(owner, name) is not buffer:
                setattr(owner, name, buffer)
        put_back(self._moved)
        for group, options in self._options:
            group.update(options)
        self._metrics.restore()
        if self._synchronises is not None:
            self._wrapper.require_backward_grad_sync = self._synchronises
        _streams.replay(self._streams, self._device)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """This world for the length of the block, as the block leaves it; then the one before."""
        before = World(self._runner)
        self._install()
        try:
            yield
        finally:
            left = World(self._runner)
            vars(self).update(vars(left))
            before._install()
