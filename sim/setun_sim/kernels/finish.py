"""What becomes of sums: pooling, comparison, codes, and their bits in words of activations."""
# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, untyped-decorator"
# pyright: reportCallIssue=false

from typing import Any

import numba as nb
import numpy as np

from setun_sim.geometry import RADIX4, TRITS
from setun_sim.kernels.names import FAULT, VECTOR, WRITE_FAULT
from setun_sim.kernels.places import position
from setun_sim.kernels.vectors import bits, reached

_jit = nb.njit(nogil=True)
_inline = nb.njit(nogil=True, inline="always")


@_inline
def _pool(sums, output, windows):
    """Largest sum of each channel in a pooling window, left in the window's first row of ``sums``."""
    for window in range(1, windows):
        for m in range(sums.shape[1]):
            sums[output, m] = max(sums[output, m], sums[output + window, m])


@_inline
def _plane(kind, numbers, code):
    """Lowest two-bit plane of each number into ``code``; the rest of the number stays."""
    for m in range(code.size):
        if kind == TRITS:
            trit = (numbers[m] + 1) % 3 - 1
            numbers[m] = (numbers[m] - trit) // 3
            code[m] = trit if trit >= 0 else 2
        else:
            code[m] = numbers[m] & 3
            borrow = numbers[m] >> 1 & 1 if kind == RADIX4 else 0
            numbers[m] = (numbers[m] >> 2) + borrow


@_inline
def _worst(numbers, worst):
    """Largest magnitudes so far."""
    for m in range(worst.size):
        worst[m] = max(worst[m], abs(numbers[m]))


@_inline
def _levels(numbers, thresholds, levels):
    """Which channels reach how many of their thresholds, which do not fall: levels[level, vector]."""
    for vector in range(levels.shape[1]):
        below = np.uint32(0xFFFFFFFF)
        for t in range(thresholds.shape[0]):
            now: Any = reached(numbers, thresholds[t], vector * VECTOR)
            levels[t, vector] = below & ~now
            below = now
        levels[thresholds.shape[0], vector] = below


@_inline
def _window(plane, m):
    """64 bits of a plane from bit ``m`` on."""
    word, low = m // 32, np.uint64(m % 32)
    found = (np.uint64(plane[word]) | np.uint64(plane[word + 1]) << np.uint64(32)) >> low
    return found | np.uint64(plane[word + 2]) << np.uint64(1) << np.uint64(63) - low


@_jit
def finish(g, memory, k, first_pixel, sums, thresholds, codes, pieces, levels, planes, code, worst, counts):
    """Pool, compare and write a tile's pixels, plane by plane and unit by unit; other lanes of the words stay.

    Results in fixed point are pooled already. ``memory`` is of one image and strip.
    """
    kind, windows = memory.dtype.type, g.pool_rows * g.pool_cols
    vectors = code.size // VECTOR
    _, _, ox, oy = position(g, first_pixel)
    for output in range(sums.shape[0] // windows):
        pooled = sums[output * windows, : code.size]
        if not g.affine:
            _pool(sums, output * windows, windows)
            _worst(pooled, worst)
        word = g.out_base + oy * g.out_row_stride + ox * g.out_col_stride
        if codes.shape[1] > 0:
            _levels(pooled, thresholds[k], levels)
        for d in range(g.out_digits - 1, -1, -1):
            if codes.shape[1] == 0:
                _plane(g.planes, pooled, code)
                for vector in range(vectors):
                    planes[0, vector] = bits(code, 0, vector * VECTOR)
                    planes[1, vector] = bits(code, 1, vector * VECTOR)
            else:
                planes[:] = 0
                for t in range(codes.shape[1]):
                    for plane in range(2):
                        for vector in range(vectors):
                            planes[plane, vector] |= levels[t, vector] & codes[k, t, d, plane, vector]
            for piece in range(pieces.shape[1]):
                m, mask, low = pieces[k, piece, 0], kind(pieces[k, piece, 1]), kind(pieces[k, piece, 2])
                if mask == 0:
                    continue
                address, unit = word + pieces[k, piece, 3] * g.out_digits + d, pieces[k, piece, 4]
                if address >= g.out_end:
                    counts[FAULT] = WRITE_FAULT
                    return
                for plane in range(2):
                    own = (kind(_window(planes[plane], m)) & mask) << low
                    memory[address, plane, unit] = (memory[address, plane, unit] & ~(mask << low)) | own
        ox += 1
        if ox == g.out_cols:
            ox, oy = 0, oy + 1
