"""Checks of metric inputs; each raises one sentence: name, requirement, found, remedy."""

from __future__ import annotations

from torch import Tensor


def finite_samples(name: str, values: Tensor, *, ndim: int = 1, least: int = 1) -> Tensor:
    """`values` in float64, if they are `least` finite rows of `ndim` dimensions."""
    shape = ("(N,)", "(N, C)", "(N, C, D)")[ndim - 1]
    if values.ndim != ndim:
        raise ValueError(
            f"`{name}` must have the shape {shape}, found {tuple(values.shape)}. Pass one row for each sample."
        )
    if len(values) < least:
        raise ValueError(
            f"`{name}` must hold at least {least} samples, found {len(values)}. Pass more samples."
        )
    values = values.detach().double().contiguous()
    bad = int((~values.isfinite()).flatten(1).any(1).sum()) if ndim > 1 else int((~values.isfinite()).sum())
    if bad:
        raise ValueError(
            f"`{name}` must be finite, found {bad} of {len(values)} samples that are not. Compute them in float32, or "
            "leave those samples out."
        )
    return values


def flags(name: str, values: Tensor, count: int) -> Tensor:
    """`values` as bools, if there is one for each of `count` samples."""
    if values.shape != (count,) or values.is_floating_point():
        raise ValueError(
            f"`{name}` must be a bool tensor of shape {(count,)}, found {values.dtype} of shape {tuple(values.shape)}. "
            "Pass one flag for each sample."
        )
    return values.bool()


def whole_number(name: str, value: object, *, least: int) -> None:
    """`value` is an integer of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(
            f"`{name}` must be an integer of at least {least}, found {value!r}. Pass {least} or more."
        )


def level_between_0_and_1(level: object) -> None:
    """`level` can be how often an interval holds the true value."""
    if isinstance(level, bool) or not isinstance(level, (int, float)) or not 0 < level < 1:
        raise ValueError(f"`level` must be a number between 0 and 1, found {level!r}. Usual is 0.95.")


def logits_and_labels(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Logits (N, C) in float64 and integer labels (N,) below C."""
    logits = finite_samples("logits", logits, ndim=2, least=0)
    if labels.is_floating_point() or labels.shape != logits.shape[:1]:
        raise ValueError(
            f"`labels` must be integers of shape ({len(logits)},), found {labels.dtype} of shape {tuple(labels.shape)}. "
            "Pass the class of each sample."
        )
    if len(labels) and not (int(labels.min()) >= 0 and int(labels.max()) < logits.shape[1]):
        raise ValueError(
            f"`labels` must be between 0 and {logits.shape[1] - 1}, found {int(labels.min())} to {int(labels.max())}. "
            "Pass class indices."
        )
    return logits, labels.long()


def model_outputs(name: str, values: Tensor, *, least: int = 1) -> Tensor:
    """`values` in float64, if they are finite, of shape (M, S), of at least `least` models and of one sample."""
    if values.ndim != 2:
        raise ValueError(
            f"`{name}` must have the shape (M, S), found {tuple(values.shape)}. Pass one row for each model and one "
            "column for each sample."
        )
    models, samples = values.shape
    if models < least:
        raise ValueError(
            f"`{name}` must hold at least {least} models, found {models}. Pass the outputs of more models."
        )
    if samples == 0:
        raise ValueError(f"`{name}` must hold at least 1 sample, found 0. Pass one column for each sample.")
    values = values.detach().double()
    bad = int((~values.isfinite()).any(1).sum())
    if bad:
        raise ValueError(
            f"`{name}` must be finite, found {bad} of {models} models with an output that is not. Compute them in "
            "float32, or leave those models or samples out."
        )
    return values


def same_samples(name: str, values: Tensor, other_name: str, other: Tensor) -> None:
    """Whether two tensors have as many columns."""
    if values.shape[-1] != other.shape[-1]:
        raise ValueError(
            f"`{name}` and `{other_name}` must hold the same samples, found {values.shape[-1]} and {other.shape[-1]}. "
            "Pass the outputs of all models for the same samples in the same order."
        )


def two_populations(
    name: str, values: Tensor, other_name: str, other: Tensor, *, least: tuple[int, int] = (1, 1)
) -> tuple[Tensor, Tensor]:
    """Outputs of two sets of models for the same samples, both as :func:`model_outputs` gives them, on one device."""
    first = model_outputs(name, values, least=least[0])
    second = model_outputs(other_name, other, least=least[1]).to(first.device)
    same_samples(name, first, other_name, second)
    return first, second
