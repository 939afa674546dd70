from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lightning_unlearn import _checks
from lightning_unlearn._modes import evaluating, frozen
from lightning_unlearn._tensors import whole
from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.objectives._quotient import Quotient
from lightning_unlearn.objectives._sampled import as_samples, check_sampling

_SAME = 1e-3  # two calls of one sampler on a GPU differ in the last digits


class Guidance:
    """Drives what a generator makes away from the forgotten classes, by a classifier: added to both sides' losses.

    `G(θ) = w · KL(p̄ ‖ U) = w · Σ_c p̄_c (log(p̄_c + ε) − log(U_c + ε))`, where `p̄` is the mean of the classifier's softmax
    over the samples that the sampler makes with the weights `θ`, and `U` is uniform over the classes that are kept, 0 on
    the forgotten ones. It uses no data: with it, a strategy descends `L_r + G` on the retain side and `F + G` on the
    forget side (a strategy without a retain side, `F + G` alone), the same `G` on every process and micro-batch.

    Sampler and classifier are called with the module and the classifier in evaluation mode; modes come back afterwards.
    The classifier gets no gradients and is moved to the device of the samples.

    A generator learns to please this classifier, which therefore proves nothing about it any more: score with another
    one, trained apart, and hand this one (or the strategy) to `audit_generator` as `used_in_training`.

    Under manual optimisation, add `guidance.loss(self)` to a loss in `training_step` instead. Blocks that recompute their
    activations must do so with `use_reentrant=False`: the other kind runs again when evaluation mode is over.

    Differs from the authors' code, which adds the term to the forget loss before ascent turns its sign; here it is
    always minimised. Theirs draws the samples in training mode: a sampler may switch the module's mode itself.

    Args:
        sampler: a function of the module that returns samples, shape `(N, ...)`, with a graph to its weights. The same
            weights must give the same samples: draw the latents once, beforehand.
        classifier: a module that is no part of the one that is trained; takes what the sampler returns, and gives logits of
            shape `(N, num_classes)`.
        forget_classes: numbers of the forgotten classes, in `[0, num_classes)`; at least one, and not all.
        num_classes: number of classes of the classifier, at least 2.
        weight: weight `w`, finite, at least 0, in units of the training loss: if that is a sum over a batch, `w` has to
            be large (the authors' is 1000 for 128 images).
        eps: the `ε` in the logarithms, finite, positive: a sample of a forgotten class costs about `w · −log ε`.

    Raises:
        ConfigurationError: for wrong arguments at once; for samples or logits of the wrong kind before the first step.

    References:
        Mandal & Gottwald, "Unlearning via Orthogonalization in Generative Models", 2025, arXiv:2506.04712 (the variants
        with a hat; formula as in `uniformity_loss_surgery` of the authors' code).

    Example:
        >>> import torch
        >>> from lightning_unlearn import Guidance, UNO
        >>> latents = torch.zeros(1, 2)
        >>> guidance = Guidance(lambda module: module(latents), torch.nn.Identity(), [0], num_classes=2)
        >>> guidance.loss(torch.nn.Linear(2, 2, bias=False))  # half of the mass is to go: log(0.5 / 1e-8) / 2 + log(0.5) / 2
        tensor(8.5172, grad_fn=<MulBackward0>)
        >>> UNO(guidance=guidance).guidance is guidance
        True
    """

    def __init__(
        self,
        sampler: Callable[[nn.Module], Any],  # of `Tensor`, jsonargparse would ask for a class that is one
        classifier: nn.Module,
        forget_classes: Sequence[int],
        num_classes: int,
        weight: float = 1.0,
        eps: float = 1e-8,
    ) -> None:
        check_sampling(sampler, classifier, "classifier", "logits")
        if _checks.positive_int("num_classes", num_classes) < 2:
            raise ConfigurationError(f"`num_classes` must be at least 2, found {num_classes}.")
        self.sampler, self.classifier, self.num_classes = sampler, classifier, num_classes
        self.forget_classes = _distinct(forget_classes, num_classes)
        self.weight = _checks.non_negative("weight", weight)
        self.eps = _checks.positive("eps", eps)
        kept = num_classes - len(self.forget_classes)
        self._target = torch.tensor(
            [0.0 if c in self.forget_classes else 1.0 / kept for c in range(num_classes)], dtype=torch.float64
        )

    def loss(self, module: nn.Module) -> Tensor:
        """`G(θ)`, a 0-d tensor with a graph to the weights of `module`."""
        with evaluating(module), evaluating(self.classifier), frozen(self.classifier):
            logits = whole(self.classifier(self._fitting(whole(self.sampler(module)))))
        if torch.is_grad_enabled() and not logits.requires_grad:
            raise ConfigurationError(
                "`sampler` must return samples with a graph to trainable weights of the module, found none. Do not call it "
                "under `torch.no_grad()`, do not detach the samples, and unfreeze what makes them."
            )
        logits = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
        mean = logits.softmax(dim=1).mean(dim=0)
        target = self._target.to(mean)
        return self.weight * (mean * ((mean + self.eps).log() - (target + self.eps).log())).sum()

    def added_to(
        self, loss: Callable[..., Tensor | Quotient | None]
    ) -> Callable[..., Tensor | Quotient | None]:
        """A loss of (module, ...) with this one on top; a batch that is left out stays so."""

        def guided(module: nn.Module, *arguments: Any) -> Tensor | Quotient | None:
            of_batch = loss(module, *arguments)
            if of_batch is None:
                return None
            if isinstance(of_batch, Quotient):  # (n + d G) / d, of the means over the window
                numerator, divisor = of_batch
                return Quotient(numerator + divisor * self.loss(module).to(numerator.dtype), divisor)
            return of_batch + self.loss(module).to(of_batch.dtype)

        return guided

    @torch.no_grad()
    def begin(self, module: nn.Module) -> list[str]:
        """Move the classifier to the samples' device; what is wrong with sampler and classifier, each with its remedy."""
        own = {id(p) for p in module.parameters()} | {id(m) for m in module.modules()}
        if any(id(thing) in own for thing in (*self.classifier.modules(), *self.classifier.parameters())):
            return [
                f"`classifier` must be no part of `{type(module).__name__}`, found it or its weights in there: it would be "
                "trained along. Keep it outside of the module."
            ]
        with evaluating(module), evaluating(self.classifier):
            try:
                samples, again = (as_samples(self.sampler(module)) for _ in range(2))
            except ConfigurationError as error:
                return [str(error)]
            if misfit := _of_samples(samples, again):
                return [misfit]
            self.classifier.to(samples.device)
            try:
                logits = self.classifier(self._fitting(samples))
            except (RuntimeError, ValueError, TypeError, IndexError) as error:
                return [
                    f"`classifier` must take what `sampler` returns, of shape {tuple(samples.shape)}, found: {error}. Let the "
                    "sampler return inputs of the classifier."
                ]
        return self._of_logits(logits, len(samples))

    def _of_logits(self, logits: Any, count: int) -> list[str]:
        wanted = (count, self.num_classes)
        found = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        if found != wanted:
            return [
                f"`classifier` must return logits of shape {wanted}, (samples, `num_classes`), found {found}. Check "
                "`num_classes`, or wrap the classifier."
            ]
        if not bool(whole(logits).isfinite().all()):
            return [
                "`classifier` must return finite logits, found NaN or infinity. Check its weights and the range of its inputs."
            ]
        return []

    def _fitting(self, samples: Tensor) -> Tensor:
        like = next((p for p in self.classifier.parameters() if p.is_floating_point()), None)
        return samples if like is None else samples.to(like.dtype)


def _distinct(classes: Any, num_classes: int) -> list[int]:
    listed = list(classes) if isinstance(classes, Sequence) and not isinstance(classes, str) else []
    are_classes = all(type(c) is int and 0 <= c < num_classes for c in listed)
    if not (are_classes and 0 < len(listed) < num_classes and len(set(listed)) == len(listed)):
        raise ConfigurationError(
            f"`forget_classes` must list distinct integers in [0, {num_classes}), at least one and not all, found "
            f"{classes!r}. List the classes that are to go, such as `[0]`."
        )
    return sorted(listed)


def _of_samples(samples: Tensor, again: Tensor) -> str | None:
    if not bool(samples.isfinite().all()):
        return "`sampler` must return finite samples, found NaN or infinity. Check the weights that the run starts from."
    if samples.shape != again.shape or not torch.allclose(samples, again, rtol=_SAME, atol=_SAME):
        return (
            "`sampler` must return the same samples for the same weights, found others at its second call. Draw the latents "
            "once, beforehand, and keep them."
        )
    return None
