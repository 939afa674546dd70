"""A part of CIFAR-10 and a ResNet-20 that was trained on all of it, by class path: `examples.cifar10.ResNet20`.

Neither is contained here: the classes take the paths of the files. See forget_a_class.yaml beside this file.
"""

from examples.cifar10._data import CIFAR10Part
from examples.cifar10._resnet import ResNet20

__all__ = ["CIFAR10Part", "ResNet20"]
