"""A small classifier, written the way any user would write it: nothing in it knows about unlearning."""

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics.classification import MulticlassAccuracy
from typing_extensions import override


class DigitClassifier(L.LightningModule):
    """A convolutional classifier for small grey images of any size from 4 x 4 pixels on.

    Three blocks of convolution, batch normalisation and ReLU, with maximum pooling between them; then the mean
    over each quadrant and a linear layer. With the defaults it has 25,978 parameters.

    Args:
        lr: Step size of gradient descent with momentum 0.9, positive.
        num_classes: Number of classes, at least 2.
        width: Channels after the first block; the next ones have 2 and 4 times as many.
        decay: Whether the step size falls to 0 over the run, in a straight line. Models that are trained anew then differ
            less from one another.

    Shapes:
        Input (N, 1, H, W), output (N, `num_classes`): unnormalised log-probabilities.

    Example:
        >>> import torch
        >>> from lightning_unlearn.demo import DigitClassifier
        >>> model = DigitClassifier(width=8)
        >>> tuple(model(torch.zeros(2, 1, 8, 8)).shape), tuple(model(torch.zeros(2, 1, 28, 28)).shape)
        ((2, 10), (2, 10))
    """

    def __init__(self, lr: float = 0.01, num_classes: int = 10, width: int = 16, decay: bool = False) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.lr, self.decay = lr, decay
        self.net = nn.Sequential(
            *_block(1, width),
            nn.MaxPool2d(2),
            *_block(width, 2 * width),
            nn.MaxPool2d(2),
            *_block(2 * width, 4 * width),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Linear(16 * width, num_classes),
        )
        self.val_accuracy = MulticlassAccuracy(num_classes, average="micro")

    @override
    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.net(images)
        return logits

    @override
    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        images, targets = batch
        loss = F.cross_entropy(self(images), targets)
        self.log("train_loss", loss)
        return loss

    @override
    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        images, targets = batch
        logits = self(images)
        self.val_accuracy(logits, targets)
        self.log("val_loss", F.cross_entropy(logits, targets), prog_bar=True)
        self.log("val_accuracy", self.val_accuracy, prog_bar=True)

    @override
    def configure_optimizers(self) -> OptimizerLRScheduler:
        optimizer = torch.optim.SGD(self.parameters(), lr=self.lr, momentum=0.9)
        if not self.decay:
            return optimizer
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def _block(channels: int, out_channels: int) -> list[nn.Module]:
    convolution = nn.Conv2d(channels, out_channels, 3, padding=1, bias=False)
    return [convolution, nn.BatchNorm2d(out_channels), nn.ReLU()]
