"""Compiled inner loops of the fast simulator's COMPUTE, on bit planes.

A word of N digits is two planes of N bits: for trits the positive and the negative rail, for radix-4 digits the low and
the high bit. A plane is kept in U unsigned integers of one type (16, 32 or 64 bits; U > 1 only above 64 lanes).
An activation memory is ``memory[image, strip, word, plane, unit]``; the sums of many channels lie side by side, so that
the compiler vectorises over channels, with one population count for every word of products.
"""

from typing import Any, NamedTuple

import numba as nb
import numpy as np
from numba import types
from numba.extending import intrinsic

#: places in the counts that :func:`compute` adds to
PRODUCTS, UPDATES, NONZERO_ACTIVATIONS, PADDING_READS, WORST_SUM, FAULT = range(6)
COUNTS = 6
#: values of the FAULT count
READ_FAULT, WRITE_FAULT = 1, 2

#: words of products after which partial sums are emptied: 512 x 80 fits the narrowest, of 16 bits
_FLUSH = 512


class Geometry(NamedTuple):
    """The numbers of a COMPUTE that its loops need: fields of the descriptor under their own names, and a few more."""

    first_group: int
    first_channel: int
    set_groups: int  #: channel groups that share a set
    batch: int
    radix: int
    trit_sums: int  #: RAW planes are trits, not bit pairs
    lanes: int
    digit_pairs: int  #: passes over the kernel, in_digits x weight_digits
    in_base: int
    in_digits: int
    in_row_stride: int
    in_col_stride: int
    in_cols: int
    in_strip_rows: int
    in_full_strips: int
    in_last_rows: int
    in_end: int
    blocks: int
    group_block_step: int
    kernel_rows: int
    kernel_cols: int
    kernel_row_step: int
    kernel_col_step: int
    pool_rows: int
    pool_cols: int
    pool_row_step: int
    pool_col_step: int
    row_step: int
    col_step: int
    pad_top: int
    pad_left: int
    out_rows: int
    out_cols: int
    out_base: int
    out_digits: int
    out_row_stride: int
    out_col_stride: int
    out_end: int


@intrinsic  # type: ignore[untyped-decorator]
def popcount(_typing: Any, x: types.Integer) -> Any:
    """Ones of an unsigned integer, in its own type."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return x(x), generate


_jit = nb.njit(nogil=True, cache=True)
# Arguments are typed by use: each kernel is compiled for the one word size that a configuration needs, then cached.


@_jit
def _flush(acc, plus, minus, nonzero, changed, radix4, counts):  # type: ignore[no-untyped-def]
    """Move partial sums into the accumulators and the counts."""
    products = updates = np.int64(0)
    for m in range(acc.size):
        acc[m] += np.int64(plus[m]) - np.int64(minus[m])
        products += np.int64(nonzero[m]) if radix4 else np.int64(plus[m]) + np.int64(minus[m])
        updates += np.int64(changed[m])
    plus[:] = 0
    minus[:] = 0
    nonzero[:] = 0
    changed[:] = 0
    counts[PRODUCTS] += products
    counts[UPDATES] += updates


@_jit
def _trit_step(x, w, plus, minus, changed):  # type: ignore[no-untyped-def]
    """One word x[plane, unit] times one word of each row w[plane, unit, row]: trits of a single unit, the common case."""
    p, n = x[0, 0], x[1, 0]
    wp, wn = w[0, 0], w[1, 0]
    for m in range(plus.size):
        a = popcount((p & wp[m]) | (n & wn[m]))
        b = popcount((p & wn[m]) | (n & wp[m]))
        plus[m] += a
        minus[m] += b
        changed[m] += a != b


@_jit
def _any_step(x, w, radix4, plus, minus, nonzero, changed, a, b):  # type: ignore[no-untyped-def]
    """:func:`_trit_step` for every other case: ``a`` and ``b`` gather the dot product's two sides over the units."""
    a[:] = 0
    b[:] = 0
    for u in range(w.shape[1]):
        p, n = x[0, u], x[1, u]
        wp, wn = w[0, u], w[1, u]
        if radix4:
            for m in range(plus.size):
                a[m] += popcount(p & wp[m]) + (popcount(n & wn[m]) << 2)
                b[m] += (popcount(p & wn[m]) + popcount(n & wp[m])) << 1
                nonzero[m] += popcount((p | n) & (wp[m] | wn[m]))
        else:
            for m in range(plus.size):
                a[m] += popcount((p & wp[m]) | (n & wn[m]))
                b[m] += popcount((p & wn[m]) | (n & wp[m]))
    for m in range(plus.size):
        plus[m] += a[m]
        minus[m] += b[m]
        changed[m] += a[m] != b[m]


@_jit
def _locate(g, strips, strip, y0, x0, word, banks, words, counts):  # type: ignore[no-untyped-def]
    """Bank and first word of every kernel position of one convolution pixel; bank -1 is padding."""
    for kh in range(g.kernel_rows):
        y = y0 + kh * g.kernel_row_step
        shift = y // g.in_strip_rows
        bank, row = strip + shift, y - shift * g.in_strip_rows
        if g.batch:
            held = g.in_last_rows if shift == 0 else 0
        elif bank < g.in_full_strips:
            held = g.in_strip_rows
        else:
            held = g.in_last_rows if bank == g.in_full_strips else 0
        outside = bank < 0 or bank >= strips or row >= held
        for kw in range(g.kernel_cols):
            x = x0 + kw * g.kernel_col_step
            position = kh * g.kernel_cols + kw
            banks[position] = -1
            if not outside and 0 <= x < g.in_cols:
                banks[position] = bank
                words[position] = g.in_base + row * g.in_row_stride + x * g.in_col_stride + word
                if words[position] + g.blocks * g.in_digits > g.in_end:
                    counts[FAULT] = READ_FAULT
            else:
                counts[PADDING_READS] += g.blocks * g.digit_pairs * g.set_groups


