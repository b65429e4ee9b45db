"""Layers with ternary weights and activations."""

import torch
from quantizers import asymmetric, ttq, twn, uniform
from torch import Tensor, nn
from torch.nn import functional


class TernaryConv(nn.Conv2d):
    """Convolution with ternary weights: ``method`` is "twn", "ttq" or "uniform"; ``ternary = False`` leaves them
    float."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, method: str = "twn") -> None:
        super().__init__(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        self.method = method
        self.ternary = True
        if method == "ttq":
            scale = self.weight.detach().abs().mean()
            self.positive, self.negative = nn.Parameter(scale.clone()), nn.Parameter(scale.clone())

    def quantized(self) -> Tensor:
        """The weights the convolution uses."""
        if not self.ternary:
            return self.weight
        if self.method == "ttq":
            return ttq(self.weight, self.positive, self.negative)
        return {"twn": twn, "uniform": uniform}[self.method](self.weight)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, inputs, rows, cols) -> (batch, outputs, rows', cols')."""
        return functional.conv2d(x, self.quantized(), None, self.stride, self.padding)


class TernaryLinear(nn.Linear):
    """Fully connected layer with TWN weights and a float bias."""

    def forward(self, x: Tensor) -> Tensor:
        """(batch, inputs) -> (batch, outputs)."""
        return functional.linear(x, twn(self.weight), self.bias)


class TernaryActivation(nn.Module):
    """Trit with asymmetric thresholds learned for each channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.low = nn.Parameter(torch.full((1, channels, 1, 1), -0.5))
        self.high = nn.Parameter(torch.full((1, channels, 1, 1), 0.5))

    def forward(self, x: Tensor) -> Tensor:
        """Same shape, values -1, 0, +1."""
        return asymmetric(x, self.low, self.high)


class RPReLU(nn.Module):
    """PReLU(x - a) + b with a, b and slope for each channel (ReActNet, Liu et al. 2020)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.zeros(channels, 1, 1))
        self.b = nn.Parameter(torch.zeros(channels, 1, 1))
        self.slope = nn.Parameter(torch.full((channels, 1, 1), 0.25))

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        shifted = x - self.a
        return torch.where(shifted > 0, shifted, self.slope * shifted) + self.b


class ResidualBlock(nn.Module):
    """activation, convolution, batch-norm, + shortcut, RPReLU; a stride of 2 doubles the channels and its shortcut
    is the
    2x2 average concatenated with itself."""

    def __init__(self, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride
        outputs = channels * stride
        self.activation = TernaryActivation(channels)
        self.conv = TernaryConv(channels, outputs, 3, stride, "uniform")
        self.norm = nn.BatchNorm2d(outputs)
        self.rprelu = RPReLU(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, rows, cols) -> (batch, channels*stride, rows/stride, cols/stride)."""
        y = self.norm(self.conv(self.activation(x)))
        if self.stride == 2:
            x = functional.avg_pool2d(x, 2)
            x = torch.cat([x, x], 1)
        return self.rprelu(y + x)
