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
#: rows of the fixed-point parameters; offsets hold the half that rounding adds; r stands in AFTER with residual_after
M, M2, R, B, PIVOT, M0, B0, M1, B1, AFTER = range(10)

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


@_inline
def _position(g, pixel):
    """Place in its pooling window, and in the map, of a convolution pixel: px, py, ox, oy."""
    rest, px = divmod(pixel, g.pool_cols)
    rest, py = divmod(rest, g.pool_rows)
    oy, ox = divmod(rest, g.out_cols)
    return px, py, ox, oy


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
    px, py, ox, oy = _position(g, first_pixel)
    width = (g.kernel_cols - 1) * g.kernel_col_step
    for pixel in range(pixels):
        y0 = oy * g.row_step + py * g.pool_row_step - g.pad_top
        x0 = ox * g.col_step + px * g.pool_col_step - g.pad_left
        within = x0 >= 0 and x0 + width < g.in_cols
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
                    begin = first + y * g.in_row_stride + x0 * g.in_col_stride + i
                    in_row = in_bank + shift * memory.shape[2]
                    for kw in range(g.kernel_cols):
                        x = x0 + kw * g.kernel_col_step
                        word = begin + kw * g.kernel_col_step * g.in_col_stride
                        padded = outside or (not within and (x < 0 or x >= g.in_cols))
                        if padded:
                            padding += g.blocks
                            if not pads:
                                row += g.blocks
                                continue
                        elif word + (g.blocks - 1) * g.in_digits >= g.in_end:
                            counts[FAULT] = READ_FAULT
                            return
                        at = np.uint64((in_row + word) * 2 * units)
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
        px += 1
        if px == g.pool_cols:
            px, py = 0, py + 1
            if py == g.pool_rows:
                py, ox = 0, ox + 1
                if ox == g.out_cols:
                    ox, oy = 0, oy + 1
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


@intrinsic
def _reached(_typing: Any, numbers: Any, limits: Any, m: Any) -> Any:
    """Bits that tell which of VECTOR numbers from ``m`` on reach their limits."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        x, limit = (_numbers(context, builder, signature, arguments, n, 2) for n in (0, 1))
        return builder.bitcast(builder.icmp_signed(">=", x, limit), ir.IntType(VECTOR))

    return types.uint32(numbers, limits, types.intp), generate


@intrinsic
def _bits(_typing: Any, codes: Any, bit: Any, m: Any) -> Any:
    """Bit ``bit`` of each of VECTOR codes from ``m`` on."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        x = _numbers(context, builder, signature, arguments, 0, 2)
        one = builder.and_(builder.lshr(x, _splat(builder, x.type, arguments[1])), ir.Constant(x.type, [1] * VECTOR))
        return builder.bitcast(builder.trunc(one, ir.VectorType(ir.IntType(1), VECTOR)), ir.IntType(VECTOR))

    return types.uint32(codes, types.int64, types.intp), generate


