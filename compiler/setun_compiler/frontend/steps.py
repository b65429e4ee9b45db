"""Folding by evaluation: the values of a chain on every integer its accumulator can take, read off as thresholds."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from setun_compiler.frontend.errors import ModelError
from setun_compiler.frontend.expression import Expression
from setun_compiler.frontend.grid import Floats, Grid, Integers, distinct
from setun_compiler.frontend.tensors import scaled
from setun_compiler.network import Threshold

#: steps a channel may have: 8-bit codes and some room
STEP_LIMIT = 1023
#: values evaluated at a time; small enough to stay in a core's cache
BLOCK = 1 << 16
#: values from which on a step function is sampled, not evaluated at every sum
SAMPLED_FROM = 1 << 26
#: values evaluated in all, a few seconds' worth
WORK_LIMIT = 1 << 29
#: two values closer than this times the largest are one level
NOISE = 1e-6
#: rounding noise of a chain's own arithmetic in float64
TREND_NOISE = 1e-13


#: samples per channel of a real leaf
SAMPLES = 2049


@dataclass(frozen=True, kw_only=True)
class Steps:
    """Runs of equal values: from ``start`` on, channel ``channel`` has ``value``; sorted by channel, then start."""

    channel: Integers
    start: Integers | Floats
    value: Floats


def read_steps(expression: Expression, low: Integers, high: Integers, sign: Integers) -> Steps:
    """Evaluate the chain at sign*acc for every acc in low..high, for each channel, and cut where its value changes.

    Raises
    ------
    ModelError
        Naming the chain's last node and the channel, when there are more than ``STEP_LIMIT`` steps, or the
        value creeps instead of stepping.
    """
    channels = low.size
    first, last = int(low.min()), int(high.max())
    if (last - first + 1) * channels > SAMPLED_FROM:
        turned = expression.rebased(expression.leaf, scaled("sign", sign.astype(np.float64), np.zeros(channels)))
        assert turned is not None
        sampled = find_steps(turned, low.astype(np.float64), high.astype(np.float64))
        return replace(sampled, start=np.ceil(sampled.start).astype(np.int64))
    samples = np.linspace(first, last, min(257, last - first + 1)).astype(np.int64)
    largest = float(np.abs(_values(expression, samples, low, high, sign)).max())
    tolerance = NOISE * largest
    counts = np.zeros(channels, np.int64)
    current = np.full(channels, np.nan)
    found: list[tuple[Integers, Integers, Floats]] = []
    width = max(64, BLOCK // channels)
    for begin in range(first, last + 1, width):
        positions = np.arange(begin, min(begin + width, last + 1))
        values = _values(expression, positions, low, high, sign)
        before = np.concatenate((current[:, None], values[:, :-1]), axis=1)
        changes = ~(np.abs(values - before) <= tolerance)
        channel, column = np.nonzero(changes)
        counts += np.bincount(channel, minlength=channels)
        if (counts > STEP_LIMIT + 1).any():
            _refuse(expression, int(counts.argmax()))
        found.append((channel, positions[column], values[channel, column]))
        current = _held(expression, values, changes, current, tolerance)
    channel, start, value = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.lexsort((start, channel))
    return Steps(channel=channel[order], start=start[order], value=value[order])


def find_steps(expression: Expression, low: Floats, high: Floats) -> Steps:
    """The same for a real leaf: samples over low..high, then bisection; starts are the first float of each step.

    Steps narrower than a sampling distance can be missed.

    Raises
    ------
    ModelError
        Naming the chain's last node and the channel, when there are too many steps.
    """
    x = low[:, None] + (high - low)[:, None] * np.linspace(0, 1, SAMPLES)
    values = np.broadcast_to(expression.evaluate(x), x.shape)
    tolerance = NOISE * float(np.abs(values).max())
    channel, column = np.nonzero(np.abs(np.diff(values, axis=1)) > tolerance)
    counts = np.bincount(channel, minlength=low.size)
    if (counts > STEP_LIMIT).any():
        _refuse(expression, int(counts.argmax()))
    start = np.empty(channel.size)
    order = np.arange(channel.size) - np.concatenate(([0], np.cumsum(counts)))[channel]
    for rank in range(int(counts.max(initial=0))):
        start[order == rank] = _bisect(expression, x, values, channel[order == rank], column[order == rank])
    every = np.arange(low.size)
    channels = np.concatenate((every, channel))
    starts = np.concatenate((low, start))
    found = np.concatenate((values[:, 0], values[channel, column + 1]))
    sequence = np.lexsort((starts, channels))
    return Steps(channel=channels[sequence], start=starts[sequence], value=found[sequence])


def _bisect(expression: Expression, x: Floats, values: Floats, channel: Integers, column: Integers) -> Floats:
    """The first float after the change behind ``column``, one change per channel at most."""
    below, above = np.zeros(x.shape[0]), np.zeros(x.shape[0])
    below[channel], above[channel] = x[channel, column], x[channel, column + 1]
    old = np.zeros(x.shape[0])
    old[channel] = values[channel, column]
    tolerance = NOISE * float(np.abs(values).max())
    for _ in range(60):
        middle = (below + above) / 2
        seen = np.broadcast_to(expression.evaluate(middle[:, None]), (x.shape[0], 1))[:, 0]
        same = np.abs(seen - old) <= tolerance
        below, above = np.where(same, middle, below), np.where(same, above, middle)
    return above[channel]


def _check_work(expression: Expression, first: int, last: int, channels: int) -> None:
    if (last - first + 1) * channels > WORK_LIMIT:
        raise ModelError(
            f"{expression.where}: its channels' sums take too many values ({last - first + 1}) to be evaluated"
        )


def _values(expression: Expression, positions: Integers, low: Integers, high: Integers, sign: Integers) -> Floats:
    """Chain values (channels, positions); a channel's value beyond its range is that at the range's end."""
    sums = np.clip(positions[None, :], low[:, None], high[:, None]) * sign[:, None]
    values = expression.evaluate(sums.astype(np.float64))
    return np.broadcast_to(values, sums.shape)


def _held(
    expression: Expression, values: Floats, changes: NDArray[np.bool_], current: Floats, tolerance: float
) -> Floats:
    """Check that each value stays at its run's first one; return the first value of the run each channel ends in."""
    last_change = np.maximum.accumulate(np.where(changes, np.arange(values.shape[1]), -1), axis=1)
    begun = np.take_along_axis(values, np.maximum(last_change, 0), axis=1)
    run_value = np.where(last_change >= 0, begun, current[:, None])
    creeping = np.abs(values - run_value) > 2 * tolerance
    if creeping.any():
        _refuse(expression, int(np.argwhere(creeping)[0][0]))
    return run_value[:, -1]


