"""Compiled inner loops of the fast simulator's COMPUTE, on bit planes.

A word of N digits is two planes of N bits: for trits the positive and the negative rail, for radix-4 digits the low and
the high bit. A plane is kept in U unsigned integers of one type (16, 32 or 64 bits; U > 1 only above 64 lanes).
An activation memory is ``memory[image, strip, word, plane, unit]``; the sums of many channels lie side by side, so that
the compiler vectorises over channels, with one population count for every word of products.
"""
# mypy: disable-error-code="no-untyped-def, call-arg, assignment, var-annotated, untyped-decorator"

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
#: channels side by side come in multiples of this: full vectors, with no remainder to be done one by one
VECTOR = 32
#: words listed at a time: they should stay in the first cache
_TILE = 2048


class Geometry(NamedTuple):
    """The numbers of a COMPUTE that its loops need: fields of the descriptor under their own names, and a few more."""

    first_group: int
    first_channel: int
    set_groups: int  #: channel groups that share a set
    set_channels: int  #: their channels
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


@intrinsic
def popcount(_typing: Any, x: types.Integer) -> Any:
    """Ones of an unsigned integer, in its own type."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return x(x), generate


# One file holds all of it: numba's cache of a kernel does not notice changes of what it calls in another file.
_jit = nb.njit(nogil=True, cache=True)
_inline = nb.njit(nogil=True, cache=True, inline="always")
# Arguments are typed by use: each kernel is compiled for the one word size that a configuration needs, then cached.
# Work is done in tiles of some convolution pixels: first their words are looked up, zero words left out; then all dot
# products are formed, in loops small enough for the compiler to vectorise well; then sums are pooled, compared and
# written.


@_jit
def _gather(g, memory, image, strip, k, pad, first_pixel, pixels, xs, rows, ends, counts):
    """List the non-zero words of ``pixels`` convolution pixels, in the order of the steps.

    ``xs[entry, plane, unit]`` is the word, ``rows[entry]`` which weight word it meets (weight digit x positions +
    position); ``ends[pixel*significances + s]`` is one past the last entry of significance s.
    """
    units, positions = xs.shape[2], g.kernel_rows * g.kernel_cols * g.blocks
    weight_digits = g.digit_pairs // g.in_digits
    significances = g.in_digits + weight_digits - 1
    first = g.in_base + (g.first_group + k) * g.group_block_step * g.in_digits
    entry, ones, padding = 0, np.int64(0), 0
    for pixel in range(pixels):
        rest, px = divmod(first_pixel + pixel, g.pool_cols)
        rest, py = divmod(rest, g.pool_rows)
        oy, ox = divmod(rest, g.out_cols)
        y0 = oy * g.row_step + py * g.pool_row_step - g.pad_top
        x0 = ox * g.col_step + px * g.pool_col_step - g.pad_left
        for s in range(significances):
            for i in range(max(0, s - weight_digits + 1), min(s, g.in_digits - 1) + 1):
                row = (s - i) * positions
                for kh in range(g.kernel_rows):
                    y = y0 + kh * g.kernel_row_step
                    shift = 0
                    while y < 0:
                        y += g.in_strip_rows
                        shift -= 1
                    while y >= g.in_strip_rows:
                        y -= g.in_strip_rows
                        shift += 1
                    bank = strip + shift
                    if g.batch:
                        held = g.in_last_rows if shift == 0 else 0
                    elif bank < g.in_full_strips:
                        held = g.in_strip_rows
                    else:
                        held = g.in_last_rows if bank == g.in_full_strips else 0
                    outside = bank < 0 or bank >= memory.shape[1] or y >= held
                    for kw in range(g.kernel_cols):
                        x = x0 + kw * g.kernel_col_step
                        padded = outside or x < 0 or x >= g.in_cols
                        word = first + y * g.in_row_stride + x * g.in_col_stride + i
                        if padded:
                            padding += g.blocks
                        elif word + (g.blocks - 1) * g.in_digits >= g.in_end:
                            counts[FAULT] = READ_FAULT
                            return
                        for _ in range(g.blocks):
                            here = np.int64(0)
                            for u in range(units):
                                p = pad[i, 0, u] if padded else memory[image, bank, word, 0, u]
                                n = pad[i, 1, u] if padded else memory[image, bank, word, 1, u]
                                xs[entry, 0, u], xs[entry, 1, u] = p, n
                                here += np.int64(popcount(p | n))
                            rows[entry] = row
                            entry += here != 0
                            ones += here
                            row += 1
                            word += g.in_digits
            ends[pixel * significances + s] = entry
    counts[NONZERO_ACTIVATIONS] += ones * g.set_groups
    counts[PADDING_READS] += padding * g.set_groups


# Partial sums are of the words' own type and go on growing from pixel to pixel, until they are emptied into the counts.
# While a pixel is worked on, its accumulator is acc + D, D being plus - minus; so acc starts as -D. The next
# significance multiplies the accumulator by the radix: acc becomes radix*(acc + D) - D.


@_inline
def _add(acc, sign, plus, minus):
    for m in range(acc.size):
        acc[m] += sign * (np.int64(plus[m]) - np.int64(minus[m]))


@_inline
def _scale(acc, radix, plus, minus):
    for m in range(acc.size):
        acc[m] = radix * acc[m] + (radix - 1) * (np.int64(plus[m]) - np.int64(minus[m]))


@_jit
def _empty(partial, radix4, products, updates):
    """Move partial sums into each channel's counts."""
    for m in range(products.size):
        products[m] += np.int64(partial[2, m]) if radix4 else np.int64(partial[0, m]) + np.int64(partial[1, m])
        updates[m] += np.int64(partial[3, m])
    partial[:] = 0


