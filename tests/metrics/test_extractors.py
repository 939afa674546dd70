"""Networks of users and the standard one: their names, what they are left as, what is refused."""

import copy
import hashlib
import pickle
import sys

import numpy as np
import pytest
import torch
from torch import nn
from torchmetrics import MetricCollection

from lightning_unlearn import ConfigurationError
from lightning_unlearn.metrics import (
    ClassFraction,
    ClassifierScore,
    FrechetDistance,
    GeneratorPrecision,
    GeneratorRecall,
    KernelDistance,
    SideELBO,
)
from lightning_unlearn.metrics.features import InceptionFeatures, _weights, register_feature_extractor
from tests.metrics._cases import split
from tests.metrics._fidelity_cases import CASES

NAMED = [FrechetDistance, KernelDistance, GeneratorPrecision, GeneratorRecall, ClassifierScore]
LABELS = ["Fréchet distance", "kernel distance", "precision", "recall", "classifier score"]


def network():
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Dropout(0.5), nn.Flatten())


@pytest.mark.parametrize(("kind", "what"), list(zip(NAMED, LABELS, strict=True)))
def test_the_name_of_the_network_is_in_label_and_repr(kind, what):
    metric = kind(nn.Flatten(), name="mnist-classifier-200")
    assert metric.label == f"{what} (mnist-classifier-200)"
    assert repr(metric) == f"{kind.__name__}('{what} (mnist-classifier-200)')"
    assert copy.deepcopy(metric).label == pickle.loads(pickle.dumps(metric)).label == metric.label


def test_the_fraction_names_class_and_classifier():
    assert ClassFraction(nn.Flatten(), 3, "lenet").label == "fraction of class 3 (lenet)"


@pytest.mark.parametrize("kind", NAMED)
@pytest.mark.parametrize(
    "name", [None, "", " ", "FID", "my FID", "fid-of-mnist", "KID 2", "Inception score", "inception_score"]
)
def test_a_network_without_a_name_or_with_that_of_a_standard_score_is_refused(kind, name):
    with pytest.raises(ValueError, match="`name` must"):
        kind(nn.Flatten(), name=name)


@pytest.mark.parametrize("name", ["fidelity-net", "kidneys", "inception-v3-torchvision"])
def test_a_name_that_only_looks_like_one_is_not(name):
    assert name in FrechetDistance(nn.Flatten(), name=name).label


def test_what_is_no_module_is_refused():
    with pytest.raises(ValueError, match=r"`feature_extractor` must be a torch.nn.Module, found function"):
        FrechetDistance(lambda images: images, name="pixels")
    with pytest.raises(ValueError, match=r"`classifier` must be a torch.nn.Module, found str"):
        ClassFraction("net", 1, "net")


def test_the_network_is_run_in_evaluation_mode_and_left_as_it_was():
    net = network().train()
    net[1].eval()
    state = copy.deepcopy(net.state_dict())
    images = torch.rand(20, 1, 6, 6)
    metric = FrechetDistance(net, name="net")
    metric.update(images, generated=torch.arange(20) < 10)
    assert [layer.training for layer in net.modules()] == [True, True, False, True, True]
    assert all(torch.equal(net.state_dict()[name], tensor) for name, tensor in state.items())
    again = FrechetDistance(net.eval(), name="net")
    again.update(images, generated=torch.arange(20) < 10)
    assert torch.equal(metric.compute(), again.compute())
    broken = nn.Sequential(net.train(), nn.Linear(1, 1))
    with pytest.raises(RuntimeError):
        FrechetDistance(broken, name="broken").update(images, generated=True)
    assert net[0].training


def test_the_network_is_no_part_of_the_metric():
    metric = nn.ModuleDict({"metric": FrechetDistance(network(), name="net"), "elbo": SideELBO(network())})
    assert list(metric.parameters()) == []
    assert metric.state_dict() == {}
    assert next(metric.double()["metric"].extractor.module.parameters()).dtype == torch.float32


def test_autocast_and_half_images_do_not_reach_the_network():
    images = torch.rand(20, 1, 6, 6).half()
    generated = torch.arange(20) < 10
    plain, cast = (FrechetDistance(network_, name="net") for network_ in [network().eval()] * 2)
    plain.update(images.float(), generated)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast.update(images, generated)
    assert torch.equal(plain.compute(), cast.compute())


