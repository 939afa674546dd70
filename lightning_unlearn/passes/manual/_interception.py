"""What a `training_step` under manual optimisation calls, led to whoever takes care of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from torch import Tensor
from torch.optim import Optimizer

from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.passes._patches import Patches


class Calls(Protocol):
    """Takes the calls of whichever run of `training_step` is going on."""

    def backward(
        self, loss: Tensor, lightning_backward: Callable[..., None], *args: Any, **kwargs: Any
    ) -> None: ...
    def step(
        self, index: int, closure: Callable[[], Any] | None, lightning_step: Callable[..., Any]
    ) -> Any: ...
    def clip(self, clip: Callable[[], None]) -> None: ...
    @property
    def is_own(self) -> bool: ...


class Interception:
    """Patches `manual_backward`, `clip_gradients`, and `step` of optimisers and schedulers, for the length of a block.

    Args:
        module: the user's module.
        schedulers: learning rate schedulers: a second run of `training_step` must not move them.
        calls: takes the calls.
    """

    def __init__(self, module: Any, schedulers: list[Any], calls: Calls) -> None:
        self._module = module
        self._schedulers = schedulers
        self._calls = calls
        self._patches = Patches()
        self._inside = False
        self._handles: list[Any] = []

    def __enter__(self) -> None:
        module, calls, patches = self._module, self._calls, self._patches
        manual_backward, clip_gradients = module.manual_backward, module.clip_gradients

        def backward(loss: Tensor, *args: Any, **kwargs: Any) -> None:
            calls.backward(loss, manual_backward, *args, **kwargs)

        def clip(optimizer: Any, *args: Any, **kwargs: Any) -> None:
            calls.clip(lambda: clip_gradients(optimizer, *args, **kwargs))

        patches.set(module, "manual_backward", backward)
        patches.set(module, "clip_gradients", clip)
        found = module.optimizers()
        wrapped = found if isinstance(found, list) else [found]
        raws: list[Optimizer] = [optimizer.optimizer for optimizer in wrapped]
        for index, optimizer in enumerate(wrapped):
            patches.set(optimizer, "step", self._stepping(index, optimizer.step))
        for raw in raws:
            self._handles.append(raw.register_step_pre_hook(self._refuse_outside))
        for scheduler in self._schedulers:
            patches.set(scheduler, "step", self._scheduling(scheduler.step))

    def __exit__(self, *_: object) -> None:
        self._patches.undo()
        for handle in self._handles:
            handle.remove()

    def _stepping(self, index: int, lightning_step: Callable[..., Any]) -> Callable[..., Any]:
        def step(closure: Callable[[], Any] | None = None, **kwargs: Any) -> Any:
            def through(combined: Callable[[], Any]) -> Any:
                self._inside = True
                try:
                    return lightning_step(closure=combined, **kwargs)
                finally:
                    self._inside = False

            return self._calls.step(index, closure, through)

        return step

    def _scheduling(self, scheduler_step: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: Any, **kwargs: Any) -> Any:
            return scheduler_step(*args, **kwargs) if self._calls.is_own else None

        return step

    def _refuse_outside(self, *_: Any) -> None:
        if not self._inside:
            raise ConfigurationError(
                "`training_step` must step the optimisers that `self.optimizers()` returns, found a step of the bare one. "
                "Leave out `use_pl_optimizer=False`."
            )
