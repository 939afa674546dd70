"""How an audit of a generator is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from lightning.pytorch import LightningModule
from torch import Tensor, nn

from lightning_unlearn._checks import non_negative_int, positive_int
from lightning_unlearn.audit._generator_images import Sample
from lightning_unlearn.audit._identity import Identify
from lightning_unlearn.audit._options import named, of_bits, of_level
from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.metrics import SideELBO, SideReconstructionError
from lightning_unlearn.metrics._extractor import Extractor

PerSample: TypeAlias = Callable[[LightningModule, Any], Tensor]

BLOCKS = 10  # of the jackknife


@dataclass(frozen=True)
class Measure:
    """What the generator says of each sample of a side.

    Attributes:
        name: of the number.
        metric: whose description it has.
        of: function of (module, batch) that returns one number for each sample.
        sign: 1 if large numbers are bad, −1 if they are good.
    """

    name: str
    metric: type[SideReconstructionError | SideELBO]
    of: PerSample
    sign: int


@dataclass(frozen=True)
class GeneratorOptions:
    """The arguments of :func:`audit_generator` that are not models or data; checked at once."""

    sample: Sample
    classifier: nn.Module
    classifier_name: str
    forget_class: int
    feature_extractor: nn.Module | None
    extractor_name: str | None
    losses: Mapping[str, PerSample]
    likelihoods: Mapping[str, PerSample]
    prior: float | None
    level: float
    samples: int
    batch_size: int
    bits: Sequence[int]
    shown: int
    identify: Identify | None
    accelerator: str
    seed: int

    def __post_init__(self) -> None:
        for name in ("samples", "batch_size", "shown"):
            positive_int(name, getattr(self, name))
        for name in ("forget_class", "seed"):
            non_negative_int(name, getattr(self, name))
        both = sorted(set(self.losses) & set(self.likelihoods))
        fit = {
            "`prior` must be between 0 and 1, or None": (
                self.prior is None or 0 < self.prior < 1,
                self.prior,
            ),
            f"`samples` must be at least {2 * BLOCKS}": (self.samples >= 2 * BLOCKS, self.samples),
            "`losses` and `likelihoods` must have no name in common": (not both, both),
        }
        wrong = of_level(self.level) + of_bits(self.bits)
        wrong += [f"{rule}, found {value}. Change it." for rule, (holds, value) in fit.items() if not holds]
        try:
            Extractor(self.classifier, self.classifier_name, "classifier")
            self.extractor()
        except ValueError as error:
            wrong.append(str(error))
        if wrong:
            raise ConfigurationError("\n".join(wrong))

    def extractor(self) -> Extractor:
        """The network in whose features images are compared: without one, the classifier's logits are the features."""
        if self.feature_extractor is None and self.extractor_name is None:
            return Extractor(self.classifier, f"logits of {self.classifier_name}")
        return Extractor(self.feature_extractor, self.extractor_name)  # type: ignore[arg-type]  # it says what is wrong

    def measures(self) -> list[Measure]:
        """What is measured of each sample."""
        return [
            *(Measure(name, SideReconstructionError, of, 1) for name, of in self.losses.items()),
            *(Measure(name, SideELBO, of, -1) for name, of in self.likelihoods.items()),
        ]

    def configuration(self) -> dict[str, Any]:
        """As plain values, for the report."""
        return {
            "sample": named(self.sample),
            "classifier": self.classifier_name,
            "forget_class": self.forget_class,
            "features": self.extractor().name,
            "losses": {name: named(of) for name, of in self.losses.items()},
            "likelihoods": {name: named(of) for name, of in self.likelihoods.items()},
            "prior": self.prior,
            "level": self.level,
            "samples": self.samples,
            "batch_size": self.batch_size,
            "bits": list(self.bits),
            "shown": self.shown,
            "identify": named(self.identify),
            "accelerator": self.accelerator,
            "seed": self.seed,
        }
