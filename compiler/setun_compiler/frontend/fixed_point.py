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
    inner = lines.scaled(np.full(lines.pivot.size, 1 / grid.scale), np.zeros(lines.pivot.size))
    residual = np.zeros(source.groups) if source.operand is None else source.operand.factor
    if inner.straight:
        unit, offset = inner.slope1, inner.start1
    else:
        unit, offset = _steepest(source, inner, grid.scale), np.zeros(source.groups)
    late = residual / grid.scale if source.after else residual * unit
    shift, (m, m2, r) = _coefficients(source, np.stack((source.gain * unit, source.gain2 * unit, late)), bits)
    step = 2.0**shift
    affine = Affine(
        m=m, m2=m2, r=r, b=_whole((source.bias * unit + offset) * step), shift=shift,
        pivot=np.zeros(source.groups, np.int64),
        m0=np.ones(source.groups, np.int64), b0=np.zeros(source.groups, np.int64),
        m1=np.ones(source.groups, np.int64), b1=np.zeros(source.groups, np.int64), shift1=0,
        low=grid.low, high=grid.high, residual_after=source.after, threshold=threshold,
    )  # fmt: skip
    return affine if inner.straight else _bent(affine, inner, unit, bits)


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
