"""The audit of a generator cannot be fooled: the right word for those that only seem to have forgotten, and its level."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kstest, t

from lightning_unlearn.audit._generator_bounds import beside_prior, lost
from lightning_unlearn.audit._generator_evidence import GeneratorEvidence, RealImages
from lightning_unlearn.audit._generator_options import Measure
from lightning_unlearn.audit._generator_tests import generator_against_references
from lightning_unlearn.audit._generator_verdict import decide_generator
from lightning_unlearn.audit._report import Estimate
from lightning_unlearn.metrics import SideReconstructionError
from tests.audit import _generators as generators
from tests.audit.test_generator import audited

LEVEL, TRIALS, PRIOR = 0.05, 2000, 0.1


def verdict(unlearned, references=4):
    return audited(unlearned, references, bits=(4,), shown=1).verdict


def test_retraining_passes():
    assert verdict(generators.trained(9)).name == "forgotten"


@pytest.mark.parametrize(
    ("impostor", "right", "without"),
    [
        ("nothing", "not forgotten", "not forgotten"),
        ("mask_known_latents", "not forgotten", "not forgotten"),
        ("gone", "hidden", "undecided"),
        ("hide_from_rounding", "revived", "revived"),
        ("one_image", "collapsed", "collapsed"),
        ("noise", "collapsed", "collapsed"),
        ("not_finite", "collapsed", "collapsed"),
        ("deny", "over-forgotten", "damaged"),
        ("damage", "damaged", "damaged"),
    ],
)
def test_an_impostor_with_and_without_references(impostor, right, without):
    net = getattr(generators, impostor)(generators.original())
    assert verdict(net).name == right
    assert verdict(net, 0).name == without


@pytest.mark.parametrize("count", [0, 3])
def test_damage_says_nothing_of_what_was_forgotten(count):
    found = verdict(generators.damage(generators.original()), count)
    assert found.name == "damaged"
    assert "gone" not in found.sentence
    assert "forgotten" not in found.sentence


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_passes_without_the_spread_of_references(count):
    found = verdict(generators.trained(9), count)
    assert found.name == "undecided"
    assert "reference" in found.cannot_know[0]


def test_an_original_that_never_made_the_class_decides_nothing():
    """The control: tests that cannot tell even the original are blind."""
    unable = audited(generators.trained(9), 4, original=generators.trained(8), losses=None)
    assert unable.verdict.name == "undecided"
    assert "could not tell the original" in unable.verdict.reasons[0]


def simulated(stream, references, spread, fraction=0.01, own=None):
    """Numbers of models with other seeds; `spread` is that of the fraction, relative to it; `own` the unlearned one's."""
    names = ["original", "unlearned", *[f"reference {n}" for n in range(references)]]
    rates = dict(zip(names, fraction * np.exp(spread * stream.normal(size=len(names))), strict=True))
    rates |= {"original": PRIOR} | ({} if own is None else {"unlearned": own})
    counts = {name: int(stream.binomial(TRIALS, rate)) for name, rate in rates.items()}
    distances = dict(zip(names, 10 + stream.normal(size=len(names)), strict=True))
    half = 0.3 * t.ppf(1 - LEVEL / 2, 9)
    error = {
        side: {name: np.full(3, value) for name, value in zip(names, 5 + stream.normal(size=len(names)), strict=True)}
        for side in ("forget", "retain")
    }  # fmt: skip
    error["forget"]["original"] = np.zeros(3)
    certain = Estimate(0.0, 0.0, 0.0)
    return GeneratorEvidence(
        PRIOR,
        TRIALS,
        counts,
        {"with 8 bits": counts},
        {"FrechetDistance": {name: Estimate(v, v - half, v + half) for name, v in distances.items()}},
        RealImages(certain, certain, 100.0),
        [Measure("error", SideReconstructionError, None, 1)],
        {"error": error},
        dict.fromkeys(names, True),
        [],
        {},
        1 - LEVEL,
    )


