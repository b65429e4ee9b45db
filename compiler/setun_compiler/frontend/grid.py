"""Real values that are integers times a scale: finding the scale although the values carry rounding noise."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

#: relative noise of values that went through float32 arithmetic
NOISE = 2e-6
#: largest code of a grid
CODE_LIMIT = 1023
#: a grid may need codes up to this many times the number of distinct magnitudes, lest chance ratios pass for a grid
SPARSENESS = 16


@dataclass(frozen=True)
class Grid:
    """value = scale * code + offset."""

    scale: float
    offset: float


def distinct(values: Floats, noise: float = NOISE) -> Floats:
    """The distinct values in rising order, those closer than ``noise`` times the largest magnitude taken as one."""
    ordered = np.unique(values)
    if not ordered.size:
        return ordered
    apart = np.concatenate(([True], np.diff(ordered) > noise * np.abs(ordered).max()))
    starts = np.flatnonzero(apart)
    sums = np.add.reduceat(ordered, starts)
    return np.asarray(sums / np.diff(np.append(starts, ordered.size)), np.float64)


def common_scale(values: Floats, noise: float = NOISE) -> float | None:
    """The largest g of which every value is an integer multiple, or None; zeros do not count.

    Euclid's algorithm with a tolerance, then the least-squares g for the integers found.
    """
    magnitudes = distinct(np.abs(values), noise)
    if not magnitudes.size or magnitudes[-1] == 0:
        return None
    largest = float(magnitudes[-1])
    magnitudes = magnitudes[magnitudes > 1e-5 * largest]
    if magnitudes.size == 1:
        return largest
    g = float(magnitudes[0])
    for value in magnitudes[1:]:
        a, b = float(value), g
        while b > 4 * noise * largest:
            a, b = b, abs(a - b * round(a / b))
        g = a
        if g * CODE_LIMIT < largest:
            return None
    codes = np.rint(magnitudes / g)
    g = float(magnitudes @ codes / (codes @ codes))
    fits = bool(np.all(np.abs(magnitudes - g * codes) <= 4 * noise * largest))
    return g if fits and codes[-1] <= min(CODE_LIMIT, SPARSENESS * magnitudes.size) else None


def find_grid(levels: Floats) -> Grid | None:
    """The grid on which all levels lie, with the smallest codes that serve, or None.

    The real 0 gets the code 0 where it is a level or lies between levels; otherwise codes start at 0, and three levels
    or fewer are centred so that one trit holds them.
    """
    largest = float(np.abs(levels).max(initial=0.0))
    if largest == 0:
        return Grid(1.0, 0.0)
    scale, offset = common_scale(levels), 0.0
    if scale is None:
        offset = float(levels.min())
        scale = common_scale(levels - offset)
        if scale is None:
            return None
    codes = np.rint((levels - offset) / scale)
    low, high = int(codes.min()), int(codes.max())
    if high - low <= 2 and (low < -1 or high > 1):
        shift = low + 1
    elif low > 0 or high < 0:
        shift = low
    else:
        shift = 0
    return Grid(scale, offset + scale * shift)
