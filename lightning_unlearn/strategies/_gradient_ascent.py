from __future__ import annotations

from typing import ClassVar, Literal

from typing_extensions import override

from lightning_unlearn.gradient import Gradient
from lightning_unlearn.objectives import Guidance, Objective
from lightning_unlearn.passes import Side
from lightning_unlearn.strategies._base import UnlearningStrategy


class GradientAscent(UnlearningStrategy):
    """Descends the forget objective alone; with the default objective this is gradient ascent on the forget set.

    `direction = u`, where `u = ∇F` and by default `F = −L_f`, so `u = −g_f`. Needs no retain data:
    `trainer.fit(module, {"forget": loader})` is enough, and Lightning's own pass is then the forget pass. Nothing
    holds the rest of the model in place: it collapses within a few steps unless the run is stopped.

    Args:
        objective: the forget side's loss, to be minimised; `None` is `Ascent()`.
        guidance: see :class:`Guidance`; `None` for none.
        hold: see :class:`UnlearningStrategy`.
        seed: see :class:`UnlearningStrategy`.
        batch_norm: see :class:`UnlearningStrategy`.
        state_dir: see :class:`UnlearningStrategy`.

    References:
        Golatkar et al., "Eternal Sunshine of the Spotless Net", CVPR 2020 (as baseline "negative gradient").

    Example:
        >>> from lightning_unlearn import Bounded, GradientAscent
        >>> GradientAscent(objective=Bounded()).needs_retain
        False
    """

    needs_retain: ClassVar[bool] = False

    def __init__(
        self,
        *,
        objective: Objective | None = None,
        guidance: Guidance | None = None,
        hold: Literal["device", "cpu"] = "device",
        seed: int = 0,
        batch_norm: Literal["train", "eval"] = "train",
        state_dir: str | None = None,
    ) -> None:
        super().__init__(
            objective=objective,
            guidance=guidance,
            hold=hold,
            seed=seed,
            batch_norm=batch_norm,
            state_dir=state_dir,
        )

    @override
    def direction(self, forget: Side, retain: Side | None) -> Gradient:
        return forget.gradient()