def test_one_flag_stands_for_all_images():
    images = torch.rand(20, 3)
    one, each = (FrechetDistance(nn.Flatten(), name="pixels") for _ in range(2))
    for generated in (True, False):
        one.update(images + generated, generated)
        each.update(images + generated, torch.full((20,), generated))
    assert torch.equal(one.compute(), each.compute())


@pytest.mark.parametrize("kind", [FrechetDistance, KernelDistance])
def test_what_does_not_fit_is_refused(kind):
    images = torch.rand(6, 1, 2, 2)
    metric = kind(nn.Flatten(), name="pixels")
    with pytest.raises(ValueError, match=r"`generated` must be a bool tensor of shape \(6,\)"):
        metric.update(images, torch.ones(5, dtype=torch.bool))
    with pytest.raises(
        ValueError, match=r"`images` must be a tensor with one row for each image, found the shape \(6,\)"
    ):
        metric.update(images[:, 0, 0, 0], generated=True)
    with pytest.raises(
        ValueError, match=r"must return a tensor of shape \(6, D\) for 6 images, found \(6, 1, 2, 2\)"
    ):
        kind(nn.Identity(), name="none").update(images, generated=True)
    with pytest.raises(ValueError, match="`features` must be finite, found 6 of 6"):
        kind(nn.Sequential(nn.Flatten(), nn.Threshold(2, float("inf"))), name="inf").update(
            images, generated=True
        )
    metric.update(images, generated=True)
    with pytest.raises(ValueError, match="at least 2"):
        metric.compute()
    metric.update(images[:1], generated=False)
    with pytest.raises(ValueError, match="at least 2"):
        metric.compute()


def test_images_of_another_size_are_refused():
    metric = FrechetDistance(nn.Flatten(), name="pixels")
    metric.update(torch.rand(6, 1, 2, 2), generated=True)
    with pytest.raises(ValueError, match="as many features as for the images before, 4, found 9"):
        metric.update(torch.rand(6, 1, 3, 3), generated=True)


def test_a_missing_file_is_named_with_its_source_and_checksum_before_anything_is_done(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    with pytest.raises(ConfigurationError) as caught:
        FrechetDistance(InceptionFeatures())
    message = str(caught.value)
    for part in (
        str(tmp_path / "checkpoints" / "weights-inception-2015-12-05-6726825d.pth"),
        "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth",
        "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
        "95,628,359 bytes",
    ):
        assert part in message
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ConfigurationError, match="found no file at"):
        InceptionFeatures(tmp_path)


def test_the_address_is_the_one_of_torch_fidelity():
    from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3

    assert URL_INCEPTION_V3 == _weights.URL
    assert _weights.SHA256[:8] in _weights.FILE


def test_a_wrong_file_is_refused_by_its_checksum(random_inception):
    found = hashlib.sha256(random_inception.read_bytes()).hexdigest()
    with pytest.raises(ConfigurationError, match=rf"bytes with {found}. Other weights do not give FID"):
        InceptionFeatures(random_inception)


def test_a_file_of_which_one_bit_is_wrong_is_refused(trusted, tmp_path):
    InceptionFeatures(trusted)
    content = bytearray(trusted.read_bytes())
    content[len(content) // 2] ^= 1
    spoilt = tmp_path / "spoilt.pth"
    spoilt.write_bytes(content)
    with pytest.raises(ConfigurationError, match="Other weights do not give FID"):
        InceptionFeatures(spoilt)


def test_only_the_standard_network_gives_the_standard_names(trusted, monkeypatch):
    monkeypatch.setattr(_weights, "FILE", trusted.name)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(trusted.parent))
    (trusted.parent / "checkpoints").mkdir(exist_ok=True)
    link = trusted.parent / "checkpoints" / trusted.name
    if not link.exists():
        link.symlink_to(trusted)
    pooled, logits, early = (InceptionFeatures(layer=layer) for layer in ("2048", "logits_unbiased", "192"))
    assert FrechetDistance(pooled).label == "FID"
    assert KernelDistance(pooled).label == "KID"
    assert ClassifierScore(logits).label == "inception score"
    assert FrechetDistance(early).label == "Fréchet distance (Inception, 192)"
    assert FrechetDistance(logits).label == "Fréchet distance (Inception, logits_unbiased)"
    assert ClassifierScore(pooled).label == "classifier score (Inception, 2048)"
    assert GeneratorPrecision(pooled).label == "precision (Inception, 2048)"
    with pytest.raises(ValueError, match="`name` must be None for InceptionFeatures, found 'mine'"):
        FrechetDistance(pooled, name="mine")

    class Other(InceptionFeatures):
        def forward(self, images):
            return 2 * super().forward(images)

    with pytest.raises(ValueError, match="`name` must be given for Other"):
        FrechetDistance(Other())


