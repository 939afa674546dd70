from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor

Spectrum: TypeAlias = Literal["singular_values", "energy"]


@dataclass(frozen=True)
class Projector:
    """Takes out of a weight's change what acts on the directions that its inputs mostly lie in.

    For the uncentred covariance `C = Σ x xᵀ = V diag(λ) Vᵀ` of a layer's inputs, and M the first k columns of V,
    a change G of the weight, `(out, d)`, becomes `G − (G M) Mᵀ`: it then does nothing to an input in the span of M.
    Where the complement N of M has fewer columns it is kept instead, and the result is the same `(G N) Nᵀ`.

    Attributes:
        basis: orthonormal columns, shape `(groups, d, k)`; a group with fewer has columns of zeros.
        complement: whether `basis` is N instead of M.
    """

    basis: Tensor
    complement: bool

    @classmethod
    @torch.no_grad()
    def of(
        cls,
        covariance: Tensor,
        threshold: float,
        spectrum: Spectrum,
        dtype: torch.dtype | None = None,
        scale: Tensor | None = None,
    ) -> Projector:
        """The projector off the dominant directions of `covariance`.

        k is the largest number of directions whose share of the spectrum, `Σ_{j≤k} s_j / Σ_j s_j`, is at most
        `threshold`, and at least 1. With `"singular_values"` `s_j = √λ_j` are the singular values of the inputs, with
        `"energy"` `s_j = λ_j`. Eigenvalues below 0, or below the rounding of `scale`, are 0, and their directions are
        never part of M: with `threshold=1.0` M spans all inputs and nothing else.

        Args:
            covariance: shape `(groups, d, d)`; decomposed in float64.
            threshold: in (0, 1].
            spectrum: `"singular_values"` or `"energy"`.
            dtype: of the result; at least float32.
            scale: size of the numbers that `covariance` was computed from, shape `(groups,)`; `None` for its norm. A
                difference of large sums is rounded as they are.

        Example:
            >>> import torch
            >>> from lightning_unlearn.subspaces import Projector
            >>> covariance = torch.diag(torch.tensor([100.0, 1.0, 0.0]))[None]
            >>> change = torch.ones(1, 3)
            >>> Projector.of(covariance, 0.95, "singular_values")(change)  # singular values 10, 1, 0
            tensor([[0., 1., 1.]])
            >>> Projector.of(covariance, 1.0, "singular_values")(change)
            tensor([[0., 0., 1.]])
        """
        values, vectors = torch.linalg.eigh(covariance.double())
        values, vectors = values.flip(-1), vectors.flip(-1)  # largest first
        scale = torch.linalg.matrix_norm(covariance) if scale is None else scale
        rounding = scale.to(values)[:, None] * (values.shape[-1] * torch.finfo(values.dtype).eps)
        values = values.where(values > rounding, 0.0)
        sizes = values if spectrum == "energy" else values.sqrt()
        shares = sizes.cumsum(-1)
        rank = (values > 0).sum(-1)
        kept = ((shares <= threshold * shares[:, -1:]) & (values > 0)).sum(-1)
        kept = torch.minimum(kept.clamp_min(1), rank).tolist()
        length, most, least_kept = values.shape[-1], max(kept), min(kept)
        columns = torch.arange(length, device=values.device)
        dominant = columns < torch.tensor(kept, device=values.device)[:, None]
        complement = length - least_kept < most
        chosen = (vectors * (~dominant if complement else dominant)[:, None]).to(_at_least_float32(dtype))
        part = chosen[..., least_kept:] if complement else chosen[..., :most]
        return cls(part.contiguous(), complement)

    @property
    def free(self) -> int:
        """Number of directions that stay free, of all groups together."""
        own = int((self.basis != 0).any(1).sum())
        groups, length, _ = self.basis.shape
        return own if self.complement else groups * length - own

    @torch.no_grad()
    def __call__(self, change: Tensor) -> Tensor:
        """The part of `change`, of the shape of the weight, that does nothing to the dominant directions."""
        groups, length, _ = self.basis.shape
        matrix = change.to(self.basis.dtype)
        if groups > 1:
            matrix = matrix.reshape(groups, -1, length)
            basis = self.basis
        else:
            matrix = matrix if matrix.ndim == 2 else matrix.flatten(1)
            basis = self.basis[0]
        along = (matrix @ basis) @ basis.mT
        left = along if self.complement else matrix - along
        return left.reshape(change.shape).to(change.dtype)

    def to_plain(self) -> dict[str, Any]:
        """Tensors and primitives, to be kept in a checkpoint."""
        return asdict(self)


def _at_least_float32(dtype: torch.dtype | None) -> torch.dtype:
    return torch.float64 if dtype is torch.float64 else torch.float32
