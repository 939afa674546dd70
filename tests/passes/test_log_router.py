"""Where the user's `self.log` goes during our passes."""

import pytest
import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader

from lightning_unlearn import GradientAscent, GradientDifference, GradientSurgery
from tests.strategies import _fits as fits
from tests.strategies._modules import Net, Traces
from tests.strategies._probes import Asking, Nosy


class Tagged(Net):
    """Logs the mean label of its batch and how often it was called."""

    def __init__(self, **logging):
        super().__init__()
        self.logging = logging

    def training_step(self, batch, batch_idx):
        self.calls += 1
        self.log("label", batch[1].double().mean(), **self.logging)
        self.log("call", float(self.calls), on_step=True)
        return cross_entropy(self(batch[0]), batch[1])


def logged(module, strategy, loaders=None, **arguments):
    logger = fits.Recording()
    arguments = {"max_epochs": 1, "logger": logger} | arguments
    trainer = fits.fit(module, loaders or fits.sides(), strategy, **arguments)
    return trainer, logger


def test_names_are_prefixed_and_the_users_own_stay():
    trainer, _ = logged(Tagged(on_epoch=True), GradientSurgery(alpha=1.0))
    assert set(trainer.callback_metrics) == {
        "label", "label_step", "label_epoch", "call",
        "unlearn/forget/label", "unlearn/forget/label_step", "unlearn/forget/label_epoch", "unlearn/forget/call",
        "unlearn/grad_cosine", "unlearn/conflict_rate", "unlearn/removed_fraction",
    }  # fmt: skip


def test_values_are_those_of_each_side():
    trainer, logger = logged(Tagged(on_step=True, on_epoch=True), GradientSurgery(alpha=1.0))
    pairs = fits.pairs(fits.sides())
    for side, name in (("retain", "label"), ("forget", "unlearn/forget/label")):
        means = [float(pair[side][1].double().mean()) for pair in pairs]
        steps = [m[f"{name}_step"] for _, m in logger.records if f"{name}_step" in m]
        assert steps == pytest.approx(means)
        assert float(trainer.callback_metrics[f"{name}_epoch"]) == pytest.approx(sum(means) / len(means))


def test_epoch_means_are_weighted_by_the_size_of_the_forget_batch():
    loaders = {
        "retain": DataLoader(fits.samples(8, 1), 4),
        "forget": DataLoader(
            fits.samples(5, 2), 4, generator=torch.Generator()
        ),  # one batch of four, one of one
    }
    trainer, _ = logged(Tagged(on_epoch=True), GradientSurgery(alpha=1.0), loaders)
    labels = loaders["forget"].dataset.tensors[1].double()
    assert float(trainer.callback_metrics["unlearn/forget/label_epoch"]) == pytest.approx(
        float(labels.mean())
    )


def test_a_batch_size_that_the_user_gives_counts():
    trainer, _ = logged(Tagged(on_epoch=True, batch_size=3), GradientSurgery(alpha=1.0), fits.sides(8, 5))
    batches = [batch[1].double().mean() for batch in fits.sides(8, 5)["forget"]]
    mean = float(torch.stack(batches).mean())
    assert float(trainer.callback_metrics["unlearn/forget/label_epoch"]) == pytest.approx(mean)


def test_the_progress_bar_is_the_users():
    trainer, _ = logged(Tagged(prog_bar=True, on_step=True, on_epoch=True), GradientSurgery(alpha=1.0))
    assert set(trainer.progress_bar_metrics) == {"label", "label_step", "label_epoch"} - {"label"}


def test_only_the_first_forget_pass_of_a_step_logs():
    def ask(forget, retain):
        forget.gradient()
        forget.gradient(at=retain.gradient())
        retain.gradient(at=retain.gradient())
        forget.hessian_vector_product(retain.gradient())

    _, logger = logged(Tagged(), Asking(ask))
    calls = [m["unlearn/forget/call"] for _, m in logger.records if "unlearn/forget/call" in m]
    assert calls == [2.0 + 5 * step for step in range(5)]
    own = [m["call"] for _, m in logger.records if "call" in m]
    assert own == [1.0 + 5 * step for step in range(5)]


def test_a_side_that_is_not_asked_does_not_log():
    _, logger = logged(Tagged(), Asking(lambda forget, retain: None))
    assert not any(name.startswith("unlearn/") for name in logger.names())


def test_a_retain_free_run_logs_under_the_forget_names_alone():
    trainer, _ = logged(Tagged(on_epoch=True), GradientAscent(), {"forget": fits.sides()["forget"]})
    assert {name.split("/label")[0].split("/call")[0] for name in trainer.callback_metrics} == {
        "unlearn/forget"
    }


def test_metric_objects_log_the_value_of_the_forget_batch():
    trainer, logger = logged(Traces(), GradientDifference(alpha=0.1), fits.shuffled_sides())
    for name in ("accuracy_step", "a", "f", "loss_step"):
        values = [m[f"unlearn/forget/{name}"] for _, m in logger.records if f"unlearn/forget/{name}" in m]
        assert len(values) == 5
        assert all(v >= 0 for v in values)
    assert "unlearn/forget/mean" in trainer.callback_metrics


def test_every_step_of_every_epoch_logs_the_same_names():
    _, logger = logged(Traces(), Nosy(), fits.shuffled_sides(), max_epochs=3)
    steps = [set(metrics) for _, metrics in logger.records if "loss_step" in metrics]
    assert len(steps) == 15
    assert all(names == steps[0] for names in steps)