def asked(evidence, model="unlearned"):
    references = [name for name in evidence.hits if name.startswith("reference")]
    return [
        *beside_prior(evidence, model, references, LEVEL),
        *generator_against_references(evidence, model, references, LEVEL),
    ]


def word(evidence):
    tests, control = asked(evidence), asked(evidence, "original")
    references = [name for name in evidence.hits if name.startswith("reference")]
    return decide_generator(
        tests, control, evidence, references, level=LEVEL, unchanged=False, cannot_know=()
    ).name


def p_of_fraction(evidence):
    (test,) = [test for test in asked(evidence) if test.name == "class fraction"]
    return test.p_value


@pytest.mark.parametrize("spread", [0.0, 0.5])
def test_a_retrained_generator_is_called_forgotten_as_often_as_the_level_says(spread):
    """`undecided` is no accusation: five references may see too little."""
    stream, audits = np.random.default_rng(1), 400
    words = [word(simulated(stream, 5, spread)) for _ in range(audits)]
    accused = sum(found not in ("forgotten", "undecided") for found in words) / audits
    assert accused <= LEVEL + 2.6 * math.sqrt(LEVEL * (1 - LEVEL) / audits)
    assert words.count("forgotten") > 0.9 * audits


def test_the_test_of_the_fraction_has_its_level_where_seeds_differ_more_than_samples_do():
    stream = np.random.default_rng(2)
    p_values = [p_of_fraction(simulated(stream, 5, 0.3, fraction=0.2)) for _ in range(1000)]
    assert kstest(p_values, "uniform").pvalue > 0.01
    assert abs(np.mean(np.array(p_values) <= LEVEL) - LEVEL) < 2.6 * math.sqrt(LEVEL * (1 - LEVEL) / 1000)


@pytest.mark.parametrize("fraction", [0.0, 0.0002, 0.001, 0.01])
def test_the_test_of_the_fraction_keeps_its_level_where_the_class_is_hardly_ever_seen(fraction):
    """References that never make the class are not infinitely sharp: one image more is no difference."""
    stream = np.random.default_rng(3)
    p_values = np.array([p_of_fraction(simulated(stream, 3, 0.0, fraction)) for _ in range(500)])
    assert np.mean(p_values <= LEVEL) <= LEVEL + 2.6 * math.sqrt(LEVEL * (1 - LEVEL) / 500)


def test_a_part_of_the_class_is_found():
    """Of 2,000 images 1 % are taken for the class without it, 10 % with all of it."""
    stream, found = np.random.default_rng(4), {}
    for own in (0.01, 0.02, 0.03, 0.05):
        found[own] = np.mean(
            [word(simulated(stream, 5, 0.0, own=own)) == "not forgotten" for _ in range(200)]
        )
    assert found[0.01] < 0.05
    assert found[0.05] > 0.95
    assert found[0.01] <= found[0.02] <= found[0.03] <= found[0.05]


def test_a_collapse_is_half_of_the_way_to_a_generator_of_one_image():
    evidence = simulated(np.random.default_rng(5), 2, 0.0)
    distances = {"unlearned": 54.0, "reference 0": 9.0, "reference 1": 11.0, "original": 10.0}

    def at(own):
        values = {n: Estimate(v, v, v) for n, v in (distances | {"unlearned": own}).items()}
        return replace(evidence, fidelity={"FrechetDistance": values})

    references = ["reference 0", "reference 1"]
    assert lost(at(55.0), "unlearned", references) == pytest.approx(0.5)  # 10 to 100
    assert word(at(54.0)) != "collapsed"
    assert word(at(56.0)) == "collapsed"


def test_the_prior_is_no_bound_where_references_do_not_keep_below_it_either():
    evidence = replace(simulated(np.random.default_rng(6), 3, 0.0), prior=0.005)
    names = {test.name for test in asked(evidence)}
    assert "class fraction beside the prior" not in names
    assert "class fraction" in names
