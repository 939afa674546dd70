from __future__ import annotations

import inspect
from dataclasses import asdict
from typing import Any, ClassVar, cast

import lightning.pytorch as pl
import torch
from lightning.pytorch.utilities.rank_zero import rank_zero_warn
from torch import Tensor
from typing_extensions import override

from lightning_unlearn._tensors import placed_like
from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.gradient import Gradient
from lightning_unlearn.passes import _place, _plain, _resume
from lightning_unlearn.passes._state_file import StateFile
from lightning_unlearn.strategies._attached import Attached
from lightning_unlearn.strategies._filed import Filed
from lightning_unlearn.strategies._progress import Progress

_STATE = "state/"  # what is in `state` is in a checkpoint under this and its key


class Resumable(Attached):
    """What of a strategy outlives an interruption: tensors and primitives, which load with `weights_only=True`.

    Attributes:
        state: what `prepare` or `direction` keeps, under names of its own choice: tensors, Gradients, numbers,
            strings, and lists and dicts of them. It is in every checkpoint, and back in its place when a run is
            resumed. What is kept elsewhere is lost.
        progress: where the run is.
    """

    keeps_original: ClassVar[bool] = False
    state: dict[str, Any]

    def __init__(self) -> None:
        super().__init__()
        self.state_dir: str | None = None
        self._replay: _resume.Replay | None = None
        self._started = self._combined = False
        self._start_anew()

    def _start_anew(self) -> None:
        self.progress = Progress()
        self.state = {}
        self._original: Gradient | None = None
        self._filed = Filed()
        self._device: torch.device | None = None
        self._unplaced: dict[str, Any] | None = None  # from a checkpoint, not yet where it belongs
        self._found_file: tuple[StateFile, list[str]] | None = None
        self._restored = self._found_checkpoint = self._warned_of_open_window = False

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
        if self._session is None:
            return self._original
        kept = dict(self._original.items())
        return Gradient({name: kept[name] for name in self._session.parameters()})

    def _keep_original(self) -> None:
        kept = {} if self._original is None else dict(self._original.items())
        for name, weight in self.weights.items():
            value, weight = kept.get(name), cast(Tensor, weight)
            if value is None:
                kept[name] = weight.clone()
            else:  # from a checkpoint: whole, on the CPU
                kept[name] = placed_like(value.to(weight.device, weight.dtype), weight)
        self._original = Gradient(kept)

    def _keep_unfrozen(self) -> None:
        """Parameters that came into play in mid-run have not moved yet."""
        if self._original is not None and not set(self._attached.parameters()) <= set(self._original.names):
            self._keep_original()

    # ---- a run begins ------------------------------------------------------------------------------------------
    def _take_up(self, trainer: pl.Trainer) -> None:
        """What a checkpoint has given goes where it belongs; to be called once the weights are there."""
        self._device = trainer.strategy.root_device
        if self._unplaced is not None:
            weights = {name: p.detach() for name, p in self._attached.parameters().items()}
            self._fill(self._unplaced, weights, self._device)
            self._unplaced = None
        if self.keeps_original:
            self._keep_original()
        if self._found_file is not None:
            file, names = self._found_file
            values = self._values()
            self._filed.keep(file, {name: values[name] for name in names if name in values})
            self._found_file = None

    def _fill(self, plain: dict[str, Any], *where: Any) -> None:
        values = {name: _plain.from_plain(value, *where) for name, value in plain.items()}
        self._original = values.pop("original", None)
        self.state = {name.removeprefix(_STATE): value for name, value in values.items()}

    def _file_state(self, trainer: pl.Trainer) -> None:
        """Write what is large once, if there is a folder for it."""
        values = self._values()
        if self.state_dir is None or not values or self._filed.file is not None:
            return
        content = {name: self._to_plain(name, value) for name, value in values.items()}
        self._filed.keep(StateFile.write(trainer, self.state_dir, content), values)

    def _values(self) -> dict[str, Any]:
        """What there is to be kept, by name."""
        for key in self.state:
            if not isinstance(key, str):
                raise ConfigurationError(f"Keys of `state` must be strings, found {key!r}. Use its name.")
        original = {} if self._original is None else {"original": self._original}
        return {**original, **{_STATE + key: value for key, value in self.state.items()}}

    def _to_plain(self, name: str, value: Any) -> Any:
        where = f"state[{name.removeprefix(_STATE)!r}]" if name.startswith(_STATE) else name
        return _plain.to_plain(value, f"{type(self).__name__}.{where}", self._device)

    @override
    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        late = trainer.strategy.restore_checkpoint_after_setup
        if trainer.ckpt_path and not self._found_checkpoint and not late:
            raise ConfigurationError(
                f"`ckpt_path` must be a checkpoint of an interrupted run with {type(self).__name__}, found one that "
                "holds weights only. To go on from these weights, load them with `load_from_checkpoint` and call "
                "`fit` without `ckpt_path`; to resume, save with `save_weights_only=False`."
            )

    # ---- checkpoints -------------------------------------------------------------------------------------------
    @override
    def state_dict(self) -> dict[str, Any]:
        plain: dict[str, Any] = {
            "progress": asdict(self.progress),
            "started": self._started or self._restored,
            "options": self._options(),
        }
        if self._unplaced is not None:
            return plain | {"values": self._unplaced}
        values = self._values()
        filed = [name for name, value in values.items() if self._filed.holds(name, value)]
        plain["values"] = {n: self._to_plain(n, value) for n, value in values.items() if n not in filed}
        if filed:
            plain["file"] = {**cast(StateFile, self._filed.file)._asdict(), "names": filed}
        return plain

    @override
    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        own = checkpoint.get("callbacks", {}).get(self.state_key)
        if own is None or not own["started"]:
            return
        if self._restored and self._replay is not None and self._replay.pending:
            checkpoint[_resume.KEY] = self._replay.record
        else:
            checkpoint[_resume.KEY] = _resume.record(trainer, pl_module)
        own.update(_plain.whole(own))
        if self._combined and _place.is_inside_batch_end(trainer):
            own["progress"]["step"] += 1  # saved by a callback that stands before this one
        if not _place.is_between_steps(trainer) and not self._warned_of_open_window:
            self._warned_of_open_window = True
            rank_zero_warn(
                "A checkpoint was saved in the middle of an optimiser step: the gradients collected so far are not in it, "
                "and a run resumed from it differs from an undisturbed one. Save at the end of a batch after which the "
                "optimiser has stepped, as `ModelCheckpoint(every_n_train_steps=...)` does in `on_train_batch_end`."
            )

    @override
    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        if self._session is None:  # to validate or to test
            return
        self._found_checkpoint = True
        own = checkpoint.get("callbacks", {}).get(self.state_key)
        if own is None:
            others = [
                kind for kind, state in checkpoint.get("callbacks", {}).items() if _is_of_strategy(state)
            ]
            found = (
                f"one of a run with {others[0]}. Resume that run with its own strategy"
                if others
                else "one without its state"
            )
            raise ConfigurationError(
                f"`ckpt_path` must be a checkpoint of an interrupted run with {type(self).__name__}, found {found}. "
                "To unlearn from a trained model, load it with `load_from_checkpoint` and call `fit` "
                "without `ckpt_path`: otherwise its step counters come back too, and no step is taken."
            )
        if "file" in own:
            content = StateFile(own["file"]["path"], own["file"]["sha256"]).read(self.state_dir)
            own["values"] |= {name: content[name] for name in own["file"]["names"]}
        if own["started"] and not self._started and _resume.KEY in checkpoint:
            if self._replay is not None:
                self._replay.cancel()
            self._replay = _resume.Replay(trainer, pl_module, checkpoint)

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._restored = state_dict["started"]
        self._warn_of_other_options(state_dict["options"])
        self.progress = Progress(**state_dict["progress"])
        self._unplaced = state_dict["values"]
        self._fill(self._unplaced)
        if "file" in state_dict:
            where = state_dict["file"]
            self._found_file = StateFile(where["path"], where["sha256"]), where["names"]
        if self._started and self._session is not None:  # in mid-run, by a search for the learning rate
            self._take_up(self._session.trainer)

    def _options(self) -> dict[str, Any]:
        """The numbers and words that the constructor was given, as far as they are kept under their names."""
        given = inspect.signature(type(self)).parameters.keys() - {"state_dir"}
        return {n: v for n, v in vars(self).items() if n in given and type(v) in (bool, int, float, str)}

    def _warn_of_other_options(self, then: dict[str, Any]) -> None:
        now = self._options()
        for name in sorted(then.keys() & now.keys()):
            if then[name] != now[name]:
                rank_zero_warn(
                    f"The checkpoint is of a run with `{name}={then[name]!r}`, this one has {now[name]!r}: the run goes on "
                    "with the new value. Resume with the same for the same result."
                )

    @override
    def _detach(self) -> None:
        if self._replay is not None:
            self._replay.cancel()
        super()._detach()


def _is_of_strategy(state: Any) -> bool:
    return isinstance(state, dict) and {"progress", "started", "options"} <= state.keys()
