"""The audit cannot be fooled: models that only seem to have forgotten get the right word, and retraining passes."""

import pytest

from lightning_unlearn.audit import audit
from lightning_unlearn.audit._quantise import quantised
from tests.audit._requests import Perceptron


def verdict(request, unlearned, references=None, **options):
    known = request.references if references is None else references
    return audit(
        Perceptron(),
        request.data,
        original=request.original,
        unlearned=unlearned,
        references=known,
        progress=False,
        **options,
    ).verdict


@pytest.mark.parametrize("kind", ["a_class", "some_samples"])
def test_retraining_passes(kind, request):
    request = request.getfixturevalue(kind)
    assert verdict(request, request.retrained).name == "forgotten"


@pytest.mark.parametrize(
    ("impostor", "right"),
    [
        ("nothing", {"not forgotten"}),
        ("mask_the_logit", {"hidden"}),
        ("retrain_the_last_layer", {"hidden"}),
        ("ascend_until_collapse", {"collapsed"}),
        ("flip_the_labels", {"hidden", "over-forgotten", "collapsed"}),  # 32 units cannot learn it all
        ("hide_from_rounding", {"revived"}),
    ],
)
def test_an_impostor_of_a_class(impostor, right, a_class):
    assert verdict(a_class, a_class.impostor(impostor)).name in right


def test_a_class_that_rounding_has_brought_back_is_not_forgotten(a_class):
    assert verdict(a_class, quantised(a_class.impostor("hide_from_rounding"), 4)).name == "not forgotten"


@pytest.mark.parametrize(
    ("impostor", "right"),
    [
        ("nothing", {"not forgotten"}),
        ("ascend_until_collapse", {"collapsed"}),
        ("flip_the_labels", {"over-forgotten", "collapsed"}),
    ],
)
def test_an_impostor_of_samples(impostor, right, some_samples):
    assert verdict(some_samples, some_samples.impostor(impostor)).name in right


@pytest.mark.parametrize("kind", ["a_class", "some_samples"])
@pytest.mark.parametrize("count", [0, 1, 2])
def test_nothing_passes_without_the_spread_of_references(kind, count, request):
    request = request.getfixturevalue(kind)
    found = verdict(request, request.retrained, request.references[:count])
    assert found.name == "undecided"
    assert any("reference" in sentence for sentence in found.cannot_know)


@pytest.mark.parametrize("impostor", ["nothing", "ascend_until_collapse", "hide_from_rounding"])
def test_what_is_found_without_references(impostor, a_class):
    right = {
        "nothing": "not forgotten",
        "ascend_until_collapse": "collapsed",
        "hide_from_rounding": "revived",
    }
    assert verdict(a_class, a_class.impostor(impostor), []).name == right[impostor]


def test_what_tells_even_the_original_from_nothing_decides_nothing(some_samples):
    """The control: an original that never saw the forget set cannot be told from references, nor could anything else."""
    blind = some_samples._replace(original=some_samples.references[4])
    found = verdict(blind, some_samples.retrained, some_samples.references[:4])
    assert found.name == "undecided"
    assert "could not tell the original" in found.reasons[0]


def test_the_original_with_another_bit_is_still_the_original(a_class):
    moved = {name: weight.clone() for name, weight in a_class.original.items()}
    moved["net.3.bias"][0] += 1e-6
    assert verdict(a_class, moved).name == "not forgotten"


def test_a_model_without_content_has_collapsed_even_if_no_test_is_sharp_enough(a_class):
    empty = {name: weight * 0 for name, weight in a_class.original.items()}
    assert verdict(a_class, empty, a_class.references[:2]).name == "collapsed"


def test_answers_that_are_not_finite_are_a_collapse(a_class):
    ruined = {name: weight * float("nan") for name, weight in a_class.original.items()}
    found = verdict(a_class, ruined, benign_epoch=False, bits=(), relearning_steps=0)
    assert found.name == "collapsed"
