"""Fisher informations in files: named by all they depend on, and never trusted further than they can be checked."""

from pathlib import Path

import pytest
import torch
from torch import nn

from lightning_unlearn.importance import _cache, diagonal_fisher
from tests.importance._asked import asked, loader, of_pairs
from tests.strategies import _fits as fits
from tests.strategies._modules import Net


class Counted:
    """Losses of samples, and how often they were asked for."""

    def __init__(self):
        self.calls = 0

    def losses(self, module, batch):
        self.calls += 1
        return of_pairs(module, batch)


class Normed(Net):
    """With buffers."""

    def build(self):
        return nn.Sequential(nn.Linear(fits.FEATURES, 5), nn.BatchNorm1d(5), nn.Linear(5, fits.CLASSES))


def fisher(folder, module=None, data=None, size=4, kind="sample", losses=None, shuffle=False, **trainer):
    """Of the forget side; and how often losses were asked for."""
    counted = Counted()

    def ask(user, forget, retain):
        chosen = losses or counted.losses
        return diagonal_fisher(user, forget, chosen, kind=kind, cache_dir=str(folder)).values

    forget = loader(data or fits.samples(12, 2), size, shuffle=shuffle)
    return asked(ask, module or Normed(), fits.sides() | {"forget": forget}, **trainer), counted.calls


def files(folder):
    return sorted(path.name for path in Path(folder).iterdir())


def changed_sample():
    data = fits.samples(12, 2)
    data.tensors[0][7, 1] += 1e-12
    return data


def changed_label():
    data = fits.samples(12, 2)
    data.tensors[1][7] = (data.tensors[1][7] + 1) % fits.CLASSES
    return data


def with_change(change):
    module = Normed()
    with torch.no_grad():
        change(module)
    return module


def weight(module):
    module.net[2].weight[1, 1] += 1e-14


def buffer(module):
    module.net[1].running_mean[1] += 1e-14


def twice(module, batch):
    return 2 * of_pairs(module, batch)


OTHER = {
    "weight": lambda: {"module": with_change(weight)},
    "buffer": lambda: {"module": with_change(buffer)},
    "frozen": lambda: {"module": with_change(lambda m: m.net[0].requires_grad_(False))},
    "sample": lambda: {"data": changed_sample()},
    "label": lambda: {"data": changed_label()},
    "fewer": lambda: {"data": fits.samples(11, 2)},
    "kind": lambda: {"kind": "batch"},
    "losses": lambda: {"losses": twice},
    "precision": lambda: {"precision": "bf16-mixed"},
}


@pytest.mark.parametrize("kind", ["sample", "batch"])
def test_what_is_there_is_not_computed_again(kind, tmp_path):
    first, calls = fisher(tmp_path, kind=kind)
    assert calls > 0
    again, calls = fisher(tmp_path, kind=kind)
    assert calls == 0
    assert fits.same(first, again)
    assert len(files(tmp_path)) == 1, "something half-written is left"


@pytest.mark.parametrize("name", OTHER)
def test_whatever_it_depends_on_is_in_the_key(name, tmp_path):
    fisher(tmp_path)
    _, calls = fisher(tmp_path, **OTHER[name]())
    assert calls > 0 or name == "losses"
    assert len(files(tmp_path)) == 2


@pytest.mark.parametrize("same", [{"size": 5}, {"shuffle": True}], ids=str)
def test_of_samples_neither_order_nor_batches_are_in_the_key(same, tmp_path):
    fisher(tmp_path)
    _, calls = fisher(tmp_path, **same)
    assert calls == 0
    assert len(files(tmp_path)) == 1


def test_of_batches_their_size_is_in_the_key(tmp_path):
    for size in (3, 4):
        fisher(tmp_path, kind="batch", size=size)
    assert len(files(tmp_path)) == 2


# ---- files that are not to be trusted ----------------------------------------------------------------------------
def truncated(path):
    path.write_bytes(path.read_bytes()[:-100])


def emptied(path):
    path.write_bytes(b"")


def replaced(path, **entries):
    torch.save(torch.load(path) | entries, path)


def altered(path):
    values = torch.load(path)["values"]
    values["net.0.bias"][0] += 1e-12
    replaced(path, values=values)


def of_others(path):
    replaced(path, values={"net.0.weight": torch.zeros(1)})


DAMAGE = {
    "truncated": (truncated, "a damaged file"),
    "empty": (emptied, "a damaged file"),
    "another version": (lambda path: replaced(path, version=_cache.VERSION + 1), "version 2"),
    "altered": (altered, "other values than were written"),
    "other parameters": (of_others, "values of other parameters"),
    "something else": (lambda path: torch.save([1, 2], path), "a damaged file"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_file_that_is_not_whole_is_computed_anew_with_a_warning(name, tmp_path):
    expected, _ = fisher(tmp_path)
    (path,) = tmp_path.iterdir()
    damage, found = DAMAGE[name]
    damage(path)
    with pytest.warns(UserWarning, match=f"must be a whole file of version 1 to be used, found {found}"):
        values, calls = fisher(tmp_path)
    assert calls > 0
    assert fits.same(values, expected)
    values, calls = fisher(tmp_path)  # a warning would be an error
    assert calls == 0, "it was not replaced"
    assert fits.same(values, expected)
