"""Compiled inner loops of the fast simulator's COMPUTE, on bit planes.

A word of N digits is two planes of N bits: for trits the positive and the negative rail, for radix-4 digits the low and
the high bit. A plane is kept in U unsigned integers of one type (16, 32 or 64 bits; U > 1 only above 64 lanes).
An activation memory is ``memory[image, strip, word, plane, unit]``, a residual memory ``residual[image, strip,
element]``, W elements to a word. The sums of many channels lie side by side, so that the compiler vectorises over
channels, with one population count for every word of products.
"""
# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, assignment, untyped-decorator"
# pyright: reportCallIssue=false

from typing import Any

import numba as nb
import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from setun_sim.geometry import RADIX4, TRITS

#: places in the counts that :func:`compute` adds to
PRODUCTS, UPDATES, NONZERO_ACTIVATIONS, PADDING_READS, WORST_SUM, WORST_RESIDUAL, FAULT = range(7)
COUNTS = 7
#: values of the FAULT count
READ_FAULT, WRITE_FAULT, RESIDUAL_READ_FAULT, RESIDUAL_WRITE_FAULT = 1, 2, 3, 4
#: rows of the fixed-point parameters; offsets hold the half that rounding adds
M, M2, R, B, PIVOT, M0, B0, M1, B1 = range(9)

#: words of products after which partial sums are emptied: 512 x 80 fits the narrowest, of 16 bits
_FLUSH = 512
#: channels side by side come in multiples of this: full vectors, with no remainder to be done one by one
VECTOR = 32
#: words listed at a time: they should stay in the first cache
_TILE = 2048


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
# products are formed; then sums are pooled, compared and written.


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
    words, pads = memory.reshape(-1), pad.any()
    in_bank = (image * memory.shape[1] + strip) * memory.shape[2]
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
                        word = first + y * g.in_row_stride + x * g.in_col_stride + i
                        padded = outside or x < 0 or x >= g.in_cols
                        if padded:
                            padding += g.blocks
                        elif word + (g.blocks - 1) * g.in_digits >= g.in_end:
                            counts[FAULT] = READ_FAULT
                            return
                        if padded and not pads:
                            row += g.blocks
                            continue
                        at = np.uint64((in_bank + shift * memory.shape[2] + word) * 2 * units)
                        for _ in range(g.blocks):
                            here = np.int64(0)
                            for u in range(units):
                                p = pad[i, 0, u] if padded else words[at + np.uint64(u)]
                                n = pad[i, 1, u] if padded else words[at + np.uint64(units + u)]
                                xs[entry, 0, u], xs[entry, 1, u] = p, n
                                here += np.int64(popcount(p | n))
                            rows[entry] = row
                            entry += here != 0
                            ones += here
                            row += 1
                            at += np.uint64(g.in_digits * 2 * units)
            ends[pixel * significances + s] = entry
    counts[NONZERO_ACTIVATIONS] += ones * g.set_groups * g.scales
    counts[PADDING_READS] += padding * g.set_groups * g.scales


@intrinsic
def _add_trits(_typing: Any, xs: Any, rows: Any, w: Any, k: Any, first: Any, last: Any, partial: Any, m: Any) -> Any:
    """Add entries ``first`` to ``last`` times their weights to ``partial`` of VECTOR channels from ``m`` on: trits.

    Vector code by hand: sums stay in registers from entry to entry, which no compiler could prove to be allowed.
    """
    signature = types.void(xs, rows, w, types.intp, types.intp, types.intp, partial, types.intp)
    return signature, lambda context, builder, sig, arguments: _vector_loop(context, builder, sig, arguments, False)


@intrinsic
def _add_radix4(_typing: Any, xs: Any, rows: Any, w: Any, k: Any, first: Any, last: Any, partial: Any, m: Any) -> Any:
    """:func:`_add_trits` for digits of radix 4."""
    signature = types.void(xs, rows, w, types.intp, types.intp, types.intp, partial, types.intp)
    return signature, lambda context, builder, sig, arguments: _vector_loop(context, builder, sig, arguments, True)


