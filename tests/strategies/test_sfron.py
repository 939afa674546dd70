"""Laws of SFR-on's own: a closed form, masks and slow weights under any optimiser, what it costs, what it refuses."""

from contextlib import nullcontext
from itertools import pairwise

import lightning.pytorch as L
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.optim import SGD
from torch.utils.data import DataLoader, TensorDataset

from lightning_unlearn import ConfigurationError, FineTune, SFRon
from tests.strategies import _fits as fits
from tests.strategies._modules import Net, adamw, plain_sgd, sgd
from tests.strategies._sfron_hand import SHARES, mask

SIZE, RATE = 4, 0.05
FLAG = 1.0  # last column of a forget sample


class Quadratic(L.LightningModule):
    """`L_r(w) = mean (x·(w − w₀))² / 2`, at its minimum to begin with; a forget sample's loss is `x·w + 9`."""

    def __init__(self, momentum=0.0):
        super().__init__()
        self.momentum = momentum
        self.start = torch.tensor([0.3, -0.2, 0.5, 0.1], dtype=torch.float64)
        self.w = nn.Parameter(self.start.clone())

    def losses(self, batch):
        x, is_forget = batch[0][:, :SIZE], batch[0][:, SIZE]
        return torch.where(is_forget == FLAG, x @ self.w + 9.0, (x @ (self.w - self.start)) ** 2 / 2)

    def training_step(self, batch, batch_idx):
        return self.losses(batch).mean()

    def configure_optimizers(self):
        return SGD(self.parameters(), lr=RATE, momentum=self.momentum)


def of_samples(module, batch):
    return module.losses(batch)


def drawn(count, seed, flag):
    stream = torch.Generator().manual_seed(seed)
    x = torch.randn(count, SIZE, generator=stream, dtype=torch.float64)
    return torch.cat([x, torch.full((count, 1), flag, dtype=torch.float64)], dim=1)


def quadratic_sides():
    """One batch a side."""
    data = {"retain": drawn(6, 1, 0.0), "forget": drawn(5, 2, FLAG)}
    return {s: DataLoader(TensorDataset(x), len(x), generator=torch.Generator()) for s, x in data.items()}


@pytest.mark.parametrize("retain_steps", [1, 3, 5])
@pytest.mark.parametrize("slow_rate", [1.0, 0.3])
def test_a_cycle_on_a_quadratic_is_a_low_pass_filter_in_its_curvature(retain_steps, slow_rate):
    alpha = 2.0
    strategy = SFRon(alpha, retain_steps, "constant", clip=None, losses=of_samples, slow_rate=slow_rate)
    module = Quadratic()
    fits.fit(module, quadratic_sides(), strategy, max_epochs=1 + retain_steps)

    x, b = drawn(6, 1, 0.0)[:, :SIZE].numpy(), drawn(5, 2, FLAG)[:, :SIZE].numpy()
    hessian = x.T @ x / len(x)
    k = (b @ module.start.numpy() + 9.0) ** -0.5
    u = -alpha * (k / k.sum()) @ b
    filtered = np.linalg.matrix_power(np.eye(SIZE) - RATE * hessian, retain_steps)
    expected = slow_rate * -RATE * filtered @ u
    moved = (module.w.detach() - module.start).numpy()
    np.testing.assert_allclose(moved, expected, rtol=1e-12, atol=1e-15)
    unfiltered = slow_rate * -RATE * u
    assert np.abs(moved - unfiltered).max() > 1e-2 * np.abs(unfiltered).max()


