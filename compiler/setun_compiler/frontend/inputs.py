"""The model's input: which integers stand for its floats, and what its leading operators make of them."""

from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np

from setun_compiler.frontend import elementwise
from setun_compiler.frontend.builder import Builder
from setun_compiler.frontend.errors import ModelError, printable
from setun_compiler.frontend.expression import Expression
from setun_compiler.frontend.graph import Array
from setun_compiler.frontend.grid import Floats, Integers, distinct, find_grid
from setun_compiler.frontend.steps import NOISE
from setun_compiler.frontend.tensors import Input, Settled
from setun_compiler.network import Feature, Port

#: how far from a grid point, in steps, a float may lie and still count as on it
CLOSE = 1e-3
#: integers an input may take: 16 bits
COUNT_LIMIT = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Samples:
    """The grid a float input lies on: x = scale*(n - zero) + offset for n = low..high."""

    scale: float
    zero: int = 0
    offset: float = 0.0
    low: int
    high: int
    saturate: bool = False
    #: what the user should know about how the grid was chosen
    note: str = ""

    @property
    def points(self) -> Floats:
        """Every x on the grid."""
        return self.scale * (np.arange(self.low, self.high + 1, dtype=np.float64) - self.zero) + self.offset


def from_range(low: float, high: float, note: str = "") -> Samples:
    """256 values from low to high."""
    # a width that is no normal number leaves no 255 steps
    if not (np.isfinite(low) and np.isfinite(high) and np.finfo(np.float64).tiny * 255 <= high - low < np.inf):
        raise ModelError(f"the input range must be two finite numbers, the first smaller, not {low:g} and {high:g}")
    return Samples(scale=(high - low) / 255, offset=float(low), low=0, high=255, note=note)


def from_calibration(samples: Array) -> Samples | None:
    """The grid of at most 256 values on which all calibration samples lie, or None."""
    values = np.unique(samples.astype(np.float64))
    if values.size < 2 or not np.isfinite(values).all():
        return None
    largest = float(np.abs(values).max())
    for parts in (1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 63, 64, 127, 128, 255, 256):
        if largest <= 1 + CLOSE / parts and np.abs(values * parts - np.rint(values * parts)).max() <= CLOSE:
            return Samples(scale=1 / parts, low=0 if values[0] >= 0 else -parts, high=parts)
    if np.abs(values - np.rint(values)).max() <= CLOSE and values[-1] - min(values[0], 0) <= 256:
        return Samples(scale=1.0, low=min(0, round(values[0])), high=round(values[-1]))
    step = float(np.diff(values).min())
    counts = (values - values[0]) / step
    if counts[-1] > 255 + CLOSE:
        return None
    step = float(np.rint(counts) @ (values - values[0]) / (np.rint(counts) @ np.rint(counts)))
    if np.abs((values - values[0]) / step - np.rint(counts)).max() > 10 * CLOSE:
        return None
    return Samples(scale=step, offset=float(values[0]), low=0, high=round(counts[-1]))


def leading_quantizer(value: Expression) -> Samples | None:
    """The grid of the one quantizer (Quant, QuantizeLinear) through which the input enters, if it does."""
    leaves = [part for part in value.parts() if any(inner.node is None for inner in part.inner())]
    if not leaves:
        return None
    found = [_quantizer(part) for part in leaves]
    first = found[0]
    return first if first is not None and all(samples == first for samples in found) else None


def _quantizer(part: Expression) -> Samples | None:
    node, arguments = part.node, part.arguments
    assert node is not None
    constants = [argument for argument in arguments[1:] if isinstance(argument, np.ndarray)]
    single = len(constants) == len(arguments) - 1 and all(constant.size == 1 for constant in constants)
    if not single or not isinstance(arguments[0], Expression):
        return None
    numbers = [float(constant.item()) for constant in constants]
    if (node.domain, node.op) == ("", "QuantizeLinear"):
        low, high = elementwise.quantize_range(node, constants[1] if len(constants) > 1 else None)
    elif node.op in ("Quant", "IntQuant") and len(constants) == 3:
        low, high = elementwise.quant_range(node, constants[2])
        if elementwise.ROUNDINGS.get(node.text("rounding_mode", "ROUND").upper()) is not np.rint or high - low < 2:
            return None
    else:
        return None
    scale, zero = numbers[0], numbers[1] if len(numbers) > 1 else 0.0
    if not (np.isfinite(scale) and scale > 0) or zero != int(zero) or high - low >= COUNT_LIMIT:
        return None
    return Samples(scale=scale, zero=int(zero), low=low, high=high, saturate=True)