@_jit
def _trits(radix, xs, rows, ends, w, k, sums, products, updates, partial):
    """Sums of a tile's pixels, for trits in a single unit: the common case."""
    significances = ends.size // sums.shape[0]
    plus, minus, changed = partial[0], partial[1], partial[3]
    entry = since = 0
    for pixel in range(sums.shape[0]):
        acc, first = sums[pixel], entry
        acc[:] = 0
        _add(acc, -1, plus, minus)
        for s in range(significances):
            if entry > first:
                _scale(acc, radix, plus, minus)
            for e in range(entry, ends[pixel * significances + s]):
                p, n = xs[e, 0, 0], xs[e, 1, 0]
                wp, wn = w[k, rows[e], 0, 0], w[k, rows[e], 1, 0]
                for m in range(plus.size):
                    a = popcount((p & wp[m]) | (n & wn[m]))
                    b = popcount((p & wn[m]) | (n & wp[m]))
                    plus[m] += a
                    minus[m] += b
                    changed[m] += a != b
                since += 1
                if since == _FLUSH:
                    _add(acc, 1, plus, minus)
                    _empty(partial, False, products, updates)
                    since = 0
            entry = ends[pixel * significances + s]
        _add(acc, 1, plus, minus)
    _empty(partial, False, products, updates)


@_jit
def _digits(radix, xs, rows, ends, w, k, sums, products, updates, partial):
    """:func:`_trits` for every other case: the two sides of a dot product are gathered over the units first."""
    significances = ends.size // sums.shape[0]
    plus, minus, nonzero, changed, a, b = partial[0], partial[1], partial[2], partial[3], partial[4], partial[5]
    radix4 = radix == 4
    entry = since = 0
    for pixel in range(sums.shape[0]):
        acc, first = sums[pixel], entry
        acc[:] = 0
        _add(acc, -1, plus, minus)
        for s in range(significances):
            if entry > first:
                _scale(acc, radix, plus, minus)
            for e in range(entry, ends[pixel * significances + s]):
                for u in range(xs.shape[2]):
                    p, n = xs[e, 0, u], xs[e, 1, u]
                    wp, wn = w[k, rows[e], 0, u], w[k, rows[e], 1, u]
                    if radix4:
                        for m in range(plus.size):
                            a[m] += popcount(p & wp[m]) + (popcount(n & wn[m]) << 2)
                            b[m] += (popcount(p & wn[m]) + popcount(n & wp[m])) << 1
                        for m in range(plus.size):
                            nonzero[m] += popcount((p | n) & (wp[m] | wn[m]))
                    else:
                        for m in range(plus.size):
                            a[m] += popcount((p & wp[m]) | (n & wn[m]))
                            b[m] += popcount((p & wn[m]) | (n & wp[m]))
                for m in range(plus.size):
                    changed[m] += a[m] != b[m]
                for m in range(plus.size):
                    plus[m] += a[m]
                    a[m] = 0
                for m in range(plus.size):
                    minus[m] += b[m]
                    b[m] = 0
                since += 1
                if since == _FLUSH:
                    _add(acc, 1, plus, minus)
                    _empty(partial, radix4, products, updates)
                    since = 0
            entry = ends[pixel * significances + s]
        _add(acc, 1, plus, minus)
    _empty(partial, radix4, products, updates)


