"""Comparing real sums with thresholds: each channel is scaled so that its thresholds fill the fixed-point range."""

from dataclasses import dataclass, replace

import numpy as np

from setun_compiler.frontend import steps
from setun_compiler.frontend.demands import Demand, Precision
from setun_compiler.frontend.errors import ModelError
from setun_compiler.frontend.expression import Expression
from setun_compiler.frontend.fixed_point import V_BITS, OutGrid, encode, sums_range
from setun_compiler.frontend.grid import Floats, Integers
from setun_compiler.frontend.lines import Lines, find_lines, spread, straight_lines, values
from setun_compiler.frontend.steps import Steps
from setun_compiler.frontend.tensors import Real
from setun_compiler.network import Affine, Threshold

#: how close to an integer, in units of ``out``, a threshold lies that the sums can meet exactly
TIE = 1e-6
#: units of ``out`` one step of the sums should be worth
DISTINCT = 4


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What is compared with thresholds: ``lines`` of z, with values low..high; ``value`` makes levels of it."""

    lines: Lines
    value: Expression
    found: Steps
    low: Floats
    high: Floats
    bias: Floats  #: the value of a sum of 0


def zoomed(source: Real, demand: Demand, precision: Precision) -> tuple[Real, Affine]:
    """The source and the affine step whose thresholds give the demand's codes.

    A channel's scale is a power of two times its sums', so that sums on a common scale stay integers.
    """
    assert demand.levels is not None
    assert demand.code_grid is not None
    limit = (1 << (precision.residual_bits - 1)) - 1
    stage = Stage(
        lines=_to_leaf(source), value=demand.value, found=demand.levels, low=source.low, high=source.high,
        bias=source.bias,
    )  # fmt: skip
    sums, base = _steps_of_sums(source)
    gain, middle = _zoom(source, stage, base, limit, precision)
    if (gain * sums < DISTINCT).any():
        # thresholds far apart, as a small slope puts them: they are close together behind the slopes
        behind = _behind_lines(source, demand)
        if behind is not None:
            stage = behind
            gain, middle = _zoom(source, stage, base, limit, precision)
    table = _table(stage, demand, gain, middle, limit)
    if source.after:
        assert source.operand is not None
        source = replace(source, operand=replace(source.operand, gain=source.operand.gain * gain))
    grid = OutGrid(scale=1.0, low=-limit, high=limit)
    return source, encode(source, stage.lines.scaled(gain, -middle * gain), grid, precision.coefficient_bits, table)


def _table(stage: Stage, demand: Demand, gain: Floats, middle: Floats, limit: int) -> Threshold:
    found, groups = stage.found, gain.size
    assert demand.code_grid is not None
    begins = np.concatenate(([True], np.diff(found.channel) != 0))
    channel, start = found.channel[~begins], np.asarray(found.start[~begins], np.float64)
    a = (start - middle[channel]) * gain[channel]
    near = np.rint(a)
    meets = _met(stage.value, channel, middle, gain, near, found.value[~begins])
    whole = np.where(np.abs(a - near) < TIE, near + ~meets, np.ceil(a)).astype(np.int64)
    starts = np.full(found.channel.size, -limit, np.int64)
    starts[~begins] = np.clip(whole, -limit, limit)
    again = Steps(channel=found.channel, start=starts, value=found.value)
    return steps.code_table(again, demand.code_grid, np.full(groups, limit))


def _to_leaf(source: Real) -> Lines:
    if source.bent is None:
        return straight_lines(np.ones(source.groups), np.zeros(source.groups))
    low, high = sums_range(source)
    seen = values(source.bent, spread(low, high))
    return find_lines(source.bent, low, high, float(seen.min()), float(seen.max()))


def _behind_lines(source: Real, demand: Demand) -> Stage | None:
    """The longest beginning of the chain that is still lines, and what the rest makes of it."""
    if source.bent is not None or source.after:
        return None
    x = spread(source.low, source.high)
    for part in reversed(demand.value.parts()):
        rest = demand.value.rebased(part, Expression())
        if rest is None or part.node is None:
            continue
        seen = values(part, x)
        try:
            lines = find_lines(part, source.low, source.high, float(seen.min()), float(seen.max()))
        except ModelError:
            continue
        low, high = seen.min(axis=1), seen.max(axis=1)
        bias = values(part, source.bias[:, None])[:, 0]
        return Stage(lines=lines, value=rest, found=steps.find_steps(rest, low, high), low=low, high=high, bias=bias)
    return None


def _steps_of_sums(source: Real) -> tuple[Floats, Floats]:
    """(channels,) what one unit of the sum is worth, and the smaller of that and of one unit of the residual.

    Scales are powers of two times the smaller, so that its coefficient is exact; the other has more bits.
    """
    sums = np.abs(source.gain)
    if source.operand is None:
        smaller = sums
    else:
        factor = np.abs(source.operand.factor)
        smaller = np.where((sums == 0) | ((factor > 0) & (factor < sums)), factor, sums)
    return np.where(sums == 0, np.where(smaller == 0, 1.0, smaller), sums), np.where(smaller == 0, 1.0, smaller)


def _zoom(source: Real, stage: Stage, base: Floats, limit: int, precision: Precision) -> tuple[Floats, Floats]:
    """(channels,) units of ``out`` per real unit, and the real value at which it is 0."""
    groups = source.groups
    begins = np.concatenate(([True], np.diff(stage.found.channel) != 0))
    channel, start = stage.found.channel[~begins], np.asarray(stage.found.start[~begins], np.float64)
    first, last = np.full(groups, np.inf), np.full(groups, -np.inf)
    np.minimum.at(first, channel, start)
    np.maximum.at(last, channel, start)
    none = ~np.isfinite(first)
    first, last = np.where(none, 0.0, first), np.where(none, 0.0, last)
    reach = np.maximum(np.abs(stage.low), np.abs(stage.high)) + np.maximum(np.abs(first), np.abs(last))
    steepest = np.maximum(np.abs(source.gain), np.abs(source.gain2))
    if source.operand is not None:
        steepest = np.maximum(steepest, np.abs(source.operand.factor))
    steepest = steepest * np.maximum(np.abs(stage.lines.slope0), np.abs(stage.lines.slope1))
    room = np.minimum.reduce((
        (limit - 2) * 2 / np.maximum(last - first, 1e-30),
        ((1 << (V_BITS - 1)) - 2) / np.maximum(reach, 1e-30),
        ((1 << (precision.coefficient_bits - 1)) - 1) / np.maximum(steepest, 1e-30),
    ))  # fmt: skip
    gain = 2.0 ** np.floor(np.log2(room * base)) / base
    middle = stage.bias + np.rint(((first + last) / 2 - stage.bias) * gain) / gain
    return gain, middle


def _met(
    value: Expression, channel: Integers, middle: Floats, gain: Floats, near: Floats, level: Floats
) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Whether the chain has its new value already at the integer next to each threshold."""
    points = middle[channel] + near / gain[channel]
    rank = np.arange(channel.size) - np.searchsorted(channel, channel)
    met = np.zeros(channel.size, bool)
    for number in range(int(rank.max(initial=-1)) + 1):
        mine = rank == number
        x = np.zeros((gain.size, 1))
        x[channel[mine], 0] = points[mine]
        seen = np.broadcast_to(value.evaluate(x), x.shape)[channel[mine], 0]
        met[mine] = np.abs(seen - level[mine]) <= steps.NOISE * np.abs(level).max(initial=0)
    return met