def test_the_standard_network_refuses_images_that_are_none(trusted):
    net = InceptionFeatures(trusted)
    for images, message in [
        (torch.rand(2, 784), r"must have the shape \(N, 3, H, W\)"),
        (torch.rand(2, 2, 8, 8), r"found \(2, 2, 8, 8\)"),
        (torch.rand(2, 3, 8, 8) * 2 - 1, "uint8, or floats between 0 and 1, found torch.float32 from -"),
        (torch.randint(0, 255, (2, 3, 8, 8)), "uint8, or floats between 0 and 1, found torch.int64"),
    ]:
        with pytest.raises(ValueError, match=message):
            net(images)
    with pytest.raises(
        ConfigurationError, match="`layer` must be one of 64, 192, 768, 2048, logits_unbiased, found '12'"
    ):
        InceptionFeatures(trusted, layer="12")


def test_grey_and_float_images_are_what_they_are_as_bytes(trusted):
    net = InceptionFeatures(trusted, layer="64")
    grey = torch.randint(0, 256, (2, 1, 9, 9), dtype=torch.uint8)
    assert torch.equal(net(grey), net(grey.expand(-1, 3, -1, -1)))
    assert torch.equal(net(grey), net(grey.float() / 255))


@pytest.mark.parametrize(
    "function", [InceptionFeatures, lambda: register_feature_extractor(nn.Flatten(), "absent")]
)
def test_without_torch_fidelity_the_error_says_how_to_get_it(function, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("torch_fidelity")]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'lightning-unlearn\[fidelity\]'"):
        function()


def test_in_a_collection_metrics_of_different_classes_and_networks_do_not_share_what_they_have_seen():
    """Torchmetrics makes one of metrics whose states are equal after the first batch."""
    kept = {f"class {c}": ClassFraction(nn.Flatten(), c, "one") for c in (0, 1)}
    kept["other network"] = ClassFraction(nn.Sequential(nn.Flatten(), nn.Softmin(1)), 0, "two")
    together = MetricCollection(kept)
    alone = copy.deepcopy(kept)
    first, second = torch.eye(3)[[0, 1, 2]], torch.eye(3)[[1, 1, 2]]
    for images in (first, second):
        together.update(images)
        for metric in alone.values():
            metric.update(images)
    assert together.compute() == {name: metric.compute() for name, metric in alone.items()}
    assert len(set(map(float, together.compute().values()))) > 1


def test_in_a_collection_metrics_of_one_network_keep_their_features_once():
    net = network()
    metrics = {
        kind.__name__: kind(net, name="net") for kind in (KernelDistance, GeneratorPrecision, GeneratorRecall)
    }
    together = MetricCollection(metrics)
    images = torch.rand(40, 1, 6, 6)
    for part in images.split(20):
        together.update(part, torch.arange(20) < 10)
    assert len(together.compute_groups) == 1
    for name, value in together.compute().items():
        alone = type(metrics[name])(net, name="net")
        alone.update(images, torch.arange(40) % 20 < 10)
        assert value.item() == pytest.approx(alone.compute().item(), abs=1e-6)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_forward_gives_the_batch_and_adds_to_the_whole(case):
    arguments = case.samples(np.random.default_rng(0))
    metric = case.build()
    for batch in split(arguments, 3):
        alone = case.build()
        alone.update(*batch)
        assert torch.equal(metric(*batch), alone.compute())
    assert metric.compute().item() == pytest.approx(case.function(*arguments).item(), rel=1e-6)
