"""The network's meaning in plain NumPy, small enough to be believed by reading; used to check every later step."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from setun_compiler.network import Integers, Layer, Network, Port, Threshold
from setun_hw.errors import SetunError


@dataclass(frozen=True, kw_only=True)
class LayerResult:
    """What a layer computed, each of shape (samples, channels, rows, cols)."""

    sums: Integers  #: the convolution's accumulators, before pooling
    output: Integers  #: codes, or for a raw layer the (pooled) accumulators


def quantize(network: Network, x: NDArray[np.number]) -> Integers:
    """The port's integers for float samples of shape (samples, *port.shape): (samples, channels, rows, cols).

    Raises
    ------
    SetunError
        When a sample has the wrong shape, or a value outside what the port accepts.
    """
    port, feature = network.port, network.features[network.port.feature]
    if x.shape[1:] != port.shape:
        raise SetunError(
            f"input {port.name!r} must have shape (samples, {', '.join(map(str, port.shape))}), not {x.shape}"
        )
    n = np.rint((x.astype(np.float64) - port.offset) / port.scale) + port.zero
    low, high = (0, len(port.table) - 1) if port.table else (feature.low, feature.high)
    if port.saturate:
        n = np.clip(n, low, high)
    if not ((n >= low) & (n <= high)).all():
        where = np.argwhere(~((n >= low) & (n <= high)))[0]
        raise SetunError(
            f"input {port.name!r}: {x[tuple(where)]:g} in sample {where[0]} lies outside {_accepts(port, low, high)}"
        )
    n = n.astype(np.int64)
    if port.table:
        n = np.array(port.table, np.int64)[n]
    if port.axes:
        n = n.transpose(0, *(axis + 1 for axis in port.axes))
    return n.reshape(-1, *feature.shape)


def _accepts(port: Port, low: int, high: int) -> str:
    first, last = ((value - port.zero) * port.scale + port.offset for value in (low, high))
    return f"{first:g}..{last:g}"


def run(network: Network, inputs: Integers) -> dict[str, LayerResult]:
    """Every layer's sums and output for integer inputs of shape (samples, channels, rows, cols), by layer name."""
    features = {network.port.feature: inputs}
    results: dict[str, LayerResult] = {}
    for layer in network.layers:
        result = run_layer(layer, features[layer.source])
        results[layer.name] = result
        features[layer.target] = result.output
    return results


def logits(network: Network, x: NDArray[np.number]) -> NDArray[np.float64]:
    """The model's floats for float samples: (samples, *output.shape)."""
    results = run(network, quantize(network, x))
    last = next(layer for layer in network.layers if layer.target == network.output.feature)
    output = results[last.name].output
    if isinstance(last.post, Threshold):
        raise AssertionError("the output layer of a network is raw")
    real = output * last.post.scale[:, None, None] + last.post.bias[:, None, None]
    return real.reshape(-1, *network.output.shape)


def run_layer(layer: Layer, x: Integers) -> LayerResult:
    """One layer on x (samples, channels, rows, cols)."""
    sums = convolve(layer, x)
    pooled = sums
    if layer.pool is not None:
        windows = np.lib.stride_tricks.sliding_window_view(sums, (layer.pool.rows, layer.pool.cols), axis=(2, 3))
        pooled = windows[:, :, :: layer.pool.row_stride, :: layer.pool.col_stride].max(axis=(4, 5))
    if not isinstance(layer.post, Threshold):
        return LayerResult(sums=sums, output=pooled)
    level = np.zeros(pooled.shape, np.int64)
    for thresholds in layer.post.thresholds.T:
        level += pooled >= thresholds[:, None, None]
    channel = np.arange(pooled.shape[1])[:, None, None]
    return LayerResult(sums=sums, output=layer.post.codes[channel, level])


def convolve(layer: Layer, x: Integers) -> Integers:
    """The layer's convolution of x; products are summed in float64, which is exact below 2^53."""
    top, left, bottom, right = layer.padding
    padded = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=layer.pad_value)
    out_channels, per_group, kernel_rows, kernel_cols = layer.weights.shape
    span = ((kernel_rows - 1) * layer.dilation[0] + 1, (kernel_cols - 1) * layer.dilation[1] + 1)
    windows = np.lib.stride_tricks.sliding_window_view(padded, span, axis=(2, 3))
    windows = windows[:, :, :: layer.stride[0], :: layer.stride[1], :: layer.dilation[0], :: layer.dilation[1]].astype(
        np.float64
    )
    samples, _, rows, cols = windows.shape[:4]
    parts = []
    for group in range(layer.groups):
        mine = windows[:, group * per_group : (group + 1) * per_group].transpose(0, 2, 3, 1, 4, 5)
        count = out_channels // layer.groups
        weights = layer.weights[group * count : (group + 1) * count].reshape(count, -1).astype(np.float64)
        flat = mine.reshape(samples * rows * cols, -1) @ weights.T
        parts.append(flat.reshape(samples, rows, cols, count))
    return np.rint(np.concatenate(parts, axis=3)).astype(np.int64).transpose(0, 3, 1, 2)
