"""The audit of a generator: what is counted, compared, tested, shown and refused."""

import base64
import io
import random

import numpy as np
import pytest
import torch
from matplotlib.image import imread
from scipy.stats import binomtest
from torch import nn

from lightning_unlearn import ConfigurationError
from lightning_unlearn.audit import audit_generator
from lightning_unlearn.audit._digests import identifiers_digest
from lightning_unlearn.audit._generator_images import batches_of_images, image_grid
from lightning_unlearn.audit._identity import identifiers
from lightning_unlearn.audit._json import from_json, to_json
from lightning_unlearn.audit._quantise import quantised
from lightning_unlearn.metrics.functional import frechet_distance, generator_recall, kernel_distance
from tests.audit import _generators as generators
from tests.audit._generators import Prototypes, Rows, sample

PIXELS = {"feature_extractor": nn.Flatten(), "extractor_name": "pixels"}


def audited(unlearned, references=0, **changed):
    arguments = {
        "original": generators.original(),
        "references": [generators.trained(seed) for seed in range(1, references + 1)],
        "data": generators.data(),
        "sample": sample,
        "classifier": Rows(),
        "classifier_name": "rows",
        "forget_class": 1,
        "losses": {"squared error": generators.error},
        "samples": 600,
        "shown": 5,
        "bits": (),
        "progress": False,
    }
    return audit_generator(Prototypes(), unlearned=unlearned, **(arguments | PIXELS | changed))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("audit")


@pytest.fixture(scope="module")
def report(folder):
    likelihoods = {"ELBO": generators.likelihood}
    return audited(generators.trained(9), 4, bits=(4,), likelihoods=likelihoods, output=folder)


def record(report, name, side=None):
    (found,) = [r for r in report.metrics if r.name.startswith(name) and side in (None, r.side)]
    return found


def images_of(module):
    return torch.cat(list(batches_of_images(sample, module, 600, 250, 0)))


def hits(module):
    return int((images_of(module).mean(3).flatten(1).argmax(1) == 1).sum())


def test_the_metrics_say_which_network_it_was_and_which_side(report):
    assert [(r.name, r.side) for r in report.metrics] == [
        ("ClassFraction[fraction of class 1 (rows)]", "forget"),
        ("ClassFraction[fraction of class 1 (rows)] with 4 bits", "forget"),
        ("FrechetDistance[Fréchet distance (pixels)]", "retain"),
        ("KernelDistance[kernel distance (pixels)]", "retain"),
        ("GeneratorPrecision[precision (pixels)]", "retain"),
        ("GeneratorRecall[recall (pixels)]", "retain"),
        *[("SideReconstructionError[squared error]", s) for s in ("forget", "retain", "test", "unseen")],
        *[("SideELBO[ELBO]", s) for s in ("forget", "retain", "test", "unseen")],
    ]


def test_fractions_are_counts_with_their_exact_interval(report):
    for bits, name in ((None, "(rows)]"), (4, "(rows)] with 4 bits")):
        (fractions,) = [r.values for r in report.metrics if r.name.endswith(name)]
        for model, module in (("original", generators.original()), ("reference 2", generators.trained(2))):
            count = hits(module if bits is None else quantised(module, bits))
            interval = binomtest(count, 600).proportion_ci(0.95, "exact")
            found = fractions[model]
            assert (found.value, found.low, found.high) == pytest.approx((count / 600, *interval), rel=1e-6)


def test_distances_are_those_of_all_images_at_once(report):
    real = generators.data()["retain"].tensors[0].flatten(1)
    for model, module in (("original", generators.original()), ("unlearned", generators.trained(9))):
        images = images_of(module).flatten(1)
        for metric, function in (
            ("FrechetDistance", frechet_distance),
            ("KernelDistance", kernel_distance),
            ("GeneratorRecall", generator_recall),
        ):
            found = record(report, metric).values[model]
            assert found.value == pytest.approx(function(images, real).item(), rel=1e-4)
            assert found.low <= found.value <= found.high