@intrinsic
def _two_slopes(_typing: Any, sums: Any, row: Any, first: Any, m: Any, two: Any, fixed: Any, res: Any, worst: Any,
                shift: Any, shift1: Any, limit: Any) -> Any:  # fmt: skip
    """y of VECTOR sums of ``row`` from channel ``m`` on, into row ``first``: the largest, where that is another row.

    With ``two`` scales the sums of magnitudes follow those of all channels. No factor has more than 32 bits.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        row, first, m, two = arguments[1:5]
        fix = _Fixed(context, builder, signature, arguments, 5)
        columns = fix.shape(0)[1]
        place = builder.add(builder.mul(row, columns), m)
        target = builder.add(builder.mul(first, columns), m)
        acc, worst = fix.load(0, place), fix.load(7, m)
        total = fix.add(fix.times(acc, fix.row(M, m)), fix.times(fix.load(6, m), fix.row(R, m)), fix.row(B, m))
        sum_of, most = (
            cgutils.alloca_once_value(builder, value) for value in (total, fix.larger(worst, fix.size(acc)))
        )
        with builder.if_then(two):
            acc2 = fix.load(0, builder.add(place, builder.lshr(columns, ir.Constant(columns.type, 1))))
            builder.store(fix.add(builder.load(sum_of), fix.times(acc2, fix.row(M2, m))), sum_of)
            builder.store(fix.larger(builder.load(most), fix.size(acc2)), most)
        fix.store(builder.load(most), 7, m)
        v = fix.rounded(builder.load(sum_of), arguments[8], arguments[10])
        upper = builder.icmp_signed(">=", v, fix.row(PIVOT, m))
        slope = builder.select(upper, fix.row(M1, m), fix.row(M0, m))
        offset = builder.select(upper, fix.row(B1, m), fix.row(B0, m))
        y = fix.rounded(fix.add(fix.times(v, slope), offset), arguments[9], arguments[10])
        again = builder.icmp_signed("!=", row, first)
        fix.store(builder.select(again, fix.larger(y, fix.load(0, target)), y), 0, target)
        return context.get_dummy_value()

    numbers = (types.int64,) * 3
    return types.void(sums, types.intp, types.intp, types.intp, types.boolean, fixed, res, worst, *numbers), generate


@intrinsic
def _bounded(_typing: Any, sums: Any, row: Any, m: Any, fixed: Any, res: Any, largest: Any, shift: Any, half: Any,
             limit: Any, low: Any, high: Any) -> Any:  # fmt: skip
    """The results of VECTOR channels from ``m`` on out of their y in ``row``, and what comes behind the slopes: added,
    or where that is ``largest``, in their place."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        row, m, (largest, shift, half, limit, low, high) = arguments[1], arguments[2], arguments[5:]
        fix = _Fixed(context, builder, signature, arguments, 3)
        place = builder.add(builder.mul(row, fix.shape(0)[1]), m)
        share = fix.add(fix.times(fix.load(4, m), fix.row(AFTER, m)), _splat(builder, fix.vector, half))
        y, share = fix.load(0, place), fix.rounded(share, shift, limit)
        out = builder.select(largest, fix.larger(y, share), fix.add(y, share))
        fix.store(fix.clipped(out, _splat(builder, fix.vector, low), _splat(builder, fix.vector, high)), 0, place)
        return context.get_dummy_value()

    return types.void(sums, types.intp, types.intp, fixed, res, types.boolean, *(types.int64,) * 5), generate


class _Fixed:
    """Writes vector code on numbers of 64 bits, for VECTOR channels; argument ``rows`` holds the parameters."""

    def __init__(self, context: Any, builder: Any, signature: Any, arguments: Any, rows: int) -> None:
        self.builder, self.rows = builder, rows
        self.vector = ir.VectorType(ir.IntType(64), VECTOR)
        self.half = ir.VectorType(ir.IntType(32), VECTOR)
        self.arrays = {
            n: context.make_array(kind)(context, builder, arguments[n])
            for n, kind in enumerate(signature.args)
            if isinstance(kind, types.Array)
        }

    def shape(self, n: int) -> Any:
        return cgutils.unpack_tuple(self.builder, self.arrays[n].shape)

    def place(self, n: int, offset: Any) -> Any:
        pointer = self.builder.gep(self.arrays[n].data, [offset])
        return self.builder.bitcast(pointer, self.vector.as_pointer())

    def load(self, n: int, offset: Any) -> Any:
        return self.builder.load(self.place(n, offset), align=8)

    def store(self, value: Any, n: int, offset: Any) -> None:
        self.builder.store(value, self.place(n, offset), align=8)

    def row(self, number: int, m: Any) -> Any:
        channels = self.shape(self.rows)[1]
        before = self.builder.mul(channels, ir.Constant(channels.type, number))
        return self.load(self.rows, self.builder.add(before, m))

    def times(self, x: Any, y: Any) -> Any:
        return self.builder.mul(*(self.builder.sext(self.builder.trunc(z, self.half), self.vector) for z in (x, y)))

    def add(self, *terms: Any) -> Any:
        total = terms[0]
        for term in terms[1:]:
            total = self.builder.add(total, term)
        return total

    def larger(self, x: Any, y: Any) -> Any:
        return self.builder.select(self.builder.icmp_signed(">", x, y), x, y)

    def size(self, x: Any) -> Any:
        return self.larger(x, self.builder.neg(x))

    def clipped(self, x: Any, low: Any, high: Any) -> Any:
        x = self.larger(x, low)
        return self.builder.select(self.builder.icmp_signed("<", x, high), x, high)

    def rounded(self, x: Any, shift: Any, limit: Any) -> Any:
        """Shifted down and saturated to -limit .. limit-1; the half is added already."""
        low = _splat(self.builder, self.vector, self.builder.neg(limit))
        high = _splat(self.builder, self.vector, self.builder.sub(limit, ir.Constant(limit.type, 1)))
        return self.clipped(self.builder.ashr(x, _splat(self.builder, self.vector, shift)), low, high)


