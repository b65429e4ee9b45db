"""What the back end takes of a layer: a convolution with thresholds or a raw result. Others are refused by name."""

from dataclasses import dataclass

from setun_compiler.backend.plan import CompileError
from setun_compiler.network import Feature, Integers, Layer, Network, Pool, Raw, Threshold


@dataclass(frozen=True, kw_only=True)
class Convolution:
    """A layer whose optional parts are settled."""

    name: str
    source: str
    target: str
    weights: Integers  #: (out channels, in channels / groups, kernel rows, kernel cols)
    groups: int
    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: tuple[int, int, int, int]
    pad_value: int
    pool: Pool  #: 1 x 1 where the layer has none
    post: Threshold | Raw

    def conv_shape(self, source: Feature) -> tuple[int, int]:
        """Rows and columns of the convolution, before pooling."""
        top, left, bottom, right = self.padding
        rows = source.rows + top + bottom - self.dilation[0] * (self.weights.shape[2] - 1) - 1
        cols = source.cols + left + right - self.dilation[1] * (self.weights.shape[3] - 1) - 1
        return rows // self.stride[0] + 1, cols // self.stride[1] + 1

    def out_shape(self, source: Feature) -> tuple[int, int]:
        """Rows and columns of the result."""
        (rows, cols), pool = self.conv_shape(source), self.pool
        return (rows - pool.rows) // pool.row_stride + 1, (cols - pool.cols) // pool.col_stride + 1


def convolutions(network: Network) -> tuple[Convolution, ...]:
    """All layers of a network.

    Raises
    ------
    CompileError
        Naming the first layer that is something else, and what it is.
    """
    return tuple(_convolution(layer) for layer in network.layers)


def _convolution(layer: Layer) -> Convolution:
    if layer.weights is None or layer.source is None:
        raise _not_yet(layer, "has no weights")
    if layer.target is None or layer.fixed is not None or not isinstance(layer.post, Threshold | Raw):
        raise _not_yet(layer, "has a fixed-point result")
    if layer.residual is not None or layer.two_scale:
        raise _not_yet(layer, "adds a second operand")
    if any(layer.at):
        raise _not_yet(layer, "fills a part of a feature")
    return Convolution(
        name=layer.name,
        source=layer.source,
        target=layer.target,
        weights=layer.weights,
        groups=layer.groups,
        stride=layer.stride,
        dilation=layer.dilation,
        padding=layer.padding,
        pad_value=layer.pad_value,
        pool=layer.pool or Pool(rows=1, cols=1, row_stride=1, col_stride=1),
        post=layer.post,
    )


def _not_yet(layer: Layer, what: str) -> CompileError:
    return CompileError(f"layer {layer.name!r} {what}, which this version cannot compile")
