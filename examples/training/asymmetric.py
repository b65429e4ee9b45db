"""Train a residual network with ternary weights and asymmetric-threshold ternary activations on scikit-learn's digits.

Uniform weight normalisation, bi-STE gradients, RPReLU, and two stages with distillation from a float network: first
ternary
activations with float weights, then both ternary.
"""

from common import arguments, export, train
from layers import ResidualBlock, RPReLU, TernaryConv, TernaryLinear
from torch import nn


def network(channels: int = 16) -> nn.Module:
    """conv, four residual blocks (one of stride 2), global average, linear."""
    return nn.Sequential(
        TernaryConv(1, channels, 3, method="twn"), nn.BatchNorm2d(channels), RPReLU(channels),
        ResidualBlock(channels), ResidualBlock(channels), ResidualBlock(channels, 2), ResidualBlock(2 * channels),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), TernaryLinear(2 * channels, 10),
    )  # fmt: skip


def teacher_network() -> nn.Module:
    """An ordinary float CNN."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(256, 10),
    )  # fmt: skip


def set_ternary(net: nn.Module, ternary: bool) -> None:
    """Switch the weights of all convolutions between float and ternary."""
    for module in net.modules():
        if isinstance(module, TernaryConv):
            module.ternary = ternary


if __name__ == "__main__":
    options = arguments(__doc__, epochs=60)
    teacher = teacher_network()
    print(f"teacher accuracy {train(teacher, max(options.epochs // 4, 1), 0.003):.4f}")
    net = network()
    set_ternary(net, False)
    print(f"stage 1 accuracy {train(net, options.epochs // 2, teacher=teacher):.4f}")
    set_ternary(net, True)
    print(f"stage 2 accuracy {train(net, options.epochs - options.epochs // 2, 0.005, teacher):.4f}")
    export(net, options.output)
