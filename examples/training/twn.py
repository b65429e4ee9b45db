"""Train a small CNN with ternary weights (TWN) and ReLU activations on scikit-learn's digits."""

from common import arguments, export, train
from layers import TernaryConv, TernaryLinear
from torch import nn


def network() -> nn.Module:
    """conv 16 - pool - conv 32 - pool - linear 10."""
    return nn.Sequential(
        TernaryConv(1, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        TernaryConv(16, 32, 3), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), TernaryLinear(128, 10),
    )  # fmt: skip


if __name__ == "__main__":
    options = arguments(__doc__, epochs=30)
    net = network()
    print(f"accuracy {train(net, options.epochs):.4f}")
    export(net, options.output)
