"""Every test runs on the CPU, too, so that it is known to run; on CUDA where there is a device."""

import pytest
import torch

from tests.strategies._laws import scaler

CUDA = pytest.param(
    "cuda",
    marks=[
        pytest.mark.gpu,
        pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
    ],
)


@pytest.fixture(params=["cpu", CUDA])
def device(request):
    return torch.device(request.param)


@pytest.fixture
def trainer(device):
    """Arguments of a Trainer on the device."""
    return {"accelerator": "gpu" if device.type == "cuda" else "cpu", "devices": 1}


@pytest.fixture
def float16(device):
    """Arguments for mixed float16: NVIDIA's autocast, or the CPU's with a scaler."""
    return {"precision": "16-mixed"} if device.type == "cuda" else {"plugins": [scaler(2.0**16)]}
