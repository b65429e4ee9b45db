"""Post-processing as the golden interpreter does it: parameters out of their bits, fixed point, codes and digit planes.

Written beside "Fixed-point post-processing" of docs/machine.md. Sums have shape (strips, out_rows, out_cols, channels).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from setun_hw.config import Config, Encoding
from setun_hw.descriptor import Post
from setun_sim.golden_words import Bits

Integers = NDArray[np.int64]

#: digit that stands for the two-bit codes 00, 01, 10, 11
TRITS = np.array([0, 1, -1, 0])
RADIX4 = np.array([0, 1, -2, -1])


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """What some channels find in the parameter memory."""

    thresholds: Integers  #: (channels, T)
    codes: NDArray[np.uint8]  #: (channels, T+1, code_digits), two-bit codes, least significant digit first
    fixed: dict[str, Integers]  #: m, m2, r, m0, m1, b, b0, b1 and pivot, each (channels,); none without ``affine``


def parameters_of(channels: Bits, config: Config, affine: bool) -> Parameters:
    """Parameters out of bits (channels, channel_parameter_bits); ``affine`` says how thresholds are written."""
    c = config
    thresholds, codes = [], []
    fixed: dict[str, list[int]] = {name: [] for name in ("m", "m2", "r", "m0", "m1", "b", "b0", "b1", "pivot")}
    for bits in channels:
        own = bits[: c.thresholds * c.accumulator_width].reshape(c.thresholds, c.accumulator_width)
        if affine:
            thresholds.append([twos_complement(t[: c.residual_bits + 1]) for t in own])
        else:
            thresholds.append([accumulator_value(t, c.encoding) for t in own])
        place = c.thresholds * c.accumulator_width
        pairs = bits[place : place + (c.thresholds + 1) * c.code_digits * 2].reshape(c.thresholds + 1, c.code_digits, 2)
        codes.append(pairs[..., 0] + 2 * pairs[..., 1])
        place += pairs.size
        for name, width in c.affine_parameters.items():
            fixed[name].append(twos_complement(bits[place : place + width]))
            place += width
        if "m2" not in c.affine_parameters:
            fixed["m2"].append(0)
    return Parameters(
        thresholds=np.array(thresholds, np.int64),
        codes=np.array(codes, np.uint8),
        fixed={name: np.array(values, np.int64) for name, values in fixed.items()},
    )


def twos_complement(bits: Bits) -> int:
    """Two's complement number, lowest bit first."""
    return sum(int(bit) << k for k, bit in enumerate(bits)) - (int(bits[-1]) << len(bits))


def accumulator_value(bits: Bits, encoding: Encoding) -> int:
    """Threshold on ``accumulator_width`` bits, lowest first: trits, or two's complement."""
    if encoding is Encoding.TERNARY:
        return sum(3**k * (int(bits[2 * k]) - int(bits[2 * k + 1])) for k in range(len(bits) // 2))
    return twos_complement(bits)


def rounded(x: Integers, shift: int) -> Integers:
    """x / 2^shift, rounded half up."""
    half = 1 << shift - 1 if shift > 0 else 0
    return (x + half) >> shift


def saturated(x: Integers, config: Config) -> Integers:
    """x clipped to what ``accumulator_bits`` bits hold."""
    limit = 1 << config.accumulator_bits - 1
    return np.minimum(np.maximum(x, -limit), limit - 1)


def two_slopes(acc: Integers, acc2: Integers, res: Integers | None, p: Parameters, post: Post, c: Config) -> Integers:
    """y of one convolution pixel of every pooling window; ``res`` is None where it is not added before the slopes."""
    f = p.fixed
    total = acc * f["m"] + acc2 * f["m2"] + f["b"]
    if res is not None:
        total = total + res * f["r"]
    v = saturated(rounded(total, post.shift), c)
    upper = saturated(rounded(v * f["m1"] + f["b1"], post.shift1), c)
    lower = saturated(rounded(v * f["m0"] + f["b0"], post.shift1), c)
    return np.where(v >= f["pivot"], upper, lower)


def share_of(res: Integers, p: Parameters, shift: int, config: Config) -> Integers:
    """The residual operand's part behind the slopes."""
    return saturated(rounded(res * p.fixed["r"], shift), config)


def levels_of(x: Integers, p: Parameters) -> Integers:
    """Number of thresholds that each number reaches."""
    levels = np.zeros(x.shape, np.int64)
    for channel, thresholds in enumerate(p.thresholds):
        for t in thresholds:
            levels[..., channel] += x[..., channel] >= t
    return levels


def code_planes(levels: Integers, p: Parameters, planes: int) -> NDArray[np.uint8]:
    """Lowest ``planes`` digits of each level's code as two-bit codes, most significant first, on a new last axis."""
    found = np.zeros((*levels.shape, planes), np.uint8)
    for channel, codes in enumerate(p.codes):
        for plane in range(planes):
            found[..., channel, plane] = codes[:, planes - 1 - plane][levels[..., channel]]
    return found


def digit_planes(x: Integers, encoding: Encoding, planes: int) -> NDArray[np.uint8]:
    """Two-bit codes of the lowest ``planes`` digits of each number, most significant first, on a new last axis."""
    rest, found = x.copy(), []
    for _ in range(planes):
        digit = (rest - encoding.lowest) % encoding.radix + encoding.lowest
        rest = (rest - digit) // encoding.radix
        if encoding is Encoding.BINARY2:
            found.append(digit & 3)
        else:
            found.append(np.where(digit < 0, 2, digit))
    return np.stack(found[::-1], axis=-1).astype(np.uint8)


def raw_planes(sums: Integers, config: Config, planes: int) -> NDArray[np.uint8]:
    """Lowest ``planes`` two-bit planes of accumulators, most significant first, on a new last axis."""
    if config.encoding is Encoding.TERNARY:
        return digit_planes(sums, config.encoding, planes)
    return np.stack([sums >> 2 * plane & 3 for plane in reversed(range(planes))], axis=-1).astype(np.uint8)


def decode(codes: NDArray[np.uint8], encoding: Encoding) -> Integers:
    """Digits that two-bit codes stand for; both rails at once cancel (lanes nobody uses may hold such leftovers)."""
    return (RADIX4 if encoding is Encoding.BINARY2 else TRITS)[codes]


def magnitudes(digits: Integers) -> Integers:
    """|w| of single-trit weights; what is no trit reads as 0."""
    return np.where(np.abs(digits) == 1, 1, 0)
