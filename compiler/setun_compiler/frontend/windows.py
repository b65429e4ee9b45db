"""How the windows of convolutions and pooling move over a map."""

from dataclasses import dataclass

from setun_compiler.frontend.errors import ModelError
from setun_compiler.frontend.graph import Node

Pair = tuple[int, int]
Padding = tuple[int, int, int, int]

#: rows and columns of a map, to keep sizes from a model in hand
EXTENT_LIMIT = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """How a window moves over a map."""

    kernel: Pair
    stride: Pair = (1, 1)
    dilation: Pair = (1, 1)
    padding: Padding = (0, 0, 0, 0)  #: top, left, bottom, right

    def out(self, rows: int, cols: int) -> Pair:
        """Rows and columns of the result; 0 or less when the window does not fit."""
        top, left, bottom, right = self.padding
        heights = rows + top + bottom - self.dilation[0] * (self.kernel[0] - 1) - 1
        widths = cols + left + right - self.dilation[1] * (self.kernel[1] - 1) - 1
        return heights // self.stride[0] + 1, widths // self.stride[1] + 1


def geometry(node: Node, kernel: tuple[int, ...], extent: tuple[int, ...]) -> Geometry:
    """Strides, dilations and padding of a convolution or pooling; one spatial axis becomes columns of a single row.

    Raises
    ------
    ModelError
        When attributes do not fit each other.
    """
    axes = len(kernel)
    if axes not in (1, 2) or len(extent) != axes:
        raise ModelError(f"{node}: a kernel of {axes} dimensions on a map of {len(extent)} is not supported")
    stride = node.integers("strides", (1,) * axes)
    dilation = node.integers("dilations", (1,) * axes)
    pads = node.integers("pads", (0,) * (2 * axes))
    if len(stride) != axes or len(dilation) != axes or len(pads) != 2 * axes:
        raise ModelError(f"{node}: strides, dilations and pads do not fit a kernel of {axes} dimensions")
    sizes = (*kernel, *stride, *dilation)
    if min(sizes) < 1 or min(pads) < 0 or max(*sizes, *pads, *extent) > EXTENT_LIMIT:
        raise ModelError(f"{node}: kernel, strides, dilations or pads are out of range")
    mode = node.text("auto_pad", "NOTSET")
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        total = [
            max(0, (-(-size // s) - 1) * s + d * (k - 1) + 1 - size)
            for size, s, d, k in zip(extent, stride, dilation, kernel, strict=True)
        ]
        small = [t // 2 for t in total]
        large = [t - t // 2 for t in total]
        pads = tuple(small + large) if mode == "SAME_UPPER" else tuple(large + small)
    elif mode == "VALID":
        pads = (0,) * (2 * axes)
    elif mode != "NOTSET":
        raise ModelError(f"{node}: auto_pad must be NOTSET, SAME_UPPER, SAME_LOWER or VALID")
    if axes == 1:
        return Geometry(
            kernel=(1, kernel[0]), stride=(1, stride[0]), dilation=(1, dilation[0]), padding=(0, pads[0], 0, pads[1])
        )
    return Geometry(
        kernel=(kernel[0], kernel[1]), stride=(stride[0], stride[1]), dilation=(dilation[0], dilation[1]),
        padding=(pads[0], pads[1], pads[2], pads[3]),
    )  # fmt: skip
