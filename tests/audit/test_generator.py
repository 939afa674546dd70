"""A generator's half of the audit: what is counted, compared, tested and shown."""

import base64
import io
import math
import random

import numpy as np
import pytest
import torch
from matplotlib.image import imread
from scipy.stats import binomtest
from torch import nn

from lightning_unlearn import ConfigurationError
from lightning_unlearn.audit._generator import GeneratorQuestions, audit_generators
from lightning_unlearn.audit._generator_images import batches_of_images, image_grid
from lightning_unlearn.audit._generator_tests import above_references
from lightning_unlearn.metrics.functional import frechet_distance, generator_recall, kernel_distance

PRIOR = 0.25


class Mixture(nn.Module):
    """Images of 4×4 pixels: of class c row c is bright; `shares` says how often each class is made."""

    def __init__(self, shares, noise=0.05):
        super().__init__()
        self.register_buffer("shares", torch.tensor(shares, dtype=torch.float64))
        self.noise = nn.Parameter(torch.tensor(noise))
        self.dropout = nn.Dropout(0.9)

    def make(self, count, generator):
        position = torch.rand(count, generator=generator, dtype=torch.float64)
        classes = torch.searchsorted(self.shares.cumsum(0), position).clamp_max(3)
        images = 0.8 * nn.functional.one_hot(classes, 4).float()[:, None, :, None].expand(-1, 1, 4, 4)
        return self.dropout(images + self.noise * torch.randn(images.shape, generator=generator))


class Rows(nn.Module):
    """Means of the rows, through a matrix that is the identity: a classifier with weights."""

    def __init__(self):
        super().__init__()
        self.last = nn.Linear(4, 4, bias=False)
        nn.init.eye_(self.last.weight)

    def forward(self, images):
        return self.last(images.mean(3).flatten(1))


def sample(module, count, generator):
    return module.make(count, generator)


