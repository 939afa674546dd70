"""Modules whose two sides differ in more than their data, and one whose normalisation spans the processes."""

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.nn.functional import all_reduce

from tests.strategies._fits import CLASSES, FEATURES
from tests.strategies._modules import Net

MARK = 7.0  # in the last feature of every forget sample


class Heads(Net):
    """The retain batches go through one more layer, the forget batches through another one."""

    sides: tuple[str, ...] = ("retain", "forget")

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        with torch.random.fork_rng():
            torch.manual_seed(3)
            layers = {side: nn.Linear(CLASSES, CLASSES, dtype=torch.float64) for side in self.sides}
        self.heads = nn.ModuleDict(layers)

    def forward(self, inputs):
        outputs = self.net(inputs)
        side = "forget" if bool((inputs[:, -1] == MARK).all()) else "retain"
        return outputs + self.heads[side](outputs.tanh()) if side in self.heads else outputs


class ForgetHead(Heads):
    """Only the forget batches have a layer of their own."""

    sides = ("forget",)


class RetainHead(Heads):
    """Only the retain batches have a layer of their own."""

    sides = ("retain",)


class Normalised(nn.Module):
    """Batch normalisation over all processes, as `torch.nn.SyncBatchNorm` on devices that it refuses."""

    def __init__(self, features):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(features))
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("variance", torch.ones(features))

    def forward(self, x):
        mean, variance = self.mean, self.variance
        if self.training:
            mean = over_processes(x.mean(0))
            variance = over_processes(((x - mean) ** 2).mean(0))
            for buffer, new in ((self.mean, mean), (self.variance, variance)):
                buffer.lerp_(new.detach(), 0.1)
        return self.weight * (x - mean) / torch.sqrt(variance + 1e-5)


def over_processes(mean):
    """The mean over processes, with a gradient."""
    return all_reduce(mean) / dist.get_world_size() if dist.is_initialized() else mean


class SyncNet(Net):
    """Has batch statistics of the global batch."""

    def build(self):
        return nn.Sequential(nn.Linear(FEATURES, 5), Normalised(5), nn.Tanh(), nn.Linear(5, CLASSES))


class NormNet(Net):
    """Has PyTorch's own batch normalisation."""

    def build(self):
        return nn.Sequential(nn.Linear(FEATURES, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, CLASSES))
