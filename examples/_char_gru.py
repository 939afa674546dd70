import lightning as L
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy


class CharGRU(L.LightningModule):
    """A language model of characters, written the way any user would: nothing in it knows about unlearning.

    An embedding of 64 numbers, a gated recurrent layer and a linear one; with 192 units and 65 characters it has 165,313
    parameters. Adam, its step size falling to zero over the run in a straight line.

    Args:
        characters: Size of the alphabet.
        units: Of the recurrent layer.
        lr: First step size.

    Shapes:
        Input (N, T): numbers of characters. Output (N, `characters`, T): unnormalised log-probabilities of what follows.
    """

    def __init__(self, characters: int, units: int = 192, lr: float = 0.004) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.lr = lr
        self.embedding = nn.Embedding(characters, 64)
        self.memory = nn.GRU(64, units, batch_first=True)
        self.output = nn.Linear(units, characters)

    def forward(self, characters: Tensor) -> Tensor:
        states, _ = self.memory(self.embedding(characters))
        return self.output(states).movedim(2, 1)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        characters, following = batch
        loss = cross_entropy(self(characters), following)
        self.log("train_loss", loss)
        return loss

    def configure_optimizers(self):
        optimizer = torch.optim.Adam(self.parameters(), self.lr)
        steps = self.trainer.estimated_stepping_batches
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: max(0.0, 1 - step / steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
