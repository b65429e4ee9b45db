"""Pass 2: digits of every feature and weight; moved zero points fold into thresholds, offsets and biases."""

from dataclasses import replace

import numpy as np

from setun_compiler.backend.plan import CompileError, Op, Plan, Tensor, Tensors, blocks_of, spread_channels
from setun_compiler.backend.shapes import NO_POOL, macs, out_shape, residual_rows_and_cols
from setun_compiler.digits import digits_and_shift, digits_needed
from setun_compiler.layout import ceil_div
from setun_compiler.network import Affine, Feature, Floats, Integers, Layer, Network, Raw, Threshold
from setun_hw.config import Config
from setun_hw.presets import having

#: digit planes that a descriptor's ``pad_digits`` and ``weight_digits`` can describe
MOST_FEATURE_DIGITS = 8
MOST_WEIGHT_DIGITS = 15
#: thresholds are cut here before anything is added to them; no sum comes near
FAR = 1 << 60


def choose_digits(plan: Plan) -> Plan:
    """Make tensors and ops of features and layers.

    A feature whose range lies to one side may take fewer digits once a constant is subtracted (0..255 in radix 4: 170,
    four digits instead of five). Then every sum lacks shift * (sum of the channel's weights), padding included because
    padding is shifted too, and thresholds, offsets and biases make up for it.

    Raises
    ------
    CompileError
        When a value needs more digits than a word or a code can have, or the configuration lacks what a layer needs.
    """
    network, config = plan.network, plan.config
    fixed = {layer.fixed for layer in network.layers if layer.fixed is not None}
    made = {layer.target for layer in network.layers} | {plan.input}
    tensors = {
        name: _fixed_tensor(feature, config) if name in fixed else _tensor(feature, network, config)
        for name, feature in network.features.items()
        if name in made or name in fixed
    }
    return plan.with_(tensors=tensors, ops=tuple(_op(layer, network, tensors, config) for layer in network.layers))


def _fixed_tensor(feature: Feature, config: Config) -> Tensor:
    return Tensor(
        name=feature.name, channels=feature.channels, rows=feature.rows, cols=feature.cols, digits=1, shift=0,
        low=feature.low, high=feature.high, blocks=ceil_div(feature.channels, config.post), residual=True,
    )  # fmt: skip


def _tensor(feature: Feature, network: Network, config: Config) -> Tensor:
    readers = [layer for layer in network.layers if layer.source == feature.name]
    writers = [layer for layer in network.layers if layer.target == feature.name]
    raw = any(isinstance(layer.post, Raw) for layer in writers)
    plain = [p for layer in writers if isinstance(p := layer.post, Affine) and p.threshold is None]
    pads = [layer.pad_value for layer in readers if any(layer.padding)]
    blank = feature.name != network.port.feature and _volume(writers, network) < int(np.prod(feature.shape))
    limits = [limit for post in plain for limit in (post.low, post.high)]
    values = [feature.low, feature.high, *pads, *limits, *([0] if blank else [])]
    low, high = min(values), max(values)
    digits, shift = (1, 0) if raw else digits_and_shift(low, high, config.encoding)
    limit = 1 << config.residual_bits - 1
    kept = any(layer.fixed is not None and layer.post in plain for layer in writers)
    # the same number goes to the residual memory, or the shifted one would be wider than results are
    if not raw and (kept or (plain and not -limit <= low - shift <= high - shift < limit)):
        digits, shift = digits_needed(low, high, config.encoding), 0
    if digits > MOST_FEATURE_DIGITS:
        raise CompileError(
            f"feature {feature.name!r} holds {low} to {high}, which takes {digits} digits, but a feature can have"
            f" {MOST_FEATURE_DIGITS}"
        )
    places = _places(feature, writers, config)
    channels = feature.channels if places is None else int(places[-1]) + 1
    return Tensor(
        name=feature.name, channels=channels, rows=feature.rows, cols=feature.cols, digits=digits, shift=shift,
        low=low - shift, high=high - shift, blocks=blocks_of(channels, config), raw=raw, places=places, blank=blank,
    )  # fmt: skip


def _volume(writers: list[Layer], network: Network) -> int:
    return sum(int(np.prod(made_by(layer, network))) for layer in writers)


def made_by(layer: Layer, network: Network) -> tuple[int, int, int]:
    """Channels, rows and columns that a layer makes."""
    if layer.weights is not None:
        assert layer.source is not None
        return layer.weights.shape[0], *out_shape(layer, network.features[layer.source])
    assert layer.residual is not None
    assert isinstance(layer.post, Affine)
    return layer.post.m.size, *residual_rows_and_cols(layer.residual, network.features[layer.residual.source])


def _places(feature: Feature, writers: list[Layer], config: Config) -> Integers | None:
    """Where channels lie when several layers fill a feature: each part starts a block of its own."""
    starts = sorted({0, *(layer.at[0] for layer in writers)})
    if len(starts) == 1:
        return None
    for layer in writers:
        size = layer.weights.shape[0] if layer.weights is not None else 0
        if any(layer.at[0] < start < layer.at[0] + size for start in starts):
            raise CompileError(f"layer {layer.name!r}: another part of {feature.name!r} begins inside its own")
    places = np.zeros(feature.channels, np.int64)
    first = 0
    for start, end in zip(starts, [*starts[1:], feature.channels], strict=True):
        places[start:end] = first + np.arange(end - start)
        first += blocks_of(end - start, config) * config.lanes
    return places


