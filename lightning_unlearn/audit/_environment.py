"""Where an audit ran."""

from __future__ import annotations

import os
import platform
from importlib import metadata

import torch

_PACKAGES = ("lightning-unlearn", "lightning", "torch", "torchmetrics", "numpy", "scipy", "scikit-learn")


def environment(device: torch.device) -> dict[str, object]:
    """Versions of packages, and the machine."""
    installed = {dist.name.lower(): dist.version for dist in metadata.distributions() if dist.name}
    versions = {name: installed.get(name, "not installed") for name in _PACKAGES}
    accelerator = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return {
        "packages": versions,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "accelerator": accelerator,
    }