@_jit
def _convolve(g, memory, w, pad, banks, words, acc, plus, minus, nonzero, changed, a, b, counts):  # type: ignore[no-untyped-def]
    """Sums of one convolution pixel for all channels of a set, the pixel's words being located."""
    weight_digits, units = w.shape[0], w.shape[3]
    radix4 = g.radix == 4
    small = units == 1 and not radix4
    acc[:] = 0
    since = ones = 0
    for s in range(g.in_digits + weight_digits - 1):
        acc *= g.radix
        for i in range(max(0, s - weight_digits + 1), min(s, g.in_digits - 1) + 1):
            for position in range(banks.size):
                for block in range(g.blocks):
                    if banks[position] >= 0:
                        x = memory[banks[position], words[position] + block * g.in_digits + i]
                    else:
                        x = pad[i]
                    here = 0
                    for u in range(units):
                        here += np.int64(popcount(x[0, u] | x[1, u]))
                    if here == 0:
                        continue
                    ones += here
                    since += 1
                    if since == _FLUSH:
                        _flush(acc, plus, minus, nonzero, changed, radix4, counts)
                        since = 1
                    weights = w[s - i, position * g.blocks + block]
                    if small:
                        _trit_step(x, weights, plus, minus, changed)
                    else:
                        _any_step(x, weights, radix4, plus, minus, nonzero, changed, a, b)
        _flush(acc, plus, minus, nonzero, changed, radix4, counts)
        since = 0
    counts[NONZERO_ACTIVATIONS] += ones * g.set_groups


@_jit
def _post(g, bank, pixel, channel0, pooled, level, active, thresholds, codes, counts):  # type: ignore[no-untyped-def]
    """Thresholds and codes, or planes of raw sums, of one output pixel; other lanes of its words stay."""
    level[:] = 0
    for t in range(thresholds.shape[0]):
        for m in range(pooled.size):
            level[m] += pooled[m] >= thresholds[t, m]
    bits = bank.itemsize * 8
    for m in range(pooled.size):
        if not active[m]:
            continue
        counts[WORST_SUM] = max(counts[WORST_SUM], abs(pooled[m]))
        block, lane = divmod(channel0 + m, g.lanes)
        address = pixel + block * g.out_digits
        if address + g.out_digits > g.out_end:
            counts[FAULT] = WRITE_FAULT
            return
        one = bank.dtype.type(1) << bank.dtype.type(lane % bits)
        rest = pooled[m]
        for d in range(g.out_digits - 1, -1, -1):
            if codes.shape[1] > 0:
                code = np.int64(codes[m, level[m], d])
            elif g.trit_sums:
                trit = (rest + 1) % 3 - 1
                code = trit if trit >= 0 else 2
                rest = (rest - trit) // 3
            else:
                code = rest & 3
                rest >>= 2
            for plane in range(2):
                old = bank[address + d, plane, lane // bits]
                bank[address + d, plane, lane // bits] = (old | one) if code >> plane & 1 else (old & ~one)


@_jit
def compute(g, memory, w, pad, active, thresholds, codes, counts):  # type: ignore[no-untyped-def]
    """Carry out channel groups of a COMPUTE on every image and strip of ``memory``.

    ``w[set, weight digit, position, plane, unit, channel]`` holds the weights: groups that read the same words lie side by
    side in one set. ``pad[digit, plane, unit]`` is what positions outside the map read as. ``active[set, channel]`` marks
    the channels written; ``thresholds[set, T, channel]`` and ``codes[set, channel, level, plane]`` are theirs, the latter
    without levels where the mode is RAW.
    """
    sets, channels, strips = w.shape[0], w.shape[5], memory.shape[1]
    banks = np.empty(g.kernel_rows * g.kernel_cols, np.int64)
    words = np.empty(g.kernel_rows * g.kernel_cols, np.int64)
    acc, pooled, level = np.empty(channels, np.int64), np.empty(channels, np.int64), np.empty(channels, np.int64)
    plus, minus, nonzero = np.zeros(channels, w.dtype), np.zeros(channels, w.dtype), np.zeros(channels, w.dtype)
    changed, a, b = np.zeros(channels, w.dtype), np.zeros(channels, w.dtype), np.zeros(channels, w.dtype)
    for image, strip, oy, ox, k in np.ndindex((memory.shape[0], strips, g.out_rows, g.out_cols, sets)):
        word = (g.first_group + k) * g.group_block_step * g.in_digits
        for py in range(g.pool_rows):
            for px in range(g.pool_cols):
                y0 = oy * g.row_step + py * g.pool_row_step - g.pad_top
                x0 = ox * g.col_step + px * g.pool_col_step - g.pad_left
                _locate(g, strips, strip, y0, x0, word, banks, words, counts)
                if counts[FAULT] != 0:
                    return
                _convolve(g, memory[image], w[k], pad, banks, words, acc, plus, minus, nonzero, changed, a, b, counts)
                if py == 0 and px == 0:
                    pooled[:] = acc
                else:
                    for m in range(channels):
                        pooled[m] = max(pooled[m], acc[m])
        pixel = g.out_base + oy * g.out_row_stride + ox * g.out_col_stride
        channel0 = g.first_channel + k * channels
        _post(g, memory[image, strip], pixel, channel0, pooled, level, active[k], thresholds[k], codes[k], counts)
        if counts[FAULT] != 0:
            return
