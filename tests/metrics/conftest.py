"""A file of weights for the Inception architecture: random ones, since the standard file is not to be had everywhere."""

import hashlib

import pytest
import torch
from torch import nn

from lightning_unlearn.metrics.features import _weights


def unloaded(name, features_list, path=None):
    """The architecture, with weights that the standard file does not have: they are known by its name only."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    class Unloaded(FeatureExtractorInceptionV3):
        def load_state_dict(self, *_):
            pass

    return Unloaded(name, features_list, path)


@pytest.fixture(scope="session")
def random_inception(tmp_path_factory):
    """A file as large as the standard one, of random weights that neither explode nor vanish."""
    path = tmp_path_factory.mktemp("inception") / "random.pth"
    torch.save({}, path)
    torch.manual_seed(0)
    net = unloaded("inception-v3-compat", ["2048"], str(path))
    for layer in net.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(layer.weight)
    torch.save(net.state_dict(), path)
    return path


@pytest.fixture
def trusted(random_inception, monkeypatch):
    """The random file, taken for the standard one."""
    digest = hashlib.sha256(random_inception.read_bytes()).hexdigest()
    monkeypatch.setattr(_weights, "SHA256", digest)
    return random_inception