def real_images(count=600, size=100, shares=(1 / 3, 0.0, 1 / 3, 1 / 3)):
    stream = torch.Generator().manual_seed(77)
    net = Mixture(list(shares)).eval()
    return [(sample(net, size, stream).detach(), torch.zeros(size)) for _ in range(count // size)]


def questions(**changed):
    arguments = {
        "sample": sample,
        "classifier": Rows(),
        "classifier_name": "rows",
        "forget_class": 1,
        "prior": PRIOR,
        "retained": real_images(),
        "feature_extractor": nn.Flatten(),
        "extractor_name": "pixels",
        "samples": 600,
        "batch_size": 250,
        "shown": 5,
    }
    return GeneratorQuestions(**(arguments | changed))


ORIGINAL, FORGOTTEN = [0.25] * 4, [1 / 3, 0.0, 1 / 3, 1 / 3]


@pytest.fixture(scope="module")
def models():
    return {
        "original": Mixture(ORIGINAL),
        "unlearned": Mixture(FORGOTTEN),
        "reference 1": Mixture([0.34, 0.0, 0.33, 0.33]),
        "reference 2": Mixture([0.32, 0.005, 0.34, 0.335]),
    }


@pytest.fixture(scope="module")
def findings(models):
    return audit_generators(models, questions())


def record(findings, name):
    (found,) = [r for r in findings.metrics if r.name.startswith(name)]
    return found


def test_the_names_say_which_network_it_was(findings):
    assert [r.name for r in findings.metrics] == [
        "ClassFraction[fraction of class 1 (rows)]",
        "FrechetDistance[Fréchet distance (pixels)]",
        "KernelDistance[kernel distance (pixels)]",
        "GeneratorPrecision[precision (pixels)]",
        "GeneratorRecall[recall (pixels)]",
    ]
    assert not any("FID" in r.name or "KID" in r.name for r in findings.metrics)


def test_fractions_are_counts_with_their_exact_interval(models, findings):
    fractions = record(findings, "ClassFraction").values
    for name, module in models.items():
        images = torch.cat(list(batches_of_images(sample, module, 600, 250, 0)))
        hits = int((images.mean(3).flatten(1).argmax(1) == 1).sum())
        interval = binomtest(hits, 600).proportion_ci(0.95, "exact")
        found = fractions[name]
        assert (found.value, found.low, found.high) == pytest.approx((hits / 600, *interval), rel=1e-6)
    assert fractions["original"].value == pytest.approx(PRIOR, abs=0.06)
    assert fractions["unlearned"].value == 0
    assert findings.false_alarms.value == 0


def test_distances_are_those_of_all_images_at_once(models, findings):
    real = torch.cat([images for images, _ in real_images()]).flatten(1)
    for name, module in models.items():
        images = torch.cat(list(batches_of_images(sample, module, 600, 250, 0))).flatten(1)
        for metric, function in (
            ("FrechetDistance", frechet_distance),
            ("KernelDistance", kernel_distance),
            ("GeneratorRecall", generator_recall),
        ):
            found = record(findings, metric).values[name]
            assert found.value == pytest.approx(function(images, real).item(), rel=1e-6)
            assert found.low <= found.value <= found.high
    distances = record(findings, "FrechetDistance").values
    assert distances["unlearned"].high < distances["original"].low  # the original makes what was taken away


def test_gaps_and_references_are_worked_out(findings):
    fraction = record(findings, "ClassFraction")
    a, b = (fraction.values[f"reference {i}"].value for i in (1, 2))
    assert fraction.references.count == 2
    assert fraction.references.mean == pytest.approx((a + b) / 2)
    assert fraction.references.gap == pytest.approx(abs(a - b))
    half = 12.706204736 * math.sqrt((a - b) ** 2 / 2) * math.sqrt(1.5)
    assert fraction.references.high == pytest.approx((a + b) / 2 + half)
    assert fraction.gaps == pytest.approx(
        {name: fraction.values[name].value - (a + b) / 2 for name in ("original", "unlearned")}
    )
    distance = record(findings, "FrechetDistance")
    assert distance.gaps["unlearned"] == distance.values["unlearned"].value  # its target is 0


def test_the_control_is_apart_and_not_below_the_prior(findings):
    assert {t.model for t in findings.control} == {"original"}
    assert {t.model for t in findings.tests} == {"unlearned"}
    by_name = {t.name: t for t in findings.control}
    assert not by_name["class fraction below prior"].rejected
    assert by_name["class fraction above references"].rejected
    assert by_name["distance above references"].rejected
    by_name = {t.name: t for t in findings.tests}
    assert by_name["class fraction below prior"].rejected
    assert by_name["class fraction below prior"].p_value == pytest.approx((1 - PRIOR) ** 600, rel=1e-6)
    assert not by_name["class fraction above references"].rejected
    assert not by_name["distance above references"].rejected
    assert (
        "0 of 600 images (0.00 %), 0.00 times its share of 25.00 %"
        in by_name["class fraction below prior"].finding
    )


def test_without_references_nothing_is_said_of_them(models):
    only = {name: models[name] for name in ("original", "unlearned")}
    found = audit_generators(only, questions())
    assert {t.name for t in (*found.tests, *found.control)} == {"class fraction below prior"}
    assert record(found, "ClassFraction").references is None
    assert record(found, "ClassFraction").gaps == {}


def test_without_an_extractor_there_are_no_distances(models):
    found = audit_generators(models, questions(feature_extractor=None, extractor_name=None))
    assert len(found.metrics) == 1
    assert {t.name for t in found.tests} == {"class fraction below prior", "class fraction above references"}


def test_twice_the_same_is_the_same_and_leaves_no_trace(models, findings):
    for module in models.values():
        module.train()
    ask = questions()
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    again = audit_generators(models, ask)
    assert again == findings
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()
    assert random.getstate() == before[2]
    assert all(m.training and m.dropout.training for m in models.values())
    assert audit_generators(models, questions(seed=1)).metrics != findings.metrics


def test_a_sampler_that_draws_from_the_global_stream_is_given_the_same_numbers_too():
    def careless(module, count, _):
        return torch.rand(count, 1, 4, 4)

    first, second = (list(batches_of_images(careless, Mixture(ORIGINAL), 10, 4, seed=3)) for _ in range(2))
    assert [len(batch) for batch in first] == [4, 4, 2]
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert not torch.equal(first[0], first[1])


def test_the_grid_shows_the_same_latents_of_every_model(models, findings):
    (title,) = findings.images
    shown = findings.images[title]
    picture = imread(io.BytesIO(base64.b64decode(shown["png"])), format="png")
    assert picture.ndim == 3
    assert min(picture.shape[:2]) > 100
    assert shown["description"].startswith(
        "5 images of each model, one row for each: original, unlearned, reference 1"
    )
    rows = {name: next(iter(batches_of_images(sample, m, 5, 5, 0))) for name, m in models.items()}
    assert image_grid(rows) == image_grid(rows)
    changed = rows | {"unlearned": rows["unlearned"].flip(0)}
    assert image_grid(rows) != image_grid(changed)
    for images in (torch.zeros(2, 4, 4), torch.full((2, 3, 4, 4), 255, dtype=torch.uint8)):
        assert base64.b64decode(image_grid({"one": images})).startswith(b"\x89PNG")


def test_images_are_never_all_in_memory(models):
    """A batch is gone when the next but one is made."""
    alive = []

    def watched(module, count, generator):
        images = module.make(count, generator)
        alive.append(images.untyped_storage()._weak_ref())
        held = sum(not torch.UntypedStorage._expired(reference) for reference in alive)
        assert held <= 2  # this batch and the one before
        return images

    ask = questions(sample=watched, batch_size=50, feature_extractor=Rows(), extractor_name="rows")
    audit_generators({"original": models["original"]}, ask)
    assert len(alive) == 12


def test_a_classifier_that_was_a_training_signal_is_refused_before_anything_is_sampled(models):
    def never(*_):
        raise AssertionError

    ask = questions(sample=never, retained=None)
    guided = Mixture(FORGOTTEN)
    guided.guide = ask.classifier
    for arguments in ({"used_in_training": [{"objective": ask.classifier}]}, {}):
        unlearned = models["unlearned"] if arguments else guided
        with pytest.raises(
            ConfigurationError, match="`classifier` must not be what the generator was trained with"
        ):
            audit_generators({"unlearned": unlearned}, ask, **arguments)


def test_wrong_questions_are_refused_all_at_once():
    with pytest.raises(ConfigurationError) as caught:
        questions(prior=10.0, samples=19, batch_size=0, level=0.0, confidence=95)
    message = str(caught.value)
    for part in (
        "`prior` must",
        "`samples` must be at least 20",
        "`batch_size`",
        "`level`",
        "`confidence`",
        "found 95",
    ):
        assert part in message
    for changed, rule in [
        (
            {"sample": lambda module, n, generator: torch.zeros(1, 1, 4, 4)},
            "`sample` must return a tensor of 250 images",
        ),
        ({"sample": lambda module, n, generator: None}, "found NoneType"),
        ({"retained": []}, "`retained` must have at least 20 images, found 0"),
        ({"retained": ["image"]}, "`retained` must give batches of images, found str"),
    ]:
        with pytest.raises(ConfigurationError, match=rule):
            audit_generators({"unlearned": Mixture(FORGOTTEN)}, questions(**changed))
    with pytest.raises(ConfigurationError, match="`models` must hold at least one generator"):
        audit_generators({}, questions())


@pytest.mark.parametrize("count", [1, 2, 5])
def test_one_more_reference_is_found_above_the_others_as_seldom_as_the_level_says(count):
    stream = np.random.default_rng(0)
    draws = stream.normal(size=(2000, count + 1))
    p_values = [
        above_references(row[0], 1.0 if count == 1 else 0.0, row[1:], [1.0] * count)[1] for row in draws
    ]
    for level in (0.05, 0.2):
        assert abs(np.mean(np.array(p_values) < level) - level) < 3.5 * math.sqrt(level * (1 - level) / 2000)


def test_models_without_any_difference_are_no_evidence():
    assert above_references(0.0, 0.0, [0.0, 0.0], [0.0, 0.0]) == (0.0, 1.0)
    assert above_references(0.1, 0.0, [0.0, 0.0], [0.0, 0.0]) == (math.inf, 0.0)
    assert above_references(-0.1, 0.0, [0.0], [0.0]) == (-math.inf, 1.0)
