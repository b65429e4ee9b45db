"""Parameters of channels out of the parameter memory's bits, as the compiled kernels take them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from setun_hw.config import Config, Encoding
from setun_hw.descriptor import Post
from setun_sim.kernels import names

Integers = NDArray[np.int64]


class Parameters(NamedTuple):
    """Of some channels, which are the last axis."""

    thresholds: Integers  #: (T, channels)
    codes: NDArray[np.uint8]  #: (T+1, code_digits, channels), least significant digit first
    fixed: Integers  #: (10, channels), in the order of the kernels' names


def parameters(bits: NDArray[np.uint8], config: Config, post: Post | None, after: int) -> Parameters:
    """Parameters out of bits (channels, channel_parameter_bits); ``post`` with fixed point only.

    ``after`` is the COMPUTE's ``residual_after``.
    """
    c, count = config, len(bits)
    width, place = c.accumulator_width, c.thresholds * c.accumulator_width
    sums = bits[:, :place].reshape(count, c.thresholds, width)
    if post is not None:
        thresholds = _numbers(sums[..., : c.residual_bits + 1])
    elif c.encoding is Encoding.TERNARY:
        trits = sums[..., 0::2].astype(np.int64) - sums[..., 1::2]
        thresholds = trits @ 3 ** np.arange(c.accumulator_trits, dtype=np.int64)
    else:
        thresholds = _numbers(sums)
    end = place + (c.thresholds + 1) * c.code_digits * 2
    pairs = bits[:, place:end].reshape(count, c.thresholds + 1, c.code_digits, 2)
    fixed = np.zeros((10, count), np.int64)
    if post is not None:
        half, half1 = 1 << post.shift >> 1, 1 << post.shift1 >> 1
        r = names.AFTER if after else names.R
        rows = {
            "m": (names.M, 0), "m2": (names.M2, 0), "r": (r, 0), "b": (names.B, half),
            "pivot": (names.PIVOT, 0), "m0": (names.M0, 0), "b0": (names.B0, half1), "m1": (names.M1, 0),
            "b1": (names.B1, half1),
        }  # fmt: skip
        for name, size in c.affine_parameters.items():
            row, add = rows[name]
            fixed[row] = _numbers(bits[:, end : end + size]) + add
            end += size
    return Parameters(thresholds.T, (pairs[..., 0] + 2 * pairs[..., 1]).transpose(1, 2, 0), fixed)


def _numbers(bits: NDArray[np.uint8]) -> Integers:
    """Two's complement numbers of the last axis' bits."""
    place = 1 << np.arange(bits.shape[-1], dtype=np.int64)
    place[-1] = -place[-1]
    return bits.astype(np.int64) @ place