@dataclass
class InputReader:
    """Decides the input's integers once the first linear operator shows what is done with them."""

    source: Input
    builder: Builder
    input_range: tuple[float, float] | None
    calibration: Array | None
    _done: tuple[tuple[int, tuple[int, ...], bytes], Settled] | None = None

    def settle(self, value: Expression, index: Integers, padded: bool) -> Settled:
        """The feature the input fills.

        ``index`` (channels, rows, cols) says which element of the sample each element of the feature is.

        Raises
        ------
        ModelError
            When the leading operators do not leave small integers, or the order of elements is not a transposition.
        """
        key = (value.serial, index.shape, index.tobytes())
        if self._done is None:
            self._done = key, self._settle(value, index, padded)
        elif self._done[0] != key:
            raise ModelError(
                f"input {printable(self.source.value.name)} is read by several linear operators in different ways"
            )
        return self._done[1]

    def _samples(self, value: Expression) -> Samples:
        dtype = self.source.value.dtype
        if self.input_range is not None:
            return from_range(*self.input_range)
        if dtype.kind in "iu":
            if dtype.itemsize > 1:
                raise ModelError(
                    f"input {printable(self.source.value.name)} has {dtype.name} elements; export it as float"
                )
            low, high = elementwise.integer_range(dtype)
            return Samples(scale=1.0, low=low, high=high)
        samples = leading_quantizer(value)
        if samples is None and self.calibration is not None:
            samples = from_calibration(self.calibration)
            if samples is None:
                least, most = float(self.calibration.min()), float(self.calibration.max())
                samples = from_range(least, most, f"the input is rounded to 256 values from {least:g} to {most:g}")
        note = (
            "the input is taken to lie in 0..1 in steps of 1/255; say otherwise with an input range or calibration data"
        )
        return samples or from_range(0.0, 1.0, note)

    def _settle(self, value: Expression, index: Integers, padded: bool) -> Settled:
        samples = self._samples(value)
        if samples.note:
            self.builder.note(samples.note)
        axes = _axes(self.source.shape, index)
        if axes is None:
            raise ModelError(
                f"input {printable(self.source.value.name)}: the model reorders it in a way that is not a transposition"
            )
        values = self._values(value, samples.points, index)
        steps = (values[:, -1:] - values[:, :1]) / max(1, values.shape[1] - 1)
        line = values[:, :1] + steps * np.arange(values.shape[1])
        straight = (np.abs(values - line) <= CLOSE * np.abs(steps)).all() and steps.all() and values.shape[1] > 1
        read = _affine(samples, values, steps[:, 0], padded) if straight else _table(samples, values, value.where)
        channels, rows, cols = index.shape
        name = self.builder.unique("input")
        feature = Feature(name=name, channels=channels, rows=rows, cols=cols, low=read.low, high=read.high)
        self.builder.add_feature(feature)
        if read.note:
            self.builder.note(read.note)
        self.builder.port = Port(
            name=self.source.value.name, shape=self.source.shape, feature=name, axes=axes, scale=read.port.scale,
            zero=read.port.zero, offset=read.port.offset, saturate=samples.saturate, table=read.table,
        )  # fmt: skip
        return Settled(
            feature=feature, scale=np.broadcast_to(read.scale, channels), offset=np.broadcast_to(read.offset, channels)
        )

    def _values(self, value: Expression, points: Floats, index: Integers) -> Floats:
        """Real values (channels or 1, n) that the leading operators make of each grid point."""
        values = value.evaluate(points[None, :])
        if values.shape[0] == 1:
            return values
        channels = index.shape[0]
        ordered = values[index.ravel()].reshape(channels, -1, values.shape[1])
        if (ordered != ordered[:, :1]).any():
            raise ModelError(f"{value.where}: works differently on different pixels of the input")
        return ordered[:, 0]


