from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal, cast

import torch
from torch import nn
from typing_extensions import override

from lightning_unlearn import _checks
from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.gradient import Gradient
from lightning_unlearn.objectives import Confusion, Guidance, Objective
from lightning_unlearn.passes import Side, Source
from lightning_unlearn.predictions import Predict
from lightning_unlearn.recorder import stored_covariances
from lightning_unlearn.strategies._base import UnlearningStrategy
from lightning_unlearn.subspaces import Covariances, Projector
from lightning_unlearn.subspaces._projector import Spectrum


class PGU(UnlearningStrategy):
    """Descends the forget objective in directions that the retained data's layer inputs do not occupy: no retain data.

    Projected-gradient unlearning. With `u = ∇F`, for each linear and convolution weight, seen as `W: out × d`, the
    `direction` is `G − (G M) Mᵀ` with `G = ∂F/∂W`, and nothing for every other parameter. M spans the dominant
    directions of the retained inputs of that layer: the first k eigenvectors of `C_r = Σ x xᵀ = C_full − C_forget`. A
    change ΔW with `ΔW M = 0` does not move what the layer makes of an input in that span. `C_full` comes from a
    checkpoint in which :class:`InputCovariance` has put it, `C_forget` is measured at the start:
    `trainer.fit(module, {"forget": loader})`.

    Biases, normalisation layers, embeddings, weights that layers of another kind share, and layers that no sample
    reaches do **not move at all**, as there is nothing to protect the retained data from them. A network with few
    projected layers may therefore be unable to forget: see `unlearn/removed_fraction`, the share of the squared norm that
    the projection takes away. At `threshold=1.0` M spans all retained inputs of each layer, and the outputs for them do not
    move at all, however many steps are taken. Below it the promise is of first order behind the first layer: M is that of
    the weights at the start.

    Sequential requests: a checkpoint of the run holds `C_r`, which is the `C_full` of the next request,
    `PGU(covariance="unlearned.ckpt")`. It was measured at the weights before this run, which the projection has kept from
    changing what layers make of retained data, up to the share that `threshold` leaves out.

    Differs from the authors' code: convolutions are unfolded with their stride, dilation and groups; both covariances are
    measured in evaluation mode; negative eigenvalues of the difference are 0, not large and positive; at least one
    direction of each layer is kept; at `threshold=1.0` the span of all retained inputs is kept, where they leave the layer
    frozen; the step is that of any optimiser, and it is the optimiser's move that is projected.

    Args:
        covariance: path of the checkpoint with the covariances of the full training data, of the weights that the run
            starts from; `None` to measure those of the retain side, which must then be given as a second loader,
            `{"forget": ..., "retain": ...}`, and is used for nothing else.
        samples: at most so many retained ones, a fixed random choice, are measured; `None` for all. Only without `covariance`, from
            which the samples to be forgotten could not be taken away. More than the widest layer has inputs, or directions of
            retained data are missed.
        threshold: share of the spectrum that the kept directions may have, in (0, 1]: the higher, the safer the retained
            data and the harder the forgetting. The authors take .95 or .9.
        spectrum: what the share is of: `"singular_values"`, as in the authors' code, or `"energy"`, their squares, which
            keeps fewer directions at the same threshold.
        entropy_weight: of the default objective, :class:`Confusion`; not used with another.
        offset: of the default objective; not used with another.
        project: `"update"` projects the optimiser's move, after momentum, preconditioning and weight decay, and holds
            exactly under all of them. `"gradient"` projects the gradient alone, which is the same with plain SGD,
            with or without momentum, and leaks with weight decay or Adam; it saves a copy of the weights.
        predict: a function of (module, batch) that returns logits and labels, for the default objective and for the
            measurement; by default a batch is (inputs, labels), and the logits are `module(inputs)`. The same as that
            of :class:`InputCovariance`.
        objective: the forget side's loss, to be minimised; `None` is `Confusion(offset, entropy_weight, predict)`.
        guidance: see :class:`Guidance`; `None` for none.
        hold: see :class:`UnlearningStrategy`.
        seed: see :class:`UnlearningStrategy`.
        batch_norm: see :class:`UnlearningStrategy`; the running statistics are what the covariances were measured with.
        state_dir: see :class:`UnlearningStrategy`. The covariances are `8 Σ d²` bytes, for a ResNet-18 0.7 GB: name a
            folder, or every checkpoint has them.

    Raises:
        ConfigurationError: before the first step, for covariances that are not there, or of another architecture or of
            other weights; for a module without a layer to be projected; if nothing is left free.

    References:
        Hoang, Rana, Gupta, Venkatesh, "Learn to Unlearn for Deep Neural Networks: Minimizing Unlearning Interference with
        Gradient Projection", WACV 2024, arXiv:2312.04095; code `hnanhtuan/projected_gradient_unlearning`, commit b3275c3.

    Example:
        >>> from lightning_unlearn import PGU
        >>> strategy = PGU("trained.ckpt", threshold=0.9)
        >>> strategy.needs_retain, strategy.objective
        (False, Confusion(offset=0.05, entropy_weight=0.2, predict=None))
    """

    needs_retain: ClassVar[bool] = False

    def __init__(
        self,
        covariance: str | None = None,
        threshold: float = 0.95,
        spectrum: Spectrum = "singular_values",
        entropy_weight: float = 0.2,
        offset: float = 0.05,
        project: Literal["update", "gradient"] = "update",
        *,
        samples: int | None = None,
        predict: Predict | None = None,
        objective: Objective | None = None,
        guidance: Guidance | None = None,
        hold: Literal["device", "cpu"] = "device",
        seed: int = 0,
        batch_norm: Literal["train", "eval"] = "eval",
        state_dir: str | None = None,
    ) -> None:
        own = Confusion(offset, entropy_weight, predict) if objective is None else objective
        super().__init__(
            objective=own,
            guidance=guidance,
            hold=hold,
            seed=seed,
            batch_norm=batch_norm,
            state_dir=state_dir,
        )
        self.covariance = None if covariance is None else Path(covariance)
        self.samples = samples
        if samples is not None:
            _checks.positive_int("samples", samples)
            if covariance is not None:
                raise ConfigurationError(
                    f"`samples` must be None where `covariance` names a checkpoint, found {samples}. Leave one of them out."
                )
        self.threshold = _checks.fraction("threshold", threshold)
        if self.threshold == 0.0:
            raise ConfigurationError(
                "`threshold` must be above 0, found 0. Take `GradientAscent` for no projection."
            )
        choices = ("singular_values", "energy")
        self.spectrum = cast(Spectrum, _checks.one_of("spectrum", spectrum, choices))
        self.entropy_weight, self.offset, self.predict = entropy_weight, offset, predict
        self.project = _checks.one_of("project", project, ("update", "gradient"))

    @override
    def prepare(self, module: nn.Module, forget: Source, retain: Source | None) -> None:
        kept = self._kept(module, forget, retain)
        weights = dict(module.named_parameters())
        projectors = {
            name: Projector.of(
                block.to(weights[name].device),
                self.threshold,
                self.spectrum,
                weights[name].dtype,
                kept.scales[name],
            )
            for name, block in kept.blocks.items()
        }
        if not any(projector.free for projector in projectors.values()):
            raise ConfigurationError(
                f"`threshold` must leave directions free, found none at {self.threshold}: the retained inputs occupy all of "
                "every layer. Lower it."
            )
        self.state["covariances"] = kept.to_plain()
        self.state["projectors"] = {name: projector.to_plain() for name, projector in projectors.items()}

    def _kept(self, module: nn.Module, forget: Source, retain: Source | None) -> Covariances:
        if self.covariance is not None:
            full = stored_covariances(self.covariance, module)
            return full.without(Covariances.measured(module, forget, self.predict, full.positions))
        if retain is not None:
            some = retain.some(self.samples)
            measured = Covariances.measured(module, some, self.predict)
            share = (retain.samples or 1) / (some.samples or 1)
            return measured if share == 1 else measured.scaled(share)
        raise ConfigurationError(
            "`covariance` must name a checkpoint with the input covariances of the training data, found None. Train with the "
            'callback `InputCovariance`; or, if retain data are at hand, give them as a second loader, `{"forget": loader, '
            '"retain": loader}`.'
        )

    @property
    @override
    def constrains(self) -> bool:
        return self.project == "update"

    @override
    def direction(self, forget: Side, retain: Side | None) -> Gradient:
        reached = self._projected_alone(forget.gradient())
        if self.project == "update" and not self.reports:
            return reached
        free = self._free(reached)
        if self.reports:
            before, after = Gradient.dots((reached, reached), (free, free))
            share = torch.where(before > 0, after / before, torch.ones_like(before))
            self.diagnostics["removed_fraction"] = (1.0 - share).clamp(0.0, 1.0)
        return reached if self.project == "update" else free

    @override
    def constrain(self, update: Gradient) -> Gradient:
        return self._free(self._projected_alone(update))

    def _projected_alone(self, gradient: Gradient) -> Gradient:
        names = self.state["projectors"]
        return Gradient({name: t if name in names else None for name, t in gradient.items()})

    def _free(self, gradient: Gradient) -> Gradient:
        projectors = {name: Projector(**plain) for name, plain in self.state["projectors"].items()}
        return gradient.map(lambda name, t: projectors[name](t))
