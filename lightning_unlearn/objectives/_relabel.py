from __future__ import annotations

import copy
from collections.abc import Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from typing_extensions import override

from lightning_unlearn import _checks
from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.objectives._base import Context, Objective


class Relabel(Objective):
    """The user's training loss on the forget batch with wrong labels put into it.

    `F(θ) = L(θ; x, y')` with `y' ≠ y`: drawn uniformly from the other classes anew at each step (`"random"`), or
    `(y + 1) mod C` (`"next"`). Random labels are a function of (`seed`, step, row of the global batch): the same on
    any number of processes, under accumulation and after a resume.

    Differs from the authors' code of Amnesiac unlearning and SalUn, which draws from all classes and so hits the
    true label in one case of `C`.

    Args:
        num_classes: number of classes `C`, at least 2; labels are integers in `[0, C)`.
        labels: where the batch keeps its labels: an index of a tuple or list (default 1), a key of a mapping, or
            the name of an attribute (dataclass).
        kind: `"random"` or `"next"`.
        seed: of the random labels.

    References:
        Graves et al., "Amnesiac Machine Learning", AAAI 2021.

    Example:
        >>> import torch
        >>> from lightning_unlearn import Relabel
        >>> from lightning_unlearn.objectives import Context
        >>> batch = (torch.zeros(3, 4), torch.tensor([0, 1, 3]))
        >>> Relabel(4, kind="next").relabelled(batch, Context(lambda batch: None))[1]
        tensor([1, 2, 0])
    """

    def __init__(
        self,
        num_classes: int,
        labels: int | str = 1,
        kind: Literal["random", "next"] = "random",
        seed: int = 0,
    ) -> None:
        if _checks.positive_int("num_classes", num_classes) < 2:
            raise ConfigurationError(f"`num_classes` must be at least 2, found {num_classes}.")
        self.num_classes = num_classes
        self.labels = labels
        self.kind = _checks.one_of("kind", kind, ("random", "next"))
        self.seed = _checks.non_negative_int("seed", seed)

    @override
    def loss(self, module: nn.Module, batch: Any, context: Context) -> Tensor | None:
        return context.training_loss(self.relabelled(batch, context))

    def relabelled(self, batch: Any, context: Context) -> Any:
        """A copy of `batch` with wrong labels; the inputs are shared, the batch itself is left alone."""
        labels = self._find(batch)
        wrong = ((labels + self._shift(labels, context)) % self.num_classes).to(labels.dtype)
        if isinstance(batch, MutableMapping):
            changed = copy.copy(batch)
            changed[self.labels] = wrong
            return changed
        if isinstance(batch, tuple) and hasattr(batch, "_fields"):
            name = self.labels if isinstance(self.labels, str) else batch._fields[self.labels]
            return batch._replace(**{name: wrong})  # type: ignore[attr-defined]  # a named tuple
        if isinstance(self.labels, str):
            changed = copy.copy(batch)
            object.__setattr__(changed, self.labels, wrong)
            return changed
        items = [wrong if i == self.labels % len(batch) else item for i, item in enumerate(batch)]
        return items if isinstance(batch, MutableSequence) else tuple(items)

    def _find(self, batch: Any) -> Tensor:
        try:
            is_attribute = isinstance(self.labels, str) and not isinstance(batch, Mapping)
            labels = getattr(batch, str(self.labels)) if is_attribute else batch[self.labels]
        except (LookupError, TypeError, AttributeError):
            labels = None
        if not isinstance(labels, Tensor) or labels.is_floating_point():
            size = f" of length {len(batch)}" if isinstance(batch, Sequence) else ""
            raise ConfigurationError(
                f"`labels` must say where a batch keeps its integer labels, found nothing of that kind at "
                f"{self.labels!r} in a {type(batch).__name__}{size}. Pass an index, a key or an attribute name."
            )
        return labels

    def _shift(self, labels: Tensor, context: Context) -> Tensor:
        if self.kind == "next":
            return torch.ones_like(labels)
        rows = context.rows(labels.shape[0])
        # one draw a row, in order of rows: a longer window or another process draws the same number for the same row
        stream = np.random.Generator(np.random.Philox(key=[self.seed, context.step]))
        uniform = torch.from_numpy(stream.random((int(rows[-1]) + 1, *labels.shape[1:])))[rows]
        return 1 + (uniform * (self.num_classes - 1)).long().to(labels.device)
