"""What a pass costs: a side that is not asked is not run, and Lightning's own pass is not repeated."""

import pytest
import torch

from lightning_unlearn import FineTune, GradientAscent, GradientSurgery, UnlearningStrategy
from tests.strategies import _fits as fits
from tests.strategies._modules import LoggedCollection, Net
from tests.strategies._probes import Asking

BATCHES = 10  # two epochs of five

QUESTIONS = {
    "nothing": (lambda f, r: None, 0),
    "retain-gradient": (lambda f, r: r.gradient(), 0),
    "retain-loss": (lambda f, r: r.loss, 0),
    "forget-gradient": (lambda f, r: f.gradient(), 1),
    "forget-loss": (lambda f, r: f.loss, 1),
    "forget-loss-and-gradient-twice": (lambda f, r: (f.loss, f.gradient(), f.loss, f.gradient()), 1),
    "retain-look-ahead": (lambda f, r: r.gradient(at=r.gradient()), 1),
    "forget-look-ahead": (lambda f, r: f.gradient(at=r.gradient()), 1),
    "forget-look-ahead-twice": (lambda f, r: [f.gradient(at=r.gradient()) for _ in range(2)], 2),
    "retain-hessian": (lambda f, r: r.hessian_vector_product(r.gradient()), 1),
    "forget-hessian": (lambda f, r: f.hessian_vector_product(r.gradient()), 1),
    "retain-differences": (
        lambda f, r: r.hessian_vector_product(r.gradient(), method="finite_difference"),
        2,
    ),
}


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("question", QUESTIONS)
def test_only_what_is_asked_is_run(question, accumulate):
    ask, passes = QUESTIONS[question]
    module = Net()
    fits.fit(module, fits.sides(), Asking(ask), accumulate_grad_batches=accumulate)
    assert module.calls == BATCHES * (1 + passes)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_strategies_make_the_passes_they_need(accumulate):
    calls = {}
    for make in (FineTune, GradientSurgery, GradientAscent):
        module, loaders = Net(), fits.sides(retain=20, forget=20)
        loaders = {"forget": loaders["forget"]} if make is GradientAscent else loaders
        fits.fit(module, loaders, make(), accumulate_grad_batches=accumulate)
        calls[make] = module.calls
    assert calls == {FineTune: 10, GradientSurgery: 20, GradientAscent: 10}


def test_the_retain_gradient_is_what_lightning_left():
    answers = []

    class Look(Asking):
        def direction(self, forget, retain):
            own = {n: p.grad for n, p in self._session.module.named_parameters()}
            forget.gradient()
            answers.append(all(own[n] is t for n, t in retain.gradient().items()))
            return retain.gradient()

    fits.fit(Net(), fits.sides(), Look(None))
    assert answers == [True] * BATCHES


def test_a_pass_leaves_the_gradients_where_they_are():
    def ask(forget, retain):
        before = retain.gradient().clone()
        forget.gradient()
        retain.gradient(at=before)
        retain.hessian_vector_product(before)
        return float((retain.gradient() - before).norm())

    strategy = Asking(ask)
    fits.fit(Net(), fits.sides(), strategy)
    assert strategy.answers == [0.0] * BATCHES


def test_alternating_sides_cost_one_pass_a_step_and_half_of_them_none():
    class Alternate(UnlearningStrategy):
        def direction(self, forget, retain):
            return (forget if self.progress.step % 2 else retain).gradient()

    module = Net()
    fits.fit(module, fits.sides(), Alternate())
    assert module.calls == 10 + 5


def test_hooks_of_others_are_called_once_a_step():
    class Counting(fits.Watch):
        count = 0

        def on_after_backward(self, trainer, pl_module):
            type(self).count += 1

    strategy = Asking(lambda f, r: (f.gradient(), r.hessian_vector_product(f.gradient())))
    fits.fit(Net(), fits.sides(), strategy, Counting())
    assert Counting.count == BATCHES


def test_metric_objects_have_seen_the_retain_side_alone():
    module = LoggedCollection()
    totals = []

    class Look(fits.Watch):
        def on_train_batch_end(self, trainer, pl_module, *_):
            totals.append(sum(m._update_count for m in pl_module.collection.values()))

    fits.fit(module, fits.shuffled_sides(), GradientSurgery(alpha=1.0), Look(), max_epochs=1)
    plain = list(totals)
    totals.clear()
    fits.fit(LoggedCollection(), fits.shuffled_sides()["retain"], Look(), max_epochs=1)
    assert plain == totals
    assert torch.tensor(plain).gt(0).all()
