"""The whole way through torch-fidelity, with a user's network registered there and with the Inception architecture."""

import pytest
import torch
from torch import nn
from torch.utils.data import Dataset
from torch_fidelity import calculate_metrics
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from lightning_unlearn import ConfigurationError
from lightning_unlearn.metrics import (
    ClassifierScore,
    FrechetDistance,
    GeneratorPrecision,
    GeneratorRecall,
    KernelDistance,
)
from lightning_unlearn.metrics.features import InceptionFeatures, register_feature_extractor
from lightning_unlearn.metrics.functional import classifier_score, frechet_distance, kernel_distance


class Images(Dataset):
    def __init__(self, images):
        self.images = images

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.images[index]


class Small(nn.Module):
    """Maps bytes to 12 features in float64: torch-fidelity computes its kernel in the type of the features."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, 4, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(36, 12)
        ).double()

    def forward(self, images):
        return self.net(images.double() / 255)


def two_sets(count):
    torch.manual_seed(1)
    real = torch.randint(0, 256, (count, 3, 8, 8), dtype=torch.uint8)
    return torch.randint(0, 200, (count, 3, 8, 8), dtype=torch.uint8), real


def theirs(generated, real, **options):
    count = len(generated)
    return calculate_metrics(
        input1=Images(generated),
        input2=Images(real),
        cuda=False,
        batch_size=32,
        verbose=False,
        cache=False,
        save_cpu_ram=True,
        kid_subsets=1,
        kid_subset_size=count,
        isc_splits=1,
        samples_shuffle=False,
        **options,
    )


def ours(metric, generated, real, batch):
    for part in torch.split(generated, batch):
        metric.update(part, *([] if isinstance(metric, ClassifierScore) else [True]))
    if not isinstance(metric, ClassifierScore):
        for part in torch.split(real, batch):
            metric.update(part, False)
    return metric.compute().item()


def test_a_registered_network_gives_the_same_numbers_there():
    generated, real = two_sets(150)
    net = Small().train()
    name = register_feature_extractor(net, "small-in-float64")
    assert net.training
    assert all(p.requires_grad for p in net.parameters())
    found = theirs(generated, real, feature_extractor=name, fid=True, kid=True, prc=True, isc=True)
    named = {"name": "small"}
    for metric, key in [
        (FrechetDistance(net, **named), "frechet_inception_distance"),
        (KernelDistance(net, **named), "kernel_inception_distance_mean"),
        (GeneratorPrecision(net, **named), "precision"),
        (GeneratorRecall(net, **named), "recall"),
        (ClassifierScore(net, **named), "inception_score_mean"),
    ]:
        assert ours(metric, generated, real, 40) == pytest.approx(found[key], rel=1e-6), key


def test_a_name_is_registered_once_and_must_be_fit_for_files():
    register_feature_extractor(nn.Flatten(), "twice")
    for name, message in [
        ("twice", "already registered"),
        ("a/b", "path delimiters"),
        ("end ", "whitespace"),
    ]:
        with pytest.raises(ConfigurationError, match=rf"`name` must be new .*{message}"):
            register_feature_extractor(nn.Flatten(), name)


def test_the_standard_network_is_that_of_torch_fidelity(trusted):
    """With random weights, since the standard ones cannot be had here; everything else is as it is with them."""
    generated, real = two_sets(4)
    theirs = FeatureExtractorInceptionV3(
        "inception-v3-compat", ["192", "2048", "logits_unbiased"], str(trusted)
    )
    x, pooled, logits = theirs(generated)
    y = theirs(real)[0]
    assert torch.equal(InceptionFeatures(trusted)(generated), pooled)
    early, last = (InceptionFeatures(trusted, layer=layer) for layer in ("192", "logits_unbiased"))
    for metric, expected in [
        (FrechetDistance(early), frechet_distance(x, y)),
        (KernelDistance(early), kernel_distance(x, y)),
        (ClassifierScore(last), classifier_score(logits)),
    ]:
        assert ours(metric, generated, real, 4) == pytest.approx(expected.item(), rel=1e-6)
