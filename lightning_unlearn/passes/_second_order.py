"""The loss whose gradient is a Hessian times a vector."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.gradient import Gradient

CENTRAL_DIFFERENCES = (
    '`second_order="finite_difference"`, or in a strategy of your own '
    '`hessian_vector_product(v, method="finite_difference")`'
)


@contextmanager
def twice_differentiable() -> Iterator[None]:
    """What PyTorch says in the first or only in the second backward, with a remedy."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        raise ConfigurationError(
            f"The model must be twice differentiable for double backward, found: {error}. Use central differences: "
            f"{CENTRAL_DIFFERENCES}."
        ) from error


def directional_derivative(loss: Tensor, parameters: Mapping[str, nn.Parameter], vector: Gradient) -> Tensor:
    """`⟨∇loss, vector⟩` with a graph; its gradient is the Hessian of `loss` times `vector`."""
    pairs = ((p, vector[name]) for name, p in parameters.items() if p.requires_grad)
    wanted = [(p, v.detach()) for p, v in pairs if v is not None]
    if not wanted:  # `toggle_optimizer` has switched them off: this loss is another optimiser's
        return 0.0 * loss
    gradients = torch.autograd.grad(loss, [p for p, _ in wanted], create_graph=True, allow_unused=True)
    # without the first term, a parameter that enters the loss linearly gets no gradient and DDP waits for it
    total = 0.0 * loss
    for gradient, (_, v) in zip(gradients, wanted, strict=True):
        if gradient is not None:
            total = total + (gradient * v).sum().to(loss.dtype)
    return total
