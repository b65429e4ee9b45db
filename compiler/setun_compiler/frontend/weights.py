"""Recognising integer weights in floats: ternary per output channel, or a grid of integers."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from setun_compiler.frontend.errors import ModelError
from setun_compiler.frontend.graph import Array
from setun_compiler.frontend.grid import Floats, Integers, common_scale, distinct

#: exporters leave this much relative noise on ternary weights (straight-through quantizers written as x + (q - x))
TERNARY_NOISE = 1e-5
#: largest magnitude of an integer weight: 8 bits
WEIGHT_LIMIT = 128
#: the same in a channel of only two magnitudes, where a ratio of trained scales would otherwise pass for a grid
PAIR_LIMIT = 7


@dataclass(frozen=True, kw_only=True)
class IntegerWeights:
    """real[o] = scale[o] * codes[o], scale > 0."""

    codes: Integers  #: as the real weights, output channels first
    scale: Floats  #: (output channels,)


def recognise(real: Array, where: str) -> IntegerWeights:
    """Integer codes and a scale per output channel (axis 0) of real weights.

    Raises
    ------
    ModelError
        Naming ``where``, when a weight is not finite, or the weights have two scales or lie on no grid of integers.
    """
    rows: NDArray[np.float64] = real.reshape(real.shape[0], -1).astype(np.float64)
    if not np.isfinite(rows).all():
        channel = int(np.argwhere(~np.isfinite(rows))[0][0])
        raise ModelError(f"{where}: a weight of output channel {channel} is not a finite number")
    found = _ternary(rows) or _one_grid(rows) or _grids(rows)
    if found is None:
        raise ModelError(_refusal(rows, where))
    codes, scale = found
    return IntegerWeights(codes=codes.astype(np.int64).reshape(real.shape), scale=scale)


def _ternary(rows: Floats) -> tuple[Floats, Floats] | None:
    """Channels that hold nothing but -a, 0 and +a."""
    magnitude = np.abs(rows)
    largest = magnitude.max(axis=1, initial=0.0, keepdims=True)
    marks = magnitude > TERNARY_NOISE * largest
    noise = np.where(marks, np.abs(magnitude - largest), 0.0)
    if (noise > TERNARY_NOISE * largest).any():
        return None
    count = marks.sum(axis=1)
    mean = np.where(marks, magnitude, 0.0).sum(axis=1) / np.maximum(count, 1)
    exact = (noise == 0).all(axis=1)
    scale = np.where(exact, largest[:, 0], mean)  # a sum of equal floats may round; the float itself does not
    return np.where(marks, np.sign(rows), 0.0), np.where(count > 0, scale, 1.0)


def _one_grid(rows: Floats) -> tuple[Floats, Floats] | None:
    """One scale for the whole tensor."""
    levels = distinct(np.abs(rows).ravel())
    if levels.size > WEIGHT_LIMIT + 1 or levels.size <= 3:
        return None
    scale = common_scale(levels)
    if scale is None or levels[-1] / scale > WEIGHT_LIMIT + 0.5:
        return None
    return np.rint(rows / scale), np.full(rows.shape[0], scale)


def _grids(rows: Floats) -> tuple[Floats, Floats] | None:
    """A scale for each output channel."""
    scales = np.ones(rows.shape[0])
    for channel, row in enumerate(rows):
        levels = distinct(np.abs(row))
        levels = levels[levels > TERNARY_NOISE * levels[-1]] if levels.size else levels
        if not levels.size:
            continue
        scale = common_scale(levels)
        limit = PAIR_LIMIT if levels.size <= 2 else WEIGHT_LIMIT
        if scale is None or levels[-1] / scale > limit + 0.5:
            return None
        scales[channel] = scale
    return np.rint(rows / scales[:, None]), scales


def _two_scales(row: Floats) -> bool:
    snapped = np.where(np.abs(row) > TERNARY_NOISE * np.abs(row).max(initial=0.0), row, 0.0)
    return (
        distinct(snapped[snapped > 0], TERNARY_NOISE).size <= 1
        and distinct(snapped[snapped < 0], TERNARY_NOISE).size <= 1
    )


def _refusal(rows: Floats, where: str) -> str:
    if all(_two_scales(row) for row in rows):
        row = next(row for row in rows if _ternary(row[None]) is None)
        return (
            f"{where}: its weights have two scales (+{row.max():.6g} and {row.min():.6g}, as TTQ trains them), "
            "which needs an array with a second accumulator"
        )
    channel, row = next((c, r) for c, r in enumerate(rows) if _ternary(r[None]) is None)
    return (
        f"{where}: output channel {channel} has {distinct(row).size} different weights that are not integers times "
        "a scale, so they are neither ternary nor quantised to 8 bits"
    )