def _place(context: Any, builder: Any, signature: Any, arguments: Any, n: int, m: int) -> Any:
    """Pointer to the VECTOR elements of argument ``n`` from argument ``m`` on."""
    array = context.make_array(signature.args[n])(context, builder, arguments[n])
    vector = ir.VectorType(context.get_data_type(signature.args[n].dtype), VECTOR)
    return builder.bitcast(builder.gep(array.data, [arguments[m]]), vector.as_pointer())


def _numbers(context: Any, builder: Any, signature: Any, arguments: Any, n: int, m: int) -> Any:
    """Those elements."""
    return builder.load(
        _place(context, builder, signature, arguments, n, m), align=signature.args[n].dtype.bitwidth // 8
    )


def _splat(builder: Any, vector: Any, value: Any) -> Any:
    """A vector of one integer, cut to its elements."""
    if vector.element.width < value.type.width:
        value = builder.trunc(value, vector.element)
    one = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    lanes = ir.Constant(ir.VectorType(ir.IntType(32), VECTOR), [0] * VECTOR)
    return builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), lanes)


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
def _carry(sums, row, last, takes, carried):
    """Largest of what ``row`` holds, the window's ``last`` row and, if it ``takes`` that, what the window before left.

    The last row's own values are left for the next window.
    """
    for m in range(sums.shape[1]):
        value = sums[last, m]
        if value > sums[row, m]:
            sums[row, m] = value
        if takes and carried[m] > sums[row, m]:
            sums[row, m] = carried[m]
        carried[m] = value


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
    """The residual operand of one output pixel: sum, or largest, of words of a window from word ``at`` on.

    ``runs`` (first channel, channels, element and last word of the pixel) say where neighbouring channels are found.
    """
    for m in range(res.size):
        res[m] = -(1 << 15) if g.residual_max else 0
    for wy in range(g.res_rows):
        for wx in range(g.res_cols):
            word = at + wy * g.res_row_stride + wx * g.res_col_stride
            for run in range(runs.shape[0]):
                m, count, element = runs[run, 0], runs[run, 1], runs[run, 2]
                if count and word + runs[run, 3] >= g.res_end:
                    counts[FAULT] = RESIDUAL_READ_FAULT
                    return
                # unsigned places are not tested for counting from the end
                here, there = np.uint64(m), np.uint64(word * g.post + element)
                if g.residual_max:
                    for q in range(np.uint64(count)):
                        res[here + q] = max(res[here + q], np.int64(residual[there + q]))
                else:
                    for q in range(np.uint64(count)):
                        res[here + q] += residual[there + q]
    worst = np.int64(0)
    for m in range(res.size):
        worst = max(worst, res[m], ~res[m])
    counts[WORST_RESIDUAL] = max(counts[WORST_RESIDUAL], worst)


@_inline
def _worst(numbers, worst):
    """Largest magnitudes so far."""
    for m in range(worst.size):
        worst[m] = max(worst[m], abs(numbers[m]))


