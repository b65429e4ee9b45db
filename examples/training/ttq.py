"""Train a small CNN with learned two-scale ternary weights (TTQ) on scikit-learn's digits.

As in the paper the first and the last layer keep float weights, and training starts from a float network.
"""

from common import arguments, export, train
from layers import TernaryConv
from torch import nn


def network() -> nn.Module:
    """float conv 16 - TTQ conv 32 - pool - TTQ conv 32 - pool - float linear 10."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
        TernaryConv(16, 32, 3, method="ttq"), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        TernaryConv(32, 32, 3, method="ttq"), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(128, 10),
    )  # fmt: skip


def set_ternary(net: nn.Module, ternary: bool) -> None:
    """Switch the weights of all TTQ layers between float and ternary."""
    for module in net.modules():
        if isinstance(module, TernaryConv):
            module.ternary = ternary


if __name__ == "__main__":
    options = arguments(__doc__, epochs=30)
    net = network()
    set_ternary(net, False)
    print(f"float accuracy {train(net, options.epochs // 3):.4f}")
    set_ternary(net, True)
    print(f"ternary accuracy {train(net, options.epochs - options.epochs // 3):.4f}")
    export(net, options.output)
