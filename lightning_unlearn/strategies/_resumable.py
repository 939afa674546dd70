from __future__ import annotations

from dataclasses import asdict
from typing import Any, ClassVar, cast

import lightning.pytorch as pl
from torch import Tensor
from typing_extensions import override

from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.gradient import Gradient
from lightning_unlearn.strategies._attached import Attached
from lightning_unlearn.strategies._progress import Progress


class Resumable(Attached):
    """What of a strategy outlives an interruption: tensors and primitives, which load with `weights_only=True`."""

    keeps_original: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()
        self._start_anew()

    def _start_anew(self) -> None:
        self.progress = Progress()
        self._original: Gradient | None = None
        self._restored = False

    @property
    def weights(self) -> Gradient:
        """The trainable parameters now, as a vector that shares their memory: not to be changed in place."""
        return Gradient({name: p.detach() for name, p in self._attached.parameters().items()})

    @property
    def original(self) -> Gradient:
        """The trainable parameters before the first step; kept only with `keeps_original = True`."""
        if self._original is None:
            raise ConfigurationError(
                f"`{type(self).__name__}.original` is kept from the start of a run if the class says "
                "`keeps_original = True`, found it not kept."
            )
        return self._original

    def _keep_original(self) -> None:
        weights, restored = self.weights, self._original
        if restored is None:
            self._original = weights.clone()
        else:  # from a checkpoint, on the CPU
            self._original = weights.map(lambda name, weight: cast(Tensor, restored[name]).to(weight))

    @override
    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        if self._session is not None and self.state_key not in checkpoint.get("callbacks", {}):
            raise ConfigurationError(
                f"`ckpt_path` must be a checkpoint of an interrupted run with {type(self).__name__}, found one without "
                "its state. To unlearn from a trained model, load it with `load_from_checkpoint` and call `fit` "
                "without `ckpt_path`: otherwise its step counters come back too, and no step is taken."
            )

    @override
    def state_dict(self) -> dict[str, Any]:
        state: dict[str, Any] = {"progress": asdict(self.progress)}
        if self._original is not None:
            state["original"] = dict(self._original.items())
        return state

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._restored = True
        self.progress = Progress(**state_dict["progress"])
        if "original" in state_dict:
            self._original = Gradient(state_dict["original"])
