"""Pass 2: digits of every feature and weight; moved zero points fold into thresholds and biases."""

from collections.abc import Sequence

import numpy as np

from setun_compiler.backend.convolution import Convolution, convolutions
from setun_compiler.backend.plan import CompileError, Op, Plan, Tensor, blocks_of
from setun_compiler.digits import digits_and_shift, digits_needed
from setun_compiler.network import Feature, Floats, Integers, Network, Raw, Threshold
from setun_hw.config import Config

#: digit planes that a descriptor's ``pad_digits`` and ``weight_digits`` can describe
MOST_FEATURE_DIGITS = 8
MOST_WEIGHT_DIGITS = 15
#: thresholds are cut here before anything is added to them; no sum comes near
FAR = 1 << 60


def choose_digits(plan: Plan) -> Plan:
    """Make tensors and ops of features and layers.

    A feature whose range lies to one side may take fewer digits once a constant is subtracted (0..255 in radix 4: 170,
    four digits instead of five). Then every sum lacks shift * (sum of the channel's weights), padding included because
    padding is shifted too, and thresholds and biases make up for it.

    Raises
    ------
    CompileError
        When a value needs more digits than a word or a code can have.
    """
    network, config = plan.network, plan.config
    layers = convolutions(network)
    raw = {layer.target for layer in layers if isinstance(layer.post, Raw)}
    tensors = {
        name: _tensor(feature, layers, config, name in raw)
        for name, feature in network.features.items()
        if name == plan.input or any(layer.target == name for layer in layers)
    }
    return plan.with_(tensors=tensors, ops=tuple(_op(layer, network, tensors, config) for layer in layers))


def _tensor(feature: Feature, layers: Sequence[Convolution], config: Config, raw: bool) -> Tensor:
    pads = [layer.pad_value for layer in layers if layer.source == feature.name and any(layer.padding)]
    low, high = min(feature.low, *pads, feature.high), max(feature.high, *pads, feature.low)
    digits, shift = (1, 0) if raw else digits_and_shift(low, high, config.encoding)
    if digits > MOST_FEATURE_DIGITS:
        raise CompileError(
            f"feature {feature.name!r} holds {low} to {high}, which takes {digits} digits, but a feature can have"
            f" {MOST_FEATURE_DIGITS}"
        )
    return Tensor(
        name=feature.name, channels=feature.channels, rows=feature.rows, cols=feature.cols, digits=digits, shift=shift,
        low=low - shift, high=high - shift, blocks=blocks_of(feature.channels, config), raw=raw,
    )  # fmt: skip


def _op(layer: Convolution, network: Network, tensors: dict[str, Tensor], config: Config) -> Op:
    source, target = tensors[layer.source], tensors[layer.target]
    moved = source.shift * layer.weights.sum(axis=(1, 2, 3))
    thresholds: Integers | None = None
    codes: Integers | None = None
    scale: Floats = np.ones(target.channels)
    bias: Floats = np.zeros(target.channels)
    if isinstance(layer.post, Threshold):
        thresholds = np.clip(layer.post.thresholds, -FAR, FAR) - moved[:, None]
        codes = layer.post.codes - target.shift
        if target.digits > config.code_digits:
            raise CompileError(
                f"layer {layer.name!r}: its results {target.low + target.shift} to {target.high + target.shift} take"
                f" {target.digits} digits, but configuration {config.name!r} has code_digits {config.code_digits}"
            )
    else:
        scale, bias = layer.post.scale, layer.post.bias + layer.post.scale * moved
    weight_digits = digits_needed(int(layer.weights.min()), int(layer.weights.max()), config.encoding)
    if weight_digits > MOST_WEIGHT_DIGITS:
        raise CompileError(
            f"layer {layer.name!r}: its weights take {weight_digits} digits, but a weight can have {MOST_WEIGHT_DIGITS}"
        )
    return Op(
        name=layer.name, source=layer.source, target=layer.target, weights=layer.weights, conv_groups=layer.groups,
        stride=layer.stride, dilation=layer.dilation, padding=layer.padding,
        pad_value=layer.pad_value - source.shift if any(layer.padding) else 0, pool=layer.pool,
        thresholds=thresholds, codes=codes, scale=scale, bias=bias, weight_digits=weight_digits,
        macs=_macs(layer, network),
    )  # fmt: skip


def _macs(layer: Convolution, network: Network) -> int:
    """Multiply-accumulates of one image: convolution pixels that some pooling window covers."""
    source, target = network.features[layer.source], network.features[layer.target]
    pool = layer.pool
    rows, cols = layer.conv_shape(source)
    used_rows = _covered(rows, target.rows, pool.rows, pool.row_stride)
    used_cols = _covered(cols, target.cols, pool.cols, pool.col_stride)
    return used_rows * used_cols * layer.weights.size


def _covered(size: int, windows: int, window: int, stride: int) -> int:
    return min(size, (windows - 1) * stride + window) if stride < window else windows * window
