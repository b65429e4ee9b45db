"""Real lines on sums and residuals written as the integers of an affine step."""

from dataclasses import dataclass, replace

import numpy as np

from setun_compiler.frontend.errors import ModelError
from setun_compiler.frontend.grid import Floats, Integers
from setun_compiler.frontend.lines import Lines
from setun_compiler.frontend.tensors import Real
from setun_compiler.network import Affine, Threshold

#: v is kept inside this many bits where its precision allows
V_BITS = 20
#: bits v has beyond the output's, in front of a bend
FRACTION = 4
#: error of a coefficient's rounding, in units of the output, that is too much
COARSE = 0.05
#: largest shift of a descriptor
SHIFT_LIMIT = 31


@dataclass(frozen=True, kw_only=True)
class OutGrid:
    """out = round(real/scale), clipped to low..high."""

    scale: float
    low: int
    high: int

    @property
    def limits(self) -> tuple[float, float]:
        """Smallest and largest real value."""
        return self.low * self.scale, self.high * self.scale


def encode(source: Real, lines: Lines, grid: OutGrid, bits: int, threshold: Threshold | None = None) -> Affine:
    """The affine step that makes out = lines(z)/scale of a source; with a late operand, that is added to it.

    Coefficients have ``bits`` bits and as large a shift as they leave room for.

    Raises
    ------
    ModelError
        Naming the layer, when its numbers differ so much that no common shift holds them.
    """
    if source.linear is not None:  # a channel without weights sums up to 0, whatever its factors
        dead = ~source.linear.weights.any(axis=(1, 2, 3))
        source = replace(source, gain=np.where(dead, 0.0, source.gain), gain2=np.where(dead, 0.0, source.gain2))
    inner = lines.scaled(np.full(lines.pivot.size, 1 / grid.scale), np.zeros(lines.pivot.size))
    zero = np.zeros(source.groups)
    if inner.straight:
        inner = _capped(source, inner, grid)
        affine = _step(source, inner.slope1, inner.start1, grid, bits, threshold)
        if not _coarse(source, inner, grid, affine):
            return affine
        # v is the sums themselves, so what is added to them comes behind the second factor
        inner = inner.scaled(np.ones(source.groups), inner.slope1 * source.bias)
        source = replace(source, bias=zero)
        unit = _even(source, inner)
    else:
        unit = _steepest(source, inner, grid.scale)
    return _bent(_step(source, unit, zero, grid, bits, threshold), inner, unit, bits)


def _step(
    source: Real, unit: Floats, offset: Floats, grid: OutGrid, bits: int, threshold: Threshold | None
) -> Affine:
    """v = unit*z + offset, and out = v."""
    residual = np.zeros(source.groups) if source.operand is None else source.operand.factor
    late = residual / grid.scale if source.after else residual * unit
    shift, (m, m2, r) = _coefficients(source, np.stack((source.gain * unit, source.gain2 * unit, late)), bits)
    one, none = np.ones(source.groups, np.int64), np.zeros(source.groups, np.int64)
    return Affine(
        m=m, m2=m2, r=r, b=_whole((source.bias * unit + offset) * 2.0**shift), shift=shift,
        pivot=none, m0=one, b0=none, m1=one, b1=none, shift1=0,
        low=grid.low, high=grid.high, residual_after=source.after, threshold=threshold,
    )  # fmt: skip


def _capped(source: Real, lines: Lines, grid: OutGrid) -> Lines:
    """Lines so steep that no two sums lie within the output's range become less steep, through the same sum: a dead
    channel's gain would else leave no bits for the others."""
    steepest = 2.0 * (grid.high - grid.low + 1)
    per_sum = lines.slope1 * source.gain
    steep = np.abs(per_sum) > steepest
    if not steep.any() or source.operand is not None or source.gain2.any():
        return lines
    gain = np.where(steep, source.gain, 1.0)
    middle = (grid.high + grid.low) / 2
    safe = np.where(steep, lines.slope1, 1.0)
    nearest = np.rint(((middle - lines.start1) / safe - source.bias) / gain) * gain + source.bias
    slope = np.where(steep, np.sign(per_sum) * steepest / gain, lines.slope1)
    value = np.clip(lines.slope1 * nearest + lines.start1, middle - steepest, middle + steepest)
    start = np.where(steep, value - slope * nearest, lines.start1)
    return replace(lines, slope0=slope, start0=start, slope1=slope, start1=start)


