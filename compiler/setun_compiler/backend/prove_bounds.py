"""Pass 3: the largest sum of every layer, proved from its actual weights and the range of its input.

Sums of several digits grow Horner style, so the accumulator passes through values that the result does not show:
after significance s it holds the sum of products of truncated numbers. The loop order is that of docs/machine.md.
"""

from dataclasses import replace

import numpy as np

from setun_compiler.backend.plan import CompileError, Op, Plan, Tensor
from setun_compiler.digits import raw_planes_needed, to_digits
from setun_compiler.network import Integers
from setun_hw.config import Config, Encoding
from setun_hw.descriptor import Mode
from setun_hw.presets import having


def prove_bounds(plan: Plan) -> Plan:
    """Find each op's extremes, and the planes that raw results need.

    Raises
    ------
    CompileError
        When a sum may exceed the accumulator, naming the layer, the channel and the bits it takes.
    """
    ops, tensors = [], dict(plan.tensors)
    for op in plan.ops:
        if op.source is None:
            none = np.zeros(op.channels, np.int64)
            ops.append(replace(op, low=none, high=none))
            continue
        source = tensors[op.source]
        low, high, worst = sum_ranges(op, source, plan.config.encoding)
        if op.two_scale:
            second = replace(op, weights=np.abs(op.weights))
            worst = np.maximum(worst, sum_ranges(second, source, plan.config.encoding)[2])
        channel = int(worst.argmax())
        bound = int(worst[channel])
        if bound > plan.config.accumulator_limit:
            raise CompileError(_too_large(op, channel, bound, plan.config))
        if op.mode is Mode.RAW:
            assert op.target is not None
            least, most = int(low.min()), int(high.max())
            planes = min(raw_planes_needed(least, most, plan.config.encoding), plan.config.raw_digits)
            tensors[op.target] = replace(tensors[op.target], digits=planes, low=least, high=most)
        ops.append(replace(op, low=low, high=high, bound=bound))
    return plan.with_(ops=tuple(ops), tensors=tensors)


def sum_ranges(op: Op, source: Tensor, encoding: Encoding) -> tuple[Integers, Integers, Integers]:
    """Per output channel: smallest and largest final sum, and the largest magnitude on the way.

    Every element is taken to reach its own extreme: each tap of the kernel may see any stored value of the input's
    range (0 included: that is what unused words hold) independently of the others.
    """
    values = np.arange(min(source.low, 0), max(source.high, 0) + 1)
    distinct, counts = weight_counts(op.weights.reshape(op.channels, -1))
    stages = [_stage_extremes(int(w), values, source.digits, op.weight_digits, encoding) for w in distinct]
    lows = counts @ np.array([low for low, _ in stages])
    highs = counts @ np.array([high for _, high in stages])
    worst = np.maximum(np.abs(lows), np.abs(highs)).max(axis=1)
    ends = np.array([[(w * values).min(), (w * values).max()] for w in distinct])
    return counts @ ends[:, 0], counts @ ends[:, 1], worst


def weight_counts(taps: Integers) -> tuple[Integers, Integers]:
    """The values that occur in ``taps`` (channels, n), and how often each does in each channel (channels, values)."""
    first = int(taps.min())
    span = int(taps.max()) - first + 1
    keys = taps - first + np.arange(len(taps))[:, None] * span
    counts = np.bincount(keys.ravel(), minlength=len(taps) * span).reshape(len(taps), span)
    used = np.flatnonzero(counts.any(axis=0))
    return used + first, counts[:, used]


def _stage_extremes(
    weight: int, values: Integers, in_digits: int, weight_digits: int, encoding: Encoding
) -> tuple[list[int], list[int]]:
    """Least and greatest share of one element in the accumulator, for each pass over the kernel.

    While a pass runs, an element has or has not been added yet, so both its old and its new share count.
    """
    x = to_digits(values, in_digits, encoding).astype(np.int64)
    w = to_digits(np.array(weight), weight_digits, encoding).astype(np.int64)
    share = np.zeros(len(values), np.int64)
    lows, highs = [], []
    for s in range(in_digits + weight_digits - 1):
        share = share * encoding.radix
        for i in range(max(0, s - weight_digits + 1), min(s, in_digits - 1) + 1):
            added = share + x[i] * w[s - i]
            lows.append(int(min(share.min(), added.min())))
            highs.append(int(max(share.max(), added.max())))
            share = added
    return lows, highs


def _too_large(op: Op, channel: int, bound: int, config: Config) -> str:
    bits = config.accumulator_bits
    while config.replace(accumulator_bits=bits).accumulator_limit < bound and bits < 32:
        bits += 1
    return (
        f"layer {op.name!r}: sums of channel {channel} reach {bound}, which takes accumulator_bits {bits}, but"
        f" configuration {config.name!r} has {config.accumulator_bits}{having('accumulator_bits', bits)}"
    )
