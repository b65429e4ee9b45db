"""What becomes of sums: pooling, comparison, codes, and their bits in words of activations."""
# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, untyped-decorator"
# pyright: reportCallIssue=false

from typing import Any

import numba as nb
import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from setun_sim.geometry import RADIX4, TRITS
from setun_sim.kernels.names import FAULT, VECTOR, WRITE_FAULT
from setun_sim.kernels.places import position
from setun_sim.kernels.vectors import bits, larger, load, store

_jit = nb.njit(nogil=True)
_inline = nb.njit(nogil=True, inline="always")


@intrinsic
def _settle(_typing: Any, sums: Any, row: Any, windows: Any, m: Any, limits: Any, worst: Any, levels: Any) -> Any:
    """Pool and compare VECTOR channels from ``m`` on.

    The largest of ``windows`` rows of ``sums`` from ``row`` on is left in ``row``, and the largest magnitudes so far in
    ``worst``, unless there are no windows. ``levels[t, m / VECTOR]`` tells which channels reach just t of their
    ``limits``, which do not fall.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        sums, limits, worst, levels = (
            context.make_array(kinds[n])(context, builder, arguments[n]) for n in (0, 4, 5, 6)
        )
        row, windows, m = arguments[1:4]
        index, vector = m.type, ir.VectorType(context.get_data_type(kinds[0].dtype), VECTOR)
        one = ir.Constant(index, 1)
        width, channels, vectors = (cgutils.unpack_tuple(builder, a.shape)[1] for a in (sums, limits, levels))
        first = builder.gep(sums.data, [builder.add(builder.mul(row, width), m)])
        pooled = cgutils.alloca_once_value(builder, load(builder, first, vector))
        with builder.if_then(builder.icmp_signed(">", windows, ir.Constant(index, 0))):
            with cgutils.for_range_slice(builder, one, windows, one, index) as (window, _):
                place = builder.add(builder.mul(builder.add(row, window), width), m)
                other = load(builder, builder.gep(sums.data, [place]), vector)
                builder.store(larger(builder, builder.load(pooled), other), pooled)
            found, most = builder.load(pooled), builder.gep(worst.data, [m])
            store(builder, found, first)
            size = larger(builder, found, builder.neg(found))
            store(builder, larger(builder, load(builder, most, vector), size), most)
        mask = ir.IntType(VECTOR)
        below = cgutils.alloca_once_value(builder, ir.Constant(mask, -1))
        place = builder.sdiv(m, ir.Constant(index, VECTOR))
        count = cgutils.unpack_tuple(builder, limits.shape)[0]
        with cgutils.for_range(builder, count, intp=index) as loop:
            limit = load(builder, builder.gep(limits.data, [builder.add(builder.mul(loop.index, channels), m)]), vector)
            now = builder.bitcast(builder.icmp_signed(">=", builder.load(pooled), limit), mask)
            level = builder.gep(levels.data, [builder.add(builder.mul(loop.index, vectors), place)])
            builder.store(builder.and_(builder.load(below), builder.not_(now)), level)
            builder.store(now, below)
        last = builder.gep(levels.data, [builder.add(builder.mul(count, vectors), place)])
        builder.store(builder.load(below), last)
        return context.get_dummy_value()

    return types.void(sums, types.intp, types.intp, types.intp, limits, worst, levels), generate


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
def _window(plane, m):
    """64 bits of a plane from bit ``m`` on."""
    word, low = np.uint64(m) >> np.uint64(5), np.uint64(m) & np.uint64(31)
    one, two = word + np.uint64(1), word + np.uint64(2)
    found = (np.uint64(plane[word]) | np.uint64(plane[one]) << np.uint64(32)) >> low
    return found | np.uint64(plane[two]) << np.uint64(1) << np.uint64(63) - low


@_jit
def finish(g, memory, k, first_pixel, sums, thresholds, codes, pieces, levels, planes, code, worst, counts):
    """Pool, compare and write a tile's pixels, plane by plane and unit by unit; other lanes of the words stay.

    Results in fixed point are pooled already. ``memory`` is of one image and strip.
    """
    kind, windows = memory.dtype.type, g.pool_rows * g.pool_cols
    vectors = code.size // VECTOR
    _, _, ox, oy = position(g, first_pixel)
    limits, own, flat, units = thresholds[k], pieces[k], memory.reshape(-1), memory.shape[2]
    flat_levels, flat_codes = levels.reshape(-1), codes[k].reshape(-1)
    code_step = np.uint64(codes.shape[2] * 2 * vectors)
    for output in range(sums.shape[0] // windows):
        for vector in range(vectors):
            _settle(sums, output * windows, 0 if g.affine else windows, vector * VECTOR, limits, worst, levels)
        word = g.out_base + oy * g.out_row_stride + ox * g.out_col_stride
        for d in range(g.out_digits - 1, -1, -1):
            if codes.shape[1] == 0:
                _plane(g.planes, sums[output * windows], code)
                for vector in range(vectors):
                    planes[0, vector] = bits(code, 0, vector * VECTOR)
                    planes[1, vector] = bits(code, 1, vector * VECTOR)
            else:
                for plane in range(2):
                    for vector in range(vectors):
                        # unsigned places are not tested for counting from the end
                        level, code_at = np.uint64(vector), np.uint64((d * 2 + plane) * vectors + vector)
                        found = np.uint32(0)
                        for _ in range(codes.shape[1]):
                            found |= flat_levels[level] & flat_codes[code_at]
                            level += np.uint64(vectors)
                            code_at += code_step
                        planes[plane, vector] = found
            for piece in range(pieces.shape[1]):
                m, mask, low = own[piece, 0], kind(own[piece, 1]), kind(own[piece, 2])
                if mask == 0:
                    continue
                address = word + own[piece, 3] * g.out_digits + d
                if address >= g.out_end:
                    counts[FAULT] = WRITE_FAULT
                    return
                at = np.uint64(address * 2 * units + own[piece, 4])
                for plane in range(2):
                    bits_of = (kind(_window(planes[plane], m)) & mask) << low
                    flat[at] = (flat[at] & ~(mask << low)) | bits_of
                    at += np.uint64(units)
        ox += 1
        if ox == g.out_cols:
            ox, oy = 0, oy + 1
