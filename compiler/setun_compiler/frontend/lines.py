"""Chains that are two straight lines: slopes and the bend are found by evaluation, never by operators' names."""

from dataclasses import dataclass

import numpy as np

from setun_compiler.frontend.errors import ModelError
from setun_compiler.frontend.expression import Expression
from setun_compiler.frontend.grid import Floats

#: points evaluated per channel
POINTS = 513
#: and around its bend
BEND_POINTS = 64
#: relative difference of neighbouring slopes, and of values, that counts as rounding noise
NOISE = 1e-7


class CurveError(ModelError):
    """A chain that is neither made of lines nor of few levels."""

    def __init__(self, where: str, channel: int) -> None:
        super().__init__(
            f"{where}: channel {channel} is not made of one or two straight lines, and no step function of few levels "
            "either; use ReLU, PReLU, RPReLU or a quantiser"
        )
        self.channel = channel


@dataclass(frozen=True, kw_only=True)
class Lines:
    """slope0*x + start0 below ``pivot``, slope1*x + start1 from there on; each (channels,)."""

    slope0: Floats
    start0: Floats
    slope1: Floats
    start1: Floats
    pivot: Floats

    @property
    def straight(self) -> bool:
        """Whether no channel has a bend."""
        return bool((self.slope0 == self.slope1).all() and (self.start0 == self.start1).all())

    def evaluate(self, x: Floats) -> Floats:
        """Values (channels, n) for x (channels, n)."""
        upper = self.slope1[:, None] * x + self.start1[:, None]
        lower = self.slope0[:, None] * x + self.start0[:, None]
        return np.where(x >= self.pivot[:, None], upper, lower)

    def scaled(self, gain: Floats, offset: Floats) -> "Lines":
        """gain*lines + offset per channel."""
        return Lines(
            slope0=self.slope0 * gain, start0=self.start0 * gain + offset,
            slope1=self.slope1 * gain, start1=self.start1 * gain + offset, pivot=self.pivot,
        )  # fmt: skip


def straight_lines(slope: Floats, start: Floats) -> Lines:
    """One line per channel."""
    return Lines(slope0=slope, start0=start, slope1=slope, start1=start, pivot=np.zeros(slope.size))


def spread(low: Floats, high: Floats, points: int = POINTS) -> Floats:
    """Evenly spaced x (channels, points)."""
    return low[:, None] + (high - low)[:, None] * np.linspace(0, 1, points)


def values(expression: Expression, x: Floats) -> Floats:
    """Chain values, (channels, n)."""
    return np.broadcast_to(expression.evaluate(x), x.shape)


def find_lines(expression: Expression, low: Floats, high: Floats, floor: float, ceiling: float) -> Lines:
    """The chain on low..high as two lines per channel, where it lies within floor..ceiling; beyond, it is clipped.

    Raises
    ------
    ModelError
        Naming the chain's last node and the channel whose shape it is not.
    """
    form = expression.affine(low.size)
    if form is not None:
        return straight_lines(*form)
    x = spread(low, high)
    y = values(expression, x)
    slack = NOISE * max(1e-30, float(np.abs(y).max()))
    inside = (y > floor + slack) & (y < ceiling - slack)
    first = np.where(inside.any(axis=1), inside.argmax(axis=1), 0)
    last = np.where(inside.any(axis=1), y.shape[1] - 1 - inside[:, ::-1].argmax(axis=1), y.shape[1] - 1)
    every = np.arange(low.size)
    fine = spread(x[every, np.maximum(first - 1, 0)], x[every, np.minimum(last + 1, y.shape[1] - 1)])
    fine, seen = _refined(expression, fine)
    parts = [_channel(fine[c], seen[c], floor + slack, ceiling - slack) for c in range(low.size)]
    columns = np.array(parts, np.float64).T
    lines = Lines(slope0=columns[0], start0=columns[1], slope1=columns[2], start1=columns[3], pivot=columns[4])
    allowed = max(slack * 100, 1e-6 * (ceiling - floor))
    for points, true in ((x, y), (fine, seen)):
        error = np.abs(np.clip(lines.evaluate(points), floor, ceiling) - np.clip(true, floor, ceiling)).max(axis=1)
        if (error > allowed).any():
            raise CurveError(expression.where, int(error.argmax()))
    at = lines.pivot[:, None]
    ends = [lines.evaluate(at), lines.slope0[:, None] * at + lines.start0[:, None]]
    jump = np.abs(np.clip(ends[0], floor, ceiling) - np.clip(ends[1], floor, ceiling))[:, 0]
    if (jump > allowed).any():
        raise ModelError(f"{expression.where}: channel {int(jump.argmax())} jumps between its two straight lines")
    return lines


def _refined(expression: Expression, x: Floats) -> tuple[Floats, Floats]:
    """More points around each channel's sharpest bend, so that a short line in front of it is seen too."""
    slopes = np.diff(values(expression, x), axis=1) / np.maximum(np.diff(x, axis=1), 1e-300)
    bend = np.abs(np.diff(slopes, axis=1)).argmax(axis=1)
    every = np.arange(x.shape[0])
    # an even number of inner points of two cells: none of them is the point between the cells
    inner = spread(x[every, bend], x[every, bend + 2], BEND_POINTS + 2)[:, 1:-1]
    more = np.sort(np.concatenate((x, inner), axis=1), axis=1)
    return more, values(expression, more)


def _channel(x: Floats, y: Floats, floor: float, ceiling: float) -> tuple[float, float, float, float, float]:
    """slope0, start0, slope1, start1, pivot of one channel's samples."""
    if x[-1] == x[0] or np.ptp(y) == 0:
        return 0.0, float(y[0]), 0.0, float(y[0]), float(x[0])
    widths = np.diff(x)
    slopes = np.diff(y) / widths
    noise = 1e-6 * float(np.abs(slopes).max()) + 1e-11 * float(np.abs(y).max()) / np.minimum(widths[1:], widths[:-1])
    cuts = np.flatnonzero(np.abs(np.diff(slopes)) > noise) + 1
    pieces: list[tuple[float, float, int, int]] = []
    for begin, end in zip(np.concatenate(([0], cuts)), np.concatenate((cuts, [slopes.size])), strict=True):
        clipped = bool((y[begin : end + 1] >= ceiling).all() or (y[begin : end + 1] <= floor).all())
        if end - begin < 2 or (clipped and (begin == 0 or end == slopes.size)):
            continue
        slope = float((y[end] - y[begin]) / (x[end] - x[begin]))
        pieces.append((slope, float(y[begin] - slope * x[begin]), int(begin), int(end)))
    if not pieces:
        middle = x.size // 2
        return 0.0, float(y[middle]), 0.0, float(y[middle]), float(x[0])
    (slope0, start0, _, end0), (slope1, start1, begin1, _) = pieces[0], pieces[-1]
    if len(pieces) == 1:
        return slope0, start0, slope0, start0, float(x[0])
    pivot = (start0 - start1) / (slope1 - slope0) if slope1 != slope0 else float(x[begin1])
    return slope0, start0, slope1, start1, float(min(max(pivot, x[end0]), x[begin1]))