# ---- slow weights ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("optimizer", [sgd, adamw])
@pytest.mark.parametrize("slow_rate", [0.25, 1.0])
def test_each_cycle_keeps_a_share_of_its_move(optimizer, slow_rate):
    """By the weights that the optimiser's steps lead to, of which a callback sees the state before and after."""

    class Unslowed(SFRon):
        """Notes where a cycle would have ended."""

        def constrain(self, update):
            allowed = super().constrain(update)
            if self.state["place"] == self.retain_steps:
                ends.append({n: t.clone() for n, t in self.weights.items()})
            return allowed

    ends, watch = [], fits.Watch()
    strategy = Unslowed(2.0, 1, slow_rate=slow_rate)
    fits.fit(Net(optimizer), fits.sides(), strategy, watch)
    assert len(watch.weights) == 11
    for cycle, end in enumerate(ends):
        start, kept = watch.weights[2 * cycle], watch.weights[2 * cycle + 2]
        expected = {n: t + slow_rate * (end[n] - t) for n, t in start.items()}
        assert fits.distance(kept, expected) <= 1e-15
        assert fits.distance(start, end) > 1e-3
    assert ("cycle_start" in strategy.state) == (slow_rate < 1)


class Twins(L.LightningModule):
    """Two optimisers, each with a linear loss: its steps do not depend on where the weights are."""

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.a, self.b = (nn.Parameter(torch.zeros(SIZE, dtype=torch.float64)) for _ in range(2))

    def training_step(self, batch, batch_idx):
        for optimizer, w in zip(self.optimizers(), (self.a, self.b), strict=True):
            optimizer.zero_grad()
            self.manual_backward((batch[0][:, :SIZE] @ w).mean())
            optimizer.step()

    def configure_optimizers(self):
        return [SGD([self.a], lr=0.1), SGD([self.b], lr=0.2)]


def test_several_optimisers_slow_each_move_once():
    ends = []
    for slow_rate in (1.0, 0.5):
        module = Twins()
        strategy = SFRon(
            2.0, 1, slow_rate=slow_rate, losses=lambda m, batch: batch[0][:, :SIZE] @ (m.a + m.b) + 9.0
        )
        fits.fit(module, quadratic_sides(), strategy, max_epochs=2)
        ends.append(fits.weights(module))
    assert float(ends[0]["a"].abs().max()) > 1e-2
    for name, end in ends[0].items():
        assert torch.allclose(ends[1][name], 0.5 * end, rtol=1e-13)


# ---- the mask ----------------------------------------------------------------------------------------------------
class Unprotected(SFRon):
    """Broken: masks the gradient and not the move, as the authors' code does."""

    def constrain(self, update):
        return update


def flat(weights):
    return torch.cat([t.reshape(-1) for t in weights.values()])


def masked_stay_in_forget_steps(make, optimizer):
    watch, chosen = fits.Watch(), torch.from_numpy(mask(1.0))
    fits.fit(Net(optimizer), fits.sides(), make(2.0, 2), watch)
    path = [flat(weights) for weights in watch.weights]
    for step, (before, after) in enumerate(pairwise(path)):
        moved = before != after
        assert bool(moved[chosen].all()), f"step {step}"
        assert bool(moved[~chosen].all()) if step % 3 else not moved[~chosen].any(), f"step {step}"


@pytest.mark.parametrize("optimizer", [sgd, adamw])
def test_masked_weights_are_bit_identical_after_a_forget_step_with_momentum_and_decay(optimizer):
    masked_stay_in_forget_steps(SFRon, optimizer)


@pytest.mark.parametrize("optimizer", [sgd, adamw])
def test_control_a_mask_on_the_gradient_alone_lets_them_move(optimizer):
    with pytest.raises(AssertionError):
        masked_stay_in_forget_steps(Unprotected, optimizer)


def test_a_forget_step_that_is_not_finite_is_a_whole_retain_step():
    loaders = fits.sides(forget=20)
    ends = []
    for strategy in (SFRon(2.0, 4), FineTune()):
        module = Net()
        data = loaders | {"forget": fits.poisoned(loaders["forget"], 0)}
        with pytest.warns(UserWarning, match="1 steps") if isinstance(strategy, SFRon) else nullcontext():
            fits.fit(module, data, strategy, max_epochs=1)
        ends.append(fits.weights(module))
    assert fits.same(*ends)