def _refuse(expression: Expression, channel: int) -> None:
    raise ModelError(
        f"{expression.where}: channel {channel} takes more than {STEP_LIMIT + 1} different values, so it is not a step "
        "function; quantise this activation to 8 bits or fewer"
    )


def trend(expression: Expression, low: Integers, high: Integers, sign: Integers) -> Integers:
    """Per channel: +1 when the chain never falls as the sum rises, -1 when it never rises, 0 constant, 2 neither."""
    channels = low.size
    first, last = int(low.min()), int(high.max())
    _check_work(expression, first, last, channels)
    rises, falls = np.zeros(channels, bool), np.zeros(channels, bool)
    width = max(64, BLOCK // channels)
    for begin in range(first, last + 1, width):
        values = _values(expression, np.arange(begin, min(begin + width, last) + 1), low, high, sign)
        change = np.diff(values[:, : last - begin + 1], axis=1)
        tolerance = TREND_NOISE * np.abs(values).max(axis=1, keepdims=True)
        rises |= (change > tolerance).any(axis=1)
        falls |= (change < -tolerance).any(axis=1)
    return np.where(rises & falls, 2, rises.astype(np.int64) - falls)


def levels(steps: Steps) -> Floats:
    """The distinct values of all channels."""
    return distinct(steps.value, NOISE)


def code_table(steps: Steps, grid: Grid, high: Integers) -> Threshold:
    """Thresholds and integer codes of every channel; channels with fewer steps get thresholds no sum reaches."""
    channels = high.size
    codes = np.rint((steps.value - grid.offset) / grid.scale).astype(np.int64)
    begins = np.concatenate(([True], np.diff(steps.channel) != 0))
    keep = begins | np.concatenate(([True], np.diff(codes) != 0))
    channel, start, code, begins = steps.channel[keep], steps.start[keep], codes[keep], begins[keep]
    firsts = np.flatnonzero(begins)
    rank = np.arange(channel.size) - firsts[channel]
    count = int(rank.max())
    thresholds = np.repeat((high + 1)[:, None], count, axis=1)
    table = np.zeros((channels, count + 1), np.int64)
    table[channel, rank] = code
    lasts = np.append(firsts[1:], channel.size) - 1 - firsts
    table = np.where(np.arange(count + 1) > lasts[:, None], table[np.arange(channels), lasts][:, None], table)
    inner = rank > 0
    thresholds[channel[inner], rank[inner] - 1] = start[inner]
    return Threshold(thresholds=thresholds, codes=table)


def off_grid(steps: Steps, grid: Grid) -> bool:
    """Whether a value does not lie on the grid."""
    codes = np.rint((steps.value - grid.offset) / grid.scale)
    error = np.abs(steps.value - grid.offset - grid.scale * codes)
    return bool((error > 4 * NOISE * np.abs(steps.value).max(initial=0.0)).any())


def direction(table: Threshold) -> Integers:
    """+1 for channels whose codes never fall and rise somewhere, -1 for the reverse, 0 constant, 2 neither."""
    change = np.diff(table.codes, axis=1)
    rises, falls = (change > 0).any(axis=1), (change < 0).any(axis=1)
    return np.where(rises & falls, 2, rises.astype(np.int64) - falls)


def mirrored(table: Threshold, which: Integers, high: Integers) -> Threshold:
    """The table as a function of -acc in the channels marked; ``high`` is the largest value -acc takes there."""
    thresholds, codes = table.thresholds.copy(), table.codes.copy()
    for channel in np.flatnonzero(which):
        row = codes[channel]
        steps = int(np.count_nonzero(np.diff(row)))  # unused thresholds come last and repeat the last code
        thresholds[channel, :steps] = 1 - thresholds[channel, :steps][::-1]
        thresholds[channel, steps:] = high[channel] + 1
        codes[channel, : steps + 1] = row[: steps + 1][::-1]
        codes[channel, steps + 1 :] = row[0]
    return Threshold(thresholds=thresholds, codes=codes)