def test_losses_are_means_over_a_side_and_test_images_of_the_class_are_unseen_ones(report):
    sides = generators.data()
    images, labels = sides["test"].tensors
    for side, chosen in (
        ("forget", sides["forget"].tensors[0]),
        ("test", images[labels != 1]),
        ("unseen", images[labels == 1]),
    ):
        expected = generators.original().error(chosen).double().mean().item()
        assert record(report, "SideReconstructionError", side).values["original"].value == pytest.approx(
            expected, rel=1e-6
        )
        likelihood = record(report, "SideELBO", side).values["original"].value
        assert likelihood == pytest.approx(-expected / 2, rel=1e-6)


def test_a_likelihood_is_tested_in_the_direction_of_a_loss(report):
    by_name = {test.name: test for test in report.control}
    assert by_name["forget: ELBO"].statistic == pytest.approx(
        by_name["forget: squared error"].statistic, rel=1e-3
    )
    assert by_name["forget: ELBO"].statistic < -10
    assert by_name["forget: ELBO"].rejected


def test_the_prior_is_a_bound_and_not_one_of_the_corrected_tests(report):
    assert report.request == {"kind": "generator", "classes": [1], "prior": 0.25}
    for tests, rejected in ((report.tests, False), (report.control, True)):
        first, *others = tests
        assert first.name == "class fraction beside the prior"
        assert first.p_value is first.adjusted is None
        assert first.rejected is rejected
        assert all(test.p_value is not None for test in others)
        smallest = min(others, key=lambda test: test.p_value)
        assert smallest.adjusted == pytest.approx(min(1.0, len(others) * smallest.p_value))


def test_the_report_says_how_often_the_classifier_errs(report):
    images = generators.data()["retain"].tensors[0]
    share = (Rows()(images).argmax(1) == 1).double().mean().item()
    assert 0 < share < 0.05
    assert any(
        f"of real retained images it takes {share:.2%}" in limit for limit in report.verdict.cannot_know
    )


def test_samples_are_fingerprinted_and_the_report_is_written(report, folder):
    for side in report.sides:
        batch = generators.data()[side.name].tensors
        assert side.sha256 == identifiers_digest(identifiers(list(batch), len(batch[0])))
    assert sorted(path.name for path in folder.iterdir()) == ["report.html", "report.json", "report.md"]
    assert to_json(from_json((folder / "report.json").read_text())) == to_json(report)
    assert "a part of what a generator makes, class 1" in (folder / "report.html").read_text()


def test_twice_the_same_is_the_same_and_leaves_no_trace():
    classifier = Rows().train()
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    first, again = (audited(generators.trained(9), classifier=classifier) for _ in range(2))
    assert (first.metrics, first.tests, first.curves) == (again.metrics, again.tests, again.curves)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()
    assert random.getstate() == before[2]
    assert classifier.training
    assert audited(generators.trained(9), seed=1).metrics != first.metrics


def test_a_sampler_that_draws_from_the_global_stream_is_given_the_same_numbers_too():
    def careless(module, count, _):
        return torch.rand(count, 1, 4, 4)

    first, second = (list(batches_of_images(careless, Prototypes(), 10, 4, seed=3)) for _ in range(2))
    assert [len(batch) for batch in first] == [4, 4, 2]
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert not torch.equal(first[0], first[1])


def test_the_grids_show_the_same_latents_and_what_is_left_of_the_class(report):
    assert sorted(report.curves.images) == [
        "Images from the same random numbers",
        "Images that the classifier takes for the class",
    ]
    for shown in report.curves.images.values():
        picture = imread(io.BytesIO(base64.b64decode(shown["png"])), format="png")
        assert min(picture.shape[:2]) > 100
    models = {"original": generators.original(), "unlearned": generators.trained(9)}
    rows = {name: images_of(module)[:5] for name, module in models.items()}
    assert image_grid(rows) == image_grid(rows)
    assert image_grid(rows) != image_grid(rows | {"unlearned": rows["unlearned"].flip(0)})
    for images in (torch.zeros(2, 4, 4), torch.full((2, 3, 4, 4), 255, dtype=torch.uint8)):
        assert base64.b64decode(image_grid({"one": images, "none": images[:0]})).startswith(b"\x89PNG")