def test_gamma_decides_how_many_weights_may_move():
    shares = []
    for gamma in (0.0, 0.5, 1.0, 2.0):
        strategy = SFRon(gamma=gamma)
        fits.fit(Net(), fits.sides(), strategy, max_steps=1, max_epochs=-1)
        chosen = flat(dict(strategy.state["mask"].items()))
        if gamma:
            assert np.array_equal(chosen.numpy(), mask(gamma))
        shares.append(float(strategy.state["mask_share"]))
        assert shares[-1] == pytest.approx(float(chosen.float().mean()))
    assert shares == sorted(shares, reverse=True)
    assert shares[0] == 1.0
    assert len(set(shares)) == 4


def test_fishers_may_be_those_of_some_samples():
    strategy = SFRon(fisher_samples=7)
    fits.fit(Net(), fits.sides(), strategy, max_steps=1, max_epochs=-1)
    chosen = flat(dict(strategy.state["mask"].items())).numpy()
    assert np.array_equal(chosen, mask(1.0, 7))
    assert not np.array_equal(chosen, mask(1.0))


# ---- what it costs, and says -------------------------------------------------------------------------------------
class Counted(Net):
    """Counts forward passes of training."""

    def __init__(self):
        super().__init__()
        self.forwards = 0

    def forward(self, inputs):
        self.forwards += self.training
        return super().forward(inputs)


@pytest.mark.parametrize(("steps", "forwards"), [(1, 2), (6, 7), (7, 9), (12, 14)])
def test_the_forget_side_is_run_once_a_cycle(steps, forwards):
    module = Counted()
    fits.fit(module, fits.sides(), SFRon(), max_steps=steps, max_epochs=-1)
    assert module.forwards == forwards


@pytest.mark.parametrize("schedule", SHARES)
def test_it_reports_its_schedule_mask_and_clipping(schedule):
    logger, alpha = fits.Recording(), 3.0
    strategy = SFRon(alpha, 1, schedule, clip=0.5)
    fits.fit(Net(), fits.sides(), strategy, logger=logger)
    reported = [metrics for _, metrics in logger.records if "unlearn/alpha" in metrics]
    expected = [alpha * SHARES[schedule](t / 10) for t in range(10)]
    assert [metrics["unlearn/alpha"] for metrics in reported] == pytest.approx(expected)
    shares = [metrics["unlearn/mask_share"] for metrics in reported]
    assert shares == pytest.approx([mask(1.0).mean()] * 10)
    rates = [metrics["unlearn/clip_rate"] for metrics in reported]
    assert rates[0] == rates[1] == 1.0, "the first forget step was not clipped: the bound would not be tried"
    assert all(0 <= rate <= 1 for rate in rates)
    if schedule == "quadratic":
        assert rates[-1] < 1


def test_the_first_step_has_the_norm_of_the_clip():
    ends = []
    for clip in (0.5, None):
        module = Net(plain_sgd)
        start = fits.weights(module)
        fits.fit(module, fits.sides(), SFRon(3.0, clip=clip), max_steps=1, max_epochs=-1)
        ends.append(flat(fits.weights(module)) - flat(start))
    assert float(ends[0].norm()) == pytest.approx(0.1 * 0.5)
    assert float(ends[1].norm()) > 1.5 * float(ends[0].norm())
    assert torch.allclose(ends[0] / ends[0].norm(), ends[1] / ends[1].norm())


class AtEverySecond(Net):
    """Adds up two batches and steps, by hand."""

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False

    def training_step(self, batch, batch_idx):
        if batch_idx % 2 == 0:
            self.optimizers().zero_grad()
        self.manual_backward(cross_entropy(self(batch[0]), batch[1]) / 2)
        if batch_idx % 2 == 1:
            self.optimizers().step()


def test_cycles_are_counted_by_steps_and_not_by_batches():
    strategy, module = SFRon(retain_steps=1), AtEverySecond()
    trainer = fits.fit(module, fits.sides(retain=24, forget=24), strategy)
    assert trainer.global_step == 6
    assert strategy.state["forget_steps"] == 3


