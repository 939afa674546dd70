"""The classifier of the demonstration."""

import lightning as L
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from lightning_unlearn.demo import DigitClassifier


class Rates(L.Callback):
    """Notes the step size of each step."""

    def __init__(self):
        self.seen = []

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        self.seen.append(optimizer.param_groups[0]["lr"])


@pytest.mark.parametrize(
    ("decay", "expected"), [(False, [0.1] * 4), (True, [0.1, 0.075, 0.05, 0.025])], ids=["constant", "decay"]
)
# the classifier can validate, but nothing is validated here
@pytest.mark.filterwarnings("ignore:.*no `val_dataloader`:UserWarning")
def test_the_step_size_falls_in_a_straight_line_if_asked(tmp_path, decay, expected):
    data = TensorDataset(torch.rand(8, 1, 8, 8), torch.arange(8))
    rates = Rates()
    trainer = L.Trainer(
        max_epochs=2,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[rates],
        log_every_n_steps=1,
        default_root_dir=tmp_path,
    )
    trainer.fit(DigitClassifier(lr=0.1, width=2, decay=decay), DataLoader(data, 4))
    assert rates.seen == pytest.approx(expected)
