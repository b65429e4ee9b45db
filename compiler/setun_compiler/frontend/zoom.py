"""Comparing real sums with thresholds: each channel is scaled so that its thresholds fill the fixed-point range."""

from dataclasses import replace

import numpy as np

from setun_compiler.frontend import steps
from setun_compiler.frontend.demands import Demand, Precision
from setun_compiler.frontend.fixed_point import V_BITS, OutGrid, encode, sums_range
from setun_compiler.frontend.grid import Floats, Integers
from setun_compiler.frontend.lines import find_lines, spread, straight_lines
from setun_compiler.frontend.tensors import Real
from setun_compiler.network import Affine

#: how close to an integer, in units of ``out``, a threshold lies that the sums can meet exactly
TIE = 1e-6


def zoomed(source: Real, demand: Demand, precision: Precision) -> tuple[Real, Affine]:
    """The source and the affine step whose thresholds give the demand's codes.

    A channel's scale is a power of two times its sums', so that sums which are integers on a common scale stay integers.
    """
    found = demand.levels
    assert found is not None
    assert demand.code_grid is not None
    limit = (1 << (precision.residual_bits - 1)) - 1
    begins = np.concatenate(([True], np.diff(found.channel) != 0))
    channel, start = found.channel[~begins], np.asarray(found.start[~begins], np.float64)
    gain, middle = _zoom(source, channel, start, limit, precision)
    a = (start - middle[channel]) * gain[channel]
    near = np.rint(a)
    meets = _met(demand, source, channel, middle, gain, near, found.value[~begins])
    whole = np.where(np.abs(a - near) < TIE, near + ~meets, np.ceil(a)).astype(np.int64)
    starts = np.full(found.channel.size, -limit, np.int64)
    starts[~begins] = np.clip(whole, -limit, limit)
    table = steps.code_table(
        steps.Steps(channel=found.channel, start=starts, value=found.value),
        demand.code_grid, np.full(source.groups, limit),
    )  # fmt: skip
    if source.bent is None:
        lines = straight_lines(np.ones(source.groups), np.zeros(source.groups))
    else:
        low, high = sums_range(source)
        seen = source.bent.evaluate(spread(low, high))
        lines = find_lines(source.bent, low, high, float(seen.min()), float(seen.max()))
    if source.after:
        assert source.operand is not None
        source = replace(source, operand=replace(source.operand, gain=source.operand.gain * gain))
    grid = OutGrid(scale=1.0, low=-limit, high=limit)
    return source, encode(source, lines.scaled(gain, -middle * gain), grid, precision.coefficient_bits, table)


def _zoom(
    source: Real, channel: Integers, start: Floats, limit: int, precision: Precision
) -> tuple[Floats, Floats]:
    """(channels,) units of ``out`` per real unit, and the real value at which it is 0."""
    groups = source.groups
    first, last = np.full(groups, np.inf), np.full(groups, -np.inf)
    np.minimum.at(first, channel, start)
    np.maximum.at(last, channel, start)
    none = ~np.isfinite(first)
    first, last = np.where(none, 0.0, first), np.where(none, 0.0, last)
    base = np.abs(source.gain)
    if source.operand is not None:
        base = np.where(base == 0, np.abs(source.operand.factor), base)
    base = np.where(base == 0, 1.0, base)
    reach = np.maximum(np.abs(source.low), np.abs(source.high)) + np.maximum(np.abs(first), np.abs(last))
    steepest = np.maximum(np.abs(source.gain), np.abs(source.gain2))
    if source.operand is not None:
        steepest = np.maximum(steepest, np.abs(source.operand.factor))
    room = np.minimum.reduce((
        (limit - 2) * 2 / np.maximum(last - first, 1e-30),
        ((1 << (V_BITS - 1)) - 2) / np.maximum(reach, 1e-30),
        ((1 << (precision.coefficient_bits - 1)) - 1) / np.maximum(steepest, 1e-30),
    ))  # fmt: skip
    gain = 2.0 ** np.floor(np.log2(room * base)) / base
    middle = source.bias + np.rint(((first + last) / 2 - source.bias) * gain) / gain
    return gain, middle


def _met(
    demand: Demand, source: Real, channel: Integers, middle: Floats, gain: Floats, near: Floats, value: Floats
) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Whether the chain has its new value already at the integer next to each threshold."""
    points = middle[channel] + near / gain[channel]
    rank = np.arange(channel.size) - np.searchsorted(channel, channel)
    met = np.zeros(channel.size, bool)
    for number in range(int(rank.max(initial=-1)) + 1):
        mine = rank == number
        x = np.zeros((source.groups, 1))
        x[channel[mine], 0] = points[mine]
        seen = np.broadcast_to(demand.value.evaluate(x), x.shape)[channel[mine], 0]
        met[mine] = np.abs(seen - value[mine]) <= steps.NOISE * np.abs(value).max(initial=0)
    return met
