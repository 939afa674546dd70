"""What cannot be exact under manual optimisation."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from lightning_unlearn._tensors import is_sharded
from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.passes._runner import Runner

_ELSEWHERE = "Passes elsewhere (look-ahead, Hessian-vector products) under manual optimisation"


def check_repeatable(
    runner: Runner,
    parameters: Mapping[str, nn.Parameter],
    left: Mapping[nn.Parameter, Tensor | None],
    now: Mapping[nn.Parameter, Tensor | None],
) -> None:
    """Refuse to repeat a run of `training_step` whose gradients are not made by that run alone.

    Args:
        runner: knows the Trainer.
        parameters: whose gradients are to be repeated.
        left: the gradients that earlier batches have left.
        now: those of now.
    """
    if any(is_sharded(p) for p in parameters.values()):
        raise ConfigurationError(
            f"{_ELSEWHERE} must not meet sharded parameters, found some. Use DDP, or a strategy of gradients alone."
        )
    if runner.reuses_gradient_memory:
        raise ConfigurationError(
            f"{_ELSEWHERE} must be able to tell new gradients from old ones, found `gradient_as_bucket_view=True`. Leave it "
            "out."
        )
    for name, p in parameters.items():
        if now.get(p) is not None and now.get(p) is left.get(p):
            raise ConfigurationError(
                f"{_ELSEWHERE} must repeat all that a gradient comes from, found that of `{name}` to hold earlier batches. "
                "Call `zero_grad()` in every `training_step`, without accumulation."
            )


def check_order(reached: object, expected: int, side: str) -> None:
    """Refuse a `training_step` that steps other optimisers when it is repeated."""
    if reached != expected:
        raise ConfigurationError(
            "`training_step` must step its optimisers in the same order when it is repeated, found another order for the "
            f"{side} batch. Make it a function of its batch and of the random streams."
        )


def mismatch(other: str, reached: int | None, own: str, expected: int | None) -> ConfigurationError:
    """Two sides that do not come to the same step; `None` for no step."""

    def named(index: int | None) -> str:
        return "no step" if index is None else f"a step of optimiser {index}"

    return ConfigurationError(
        f"`training_step` must step the same optimisers in the same order for the batches of both sides, found "
        f"{named(expected)} for the {own} batch and {named(reached)} for the {other} batch. Let it depend on `batch_idx` "
        "alone which optimisers step."
    )
