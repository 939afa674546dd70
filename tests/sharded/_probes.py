"""Strategies, modules and callbacks that look into a sharded run."""

from __future__ import annotations

from collections import Counter
from typing import Any

import lightning.pytorch as L
import torch
from torch.distributed.fsdp import fully_shard
from torch.nn.functional import dropout
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.data import DataLoader

from lightning_unlearn import EditStrategy, Gradient, UnlearningStrategy
from lightning_unlearn.weights import Snapshot, shifted
from tests.sharded._layouts import Shares, Wide, gathered
from tests.strategies import _fits as fits
from tests.strategies._probes import Fisher, LookAhead, Masked


# ---- strategies ----------------------------------------------------------------------------------------------------
class Anchored(UnlearningStrategy):
    """`g_r + u + c (θ − θ_original)`."""

    keeps_original = True

    def direction(self, forget, retain):
        moved = self.weights - self.original
        return retain.gradient() + forget.gradient() + moved * 0.5


class Stretch(EditStrategy):
    """Multiplies all weights by a number: a forward pass without a backward, then an edit."""

    def edit(self, module, forget, retain):
        total = retain.sum(lambda batch: {"": module(batch[0]).sum()})[""]
        for parameter in module.parameters():
            parameter.mul_(1.0 + 0.01 * float(total))


class OneByOne(UnlearningStrategy):
    """The same numbers as a projection needs, each by itself."""

    def direction(self, forget, retain):
        u, g = forget.gradient(), retain.gradient()
        return u * u.dot(u) + g * (g.dot(g) - u.dot(g))


class MaskedLookAhead(LookAhead):
    """Of the update, only every second entry may stand."""

    every = 2
    constrain = Masked.constrain


class Sums(Fisher):
    """Keeps what came of its `prepare`: squared gradients, and a sum over forward passes."""

    def prepare(self, module, forget, retain):
        super().prepare(module, forget, retain)
        with torch.no_grad():
            logits = forget.sum(lambda batch: {"": module(batch[0]).sum(dim=0)})[""]
        self.found = {"logits": logits, **gathered(self.fisher)}


class Asking(UnlearningStrategy):
    """At the first step keeps what `ask` says of the two gradients and the parameters."""

    def __init__(self, ask, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ask, self.answer = ask, None

    def direction(self, forget, retain):
        if self.answer is None:
            self.answer = self.ask(forget.gradient(), retain.gradient(), self._attached.parameters())
        return retain.gradient()


# ---- what is asked -------------------------------------------------------------------------------------------------
def algebra(u: Gradient, g: Gradient, parameters: Any) -> dict[str, Any]:
    """Every operation on gradients."""
    masks = {n: torch.arange(p.numel()).reshape(p.shape) % 3 == 0 for n, p in parameters.items()}
    half = Gradient({n: None if i % 2 else t for i, (n, t) in enumerate(u.items())})
    yes, no = (torch.tensor(truth, device=u.norm().device) for truth in (True, False))
    vectors = {
        "clone": u.clone(),
        "sum": u + g,
        "difference": u - g,
        "negative": -u,
        "multiple": u * g.norm(),
        "fraction": u / 3.0,
        "projected": u.project_off(g),
        "projected on conflict": u.project_off(g, when="conflict"),
        "projected in place": u.clone().project_off_(g),
        "kept by a whole mask": u.keep(masks),
        "kept by a sharded mask": u.keep(g.map(lambda _, t: t > 0)),
        "kept by half a mask": u.keep({"net.0.weight": masks["net.0.weight"]}),
        "mapped to the cubes": u.map(lambda _, t: t**3),
        "mapped to something whole": u.map(lambda n, _: masks[n].double()),
        "multiplied by a whole matrix": u.map(
            lambda _, t: t @ t.new_ones(t.shape[-1], 1) * t if t.ndim == 2 else t
        ),
        "where true": u.where(yes, g),
        "where false": u.where(no, g),
        "with absences": half + g,
        "absences where true": half.where(yes, g),
        "absences where false": half.where(no, g),
        "absences twice": half * 2.0 + half,
    }
    found: dict[str, Any] = {name: gathered(vector.items()) for name, vector in vectors.items()}
    numbers = [*Gradient.dots((u, g), (u, u), (g, g), (half, g)), u.norm(), u.cosine(g), u.coefficient(g)]
    return found | {"numbers": {"": torch.stack(numbers)}}


def moves(u: Gradient, g: Gradient, parameters: Any) -> dict[str, Any]:
    """Every way of moving weights, and of taking the move back."""
    found: dict[str, Any] = {"before": gathered(parameters)}
    with shifted(parameters, u * 0.1):
        found["shifted"] = gathered(parameters)
    found["after"] = gathered(parameters)
    with shifted(parameters, Gradient({"net.0.weight": torch.ones(6, fits.FEATURES, dtype=torch.float64)})):
        found["shifted by something whole"] = gathered(parameters)
    snapshot = Snapshot(parameters)
    for name, p in parameters.items():
        p.add_(u[name])
    update = snapshot.update()
    found["update"] = gathered(update.items())
    snapshot.replace_update(update, update.where(torch.tensor(False), g))
    found["replaced"] = gathered(parameters)
    snapshot.restore()
    found["restored"] = gathered(parameters)
    return found


# ---- modules -------------------------------------------------------------------------------------------------------
class Random(Wide):
    """Augments what is transferred, and drops inputs out."""

    def on_after_batch_transfer(self, batch, dataloader_idx):
        inputs, labels = batch
        return [inputs + 0.1 * torch.randn_like(inputs), labels] if self.trainer.training else batch

    def training_step(self, batch, batch_idx):
        return super().training_step([dropout(batch[0], 0.3), batch[1]], batch_idx)


class Frozen(Wide):
    """What is sharded is not trained."""

    def configure_model(self):
        super().configure_model()
        self.net[0].requires_grad_(False)
        self.net[2].requires_grad_(False)


class Unaveraged(Wide):
    """FSDP2 on some layers: nobody averages the gradients of the others."""

    def configure_model(self):
        for layer in (self.net[0], self.net[2]):
            fully_shard(layer, mesh=self.device_mesh["data_parallel"])


class Manual(Wide):
    """Steps its optimiser itself."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.automatic_optimization = False

    def training_step(self, batch, batch_idx):
        optimizer = self.optimizers()
        optimizer.zero_grad()
        self.manual_backward(super().training_step(batch, batch_idx))
        optimizer.step()


class Validated(Wide):
    """Has nothing to say of its validation batches."""

    def validation_step(self, batch, batch_idx):
        self(batch[0])


class ValidatedShares(Shares):
    """Validation is forward passes without a backward, between the steps."""

    def val_dataloader(self):
        return DataLoader(fits.samples(8, 3), 4)


# ---- callbacks -----------------------------------------------------------------------------------------------------
class Collectives(TorchDispatchMode):
    """Counts collective operations, by name."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = str(function).split(".")[1].strip("_")
        if function.namespace in ("c10d", "_c10d_functional") and not name.startswith(("wait", "wrap")):
            self.counts[name] += 1
        return function(*args, **(kwargs or {}))


class Counting(L.Callback):
    """The collectives of the second step: the first one sets things up."""

    def __init__(self) -> None:
        self.mode = Collectives()

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if batch_idx == 1:
            self.mode.__enter__()

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if batch_idx == 1:
            self.mode.__exit__(None, None, None)


def quick(parameters):
    """Steps that ruin a model soon."""
    return torch.optim.SGD(parameters, lr=0.3)
