"""Recognising integer weights in floats: ternary per output channel, with one scale or two, or a grid of integers."""

from dataclasses import dataclass
from typing import Literal

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
#: largest magnitude of a rounded float weight: six trits
ROUNDED_LIMIT = 364
#: how close to ternary, as a share of the largest weight, makes a float layer look like a mistake
NEARLY = 0.02

#: what to do with layers whose weights are floats
FloatLayers = Literal["quantise", "refuse"]


@dataclass(frozen=True, kw_only=True)
class IntegerWeights:
    """real[o] = scale[o]*codes[o] + second[o]*|codes[o]|, scale > 0."""

    codes: Integers  #: as the real weights, output channels first
    scale: Floats  #: (output channels,)
    #: (output channels,) half the difference of the two scales of a channel (TTQ); None where all are one scale
    second: Floats | None = None
    #: what the user should know, about weights that were rounded
    note: str = ""


def recognise(real: Array, where: str, float_layers: FloatLayers = "quantise") -> IntegerWeights:
    """Integer codes and a scale per output channel (axis 0) of real weights: ternary where they are, then two scales,
    then a grid of integers, and last rounded to six trits.

    Raises
    ------
    ModelError
        Naming ``where``, when a weight is not finite, or no integers and not to be rounded.
    """
    rows: NDArray[np.float64] = real.reshape(real.shape[0], -1).astype(np.float64)
    if not np.isfinite(rows).all():
        channel = int(np.argwhere(~np.isfinite(rows))[0][0])
        raise ModelError(f"{where}: a weight of output channel {channel} is not a finite number")
    found = _ternary(rows) or _one_grid(rows) or _grids(rows)
    if found is not None:
        return IntegerWeights(codes=found[0].astype(np.int64).reshape(real.shape), scale=found[1])
    two = _two_scales(rows)
    if two is not None:
        codes, scale, second = two
        return IntegerWeights(codes=codes.astype(np.int64).reshape(real.shape), scale=scale, second=second)
    if float_layers == "refuse":
        raise ModelError(_refusal(rows, where))
    codes, scale = _rounded(rows)
    return IntegerWeights(
        codes=codes.astype(np.int64).reshape(real.shape), scale=scale, note=_rounding_note(rows, codes, scale, where)
    )


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


def _two_scales(rows: Floats) -> tuple[Floats, Floats, Floats] | None:
    """Channels that hold nothing but -n, 0 and +p (TTQ, Zhu et al. 2017): codes, (p+n)/2 and (p-n)/2."""
    largest = np.abs(rows).max(axis=1, initial=0.0, keepdims=True)
    codes = np.where(np.abs(rows) > TERNARY_NOISE * largest, np.sign(rows), 0.0)
    scales = []
    for sign in (1, -1):
        marks = codes == sign
        count = marks.sum(axis=1)
        mean = np.where(marks, np.abs(rows), 0.0).sum(axis=1) / np.maximum(count, 1)
        if (np.abs(np.where(marks, np.abs(rows) - mean[:, None], 0.0)) > TERNARY_NOISE * largest).any():
            return None
        scales.append(np.where(count > 0, mean, 0.0))
    plus, minus = scales
    plus, minus = np.where(plus == 0, minus, plus), np.where(minus == 0, plus, minus)
    return codes, np.where(plus == 0, 1.0, (plus + minus) / 2), (plus - minus) / 2


def _rounded(rows: Floats) -> tuple[Floats, Floats]:
    """Integers of six trits, each channel's largest weight the largest of them."""
    largest = np.abs(rows).max(axis=1, initial=0.0)
    scale = np.where(largest > 0, largest / ROUNDED_LIMIT, 1.0)
    return np.rint(rows / scale[:, None]), scale


def _rounding_note(rows: Floats, codes: Floats, scale: Floats, where: str) -> str:
    wrong = np.abs(rows - codes * scale[:, None]).max(axis=1)
    error = float((wrong / np.maximum(np.abs(rows).max(axis=1), 1e-30)).max())
    near = [channel for channel, row in enumerate(rows) if 1 < distinct(np.abs(row), NEARLY).size <= 2]
    hint = (
        f"; {len(near)} of its {rows.shape[0]} output channels are within {NEARLY:.0%} of ternary, "
        "so was it meant to be?"
        if len(near) > rows.shape[0] // 2
        else ""
    )
    return (
        f"{where}: its float weights are rounded to six trits, with an error of at most {error:.2%} of the "
        f"largest{hint}"
    )


def _refusal(rows: Floats, where: str) -> str:
    channel, row = next((c, r) for c, r in enumerate(rows) if _ternary(r[None]) is None)
    return (
        f"{where}: output channel {channel} has {distinct(row).size} different weights that are not integers times "
        "a scale, so they are neither ternary nor quantised to 8 bits"
    )