def test_images_are_never_all_in_memory():
    alive = []

    def watched(module, count, generator):
        images = sample(module, count, generator)
        alive.append(images.untyped_storage()._weak_ref())
        held = sum(not torch.UntypedStorage._expired(reference) for reference in alive)
        assert held <= 2  # this batch and the one before
        return images

    audited(generators.trained(9), sample=watched, batch_size=50, feature_extractor=Rows(), losses=None)
    assert len(alive) == 24


def test_without_an_extractor_the_logits_are_the_features():
    found = audited(generators.one_image(generators.original()), feature_extractor=None, extractor_name=None)
    assert found.verdict.name == "collapsed"
    assert record(found, "FrechetDistance").name == "FrechetDistance[Fréchet distance (logits of rows)]"


def test_a_classifier_that_was_a_training_signal_is_refused_before_anything_is_sampled():
    def never(*_):
        raise AssertionError

    classifier = Rows()
    guided = generators.trained(9)
    guided.register_parameter("guide", nn.Parameter(classifier.weight.detach().clone()))
    found = "`classifier` must not be what the generator was trained with"
    with pytest.raises(ConfigurationError, match=found):
        audited(
            generators.trained(9),
            sample=never,
            losses={"never": never},
            classifier=classifier,
            used_in_training=[{"objective": classifier}],
        )
    with pytest.raises(ConfigurationError, match=found):
        audit_generator(
            guided,
            generators.data(),
            original=guided,
            unlearned=guided,
            sample=never,
            classifier=classifier,
            classifier_name="rows",
            forget_class=1,
        )


def test_wrong_arguments_are_refused_all_at_once():
    with pytest.raises(ConfigurationError) as caught:
        audited(
            generators.trained(9),
            prior=10.0,
            samples=19,
            level=0.5,
            bits=(1,),
            extractor_name=None,
            likelihoods={"squared error": generators.error},
        )
    for part in ("`prior` must", "`samples` must be at least 20", "`level`", "`bits`", "`name`", "in common"):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"sample": lambda m, n, g: torch.zeros(1, 1, 4, 4)}, "`sample` must return a tensor of 250 images"),
        ({"sample": lambda m, n, g: torch.zeros(n, 16)}, "images of the shape of the real ones"),
        ({"losses": {"x": lambda m, b: b[0].mean()}}, "`x` must be one number for each of the"),
        ({"forget_class": 2}, "`retain` must hold no image of the class 2, found 150"),
        ({"data": {"forget": generators.real(9, [3], 1), "retain": generators.real(40, [0], 2)}}, "`forget` must hold"),
        ({"data": {"forget": generators.real(9, [1], 1), "retain": generators.real(9, [0], 2)}}, "at least 20 images"),
        ({"data": {side: [(torch.zeros(16), 0)] for side in ("forget", "retain")}}, "1 or 3 channels"),
        ({"data": dict.fromkeys(("forget", "retain"), generators.real(30, [1], 1))}, "must not share samples"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_before_anything_is_written(changed, rule, tmp_path):
    with pytest.raises(ConfigurationError, match=rule):
        audited(generators.trained(9), output=tmp_path, **changed)
    assert list(tmp_path.iterdir()) == []


def test_images_without_labels_need_the_prior():
    bare = {name: [image for image, _ in side] for name, side in generators.data().items()}

    def error(module, batch):
        return module.error(batch)

    arguments = {"data": bare, "losses": {"squared error": error}}
    with pytest.raises(ConfigurationError, match="Pass `prior=`"):
        audited(generators.trained(9), **arguments)
    assert audited(generators.trained(9), **arguments, prior=0.25).request["prior"] == 0.25