def _coarse(source: Real, lines: Lines, grid: OutGrid, affine: Affine) -> bool:
    """Whether rounding the coefficients can move an output by a twentieth of its unit, because slopes differ too much
    between channels for one shift; and a second factor can help."""
    if source.operand is not None or source.gain2.any() or source.linear is None:
        return False
    per_sum = lines.slope1 * source.gain
    error = np.abs(affine.m / 2.0**affine.shift - per_sum)
    reach = np.maximum(np.abs(source.linear.low), np.abs(source.linear.high))
    shown = np.minimum(reach, 2.0 * (grid.high - grid.low + 1) / np.maximum(np.abs(per_sum), 1e-30))
    return bool((error * shown > COARSE).any())


def _even(source: Real, lines: Lines) -> Floats:
    """(channels,) units of v per unit of z: powers of two per sum, larger in steeper channels, so that the second
    factors are all of one size."""
    gain = np.where(source.gain == 0, 1.0, np.abs(source.gain))
    per_sum = np.abs(lines.slope1) * gain
    low, high = sums_range(source)
    reach = np.maximum(np.abs(low), np.abs(high)) / gain
    moving = per_sum[per_sum * reach > 0.5]  # the others are constant
    least = float(moving.min()) if moving.size else 1.0
    room = np.floor(np.log2((1 << (V_BITS - 1)) / np.maximum(reach, 1.0)))
    wanted = np.floor(np.log2(np.maximum(per_sum, least) / least))
    return np.asarray(2.0 ** np.clip(np.minimum(wanted, room), 0, None) / gain, np.float64)


def _steepest(source: Real, lines: Lines, scale: float) -> Floats:
    """(channels,) units of v per unit of z: the steeper slope's, with bits to spare, while v keeps inside ``V_BITS``.

    Up to a power of two it is the output's unit, so that residuals on an aligned scale keep exact coefficients.
    """
    steep = np.maximum(np.abs(lines.slope0), np.abs(lines.slope1)) * scale
    steep = np.where(steep > 0, 2.0 ** np.ceil(np.log2(np.where(steep > 0, steep, 1.0)) - 1e-6), 0.0) / scale
    low, high = sums_range(source)
    largest = float((np.maximum(np.abs(low), np.abs(high)) * steep).max(initial=1.0))
    spare = int(np.floor(np.log2((1 << (V_BITS - 1)) / max(largest, 1.0))))
    return steep * 2.0 ** min(FRACTION, max(0, spare))


def _bent(affine: Affine, lines: Lines, unit: Floats, bits: int) -> Affine:
    """The two slopes and the pivot on top of v = unit*z."""
    per_v = np.where(unit > 0, unit, 1.0)
    ratios = np.stack((lines.slope0, lines.slope1)) / per_v
    room = float((1 << (bits - 1)) - 1) / max(float(np.abs(ratios).max()), 1e-30)
    shift = min(SHIFT_LIMIT, int(np.floor(np.log2(room))))
    step = 2.0**shift
    limit = 1 << (V_BITS - 1)
    return replace(
        affine, pivot=np.clip(_whole(np.ceil(lines.pivot * unit)), -limit, limit - 1),
        m0=_whole(ratios[0] * step), b0=_whole(lines.start0 * step),
        m1=_whole(ratios[1] * step), b1=_whole(lines.start1 * step), shift1=shift,
    )  # fmt: skip


def _coefficients(source: Real, real: Floats, bits: int) -> tuple[int, list[Integers]]:
    largest = float(np.abs(real).max())
    if not np.isfinite(largest):
        raise ModelError(f"{source.name}: its scales are not finite")
    limit = float((1 << (bits - 1)) - 1)
    shift = SHIFT_LIMIT if largest == 0 else min(SHIFT_LIMIT, int(np.floor(np.log2(limit / largest))))
    if shift < 0:
        raise ModelError(f"{source.name}: needs coefficients up to {largest:.6g}, but {bits} bits hold {limit:.0f}")
    return shift, [_whole(row * 2.0**shift) for row in real]


def _whole(x: Floats) -> Integers:
    return np.asarray(np.rint(x), np.int64)


def sums_range(source: Real) -> tuple[Floats, Floats]:
    """(channels,) smallest and largest z, before bend, pooling and a late operand."""
    low = high = source.bias
    if source.linear is not None:
        linear = source.linear
        ends = np.stack((linear.low, linear.high)) * source.gain
        low, high = low + ends.min(axis=0), high + ends.max(axis=0)
        if source.gain2.any():
            reach = np.maximum(np.abs(linear.source.low), np.abs(linear.source.high))
            reach = np.abs(linear.weights).sum(axis=(1, 2, 3)) * reach * np.abs(source.gain2)
            low, high = low - reach, high + reach
    if source.operand is not None and not source.after:
        low, high = low + source.operand.limits[0], high + source.operand.limits[1]
    return low, high
