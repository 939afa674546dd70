"""Attacks that learn: what they give where the answer is known, and what they refuse."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.svm import SVC

from lightning_unlearn.metrics import (
    MembershipAttackAUC,
    MembershipBalancedAccuracy,
    MIAEfficacy,
    SalUnMIAEfficacy,
)
from lightning_unlearn.metrics import functional as F
from lightning_unlearn.metrics.functional import (
    membership_attack_auc,
    membership_balanced_accuracy,
    mia_efficacy,
    salun_mia_efficacy,
)

sizes = st.tuples(st.integers(2, 30), st.integers(2, 30))


def normal(seed, *shape):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


def shuffled(tensor, seed=0):
    return tensor[torch.from_numpy(np.random.default_rng(seed).permutation(len(tensor)))]


# --- one threshold, chosen on other samples


@pytest.mark.parametrize("shift", [-2.0, 0.0, 1.0, 2.0])
def test_the_threshold_reaches_the_accuracy_of_the_best_one(shift):
    found = membership_balanced_accuracy(normal(0, 20000) + shift, normal(1, 20000))
    assert found.item() == pytest.approx(0.5 * (1 + math.erf(abs(shift) / 2 / math.sqrt(2))), abs=0.01)


def test_where_there_is_nothing_to_find_it_is_one_half_on_average():
    values = [
        membership_balanced_accuracy(normal(i, 20), normal(10000 + i, 20), repeats=5, seed=i)
        for i in range(400)
    ]
    mean, error = np.mean(values), np.std(values) / 20
    assert abs(mean - 0.5) < 3.3 * error
    chosen_on_what_it_is_scored_on = [
        (1 + F.membership_advantage(normal(i, 20), normal(10000 + i, 20))) / 2 for i in range(400)
    ]
    assert np.mean(chosen_on_what_it_is_scored_on) > 0.5 + 20 * error


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10**6), sizes=sizes)
def test_the_threshold_does_not_see_order_shift_or_scale(seed, sizes):
    # small integers, so that shift and scale are exact
    members, others = ((5 * normal(seed + i, n)).round() for i, n in enumerate(sizes))
    value = membership_balanced_accuracy(members, others, repeats=2)
    assert 0 <= value <= 1
    assert membership_balanced_accuracy(shuffled(members), shuffled(others), repeats=2) == value
    assert membership_balanced_accuracy(4 * members + 8, 4 * others + 8, repeats=2) == value


@pytest.mark.parametrize("counts", [(2, 2), (3, 2), (2, 50), (7, 8)])
def test_equal_scores_and_separate_ones(counts):
    m, n = counts
    assert membership_balanced_accuracy(torch.ones(m), torch.ones(n)) == 0.5
    assert membership_balanced_accuracy(torch.ones(m), torch.zeros(n)) == 1
    assert membership_balanced_accuracy(torch.zeros(m), torch.ones(n)) == 1


def test_scores_that_hardly_differ_and_scores_that_are_huge():
    low, high = (torch.full((4,), value, dtype=torch.float64) for value in (1.0, 8e307))
    next_to_low = low.nextafter(high)
    for a, b in ((low, next_to_low), (next_to_low, next_to_low.nextafter(high)), (-high, high)):
        assert membership_balanced_accuracy(a, b) == 1
        assert membership_balanced_accuracy(b, a) == 1


def test_the_seed_draws_the_halves_and_counts_for_less_the_more_often_they_are_drawn():
    members, others = normal(0, 31), normal(1, 40)
    once, often = (
        np.std([membership_balanced_accuracy(members, others, repeats=r, seed=s) for s in range(20)])
        for r in (1, 50)
    )
    assert 0 < often < once / 3


@pytest.mark.parametrize("repeats", [0, 1.0, True])
def test_halves_must_be_drawn(repeats):
    with pytest.raises(ValueError, match="`repeats` must be an integer of at least 1, found"):
        membership_balanced_accuracy(torch.zeros(5), torch.zeros(5), repeats=repeats)
    with pytest.raises(ValueError, match="`repeats` must be an integer of at least 1, found"):
        MembershipBalancedAccuracy(repeats=repeats)
    with pytest.raises(ValueError, match="`repeats` must be an integer of at least 1, found"):
        MembershipAttackAUC(repeats=repeats)


@pytest.mark.parametrize("count", [0, 1])
def test_a_half_must_have_a_sample(count):
    with pytest.raises(ValueError, match=f"`member_scores` must hold at least 2 samples, found {count}"):
        membership_balanced_accuracy(torch.zeros(count), torch.zeros(5))
    with pytest.raises(ValueError, match=f"`nonmember_scores` must hold at least 2 samples, found {count}"):
        membership_balanced_accuracy(torch.zeros(5), torch.zeros(count))


# --- a classifier


def test_the_classifier_finds_what_no_single_score_shows():
    common, noise = normal(0, 2, 200), normal(1, 2, 200) / 5
    members, others = (
        torch.stack([3 * c, 3 * c + e + s], 1) for c, e, s in zip(common, noise, (1, 0), strict=True)
    )
    for column in (0, 1):
        assert F.membership_auc(members[:, column], others[:, column]) < 0.75
    assert membership_attack_auc(members, others) > 0.95


def test_where_there_is_nothing_to_learn_it_is_one_half_on_average():
    values = [
        membership_attack_auc(normal(i, 15, 3), normal(10000 + i, 15, 3), repeats=1, seed=i)
        for i in range(60)
    ]
    assert abs(np.mean(values) - 0.5) < 3.3 * np.std(values) / math.sqrt(60)


def test_one_joint_curve_compares_what_cannot_be_compared():
    """A guess from the shares of the groups alone: the fold with more members has learned from fewer."""
    members, others, guess = torch.zeros(7, 1), torch.zeros(5, 1), DummyClassifier()
    assert membership_attack_auc(members, others, attack=guess) == 0.5
    x, y = np.zeros((12, 1)), np.repeat([1, 0], [7, 5])
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    joint = cross_val_predict(guess, x, y, cv=folds, method="predict_proba")[:, 1]
    assert roc_auc_score(y, joint) < 0.45


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_the_classifier_does_not_see_the_order(seed):
    members, others = normal(seed, 20, 2).round(decimals=1) + 0.5, normal(seed + 1, 30, 2).round(decimals=1)
    value = membership_attack_auc(members, others, repeats=2)
    assert 0 <= value <= 1
    assert membership_attack_auc(shuffled(members), shuffled(others), repeats=2) == value


@pytest.mark.parametrize("attack", [None, SVC(), RandomForestClassifier(5), LogisticRegression()])
def test_any_classifier_is_used_as_it_is_and_draws_by_the_seed(attack):
    members, others = normal(0, 40, 2) + 1, normal(1, 40, 2)
    before, stream = repr(attack), np.random.get_state()[1].copy()
    value = membership_attack_auc(members, others, attack=attack, repeats=2)
    assert membership_attack_auc(members, others, attack=attack, repeats=2) == value
    assert value > 0.6
    assert repr(attack) == before
    assert (np.random.get_state()[1] == stream).all()


def test_a_random_state_of_its_own_is_kept():
    members, others = normal(0, 40, 2), normal(1, 40, 2)
    values = [
        membership_attack_auc(
            members, others, attack=RandomForestClassifier(5, random_state=state), repeats=1
        )
        for state in (None, 0, 1)
    ]
    assert values[0] == values[1] != values[2]


def test_columns_that_say_nothing_give_exactly_one_half():
    assert membership_attack_auc(torch.ones(7, 3), torch.ones(5, 3)) == 0.5


def test_a_model_that_is_sure_of_everything():
    logits, labels = torch.tensor([[1e4, 0.0]]).repeat(20, 1), torch.tensor([0, 1] * 10)
    features = F.membership_features(logits, labels)
    assert membership_attack_auc(features[labels == 0], features[labels == 1]) == 1


def test_features_that_do_not_fit():
    good = torch.zeros(5, 2)
    with pytest.raises(ValueError, match="`nonmember_features` must hold at least 5 samples, found 4"):
        membership_attack_auc(good, good[:4])
    with pytest.raises(ValueError, match=r"`member_features` must have the shape \(N, C\), found \(5,\)"):
        membership_attack_auc(good[:, 0], good)
    with pytest.raises(ValueError, match="same number of columns, at least 1, found 2 and 1"):
        membership_attack_auc(good, good[:, :1])
    with pytest.raises(ValueError, match="same number of columns, at least 1, found 0 and 0"):
        membership_attack_auc(good[:, :0], good[:, :0])
    one_class = F.membership_features(torch.zeros(5, 1), torch.zeros(5, dtype=int))
    with pytest.raises(ValueError, match="`member_features` must be finite, found 5 of 5"):
        membership_attack_auc(one_class, one_class)


@pytest.mark.parametrize("attack", [LinearRegression(), LogisticRegression, "svm"])
def test_what_is_no_classifier(attack):
    with pytest.raises(ValueError, match="`attack` must be a scikit-learn classifier"):
        membership_attack_auc(torch.zeros(5, 2), torch.zeros(5, 2), attack=attack)
    with pytest.raises(ValueError, match="`attack` must be a scikit-learn classifier"):
        MembershipAttackAUC(attack)
    with pytest.raises(ValueError, match="`folds` must be an integer of at least 2"):
        MembershipAttackAUC(folds=1)


# --- MIA-efficacy


@pytest.mark.parametrize("efficacy", [mia_efficacy, salun_mia_efficacy])
def test_forget_samples_like_one_group_are_judged_to_be_of_it(efficacy):
    retain, test = torch.linspace(0.8, 1, 50), torch.linspace(0, 0.2, 40)
    assert efficacy(retain, test, retain[:9]) == 0
    assert efficacy(retain, test, test[:9]) == 1
    assert efficacy(retain, test, torch.cat([retain[:3], test[:1]])) == 0.25


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), sizes=sizes)
def test_efficacy_does_not_see_the_order(seed, sizes):
    retain, test, forget = normal(seed, sizes[0]) + 1, normal(seed + 1, sizes[1]), normal(seed + 2, 10)
    value = mia_efficacy(retain, test, forget)
    assert mia_efficacy(shuffled(retain), shuffled(test), shuffled(forget)) == value
    assert mia_efficacy(8 * retain, 8 * test, 8 * forget) == value


def test_one_seed_leans_where_the_smaller_group_is_small_and_seeds_together_do_not():
    def values(seeds):
        rng = np.random.default_rng(0)
        draws = (torch.from_numpy(1 - 0.02 * rng.beta(1, 3, 450)).split([50, 200, 200]) for _ in seeds)
        return np.array(
            [float(mia_efficacy(*draw, seed=seed)) for draw, seed in zip(draws, seeds, strict=True)]
        )

    leaning, together = values([0] * 400), values(range(400))
    assert leaning.mean() == pytest.approx(0.59, abs=3.3 * float(leaning.std()) / 20)
    assert leaning.mean() - 0.5 > 3.3 * leaning.std() / 20
    assert abs(together.mean() - 0.5) < 3.3 * together.std() / 20


def test_published_efficacy_depends_on_which_retained_samples_come_first():
    retain = torch.cat([torch.full((20,), 0.9), torch.full((20,), 0.1)])
    test, forget = torch.full((20,), 0.5), torch.full((5,), 0.8)
    assert salun_mia_efficacy(retain, test, forget) == 0
    assert salun_mia_efficacy(retain.flip(0), test, forget) == 1
    assert mia_efficacy(retain, test, forget) == mia_efficacy(retain.flip(0), test, forget)


def test_published_efficacy_says_what_the_larger_group_is_where_scores_say_nothing():
    few, many, forget = torch.ones(10), torch.ones(30), torch.ones(5)
    assert salun_mia_efficacy(few, many, forget) == 1
    assert mia_efficacy(few, many, forget) == mia_efficacy(many, few, forget) == 0.5


def test_published_efficacy_does_not_tell_apart_confidences_close_to_one():
    """Beside them its kernel is wide: one sample more in one group decides, where there is a clear gap."""
    retain, test = 1 - torch.linspace(0, 1e-3, 39).double(), 1 - torch.linspace(2e-3, 3e-3, 40).double()
    assert salun_mia_efficacy(retain, test, retain) == salun_mia_efficacy(retain, test, test) == 1
    assert mia_efficacy(retain, test, test) == 1
    assert mia_efficacy(retain, test, retain) == 0


def test_efficacy_of_one_sample_each():
    assert mia_efficacy(torch.ones(1), torch.zeros(1), torch.tensor([0.1, 0.9])) == 0.5
    assert mia_efficacy(torch.ones(1), torch.ones(1), torch.ones(1)) == 0.5


@pytest.mark.parametrize("name", ["retain", "test", "forget"])
def test_no_group_may_be_empty(name):
    groups = {"retain": torch.ones(3), "test": torch.zeros(3), "forget": torch.ones(2), name: torch.ones(0)}
    with pytest.raises(ValueError, match=f"`{name}_scores` must hold at least 1 samples, found 0"):
        mia_efficacy(*groups.values())
    with pytest.raises(ValueError, match=f"`{name}_confidence` must hold at least 1 samples, found 0"):
        salun_mia_efficacy(*groups.values())


@pytest.mark.parametrize("kind", [MIAEfficacy, SalUnMIAEfficacy])
def test_a_sample_is_of_one_group(kind):
    logits, labels, yes = torch.zeros(2, 3), torch.zeros(2, dtype=int), torch.tensor([True, False])
    with pytest.raises(ValueError, match="`forget` and `retain` must not both be true, found 1 samples"):
        kind().update(logits, labels, yes, yes)
    with pytest.raises(
        ValueError, match=r"`retain` must be a bool tensor of shape \(2,\), found torch.float32"
    ):
        kind().update(logits, labels, yes, yes.float())
    with pytest.raises(ValueError, match=r"`forget` must be a bool tensor of shape \(2,\), found .* \(1,\)"):
        kind().update(logits, labels, yes[:1], yes)
