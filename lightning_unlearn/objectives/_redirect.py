from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from typing_extensions import override

from lightning_unlearn import _checks
from lightning_unlearn._modes import evaluating, frozen
from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.objectives._base import Context, Objective
from lightning_unlearn.objectives._sampled import as_samples, check_sampling


class Redirect(Objective):
    """For generators: samples that look like the forget set are pushed away, towards examples that are to be kept.

    `F(θ) = push · mean_j log(1 + exp s(G_j)) + pull · mean_i min_j ‖x_i − G_j‖²`, where `G_1, ..., G_N` are samples that the
    generator makes with the weights `θ`, `s` is the judge's log-odds that a sample belongs to the forget set, and `x_i` are
    retained examples. The first term is `−log(1 − p)`, at least 0, with a gradient that dies out once the judge sees nothing
    of the forget set any more. The second pulls the nearest sample to every example: samples that have lost their place find
    another one, and the distribution of what is made stays near the retained data.

    No labels are used beyond the two sides: the judge is a classifier of forget against retain samples, trained
    beforehand. The forget batch itself is not looked at, so that the objective is the same on every process and
    micro-batch; the examples of a step are a function of (`seed`, step).

    Take it with :class:`GradientDifference` or :class:`GradientSurgery` at `alpha=1`, and `push` and `pull` of the order of the
    training loss. A few steps change what is made, not what the retain loss wants: some classes come back when ordinary
    training goes on. docs/results.md has the numbers.

    A generator learns to please this judge, which therefore proves nothing about it any more: score with another classifier,
    trained apart, and hand this one (or the strategy) to `audit_generator` as `used_in_training`.

    Differs from implicit maximum likelihood estimation, of which the second term is a step, in that samples are drawn anew
    and that squared distances are those of the samples themselves.

    Args:
        sampler: a function of the module that returns samples, shape `(N, ...)`, with a graph to its weights; some hundreds of
            them. It is called in the mode of the strategy's `batch_norm`.
        judge: a module that is no part of the one that is trained; takes what the sampler returns, and gives log-odds of
            "forget" of shape `(N,)` or `(N, 1)`. It gets no gradients and is run in evaluation mode.
        examples: retained samples: a tensor, or a data set whose items are samples or begin with one, each of the number of
            values of a generated sample.
        push: weight of the first term, finite, at least 0, in units of the training loss: if that is a sum over a batch, it has
            to be that much larger.
        pull: weight of the second term, likewise.
        count: number of examples of a step, at least 1.
        seed: of the choice of examples.

    Raises:
        ConfigurationError: for wrong arguments at once; for samples or log-odds of the wrong shape before the first step.

    References:
        Li & Malik, "Implicit Maximum Likelihood Estimation", 2018, arXiv:1809.09087 (the second term).

    Example:
        >>> import torch
        >>> from lightning_unlearn import Redirect
        >>> from lightning_unlearn.objectives import Context
        >>> latents, judge = torch.ones(1, 2), torch.nn.Linear(2, 1)
        >>> _ = torch.nn.init.zeros_(judge.weight), torch.nn.init.zeros_(judge.bias)
        >>> objective = Redirect(lambda module: module(latents), judge, torch.zeros(4, 2), push=1.0, pull=0.5)
        >>> objective.loss(torch.nn.Identity(), None, Context(lambda batch: None))  # log 2 + 0.5 · 2
        tensor(1.6931)
    """

    def __init__(
        self,
        sampler: Callable[[nn.Module], Any],
        judge: nn.Module,
        examples: Any,
        push: float = 1.0,
        pull: float = 1.0,
        count: int = 128,
        seed: int = 0,
    ) -> None:
        check_sampling(sampler, judge, "judge", "log-odds")
        if not hasattr(examples, "__getitem__") or not hasattr(examples, "__len__") or len(examples) == 0:
            raise ConfigurationError(
                "`examples` must be a tensor or a data set of retained samples with at least one item, found "
                f"{type(examples).__name__}. Pass the retain set, or some of it."
            )
        self.sampler, self.judge = sampler, judge
        self._examples = examples
        self.push = _checks.non_negative("push", push)
        self.pull = _checks.non_negative("pull", pull)
        self.count = min(_checks.positive_int("count", count), len(examples))
        self.seed = _checks.non_negative_int("seed", seed)

    @override
    def loss(self, module: nn.Module, batch: Any, context: Context) -> Tensor | None:
        if any(part is self.judge for part in module.modules()):
            raise ConfigurationError(
                f"`judge` must be no part of `{type(module).__name__}`, found it in there: it would be trained along. Keep it "
                "outside of the module."
            )
        samples = as_samples(self.sampler(module))
        with evaluating(self.judge), frozen(self.judge):
            like = next((p for p in self.judge.parameters() if p.is_floating_point()), samples)
            odds = self.judge.to(samples.device)(samples.to(like.dtype))
        if not isinstance(odds, Tensor) or odds.shape not in ((len(samples),), (len(samples), 1)):
            found = tuple(odds.shape) if isinstance(odds, Tensor) else type(odds).__name__
            raise ConfigurationError(
                f"`judge` must return one number a sample, shape ({len(samples)},) or ({len(samples)}, 1), found {found}. For "
                "logits of two classes, return their difference, forget minus retain."
            )
        pushed = nn.functional.softplus(odds.float() if odds.dtype.itemsize < 4 else odds).mean()
        return self.push * pushed + self.pull * self._distance(samples, context.step)

    def _distance(self, samples: Tensor, step: int) -> Tensor:
        """Mean over this step's examples of the squared distance to the nearest sample."""
        generated, real = samples.flatten(1), self._chosen(step).to(samples).flatten(1)
        if real.shape[1] != generated.shape[1]:
            raise ConfigurationError(
                f"`examples` must have as many values as a sample, {generated.shape[1]}, found {real.shape[1]}. Give both the "
                "same shape."
            )
        with torch.no_grad():
            nearest = torch.cdist(real.float(), generated.float()).argmin(dim=1)
        return (generated[nearest] - real).square().sum(dim=1).mean()

    def _chosen(self, step: int) -> Tensor:
        stream = np.random.Generator(np.random.Philox(key=[self.seed, step]))
        rows = stream.choice(len(self._examples), self.count, replace=False).tolist()
        if isinstance(self._examples, Tensor):
            return self._examples[rows]
        items = [self._examples[row] for row in rows]
        return torch.stack([item[0] if isinstance(item, Sequence) else item for item in items])