# ---- refused -----------------------------------------------------------------------------------------------------
WRONG = [
    ({"alpha": -1.0}, "`alpha` must be a finite, non-negative number, found -1.0"),
    ({"retain_steps": 0}, "`retain_steps` must be a positive integer, found 0"),
    ({"schedule": "exponential"}, '`schedule` must be "cosine" or "linear" or "quadratic" or "constant"'),
    ({"gamma": float("nan")}, "`gamma` must be a finite, non-negative number, found nan"),
    ({"exponent": -1}, "`exponent` must be a finite, non-negative number"),
    ({"smallest_loss": 0}, "`smallest_loss` must be a finite, positive number"),
    ({"clip": 0.0}, "`clip` must be a finite, positive number"),
    ({"slow_rate": 0.0}, "`slow_rate` must be above 0, found 0.0"),
    ({"slow_rate": 1.5}, "`slow_rate` must be a number between 0 and 1"),
    ({"fisher_samples": 0}, "`fisher_samples` must be a positive integer, found 0"),
    ({"fisher": "exact"}, '`fisher` must be "sample" or "batch"'),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ConfigurationError) as error:
        SFRon(**arguments)
    assert message in str(error.value)


def unequal():
    loaders = fits.sides()
    return loaders | {"forget": DataLoader(loaders["forget"].dataset, 3, generator=torch.Generator())}


def dictionaries():
    return {
        side: DataLoader(
            [{"x": x, "y": y} for x, y in zip(*loader.dataset.tensors, strict=True)],
            4,
            generator=torch.Generator(),
        )
        for side, loader in fits.sides().items()
    }


class OfDictionaries(Net):
    def training_step(self, batch, batch_idx):
        return super().training_step((batch["x"], batch["y"]), batch_idx)


REFUSED = {
    "no weight": (SFRon(gamma=1e12), {}, "found none with F_f ≥ 1000000000000.0 F_r. Lower `gamma`"),
    "unknown length": (SFRon(), {"max_steps": -1, "max_epochs": -1}, '`schedule` must be "constant"'),
    "two sizes": (SFRon(fisher="batch"), {"data": unequal}, r"found 3 \(forget\) and 4 \(retain\)"),
    "no labels": (
        SFRon(),
        {"data": dictionaries, "module": OfDictionaries},
        "`predict` must be given when a batch is not a pair",
    ),
    "a mean": (
        SFRon(losses=lambda module, batch: cross_entropy(module(batch[0]), batch[1])),
        {},
        r"`losses` must return one loss a sample, shape \(N,\), found shape \(\)",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_is_refused_before_the_first_step(name):
    strategy, setting, message = REFUSED[name]
    module = setting.get("module", Net)()
    start = fits.weights(module)
    trainer = {k: v for k, v in setting.items() if k not in ("data", "module")}
    with pytest.raises(ConfigurationError, match=message):
        fits.fit(module, setting.get("data", fits.sides)(), strategy, **trainer)
    assert fits.same(start, fits.weights(module))


def test_a_run_of_unknown_length_may_have_a_constant_schedule():
    class Stop(L.Callback):
        def on_train_batch_end(self, trainer, *_):
            trainer.should_stop = trainer.global_step == 3

    module, strategy = Net(), SFRon(schedule="constant")
    fits.fit(module, fits.sides(), strategy, Stop(), max_steps=-1, max_epochs=-1)
    assert strategy.progress.step == 3


def test_fishers_of_batches_and_of_single_samples_are_both_of_use(tmp_path):
    ends = []
    for kind, folder in (("sample", None), ("batch", None), ("sample", tmp_path), ("sample", tmp_path)):
        module = Net()
        cache = None if folder is None else str(folder)
        fits.fit(module, fits.sides(), SFRon(fisher=kind, cache_dir=cache))
        ends.append(fits.weights(module))
    assert not fits.same(ends[0], ends[1])
    assert fits.same(ends[0], ends[2])
    assert fits.same(ends[0], ends[3])
    assert len(list(tmp_path.iterdir())) == 2