@_jit
def _fix(g, residual, fixed, reads, writes, first_pixel, sums, carried, res, worst, counts):
    """Fixed-point results of a tile's output pixels, left in the first row of each pooling window of ``sums``."""
    windows = g.pool_rows * g.pool_cols
    shift = 0 if g.residual_max else g.shift
    _, _, ox, oy = _position(g, first_pixel)
    for output in range(sums.shape[0] // windows):
        result = output * windows
        if g.residual:
            at = g.res_base + oy * g.res_row_step * g.res_row_stride + ox * g.res_col_step * g.res_col_stride
            _residual(g, residual, at, reads, res, counts)
            if counts[FAULT] != 0:
                return
        for m in range(0, res.size, VECTOR):
            for row in range(result, result + windows):
                # what the next window takes too stays by itself for the moment
                into = row if g.pool_carry and row == result + windows - 1 else result
                _two_slopes(sums, row, into, m, g.scales == 2, fixed, res, worst, g.shift, g.shift1, g.limit)
        if g.pool_carry:
            _carry(sums, result, result + windows - 1, ox > 0, carried)
        for m in range(0, res.size, VECTOR):
            _bounded(sums, result, m, fixed, res, g.residual_max == 1, shift, 1 << shift >> 1, g.limit, g.low, g.high)
        if g.residual_write:
            word = g.res_out_base + oy * g.res_out_row_stride + ox * g.res_out_col_stride
            for run in range(writes.shape[0]):
                m, count, element = writes[run, 0], writes[run, 1], writes[run, 2]
                if count and word + writes[run, 3] >= g.res_out_end:
                    counts[FAULT] = RESIDUAL_WRITE_FAULT
                    return
                here, there = np.uint64(m), np.uint64(word * g.post + element)
                for q in range(np.uint64(count)):
                    residual[there + q] = sums[result, here + q]
        ox += 1
        if ox == g.out_cols:
            ox, oy = 0, oy + 1


@_inline
def _levels(numbers, thresholds, levels):
    """Which channels reach how many of their thresholds, which do not fall: levels[level, vector]."""
    for vector in range(levels.shape[1]):
        below = np.uint32(0xFFFFFFFF)
        for t in range(thresholds.shape[0]):
            reached: Any = _reached(numbers, thresholds[t], vector * VECTOR)
            levels[t, vector] = below & ~reached
            below = reached
        levels[thresholds.shape[0], vector] = below


@_inline
def _window(bits, m):
    """64 bits from bit ``m`` on."""
    word, low = m // 32, np.uint64(m % 32)
    found = (np.uint64(bits[word]) | np.uint64(bits[word + 1]) << np.uint64(32)) >> low
    return found | np.uint64(bits[word + 2]) << np.uint64(1) << np.uint64(63) - low


@_jit
def _finish(g, memory, k, first_pixel, sums, thresholds, codes, pieces, levels, planes, code, worst, counts):
    """Pool, compare and write a tile's pixels, plane by plane and unit by unit; other lanes of the words stay.

    Results in fixed point are pooled already. ``memory`` is of one image and strip.
    """
    kind, windows = memory.dtype.type, g.pool_rows * g.pool_cols
    vectors = code.size // VECTOR
    _, _, ox, oy = _position(g, first_pixel)
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
                    planes[0, vector] = _bits(code, 0, vector * VECTOR)
                    planes[1, vector] = _bits(code, 1, vector * VECTOR)
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


@_jit
def compute(g, memory, residual, w, pad, active, thresholds, codes, pieces, fixed, reads, writes, counts):
    """Carry out channel groups of a COMPUTE on every image and strip of ``memory`` and ``residual``.

    ``w[set, weight digit x positions + position, plane, unit, channel]`` holds the weights: groups that read the same
    words lie side by side in one set; with two scales all channels come once more with |w|. ``pad[digit, plane, unit]``
    is what positions outside the map read as. ``active[set, channel]`` marks the channels written; ``thresholds[set, T,
    channel]`` are theirs, and ``codes[set, level, digit, plane, vector]`` the bits of their codes, without levels where
    there are no codes. ``pieces[set, piece]`` are channels that share a unit of a word: the first one, the bits
    written, the place of its bit in the unit, block and unit.
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
    code, worst = np.zeros(channels, w.dtype), np.zeros(channels, np.int64)
    levels = np.zeros((codes.shape[1], channels // VECTOR), np.uint32)
    planes = np.zeros((2, channels // VECTOR + 2), np.uint32)
    partial, totals = np.zeros((4, VECTOR), w.dtype), np.zeros((2, VECTOR), np.int64)
    res, carried = np.zeros(channels, np.int64), np.zeros(w.shape[4], np.int64)
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
                        _fix(g, own, fixed[k], reads[k], writes[k], first, out, carried, res, worst, counts)
                        if counts[FAULT] != 0:
                            return
                    _finish(
                        g, memory[image, strip], k, first, out, thresholds, codes, pieces, levels, planes, code, worst,
                        counts,
                    )  # fmt: skip
                    if counts[FAULT] != 0:
                        return
                for m in range(channels):
                    counts[WORST_SUM] = max(counts[WORST_SUM], worst[m] * active[k, m])
                    worst[m] = 0
    counts[PRODUCTS] += totals[0].sum()
    counts[UPDATES] += totals[1].sum()
