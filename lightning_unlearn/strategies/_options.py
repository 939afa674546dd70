from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from lightning_unlearn.objectives import Objective


class StrategyOptions(TypedDict, total=False):
    """What every strategy that runs the forget side takes besides arguments of its own.

    Args:
        objective: the forget side's loss, to be minimised; `None` (the default) is `Ascent()`, the training loss with
            its sign turned.
        hold: where the batches of an accumulation window wait for its end: `"device"` (the default), or `"cpu"`.
        seed: of the random numbers of the forget side's passes, 0 by default.
        batch_norm: mode of batch normalisation in the forget side's passes, `"train"` (the default) or `"eval"`.

    Example:
        >>> from lightning_unlearn import GradientSurgery
        >>> from lightning_unlearn.strategies import StrategyOptions
        >>> options: StrategyOptions = {"hold": "cpu", "seed": 1}
        >>> GradientSurgery(alpha=0.5, **options).hold
        'cpu'
    """

    objective: Objective | None
    hold: Literal["device", "cpu"]
    seed: int
    batch_norm: Literal["train", "eval"]
