from __future__ import annotations

from typing import ClassVar

from typing_extensions import override

from lightning_unlearn.gradient import Gradient
from lightning_unlearn.passes import Side
from lightning_unlearn.strategies._base import UnlearningStrategy


class FineTune(UnlearningStrategy):
    """Ordinary training on the retain set, in the hope that the rest fades: the control of every experiment.

    `direction = g_r`. The forget side is never run. A method that does not beat this at an equal number of steps has
    shown nothing.

    References:
        Golatkar et al., "Eternal Sunshine of the Spotless Net", CVPR 2020 (as baseline "finetune").

    Example:
        >>> from lightning_unlearn import FineTune
        >>> FineTune().needs_forget
        False
    """

    needs_forget: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()

    @override
    def direction(self, forget: Side | None, retain: Side | None) -> Gradient:
        assert retain is not None
        return retain.gradient()
