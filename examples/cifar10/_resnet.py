from pathlib import Path

import lightning as L
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad, relu

from lightning_unlearn._weights_file import read_weights


class Block(nn.Module):
    """Two convolutions and a shortcut without parameters: every second pixel, and channels of zeros (option A)."""

    def __init__(self, channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out_channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.stride, self.missing = stride, out_channels - channels

    def forward(self, images: Tensor) -> Tensor:
        shortcut = images[:, :, :: self.stride, :: self.stride]
        shortcut = pad(shortcut, (0, 0, 0, 0, self.missing // 2, self.missing // 2))
        return relu(self.bn2(self.conv2(relu(self.bn1(self.conv1(images))))) + shortcut)


class ResNet20(L.LightningModule):
    """The ResNet-20 for 32 x 32 images, written the way any user would: nothing in it knows about unlearning.

    It has 269,722 parameters. The names of its layers are those of github.com/akamaster/pytorch_resnet_cifar10, whose
    published weights it loads (`resnet20-12fca82f.th`: 8.27 % test error on CIFAR-10 by their author).

    Source: He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition", CVPR 2016, section 4.2.

    Args:
        weights: Path of published weights to start from; `None` for random ones.
        lr: Step size of gradient descent with momentum 0.9, positive.
        weight_decay: Not negative.

    Shapes:
        Input (N, 3, 32, 32), output (N, 10): unnormalised log-probabilities.
    """

    def __init__(self, weights: str | None = None, lr: float = 0.1, weight_decay: float = 1e-4) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.lr, self.weight_decay = lr, weight_decay
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = _stage(16, 16)
        self.layer2 = _stage(16, 32)
        self.layer3 = _stage(32, 64)
        self.linear = nn.Linear(64, 10)
        self.apply(_initialise)
        if weights is not None:
            self.load_state_dict(_published(Path(weights).expanduser()))

    def forward(self, images: Tensor) -> Tensor:
        features = relu(self.bn1(self.conv1(images)))
        features = self.layer3(self.layer2(self.layer1(features)))
        return self.linear(features.mean(dim=(2, 3)))

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        images, targets = batch
        loss = cross_entropy(self(images), targets)
        self.log("train_loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), self.lr, momentum=0.9, weight_decay=self.weight_decay)


def _stage(channels: int, out_channels: int) -> nn.Sequential:
    first = Block(channels, out_channels, stride=out_channels // channels)
    return nn.Sequential(first, *(Block(out_channels, out_channels, 1) for _ in range(2)))


def _initialise(layer: nn.Module) -> None:
    if isinstance(layer, (nn.Conv2d, nn.Linear)):
        nn.init.kaiming_normal_(layer.weight)


def _published(path: Path) -> dict[str, Tensor]:
    return {name.removeprefix("module."): tensor for name, tensor in read_weights(path, "weights").items()}
