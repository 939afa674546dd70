"""The classes for CIFAR-10: the network is the published one, and the images are what it was trained on."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from examples.cifar10 import CIFAR10Part, ResNet20
from lightning_unlearn import ConfigurationError

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("UNLEARN_DATA", ""))
real = pytest.mark.skipif(
    "UNLEARN_DATA" not in os.environ, reason="UNLEARN_DATA names no folder with cifar10 and models"
)


@pytest.fixture
def images(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {}
    for part, count in (("train", 40), ("test", 20)):
        arrays[f"x_{part}"] = rng.integers(0, 256, (count, 3, 32, 32), dtype=np.uint8)
        arrays[f"y_{part}"] = (np.arange(count) % 10).astype(np.uint8)
    np.savez(tmp_path / "part.npz", **arrays)
    return arrays


@pytest.fixture
def weights(tmp_path):
    """A file like the published one: of a wrapped model."""
    torch.manual_seed(1)
    state = {f"module.{name}": tensor for name, tensor in ResNet20().state_dict().items()}
    path = tmp_path / "resnet20.th"
    torch.save({"state_dict": state, "best_prec1": 10.0}, path)
    return path


def test_images_are_normalised_as_for_imagenet(tmp_path, images):
    part = CIFAR10Part(str(tmp_path / "part.npz"), train=False)
    image, target = part[3]
    expected = images["x_test"][3].astype(np.float64) / 255
    for channel, (mean, std) in enumerate(((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))):
        expected[channel] = (expected[channel] - mean) / std
    np.testing.assert_allclose(image.numpy(), expected, atol=1e-6)
    assert (len(part), int(target)) == (20, 3)
    assert len(CIFAR10Part(str(tmp_path / "part.npz"), count=12)) == 12


def test_a_wrong_file_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match="`file` must be an npz file"):
        CIFAR10Part(str(tmp_path / "absent.npz"))
    np.savez(tmp_path / "other.npz", x_train=np.zeros(1))
    with pytest.raises(ConfigurationError, match=r"`file` must hold .* found no y_train"):
        CIFAR10Part(str(tmp_path / "other.npz"))
    with pytest.raises(ConfigurationError, match="`weights` must be a file with weights"):
        ResNet20(str(tmp_path / "absent.th"))


def independent(state, images):
    """The network of the paper, by hand, in evaluation mode."""

    def norm(name, x):
        values = (state[f"{name}.{key}"] for key in ("running_mean", "running_var", "weight", "bias"))
        mean, var, weight, bias = (value.view(1, -1, 1, 1) for value in values)
        return (x - mean) / (var + 1e-5).sqrt() * weight + bias

    x = norm("bn1", F.conv2d(images, state["conv1.weight"], padding=1)).clamp(min=0)
    for stage, width in ((1, 16), (2, 32), (3, 64)):
        for block in range(3):
            name = f"layer{stage}.{block}"
            stride = 2 if stage > 1 and block == 0 else 1
            out = norm(f"{name}.bn1", F.conv2d(x, state[f"{name}.conv1.weight"], stride=stride, padding=1))
            out = norm(f"{name}.bn2", F.conv2d(out.clamp(min=0), state[f"{name}.conv2.weight"], padding=1))
            if stride == 2:
                zeros = torch.zeros(len(x), width // 4, *out.shape[2:])
                x = torch.cat([zeros, x[:, :, ::2, ::2], zeros], 1)
            x = (out + x).clamp(min=0)
    return x.mean((2, 3)) @ state["linear.weight"].T + state["linear.bias"]


def test_the_network_is_that_of_the_paper(weights):
    module = ResNet20(str(weights)).eval()
    for layer in module.modules():  # statistics that matter
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.running_mean, -0.1, 0.1)
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.uniform_(layer.bias, -0.1, 0.1)
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(
            module(images), independent(module.state_dict(), images), atol=1e-4, rtol=1e-4
        )
    assert sum(p.numel() for p in module.parameters()) == 269_722


def test_the_configuration_runs_from_the_root_of_the_repository(tmp_path, images, weights):
    code = "import warnings, sys; warnings.simplefilter('ignore'); from lightning_unlearn.cli import main; sys.path.remove(''); main()"
    done = subprocess.run(
        [
            *(sys.executable, "-c", code, "fit", "--config", "examples/cifar10/forget_a_class.yaml"),
            *(f"--model.weights={weights}", "--trainer.fast_dev_run=1", "--trainer.accelerator=cpu"),
            *(f"--data.{part}.file={tmp_path / 'part.npz'}" for part in ("train", "test")),
            *("--data.batch_size=8", "--data.forget_batch_size=4"),
        ],
        cwd=ROOT,
        env={
            **{k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
            "PYTHONPATH": os.pathsep.join(p for p in sys.path if p and Path(p) != ROOT),
            "OMP_NUM_THREADS": "1",
        },
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "`max_steps=1` reached" in done.stderr


@real
@pytest.mark.slow
def test_the_published_error_is_there_as_far_as_half_of_the_test_images_show():
    """8.27 % on 10,000 images; on 5,000 of them the standard error is 0.39 %."""
    module = ResNet20(str(DATA / "models/resnet20-12fca82f.th")).eval()
    part = CIFAR10Part(str(DATA / "cifar10/cifar10_subset.npz"), train=False)
    with torch.no_grad():
        right = torch.cat([module(x).argmax(1) == y for x, y in DataLoader(part, 250)])
    assert len(right) == 5_000
    assert 100 * (1 - right.double().mean().item()) == pytest.approx(8.52, abs=0.05)
