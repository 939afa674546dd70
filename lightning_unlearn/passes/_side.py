from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Literal, Protocol

import torch
from torch import Tensor, nn

from lightning_unlearn._tensors import is_sharded
from lightning_unlearn.errors import ConfigurationError
from lightning_unlearn.gradient import Gradient
from lightning_unlearn.passes._arrival import Visit
from lightning_unlearn.passes._runner import Result
from lightning_unlearn.passes._second_order import CENTRAL_DIFFERENCES

_PIECEWISE_LINEAR = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.Hardtanh)


class Evaluate(Protocol):
    """Runs one pass, at the current weights or beside them."""

    def __call__(
        self, *, vector: Gradient | None, at: Gradient | None, visit: Visit | None = None
    ) -> Result: ...


class Side:
    """The forget or the retain side, as a strategy sees it at a window boundary: a loss, and its derivatives.

    Nothing is computed before it is asked for; a side that is not asked costs no pass. All values are averages over
    the accumulation window and over all processes, unscaled, and functions of the batches and the weights alone.

    Args:
        module: the user's module.
        parameters: its trainable parameters by name.
        evaluate: runs one pass.
        reduce: averages a 0-d tensor over processes.
        outer: the function of the mean loss that this side minimises; `None` for the identity.
        own: the result of the pass that Lightning has made itself, if it was this side's.
        precision: of the Trainer.
    """

    def __init__(
        self,
        module: nn.Module,
        parameters: dict[str, nn.Parameter],
        evaluate: Evaluate,
        reduce: Callable[[Tensor], Tensor],
        outer: Callable[[Tensor], Tensor] | None = None,
        own: Result | None = None,
        precision: str = "32-true",
    ) -> None:
        self._module = module
        self._parameters = parameters
        self._evaluate = evaluate
        self._reduce = reduce
        self._outer = outer
        self._result = own if own is None else self._divided(own)
        self._precision = precision
        self._gradient: Gradient | None = None
        self._shares: list[Tensor] = []
        self._deaf: list[bool] = []
        self._was_asked = own is not None
        if own is not None and own.loss is not None:
            self._deaf.append(all(tensor is None for tensor in own.gradient.tensors))

    @property
    def loss(self) -> Tensor:
        """The side's loss at the current weights, 0-d, detached: mean over window and ranks, then the outer function."""
        mean = self._mean_loss(self._here())
        return mean if self._outer is None else self._chain(mean)[0]

    @property
    def share(self) -> float:
        """The gradients are this many times those of :attr:`loss`: below 1 in an accumulation window that ends early.

        Lightning divides by `accumulate_grad_batches` there, too. A term that does not grow with the gradients (a weight of
        the loss, a cosine) is to be multiplied by it.
        """
        return self._here().share

    def gradient(self, *, at: Gradient | None = None) -> Gradient:
        """Gradient of the side's loss, aligned with the trainable parameters.

        Args:
            at: `None` for the current weights (computed once), else a shift: the gradient at `weights + at`.
        """
        if at is not None:
            result = self._passed(at=at)
            gradient = self._outer_gradient(result)
            self._shares.append(gradient.share_of_square())
            return gradient
        if self._gradient is None:
            self._gradient = self._outer_gradient(self._here())
            self._gradient.remember_norm()
        return self._gradient

    def for_each_gradient(self, visit: Callable[[str, Tensor], None]) -> None:
        """The gradient at the current weights, tensor by tensor, as the backward pass reaches them.

        The tensors never exist all at once, so that the pass takes no memory for a second gradient. With one process
        and one batch a step only: elsewhere the tensors that arrive are not yet averages.

        Args:
            visit: called with the name of a parameter and its gradient, which may be overwritten.
        """
        shares: list[Tensor] = []

        def take(name: str, tensor: Tensor, loss: Tensor) -> None:
            part = Gradient({name: tensor})
            if self._outer is not None:
                part.mul_(self._chain(loss)[1])
            shares.append(part.share_of_square())
            visit(name, tensor)

        result = self._evaluate(vector=None, at=None, visit=take)
        self._was_asked = True
        if result.loss is not None:
            self._deaf.append(not shares)
            self._shares.append(torch.stack([*shares, result.loss.double()]).sum())

    def hessian_vector_product(
        self,
        v: Gradient,
        *,
        method: Literal["double_backward", "finite_difference"] = "double_backward",
    ) -> Gradient:
        """Hessian of the side's loss at the current weights, times `v`.

        Args:
            v: the vector.
            method: `"double_backward"` is exact and costs two to four passes. `"finite_difference"` takes two ordinary
                passes, `(∇L(θ+εv) − ∇L(θ−εv)) / 2ε` with `ε = eps^(1/3) · max(‖θ‖, 1) / ‖v‖`; it works where a second
                derivative does not exist (fused attention, compiled modules, sharded modules), is refused in half
                precision, and is wrong by tens of per cent for piecewise linear networks in float32.
        """
        product = self._double_backward(v) if method == "double_backward" else self._central_difference(v)
        self._shares.append(product.share_of_square())
        return product

    @property
    def asked(self) -> bool:
        """Whether a pass that gave a loss was asked for."""
        return bool(self._deaf)

    @property
    def silent(self) -> bool:
        """Whether passes were asked for, and none gave a loss."""
        return self._was_asked and not self._deaf

    @property
    def reaches_no_parameter(self) -> bool:
        """Whether passes gave a loss, and no trainable parameter a gradient of it."""
        return bool(self._deaf) and all(self._deaf)

    def shares_of_squares(self) -> list[Tensor]:
        """This process's share of the squared norm of everything that was asked of this side: to see what is finite."""
        return self._shares + ([] if self._gradient is None else [self._gradient.remembered_share()])

    # ---- helpers -----------------------------------------------------------------------------------------------
    def _here(self) -> Result:
        if self._result is None:
            self._result = self._passed()
        return self._result

    def _passed(self, vector: Gradient | None = None, at: Gradient | None = None) -> Result:
        result = self._divided(self._evaluate(vector=vector, at=at))
        self._was_asked = True
        if result.loss is not None:
            self._deaf.append(all(tensor is None for tensor in result.gradient.tensors))
        return result

    def _divided(self, result: Result) -> Result:
        """A quotient's two means are of the window and of all processes before one is divided by the other."""
        if result.divisor is None:
            return result
        divisor = self._reduce(result.divisor)
        loss = None if result.loss is None else result.loss / divisor
        return Result(result.gradient.mul_(1.0 / divisor), loss, result.share)

    def _mean_loss(self, result: Result) -> Tensor:
        if result.loss is None:
            return torch.zeros((), device=next(iter(self._parameters.values())).device)
        return self._reduce(result.loss)

    def _chain(self, mean: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Value, first and second derivative of the outer function."""
        assert self._outer is not None
        with torch.enable_grad():
            x = mean.detach().double().requires_grad_()
            value = self._outer(x)
            (slope,) = torch.autograd.grad(value, x, create_graph=True)
            curvature = torch.zeros_like(x)
            if slope.requires_grad:
                (curvature,) = torch.autograd.grad(slope, x, allow_unused=True, materialize_grads=True)
        return value.detach().to(mean.dtype), slope.detach(), curvature.detach()

    def _outer_gradient(self, result: Result) -> Gradient:
        if self._outer is None:
            return result.gradient
        return result.gradient * self._chain(self._mean_loss(result))[1]

    def _double_backward(self, v: Gradient) -> Gradient:
        # of all parameters, trained or not: a graph through a shard ends there, and the product is wrong without a word
        if sharded := next((n for n, p in self._module.named_parameters() if is_sharded(p)), None):
            raise ConfigurationError(
                f"Double backward must not meet sharded parameters, found `{sharded}`. Use central differences: "
                f"{CENTRAL_DIFFERENCES}."
            )
        product = self._passed(v).gradient
        if self._outer is None:
            return product
        here = self._here()
        _, slope, curvature = self._chain(self._mean_loss(here))
        return product.mul_(slope).add_(here.gradient, curvature * here.gradient.dot(v) / (here.share or 1.0))

    def _central_difference(self, v: Gradient) -> Gradient:
        dtypes = {p.dtype for p in self._parameters.values()}
        if dtypes & {torch.float16, torch.bfloat16} or self._precision.endswith("-mixed"):
            raise ConfigurationError(
                f"Central differences must be taken in at least float32, found parameters of {sorted(map(str, dtypes))} "
                f'in precision "{self._precision}". Use double backward, or `precision="32-true"`.'
            )
        piecewise = [
            n or "module" for n, m in self._module.named_modules() if isinstance(m, _PIECEWISE_LINEAR)
        ]
        if piecewise and torch.float32 in dtypes:
            warnings.warn(
                f"Central differences are off by tens of per cent for piecewise linear networks in float32, found "
                f"`{piecewise[0]}`. Use double backward.",
                stacklevel=3,
            )
        weights = Gradient({name: p.detach() for name, p in self._parameters.items()})
        eps = max(torch.finfo(dtype).eps for dtype in dtypes)
        squares = Gradient.dots((v, v), (weights, weights))
        length, size = (square.sqrt() for square in squares)
        step = eps ** (1 / 3) * size.clamp_min(1.0) / length.clamp_min(torch.finfo(length.dtype).tiny)
        ahead, behind = self.gradient(at=v * step), self.gradient(at=v * -step)
        return ahead.add_(behind, -1.0).mul_(0.5 / step)