@dataclass(frozen=True, kw_only=True)
class _Read:
    """Codes low..high with real = scale*code + offset, and the port that makes them."""

    port: Samples
    low: int
    high: int
    scale: Floats
    offset: Floats
    table: tuple[int, ...] = ()
    note: str = ""


def _axes(shape: tuple[int, ...], index: Integers) -> tuple[int, ...] | None:
    """The permutation of a sample's axes that brings its elements into ``index`` order; () for a plain reshape."""
    flat = index.ravel()
    if flat.size != int(np.prod(shape, dtype=np.int64)):
        return None
    if (flat == np.arange(flat.size)).all():
        return ()
    if len(shape) > 5:
        return None
    natural = np.arange(flat.size).reshape(shape)
    return next(
        (axes for axes in permutations(range(len(shape))) if (natural.transpose(axes).ravel() == flat).all()), None
    )


def _affine(samples: Samples, values: Floats, steps: Floats, padded: bool) -> _Read:
    """The leading operators scale and shift: real = step*n + b, the real 0 at n = zero_at."""
    zero_at = samples.low - values[:, 0] / steps
    if np.ptp(zero_at) > CLOSE or np.ptp(steps) > NOISE * np.abs(steps).max():
        if padded:
            raise ModelError(
                "the input's channels are scaled differently and then padded with 0, which is not supported yet"
            )
        return _Read(
            port=samples, low=samples.low, high=samples.high, scale=steps, offset=values[:, 0] - steps * samples.low
        )
    step, zero, inside = steps[:1], float(zero_at[0]), samples.low <= zero_at[0] <= samples.high
    whole = round(zero) if abs(zero - round(zero)) <= CLOSE else None
    if whole is not None and (inside or padded):
        port = replace(samples, zero=samples.zero - whole)
        return _Read(port=port, low=samples.low - whole, high=samples.high - whole, scale=step, offset=np.zeros(1))
    if not padded:
        return _Read(port=samples, low=samples.low, high=samples.high, scale=step, offset=-step * zero)
    if abs(2 * zero - round(2 * zero)) <= CLOSE:
        # the real 0 lies half way between two values, as in 2*x - 1: a grid twice as fine has it
        twice = round(2 * zero)
        port = replace(samples, scale=samples.scale / 2, zero=2 * samples.zero - twice)
        low, high = 2 * samples.low - twice, 2 * samples.high - twice
        return _Read(port=port, low=low, high=high, scale=step / 2, offset=np.zeros(1))
    origin = samples.scale * (zero - samples.zero) + samples.offset
    port = replace(samples, zero=0, offset=origin)
    return _Read(
        port=port, low=samples.low - round(zero), high=samples.high - round(zero), scale=step, offset=np.zeros(1),
        note=f"the input's grid is moved by {abs(zero - round(zero)):.2f} of a step so that padding with 0 is exact",
    )  # fmt: skip


def _table(samples: Samples, values: Floats, where: str) -> _Read:
    """The leading operators are no straight line: the host applies them by table."""
    if values.shape[0] != 1 and (values != values[:1]).any():
        raise ModelError(f"{where}: quantises the input's channels differently, which is not supported yet")
    levels = distinct(values[0], NOISE)
    grid = find_grid(levels)
    if grid is None:
        raise ModelError(
            f"{where}: what it makes of the input ({levels.size} levels) is not small integers times a scale"
        )
    codes = np.rint((values[0] - grid.offset) / grid.scale).astype(np.int64)
    port = replace(samples, zero=samples.zero - samples.low)
    return _Read(
        port=port, low=int(codes.min()), high=int(codes.max()), scale=np.array([grid.scale]),
        offset=np.array([grid.offset]), table=tuple(codes.tolist()),
    )  # fmt: skip
