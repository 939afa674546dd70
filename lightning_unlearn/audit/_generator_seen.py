"""What is kept of images that are looked at once: counts, features, a few to be shown."""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_unlearn.audit._generator_options import GeneratorOptions
from lightning_unlearn.audit._report import Estimate
from lightning_unlearn.metrics._extractor import Extractor
from lightning_unlearn.metrics.functional import proportion_interval
from lightning_unlearn.metrics.functional._proportions import is_of_class


class Seen:
    """Images, a batch at a time.

    Args:
        options: of the audit.
        features: whether those are kept.

    Attributes:
        hits: how many the classifier takes for the class.
        count: how many there were.
        finite: whether all were; one that is not counts as black.
        shape: of an image.
        first: the first few.
        of_class: the first few that the classifier takes for the class.
    """

    def __init__(self, options: GeneratorOptions, *, features: bool) -> None:
        self._classifier = Extractor(options.classifier, options.classifier_name, "classifier")
        self._extractor = options.extractor() if features else None
        self._class, self._shown = options.forget_class, options.shown
        self._features: list[Tensor] = []
        self.hits, self.count, self.finite = 0, 0, True
        self.shape = torch.Size()
        self.first, self.of_class = torch.empty(0), torch.empty(0)

    def add(self, images: Tensor) -> None:
        """Look at a batch."""
        if not len(images):
            return
        fine = images.isfinite().flatten(1).all(1)
        if not fine.all():
            self.finite = False
            images = images.where(fine.view(-1, *[1] * (images.ndim - 1)), 0)
        found = is_of_class(self._classifier(images), self._class).to(images.device)
        if self._extractor is not None:
            self._features.append(self._extractor(images).cpu())
        self.hits += int(found.sum())
        self.count += len(images)
        self.shape = images.shape[1:]
        self.first = self._some(self.first, images)
        self.of_class = self._some(self.of_class, images[found])

    def features(self) -> Tensor:
        """Of all images, (N, D)."""
        return torch.cat(self._features) if self._features else torch.empty(0, 0)

    def forget_features(self) -> None:
        """They are large."""
        self._features.clear()

    def share(self, confidence: float) -> Estimate:
        """Of images of the class."""
        return share(self.hits, self.count, confidence)

    def _some(self, known: Tensor, more: Tensor) -> Tensor:
        missing = self._shown - len(known)
        if missing <= 0 or not len(more):
            return known
        chosen = more[:missing].detach().cpu().clone()
        return torch.cat([known, chosen]) if len(known) else chosen


def share(hits: int, trials: int, confidence: float) -> Estimate:
    """A share of images with its Clopper–Pearson interval."""
    low, high = proportion_interval(hits, trials, level=confidence)
    return Estimate(hits / trials, float(low), float(high))