@_jit
def _finish(g, memory, image, strip, k, first_pixel, sums, active, thresholds, codes, level, worst, counts):
    """Pool, compare and write a tile's pixels, plane by plane and unit by unit; other lanes of the words stay."""
    kind, bits, channels = memory.dtype.type, memory.itemsize * 8, sums.shape[1]
    windows = g.pool_rows * g.pool_cols
    for output in range(sums.shape[0] // windows):
        pooled = sums[output * windows]
        for window in range(1, windows):
            other = sums[output * windows + window]
            for m in range(channels):
                pooled[m] = max(pooled[m], other[m])
        for m in range(channels):
            level[m] = 0
            worst[m] = max(worst[m], abs(pooled[m]) if active[k, m] else 0)
        for t in range(thresholds.shape[1]):
            limit = thresholds[k, t]
            for m in range(channels):
                level[m] += pooled[m] >= limit[m]
        oy, ox = divmod(first_pixel // windows + output, g.out_cols)
        word = g.out_base + oy * g.out_row_stride + ox * g.out_col_stride
        for d in range(g.out_digits - 1, -1, -1):
            m = 0
            while m < g.set_channels:
                block, lane = divmod(g.first_channel + k * g.set_channels + m, g.lanes)
                end = min(g.set_channels, m + bits - lane % bits, m + g.lanes - lane)
                p = n = mask = kind(0)
                one = kind(1) << kind(lane % bits)
                for q in range(m, end):
                    if active[k, q]:
                        if codes.shape[2] > 0:
                            code = np.int64(codes[k, q, level[q], d])
                        elif g.trit_sums:
                            code = (pooled[q] + 1) % 3 - 1
                            pooled[q] = (pooled[q] - code) // 3
                            code = code if code >= 0 else 2
                        else:
                            code = pooled[q] & 3
                            pooled[q] >>= 2
                        p |= one if code & 1 else kind(0)
                        n |= one if code & 2 else kind(0)
                        mask |= one
                    one <<= kind(1)
                address, unit = word + block * g.out_digits + d, lane // bits
                if mask != 0 and address >= g.out_end:
                    counts[FAULT] = WRITE_FAULT
                    return
                if mask != 0:
                    memory[image, strip, address, 0, unit] = (memory[image, strip, address, 0, unit] & ~mask) | p
                    memory[image, strip, address, 1, unit] = (memory[image, strip, address, 1, unit] & ~mask) | n
                m = end


@_jit
def compute(g, memory, w, pad, active, thresholds, codes, counts):
    """Carry out channel groups of a COMPUTE on every image and strip of ``memory``.

    ``w[set, weight digit x positions + position, plane, unit, channel]`` holds the weights: groups that read the same
    words lie side by side in one set. ``pad[digit, plane, unit]`` is what positions outside the map read as.
    ``active[set, channel]`` marks the channels written; ``thresholds[set, T, channel]`` and ``codes[set, channel,
    level, plane]`` are theirs, the latter without levels where the mode is RAW. Channels of a set beyond its own are
    all zeros; they fill up a multiple of :data:`VECTOR`.
    """
    sets, channels, units = w.shape[0], w.shape[4], w.shape[3]
    windows = g.pool_rows * g.pool_cols
    significances = g.in_digits + g.digit_pairs // g.in_digits - 1
    steps = g.kernel_rows * g.kernel_cols * g.blocks * g.digit_pairs
    total = g.out_rows * g.out_cols * windows
    tile = min(total, max(1, _TILE // (steps * windows)) * windows)
    xs, rows = np.empty((tile * steps, 2, units), w.dtype), np.empty(tile * steps, np.int64)
    ends, sums = np.empty(tile * significances, np.int64), np.empty((tile, channels), np.int64)
    products, updates = np.zeros(channels, np.int64), np.zeros(channels, np.int64)
    level, worst = np.zeros(channels, np.int64), np.zeros(channels, np.int64)
    partial = np.zeros((6, channels), w.dtype)
    for image in range(memory.shape[0]):
        for strip in range(memory.shape[1]):
            for k in range(sets):
                for first in range(0, total, tile):
                    pixels = min(tile, total - first)
                    _gather(g, memory, image, strip, k, pad, first, pixels, xs, rows, ends, counts)
                    if counts[FAULT] != 0:
                        return
                    last, out = ends[: pixels * significances], sums[:pixels]
                    if units == 1 and g.radix == 3:
                        _trits(g.radix, xs, rows, last, w, k, out, products, updates, partial)
                    else:
                        _digits(g.radix, xs, rows, last, w, k, out, products, updates, partial)
                    _finish(
                        g, memory, image, strip, k, first, out, active, thresholds, codes, level, worst, counts
                    )
                    if counts[FAULT] != 0:
                        return
    counts[PRODUCTS] += products.sum()
    counts[UPDATES] += updates.sum()
    counts[WORST_SUM] = max(counts[WORST_SUM], worst.max())