def _vector_loop(context: Any, builder: Any, signature: Any, arguments: Any, radix4: bool) -> Any:
    kinds = signature.args
    xs, rows, w, partial = (context.make_array(kinds[n])(context, builder, arguments[n]) for n in (0, 1, 2, 6))
    k, first, last, m = (arguments[n] for n in (3, 4, 5, 7))
    element, index = context.get_data_type(kinds[2].dtype), k.type
    vector = ir.VectorType(element, VECTOR)
    lanes = ir.VectorType(ir.IntType(32), VECTOR)
    count = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(vector, [vector]), f"llvm.ctpop.v{VECTOR}i{element.width}"
    )
    _, weight_rows, _, units, channels = cgutils.unpack_tuple(builder, w.shape)

    def number(value: int) -> Any:
        return ir.Constant(index, value)

    def place(array: Any, offset: Any) -> Any:
        return builder.bitcast(builder.gep(array.data, [offset]), vector.as_pointer())

    def load(array: Any, offset: Any) -> Any:
        return builder.load(place(array, offset), align=element.width // 8)

    def splat(offset: Any) -> Any:
        value = builder.load(builder.gep(xs.data, [offset]))
        one = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
        return builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), ir.Constant(lanes, [0] * VECTOR))

    def ones(x: Any, y: Any) -> Any:
        return builder.call(count, [builder.and_(x, y)])

    def shifted(x: Any, by: int) -> Any:
        return builder.shl(x, ir.Constant(vector, [by] * VECTOR))

    def add(variable: Any, value: Any) -> None:
        builder.store(builder.add(builder.load(variable), value), variable)

    places = [number(row * VECTOR) for row in range(4)]
    sums = [cgutils.alloca_once_value(builder, load(partial, offset)) for offset in places]
    plus, minus, nonzero, changed = sums
    zero = ir.Constant(vector, [0] * VECTOR)
    sides = [cgutils.alloca_once_value(builder, zero) for _ in range(2)]
    with cgutils.for_range_slice(builder, first, last, number(1), index) as (entry, _):
        row = builder.add(builder.mul(k, weight_rows), builder.load(builder.gep(rows.data, [entry])))
        for side in sides:
            builder.store(zero, side)
        # Only words of 64 bits come in several units.
        with cgutils.for_range(builder, units if element.width == 64 else number(1), intp=index) as loop:
            low = builder.add(builder.mul(builder.mul(entry, number(2)), units), loop.index)
            p, n = splat(low), splat(builder.add(low, units))
            word = builder.add(builder.mul(builder.mul(row, number(2)), units), loop.index)
            wp = load(w, builder.add(builder.mul(word, channels), m))
            wn = load(w, builder.add(builder.mul(builder.add(word, units), channels), m))
            if radix4:
                add(sides[0], builder.add(ones(p, wp), shifted(ones(n, wn), 2)))
                add(sides[1], shifted(builder.add(ones(p, wn), ones(n, wp)), 1))
                add(nonzero, ones(builder.or_(p, n), builder.or_(wp, wn)))
            else:
                for side, x, y in ((0, wp, wn), (1, wn, wp)):
                    agree = builder.or_(builder.and_(p, x), builder.and_(n, y))
                    add(sides[side], builder.call(count, [agree]))
        a, b = (builder.load(side) for side in sides)
        add(plus, a)
        add(minus, b)
        add(changed, builder.zext(builder.icmp_unsigned("!=", a, b), vector))
    for variable, offset in zip(sums, places, strict=True):
        builder.store(builder.load(variable), place(partial, offset), align=element.width // 8)
    return context.get_dummy_value()


# Partial sums are of the words' own type and go on growing from pixel to pixel, until they are emptied into the counts.
# While a pixel is worked on, its accumulator is acc + D, D being plus - minus; so acc starts as -D. The next
# significance multiplies the accumulator by the radix: acc becomes radix*(acc + D) - D.


@_inline
def _scale(sums, pixel, first, radix, sign, partial):
    """acc becomes radix*acc + sign*D, for VECTOR channels."""
    for m in range(VECTOR):
        difference = np.int64(partial[0, m]) - np.int64(partial[1, m])
        sums[pixel, first + m] = radix * sums[pixel, first + m] + sign * difference


@_inline
def _empty(radix, partial, totals):
    """Move partial sums into the counts."""
    for m in range(VECTOR):
        plus, minus, nonzero = np.int64(partial[0, m]), np.int64(partial[1, m]), np.int64(partial[2, m])
        totals[0, m] += nonzero if radix == 4 else plus + minus
        totals[1, m] += np.int64(partial[3, m])
    partial[:] = 0


@_jit
def _sum(radix, xs, rows, ends, w, k, sums, partial, totals):
    """Sums of a tile's pixels, VECTOR channels at a time, so that their weights stay at hand.

    ``partial`` holds plus, minus, non-zero and changed of each channel, ``totals`` non-zero and changed of all pixels.
    """
    significances = ends.size // sums.shape[0]
    sums[:] = 0
    for first in range(0, sums.shape[1], VECTOR):
        entry = since = 0
        for pixel in range(sums.shape[0]):
            begin = entry
            if entry == ends[pixel * significances + significances - 1]:
                continue
            _scale(sums, pixel, first, 1, -1, partial)
            for s in range(significances):
                if entry > begin:
                    _scale(sums, pixel, first, radix, radix - 1, partial)
                while entry < ends[pixel * significances + s]:
                    stop = min(ends[pixel * significances + s], entry + _FLUSH - since)
                    if radix == 4:
                        _add_radix4(xs, rows, w, k, entry, stop, partial, first)
                    else:
                        _add_trits(xs, rows, w, k, entry, stop, partial, first)
                    since += stop - entry
                    entry = stop
                    if since == _FLUSH:
                        _scale(sums, pixel, first, 1, 1, partial)
                        _empty(radix, partial, totals)
                        since = 0
            _scale(sums, pixel, first, 1, 1, partial)
        _empty(radix, partial, totals)


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


@_jit
def _residual(g, residual, at, runs, res, counts):
    """Sum the residual operand of one output pixel into ``res``: words of a window from word ``at`` on.

    ``runs`` (first channel, channels, element of the pixel) say where channels that lie side by side are found.
    """
    res[:] = 0
    for wy in range(g.res_rows):
        for wx in range(g.res_cols):
            word = at + wy * g.res_row_stride + wx * g.res_col_stride
            for run in range(runs.shape[0]):
                m, count, element = runs[run, 0], runs[run, 1], runs[run, 2]
                if count and word + (element + count - 1) // g.post >= g.res_end:
                    counts[FAULT] = RESIDUAL_READ_FAULT
                    return
                first = word * g.post + element
                for q in range(count):
                    res[m + q] += residual[first + q]
    worst = np.int64(0)
    for m in range(res.size):
        worst = max(worst, res[m], ~res[m])
    counts[WORST_RESIDUAL] = max(counts[WORST_RESIDUAL], worst)


# Loops over channels each touch few arrays: the compiler vectorises one only if few checks tell its arrays apart.


@_inline
def _scaled(numbers, factors, total):
    """Add products to ``total``."""
    for m in range(total.size):
        total[m] += numbers[m] * factors[m]


@_inline
def _rounded(numbers, shift, limit):
    """``numbers``, halves added, become v: shifted and saturated."""
    for m in range(numbers.size):
        numbers[m] = min(max(numbers[m] >> shift, -limit), limit - 1)


@_inline
def _slope(numbers, pivot, lower, upper, total):
    """Each of ``numbers`` times the lower or the upper slope, into ``total``."""
    for m in range(total.size):
        below, above, x = lower[m], upper[m], numbers[m]
        total[m] = x * (above if x >= pivot[m] else below)


@_inline
def _offset(numbers, pivot, lower, upper, total):
    """The lower or the upper offset added to ``total``."""
    for m in range(total.size):
        below, above = lower[m], upper[m]
        total[m] += above if numbers[m] >= pivot[m] else below


@_inline
def _worst(numbers, used, worst):
    """Largest magnitudes so far."""
    for m in range(worst.size):
        worst[m] = max(worst[m], abs(numbers[m]) * used[m])


@_jit
def _fix(g, residual, k, first_pixel, sums, fixed, reads, writes, used, scratch, worst, counts):
    """Fixed-point results of a tile's output pixels, left in the first row of each pooling window of ``sums``."""
    windows, p = g.pool_rows * g.pool_cols, fixed[k]
    res, add, v = scratch[0], scratch[1], scratch[2]
    channels = res.size
    for output in range(sums.shape[0] // windows):
        oy, ox = divmod(first_pixel // windows + output, g.out_cols)
        add[:] = p[B]
        if g.residual:
            at = g.res_base + oy * g.res_row_step * g.res_row_stride + ox * g.res_col_step * g.res_col_stride
            _residual(g, residual, at, reads[k], res, counts)
            if counts[FAULT] != 0:
                return
            if not g.residual_after:
                _scaled(res, p[R], add)
        result = sums[output * windows, :channels]
        for window in range(windows):
            acc, acc2 = sums[output * windows + window, :channels], sums[output * windows + window, channels:]
            _worst(acc, used, worst)
            v[:] = add
            _scaled(acc, p[M], v)
            if g.scales == 2:
                _worst(acc2, used, worst)
                _scaled(acc2, p[M2], v)
            _rounded(v, g.shift, g.limit)
            _slope(v, p[PIVOT], p[M0], p[M1], acc)
            _offset(v, p[PIVOT], p[B0], p[B1], acc)
            _rounded(acc, g.shift1, g.limit)
            if window > 0:
                for m in range(channels):
                    result[m] = max(result[m], acc[m])
        if g.residual_after:
            v[:] = 1 << g.shift >> 1
            _scaled(res, p[R], v)
            _rounded(v, g.shift, g.limit)
            for m in range(channels):
                result[m] += v[m]
        for m in range(channels):
            result[m] = min(max(result[m], g.low), g.high)
        if g.residual_write:
            word = g.res_out_base + oy * g.res_out_row_stride + ox * g.res_out_col_stride
            for run in range(writes.shape[1]):
                m, count, element = writes[k, run, 0], writes[k, run, 1], writes[k, run, 2]
                if count and word + (element + count - 1) // g.post >= g.res_out_end:
                    counts[FAULT] = RESIDUAL_WRITE_FAULT
                    return
                first = word * g.post + element
                for q in range(count):
                    residual[first + q] = result[m + q]


@_jit
def _finish(g, memory, image, strip, k, first_pixel, sums, active, thresholds, codes, level, code, worst, counts):
    """Pool, compare and write a tile's pixels, plane by plane and unit by unit; other lanes of the words stay.

    Results in fixed point are pooled already.
    """
    kind, bits, channels = memory.dtype.type, memory.itemsize * 8, level.size
    windows = g.pool_rows * g.pool_cols
    for output in range(sums.shape[0] // windows):
        pooled, used = sums[output * windows], active[k]
        for m in range(channels):
            level[m] = 0
        if not g.affine:
            _pool(sums, output * windows, windows)
            _worst(pooled, used, worst)
        for t in range(thresholds.shape[1]):
            limit = thresholds[k, t]
            for m in range(channels):
                level[m] += pooled[m] >= limit[m]
        oy, ox = divmod(first_pixel // windows + output, g.out_cols)
        word = g.out_base + oy * g.out_row_stride + ox * g.out_col_stride
        for d in range(g.out_digits - 1, -1, -1):
            if codes.shape[1] == 0:
                _plane(g.planes, pooled, code)
            for t in range(codes.shape[1]):
                own, this = codes[k, t, d], kind(t)
                for m in range(channels):
                    code[m] = own[m] if level[m] == this else code[m]
            m = 0
            while m < g.set_channels:
                block, lane = divmod(g.first_channel + k * g.set_channels + m, g.lanes)
                end = min(g.set_channels, m + bits - lane % bits, m + g.lanes - lane)
                p = n = mask = kind(0)
                one = kind(1)
                for q in range(m, end):
                    p |= one if code[q] & kind(1) else kind(0)
                    n |= one if code[q] & kind(2) else kind(0)
                    mask |= one if used[q] else kind(0)
                    one <<= kind(1)
                low = kind(lane % bits)
                p, n, mask = (p & mask) << low, (n & mask) << low, mask << low
                address, unit = word + block * g.out_digits + d, lane // bits
                if mask != 0 and address >= g.out_end:
                    counts[FAULT] = WRITE_FAULT
                    return
                if mask != 0:
                    memory[image, strip, address, 0, unit] = (memory[image, strip, address, 0, unit] & ~mask) | p
                    memory[image, strip, address, 1, unit] = (memory[image, strip, address, 1, unit] & ~mask) | n
                m = end


@_jit
def compute(g, memory, residual, w, pad, active, thresholds, codes, fixed, reads, writes, counts):
    """Carry out channel groups of a COMPUTE on every image and strip of ``memory`` and ``residual``.

    ``w[set, weight digit x positions + position, plane, unit, channel]`` holds the weights: groups that read the same
    words lie side by side in one set; with two scales all channels come once more with |w|. ``pad[digit, plane, unit]``
    is what positions outside the map read as. ``active[set, channel]`` marks the channels written; ``thresholds[set, T,
    channel]`` and ``codes[set, level, plane, channel]`` are theirs, the latter without levels where there are no codes.
    ``fixed[set, parameter, channel]`` are those of fixed point, ``reads[set, run]`` and ``writes[set, run]`` where in
    residual memory a pixel's channels lie. Channels of a set beyond its own are all zeros; they fill up a multiple of
    :data:`VECTOR`.
    """
    sets, units, channels = w.shape[0], w.shape[3], active.shape[1]
    windows = g.pool_rows * g.pool_cols
    significances = g.in_digits + g.digit_pairs // g.in_digits - 1
    steps = g.kernel_rows * g.kernel_cols * g.blocks * g.digit_pairs
    total = g.out_rows * g.out_cols * windows
    tile = min(total, max(1, _TILE // (steps * windows)) * windows)
    xs, rows = np.empty((tile * steps, 2, units), w.dtype), np.empty(tile * steps, np.int64)
    ends, sums = np.empty(tile * significances, np.int64), np.zeros((tile, w.shape[4]), np.int64)
    level, code, worst = np.zeros(channels, w.dtype), np.zeros(channels, w.dtype), np.zeros(channels, np.int64)
    partial, totals = np.zeros((4, VECTOR), w.dtype), np.zeros((2, VECTOR), np.int64)
    scratch = np.zeros((3, channels), np.int64)
    for image in range(memory.shape[0]):
        for strip in range(memory.shape[1]):
            for k in range(sets):
                for first in range(0, total, tile):
                    pixels = min(tile, total - first)
                    out = sums[:pixels]
                    if g.no_array:
                        out[:] = 0
                    else:
                        _gather(g, memory, image, strip, k, pad, first, pixels, xs, rows, ends, counts)
                        if counts[FAULT] != 0:
                            return
                        _sum(g.radix, xs, rows, ends[: pixels * significances], w, k, out, partial, totals)
                    if g.affine:
                        own = residual[image, strip]
                        _fix(g, own, k, first, out, fixed, reads, writes, active[k], scratch, worst, counts)
                        if counts[FAULT] != 0:
                            return
                    _finish(
                        g, memory, image, strip, k, first, out, active, thresholds, codes, level, code, worst, counts
                    )
                    if counts[FAULT] != 0:
                        return
    counts[PRODUCTS] += totals[0].sum()
    counts[UPDATES] += totals[1].sum()
    counts[WORST_SUM] = max(counts[WORST_SUM], worst.max())
