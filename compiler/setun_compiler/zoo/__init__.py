"""Faithful graphs of published networks with random ternary weights, written as ONNX."""

from collections.abc import Callable
from typing import NamedTuple

import onnx

from setun_compiler.zoo import architectures as nets
from setun_compiler.zoo.builder import Builder, Value
from setun_hw.errors import SetunError


class Architecture(NamedTuple):
    """A network of the list: how to build it, its own image size, and where it is published."""

    build: Callable[..., tuple[Value, Value]]
    size: int
    source: str


#: every network ``setun models`` knows, by name
ARCHITECTURES: dict[str, Architecture] = {
    "lenet5": Architecture(nets.lenet5, 28, "Li et al. 2016 (TWN), LeNet-5 on MNIST"),
    "vgg-s": Architecture(nets.vgg_s, 32, "Li et al. 2016 (TWN), VGG-7 on CIFAR-10"),
    "cutie": Architecture(nets.cutie, 32, "Scherer et al. 2020, CIFAR-10 network at 96 channels"),
    "resnet20": Architecture(nets.cifar_resnet(3), 32, "He et al. 2015, CIFAR-10"),
    "resnet32": Architecture(nets.cifar_resnet(5), 32, "He et al. 2015, CIFAR-10"),
    "resnet44": Architecture(nets.cifar_resnet(7), 32, "He et al. 2015, CIFAR-10"),
    "resnet56": Architecture(nets.cifar_resnet(9), 32, "He et al. 2015, CIFAR-10"),
    "alexnet": Architecture(nets.alexnet, 224, "Krizhevsky 2014, ImageNet, one tower"),
    "resnet18": Architecture(nets.imagenet_resnet((2, 2, 2, 2), False), 224, "He et al. 2015, ImageNet"),
    "resnet34": Architecture(nets.imagenet_resnet((3, 4, 6, 3), False), 224, "He et al. 2015, ImageNet"),
    "resnet50": Architecture(nets.imagenet_resnet((3, 4, 6, 3), True), 224, "He et al. 2015, ImageNet"),
    "bitnet-qo": Architecture(nets.bitnet_layer(2560, 2560), 0, "BitNet b1.58 2B4T, query and output projection"),
    "bitnet-kv": Architecture(nets.bitnet_layer(640, 2560), 0, "BitNet b1.58 2B4T, key and value projection"),
    "bitnet-up": Architecture(nets.bitnet_layer(6912, 2560), 0, "BitNet b1.58 2B4T, gate and up projection"),
    "bitnet-down": Architecture(nets.bitnet_layer(2560, 6912), 0, "BitNet b1.58 2B4T, down projection"),
}


def build(
    name: str, *, sparsity: float = 0.5, seed: int = 0, size: int | None = None, width: int = 1
) -> onnx.ModelProto:
    """Build a network of the list.

    ``sparsity`` is the share of zero weights; ``size`` the image's rows and columns (default: the paper's);
    ``width`` divides the channel counts. The same arguments give the same model, byte for byte.

    Raises
    ------
    SetunError
        On an unknown name or numbers that give no network.
    """
    if name not in ARCHITECTURES:
        raise SetunError(f"unknown network {name!r}: choose one of {', '.join(ARCHITECTURES)}")
    if not 0 <= sparsity < 1:
        raise SetunError(f"sparsity must be at least 0 and below 1, not {sparsity}")
    if width < 1 or (size is not None and size < 8):
        raise SetunError(f"width must be at least 1 and size at least 8, not {width} and {size}")
    architecture = ARCHITECTURES[name]
    net = Builder(name, sparsity, seed)
    return net.model(*architecture.build(net, size=size or architecture.size, width=width))
