"""The network's meaning in plain NumPy, small enough to be believed by reading; used to check every later step."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from setun_compiler.network import Affine, Integers, Layer, Network, Pool, Port, Raw, Residual, Threshold
from setun_hw.errors import SetunError


@dataclass(frozen=True, kw_only=True)
class LayerResult:
    """What a layer computed, each of shape (samples, channels, rows, cols)."""

    sums: Integers  #: the convolution's accumulators, before pooling; zeros without weights
    output: Integers  #: what ``target`` gets: codes, ``out``, or for a raw layer the (pooled) accumulators
    fixed: Integers | None = None  #: ``out`` of an Affine, before its thresholds
    second: Integers | None = None  #: sums with |w| of a layer of two scales
    residual: Integers | None = None  #: window sums of the residual operand


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
    features = {
        name: np.zeros((inputs.shape[0], *feature.shape), np.int64) for name, feature in network.features.items()
    }
    features[network.port.feature][:] = inputs
    results: dict[str, LayerResult] = {}
    for layer in network.layers:
        source = features[layer.source] if layer.source is not None else None
        operand = features[layer.residual.source] if layer.residual is not None else None
        result = results[layer.name] = run_layer(layer, source, operand)
        if layer.target is not None:
            channels, rows, cols = result.output.shape[1:]
            channel, row, col = layer.at
            target = features[layer.target]
            target[:, channel : channel + channels, row : row + rows, col : col + cols] = result.output
        if layer.fixed is not None:
            assert result.fixed is not None
            features[layer.fixed][:] = result.fixed
    return results


def logits(network: Network, x: NDArray[np.number]) -> NDArray[np.float64]:
    """The model's floats for float samples: (samples, *output.shape)."""
    return real_outputs(network, run(network, quantize(network, x)))


def real_outputs(network: Network, results: dict[str, LayerResult]) -> NDArray[np.float64]:
    """The model's floats out of a run's results: (samples, *output.shape)."""
    last = next(layer for layer in network.layers if layer.target == network.output.feature)
    assert isinstance(last.post, Raw), "the output layer of a network is raw"
    output = results[last.name].output
    real = output * last.post.scale[:, None, None] + last.post.bias[:, None, None]
    return real.reshape(-1, *network.output.shape)


def run_layer(layer: Layer, x: Integers | None, operand: Integers | None = None) -> LayerResult:
    """One layer on x and the fixed-point feature its residual reads, both (samples, channels, rows, cols)."""
    residual = None
    if layer.residual is not None:
        assert operand is not None
        residual = window_sums(layer.residual, operand)
    if layer.weights is None:
        assert isinstance(layer.post, Affine), f"{layer.name}: nothing but a residual can come without weights"
        assert residual is not None
        sums = np.zeros((residual.shape[0], layer.post.m.size, *residual.shape[2:]), np.int64)
    else:
        assert x is not None
        sums = convolve(layer, x, layer.weights)
    if isinstance(layer.post, Affine):
        second = None
        if layer.two_scale:
            assert x is not None
            assert layer.weights is not None
            second = convolve(layer, x, np.abs(layer.weights))
        out = affine(layer.post, sums, second, layer.pool, residual)
        codes = out if layer.post.threshold is None else threshold(layer.post.threshold, out)
        return LayerResult(sums=sums, output=codes, fixed=out, second=second, residual=residual)
    pooled = max_pool(layer.pool, sums)
    return LayerResult(
        sums=sums, output=threshold(layer.post, pooled) if isinstance(layer.post, Threshold) else pooled
    )


def window_sums(residual: Residual, x: Integers) -> Integers:
    """Sums over the residual's windows, (samples, the source's channels, rows, cols)."""
    windows = np.lib.stride_tricks.sliding_window_view(x, (residual.rows, residual.cols), axis=(2, 3))
    return np.asarray(windows[:, :, :: residual.row_step, :: residual.col_step].sum(axis=(4, 5)), np.int64)


