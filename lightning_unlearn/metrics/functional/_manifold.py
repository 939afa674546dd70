"""Precision and recall of a generator: whose images lie among whose."""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_unlearn.metrics.functional._checks import whole_number
from lightning_unlearn.metrics.functional._feature_sets import two_feature_sets

ROWS = 512  # of the matrix of distances that exist at once
PAIRS = 4096  # whose difference exists at once
FAST = "use_mm_for_euclid_dist"
UNSURE = 1e-6  # times the largest norm: how far a fast distance in float64 may be off, with room to spare


def generator_precision(features: Tensor, reference_features: Tensor, *, neighbours: int = 3) -> Tensor:
    """Share of generated images that lie among the real ones.

    An image lies among others if it is within the distance from one of them to that one's `neighbours`-th nearest
    neighbour of its own set, the bound included. Distances are Euclidean, between features, in float64.

    Low: the generator makes what is not in the data. Two halves of one data set do not have 1 but what the density
    of the data allows, often 0.6 to 0.9: compare with that, and only values from equally many samples of either kind.

    Differs from torch-fidelity, whose distances are those of a product of matrices in the type of the features: duplicates and
    other ties may be decided otherwise there.

    Source: Kynkäänniemi et al., "Improved Precision and Recall Metric for Assessing Generative Models", NeurIPS 2019,
    equations 1 and 2; there with the features of VGG-16.

    Args:
        features: of generated images, shape (N, D), finite.
        reference_features: of real images, shape (M, D), finite, M more than `neighbours`.
        neighbours: k, at least 1.

    Returns:
        0-d float32 tensor in [0, 1] on the device of `features`.

    Raises:
        ValueError: a set has too few samples, the widths differ, a feature is not finite, or `neighbours` is not an integer
            of at least 1.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics.functional import generator_precision
        >>> real = torch.tensor([[0.0], [1.0], [2.0]])
        >>> generator_precision(torch.tensor([[0.5], [9.0]]), real, neighbours=1)
        tensor(0.5000)
    """
    whole_number("neighbours", neighbours, least=1)
    x, y = two_feature_sets(features, reference_features, least=neighbours + 1)
    centre = y.mean(0)
    x, y = x - centre, y - centre
    radii = torch.cat([_radii(rows, y, neighbours) for rows in torch.split(y, ROWS)])
    unsure = UNSURE * torch.cat([x, y]).norm(dim=1).max()
    among = torch.cat([_among(rows, y, radii, unsure) for rows in torch.split(x, ROWS)])
    return among.double().mean().float()


def generator_recall(features: Tensor, reference_features: Tensor, *, neighbours: int = 3) -> Tensor:
    """Share of real images that lie among the generated ones: :func:`generator_precision` with the two sets exchanged.

    Low: the generator does not make all that is in the data. If a class was forgotten, take real images of the others:
    with those of the forgotten class among them, recall must fall.

    Source, arguments and errors are those of :func:`generator_precision`.

    Returns:
        0-d float32 tensor in [0, 1] on the device of `features`.

    Example:
        >>> import torch
        >>> from lightning_unlearn.metrics.functional import generator_recall
        >>> generated = torch.tensor([[0.0], [1.0], [2.0]])
        >>> generator_recall(generated, torch.tensor([[0.5], [9.0]]), neighbours=1)
        tensor(0.5000)
    """
    whole_number("neighbours", neighbours, least=1)
    two_feature_sets(features, reference_features, least=neighbours + 1)  # names them as the caller does
    return generator_precision(reference_features.to(features.device), features, neighbours=neighbours)


def _radii(rows: Tensor, among: Tensor, neighbours: int) -> Tensor:
    """Distance of each row to its k-th nearest neighbour, itself left out."""
    nearest = torch.cdist(rows, among, compute_mode=FAST).topk(neighbours + 1, largest=False).indices
    radii: Tensor = (rows[:, None] - among[nearest]).norm(dim=2).amax(1)
    return radii


def _among(rows: Tensor, others: Tensor, radii: Tensor, unsure: Tensor) -> Tensor:
    """Whether each row is within the radius of one of the others, the bound included."""
    beyond = torch.cdist(rows, others, compute_mode=FAST) - radii
    found: Tensor = (beyond < -unsure).any(1)
    # a product of matrices loses half of the digits of small distances: near the bound each is computed by itself
    left, right = ((beyond.abs() <= unsure) & ~found[:, None]).nonzero(as_tuple=True)
    for i, j in zip(torch.split(left, PAIRS), torch.split(right, PAIRS), strict=True):
        found[i[(rows[i] - others[j]).norm(dim=1) <= radii[j]]] = True
    return found
