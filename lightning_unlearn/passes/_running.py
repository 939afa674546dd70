"""What has been logged and counted in an epoch so far, as tensors and primitives; Lightning itself forgets it."""

from __future__ import annotations

from typing import Any, cast

import torch
from lightning.fabric.utilities import move_data_to_device
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from torch import Tensor
from torchmetrics import Metric, MetricCollection

from lightning_unlearn.passes._patches import Patches

try:  # private to Lightning: there is no other way to an epoch's running means; without them they start from zero
    from lightning.pytorch.trainer.connectors.logger_connector.result import _Metadata, _ResultMetric, _Sync
except ImportError:  # pragma: no cover
    _Metadata = _ResultMetric = _Sync = None  # type: ignore[assignment, misc]

_FIELDS = (
    *("fx", "name", "prog_bar", "logger", "on_step", "on_epoch", "enable_graph"),
    *("add_dataloader_idx", "dataloader_idx", "metric_attribute"),
)
_SHOWN = ("_callback_metrics", "_logged_metrics", "_progress_bar_metrics")


def record(trainer: Trainer, module: LightningModule) -> dict[str, Any]:
    """The running means of the epoch, the latest values, and the states of the module's torchmetrics objects."""
    connector = getattr(trainer, "_logger_connector", None)
    results = getattr(trainer.fit_loop.epoch_loop, "_results", None) or {}
    entries = {key: _entry(metric) for key, metric in results.items() if _is_plain(metric)}
    for collection in module.modules():
        if isinstance(collection, MetricCollection):
            collection.items(copy_state=False)  # the members of a group share the state of its first one
    return {
        "results": entries,
        "shown": {name: _simple(getattr(connector, name, {})) for name in _SHOWN},
        "metrics": {
            name: _state(m)
            for name, m in module.named_modules()
            if isinstance(m, Metric) and name not in _about_to_be_reset(trainer, results)
        },
    }


def restore(trainer: Trainer, module: LightningModule, plain: dict[str, Any], patches: Patches) -> None:
    """Put back what :func:`record` has seen; what has no counterpart any more is left out."""
    device = trainer.strategy.root_device
    plain = move_data_to_device(plain, device)
    metrics = {name: m for name, m in module.named_modules() if isinstance(m, Metric)}
    for name, state in plain["metrics"].items():
        if name in metrics and state["states"].keys() == metrics[name].metric_state.keys():
            _fill(metrics[name], state)
    connector = getattr(trainer, "_logger_connector", None)
    for name in _SHOWN:
        getattr(connector, name, {}).update(plain["shown"][name])
    results = getattr(trainer.fit_loop.epoch_loop, "_results", None)
    if results is None or _ResultMetric is None:
        return
    for key, entry in plain["results"].items():
        attribute = entry["fields"]["metric_attribute"]
        if entry["is_tensor"] or attribute in metrics:
            results[key] = _result(trainer, entry, metrics.get(attribute))
    _forgive(results, set(plain["results"]), patches)


def _about_to_be_reset(trainer: Trainer, results: Any) -> set[str]:
    """The metrics that validation logs: computed when it ends, they are reset once its hooks, one of which saves, are over."""
    of_validation = getattr(trainer.fit_loop.epoch_loop.val_loop, "_results", None) or {}
    logged = [{metric.meta.metric_attribute for metric in r.values()} for r in (of_validation, results)]
    return {name for name in logged[0] - logged[1] if name is not None}


def _is_plain(metric: Any) -> bool:
    return (
        _ResultMetric is not None and metric.meta.sync._group is None and not metric.meta.is_custom_reduction
    )


def _entry(metric: Any) -> dict[str, Any]:
    meta = metric.meta
    entry = {
        "fields": {name: getattr(meta, name) for name in _FIELDS},
        "reduce": meta.reduce_fx.__name__,
        "sync": [meta.sync.should, meta.sync.rank_zero_only],
        "is_tensor": metric.is_tensor,
        "updates": metric._update_count,
        "has_reset": metric.has_reset,
        "cache": _simple({"": metric._forward_cache}).get(""),
    }
    if metric.is_tensor:
        names = ("value", "cumulated_batch_size")
        entry["values"] = {n: getattr(metric, n).detach().clone() for n in names if hasattr(metric, n)}
    return entry


def _result(trainer: Trainer, entry: dict[str, Any], metric: Metric | None) -> Any:
    should, rank_zero_only = entry["sync"]
    meta = _Metadata(**entry["fields"], reduce_fx=getattr(torch, entry["reduce"]))
    meta.sync = _Sync(_should=should, fn=trainer.strategy.reduce, rank_zero_only=rank_zero_only)
    result = _ResultMetric(meta, entry["is_tensor"])
    for name, value in entry.get("values", {"value": metric}).items():
        setattr(result, name, value)
    result._update_count, result._forward_cache = entry["updates"], entry["cache"]
    result.has_reset = entry["has_reset"]
    return result


def _forgive(results: Any, restored: set[str], patches: Patches) -> None:
    """A log call whose arguments have changed since the checkpoint starts its running mean anew."""
    log = results.log

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def forgiving(fx: str, name: str, *arguments: Any, **options: Any) -> None:
        try:
            log(fx, name, *arguments, **options)
        except MisconfigurationException:
            stale = {key for key in restored if key == f"{fx}.{name}"}
            if not stale:
                raise
            for key in stale:
                restored.discard(key)
                del results[key]
            log(fx, name, *arguments, **options)

    patches.set(results, "log", forgiving)


# `_update_count`, `_forward_cache` and `_computed` are private to torchmetrics and not part of `metric_state`: without them a
# resumed mean would be another one (tests/resume/test_state.py, test_moments.py)
# ---- torchmetrics ----------------------------------------------------------------------------------------------------
def _state(metric: Metric) -> dict[str, Any]:
    states = {name: _copied(value) for name, value in metric.metric_state.items()}
    counts = {  # some metrics count outside of their states
        name: value
        for name, value in vars(metric).items()
        if name[0] != "_" and name not in states and type(value) in (int, float)
    }
    cache = _simple({"": metric._forward_cache}).get("")
    return {"states": states, "counts": counts, "updates": metric._update_count, "cache": cache}


def _fill(metric: Metric, state: dict[str, Any]) -> None:
    for name, value in state["states"].items():
        setattr(metric, name, value)
    for name, value in state["counts"].items():
        if type(getattr(metric, name, None)) is type(value):
            setattr(metric, name, value)
    metric._update_count, metric._forward_cache, metric._computed = state["updates"], state["cache"], None


def _copied(value: Tensor | list[Tensor]) -> Tensor | list[Tensor]:
    if isinstance(value, list):  # of tensors, or of what a metric for segmentation keeps beside them
        return [t.detach() if isinstance(t, Tensor) else t for t in cast(list[Any], value)]
    return value.detach().clone()


def _simple(values: Any) -> dict[str, Any]:
    """The tensors and numbers among the values, by name."""
    simple = {}
    for name, value in values.items():
        if isinstance(value, Tensor):
            simple[name] = value.detach().clone()
        elif type(value) in (int, float, bool):
            simple[name] = value
    return simple