def affine(
    post: Affine, sums: Integers, second: Integers | None, pool: Pool | None, residual: Integers | None
) -> Integers:
    """``out`` of an Affine for accumulators and residual sums (see its docstring)."""
    return np.clip(unclamped(post, sums, second, pool, residual), post.low, post.high)


def unclamped(
    post: Affine, sums: Integers, second: Integers | None, pool: Pool | None, residual: Integers | None
) -> Integers:
    """What ``out`` is before it is clamped."""
    share: Integers | int = 0
    if residual is not None:
        share = repeated(residual, post.r.size) * _each(post.r)
    v = sums * _each(post.m) + _each(post.b)
    if second is not None:
        v = v + second * _each(post.m2)
    v = _rounded(v if post.residual_after else v + share, post.shift)
    upper = _rounded(v * _each(post.m1) + _each(post.b1), post.shift1)
    lower = _rounded(v * _each(post.m0) + _each(post.b0), post.shift1)
    y = max_pool(pool, np.where(v >= _each(post.pivot), upper, lower))
    return y + _rounded(share, post.shift) if post.residual_after else y


def repeated(residual: Integers, channels: int) -> Integers:
    """Window sums concatenated with themselves as often as ``channels`` need."""
    return residual[:, np.arange(channels) % residual.shape[1]]


def threshold(table: Threshold, x: Integers) -> Integers:
    """The code of each element of x (samples, channels, rows, cols)."""
    level = np.zeros(x.shape, np.int64)
    for thresholds in table.thresholds.T:
        level += x >= _each(thresholds)
    return table.codes[np.arange(x.shape[1])[:, None, None], level]


def max_pool(pool: Pool | None, x: Integers) -> Integers:
    """The largest element of each window."""
    if pool is None:
        return x
    top, left, bottom, right = pool.padding
    x = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=np.iinfo(np.int64).min)
    windows = np.lib.stride_tricks.sliding_window_view(x, (pool.rows, pool.cols), axis=(2, 3))
    return np.asarray(windows[:, :, :: pool.row_stride, :: pool.col_stride].max(axis=(4, 5)), np.int64)


def convolve(layer: Layer, x: Integers, weights: Integers) -> Integers:
    """The layer's convolution of x with ``weights``; products are summed in float64, which is exact below 2^53."""
    top, left, bottom, right = layer.padding
    x = x[:, :, max(0, -top) : x.shape[2] - max(0, -bottom), max(0, -left) : x.shape[3] - max(0, -right)]
    around = ((0, 0), (0, 0), (max(0, top), max(0, bottom)), (max(0, left), max(0, right)))
    padded = np.pad(x, around, constant_values=layer.pad_value).astype(np.float64)
    out_channels, per_group, kernel_rows, kernel_cols = weights.shape
    span = ((kernel_rows - 1) * layer.dilation[0] + 1, (kernel_cols - 1) * layer.dilation[1] + 1)
    windows = np.lib.stride_tricks.sliding_window_view(padded, span, axis=(2, 3))
    windows = windows[:, :, :: layer.stride[0], :: layer.stride[1], :: layer.dilation[0], :: layer.dilation[1]]
    samples, _, rows, cols = windows.shape[:4]
    count = out_channels // layer.groups
    parts = []
    for group in range(layer.groups):
        mine = windows[:, group * per_group : (group + 1) * per_group].transpose(0, 2, 3, 1, 4, 5)
        matrix = weights[group * count : (group + 1) * count].reshape(count, -1).astype(np.float64)
        flat = mine.reshape(samples * rows * cols, -1) @ matrix.T
        parts.append(flat.reshape(samples, rows, cols, count))
    return np.rint(np.concatenate(parts, axis=3)).astype(np.int64).transpose(0, 3, 1, 2)


def _each(channels: Integers) -> Integers:
    return channels[:, None, None]


def _rounded(x: Integers | int, shift: int) -> Integers:
    """x / 2^shift, rounded half up."""
    return (np.asarray(x) + (1 << shift >> 1)) >> shift