def _op(layer: Layer, network: Network, tensors: Tensors, config: Config) -> Op:
    channels, rows, cols = made_by(layer, network)
    op = Op(
        name=layer.name, source=None, target=layer.target, fixed=layer.fixed, operand=layer.residual,
        weights=np.zeros((channels, 1, 1, 1), np.int64), conv_groups=1, stride=(1, 1), dilation=(1, 1),
        padding=(0, 0, 0, 0), pad_value=0, pool=NO_POOL, thresholds=None, codes=None, scale=np.ones(channels),
        bias=np.zeros(channels), weight_digits=1, macs=0, rows=rows, cols=cols, two_scale=layer.two_scale,
    )  # fmt: skip
    if layer.source is not None:
        op = _convolved(op, layer, network, tensors, config)
    if layer.target is not None:
        places = tensors[layer.target].places
        channel = layer.at[0] if places is None else int(places[layer.at[0]])
        op = replace(op, at=(channel // config.lanes, *layer.at[1:]))
    return _with_post(op, layer, tensors, config)


def _convolved(op: Op, layer: Layer, network: Network, tensors: Tensors, config: Config) -> Op:
    assert layer.weights is not None
    assert layer.source is not None
    source, weights, groups = tensors[layer.source], layer.weights, layer.groups
    weight_digits = digits_needed(int(weights.min()), int(weights.max()), config.encoding)
    if weight_digits > MOST_WEIGHT_DIGITS:
        raise CompileError(
            f"layer {layer.name!r}: its weights take {weight_digits} digits, but a weight can have {MOST_WEIGHT_DIGITS}"
        )
    if layer.two_scale and not config.two_scale:
        raise CompileError(
            f"layer {layer.name!r}: two scales a channel need two_scale, but configuration {config.name!r} has none"
            f"{having('two_scale', True)}"
        )
    if source.places is not None:
        weights, groups = spread_channels(_dense(weights, groups), source.places, source.channels), 1
    return replace(
        op, source=layer.source, weights=weights, conv_groups=groups, stride=layer.stride, dilation=layer.dilation,
        padding=layer.padding, pad_value=layer.pad_value - source.shift if any(layer.padding) else 0,
        pool=layer.pool or NO_POOL, weight_digits=weight_digits,
        macs=macs(layer, network.features[layer.source], (op.rows, op.cols)),
    )  # fmt: skip


def _dense(weights: Integers, groups: int) -> Integers:
    """The same convolution in one group."""
    if groups == 1:
        return weights
    out, per_group = weights.shape[:2]
    dense = np.zeros((out, per_group * groups, *weights.shape[2:]), np.int64)
    for group in range(groups):
        rows = slice(group * out // groups, (group + 1) * out // groups)
        dense[rows, group * per_group : (group + 1) * per_group] = weights[rows]
    return dense


def _with_post(op: Op, layer: Layer, tensors: Tensors, config: Config) -> Op:
    """What follows the sums, for stored sums and stored results."""
    shift = tensors[op.source].shift if op.source is not None else 0
    moved = shift * op.weights.sum(axis=(1, 2, 3))
    target = tensors[layer.target] if layer.target is not None else None
    if isinstance(layer.post, Raw):
        scale: Floats = layer.post.scale
        return replace(op, scale=scale, bias=layer.post.bias + scale * moved)
    table: Threshold | None
    if isinstance(layer.post, Affine):
        _check_affine(layer, layer.post, tensors, config)
        table = layer.post.threshold if target is not None else None
        op = replace(op, affine=_shifted(op, layer.post, moved, shift, target if table is None else None))
        by: Integers | int = 0
    else:
        table, by = layer.post, moved[:, None]
    if target is None or table is None:
        return op
    if target.digits > config.code_digits:
        raise CompileError(
            f"layer {layer.name!r}: its results {target.low + target.shift} to {target.high + target.shift} take"
            f" {target.digits} digits, but configuration {config.name!r} has code_digits {config.code_digits}"
            f"{having('code_digits', target.digits)}"
        )
    return replace(op, thresholds=np.clip(table.thresholds, -FAR, FAR) - by, codes=table.codes - target.shift)


def _shifted(op: Op, post: Affine, moved: Integers, shift: int, target: Tensor | None) -> Affine:
    """The affine for stored sums; results that leave as digits lose the target's shift behind the slopes."""
    moved2 = shift * np.abs(op.weights).sum(axis=(1, 2, 3)) if op.two_scale else 0
    less = target.shift if target is not None else 0
    return replace(
        post, b=post.b + moved * post.m + moved2 * post.m2, b0=post.b0 - (less << post.shift1),
        b1=post.b1 - (less << post.shift1), low=post.low - less, high=post.high - less, threshold=None,
    )  # fmt: skip


def _check_affine(layer: Layer, post: Affine, tensors: Tensors, config: Config) -> None:
    if not config.affine:
        raise CompileError(
            f"layer {layer.name!r}: fixed-point results need affine, but configuration {config.name!r} has none"
            f"{having('affine', True)}"
        )
    if layer.residual is not None:
        operand = tensors[layer.residual.source]
        if operand.channels < post.m.size and operand.channels % config.post:
            raise CompileError(
                f"layer {layer.name!r}: its residual operand's {operand.channels} channels begin again, which post"
                f" {config.post} of configuration {config.name!r} must divide"
            )
