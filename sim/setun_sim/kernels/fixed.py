"""Fixed-point post-processing: two slopes, residual operand, saturation; docs/machine.md has the formulas."""
# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, untyped-decorator"
# pyright: reportCallIssue=false

from typing import Any

import numba as nb
import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from setun_sim.kernels.names import (
    AFTER,
    B0,
    B1,
    FAULT,
    M0,
    M1,
    M2,
    PIVOT,
    RESIDUAL_READ_FAULT,
    RESIDUAL_WRITE_FAULT,
    VECTOR,
    WORST_RESIDUAL,
    B,
    M,
    R,
)
from setun_sim.kernels.places import position
from setun_sim.kernels.vectors import larger, load, splat, store

_jit = nb.njit(nogil=True)
_inline = nb.njit(nogil=True, inline="always")


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
        share = fix.add(fix.times(fix.load(4, m), fix.row(AFTER, m)), splat(builder, fix.vector, half))
        y, share = fix.load(0, place), fix.rounded(share, shift, limit)
        out = builder.select(largest, fix.larger(y, share), fix.add(y, share))
        fix.store(fix.clipped(out, splat(builder, fix.vector, low), splat(builder, fix.vector, high)), 0, place)
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

    def load(self, n: int, offset: Any) -> Any:
        return load(self.builder, self.builder.gep(self.arrays[n].data, [offset]), self.vector)

    def store(self, value: Any, n: int, offset: Any) -> None:
        store(self.builder, value, self.builder.gep(self.arrays[n].data, [offset]))

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
        return larger(self.builder, x, y)

    def size(self, x: Any) -> Any:
        return self.larger(x, self.builder.neg(x))

    def clipped(self, x: Any, low: Any, high: Any) -> Any:
        x = self.larger(x, low)
        return self.builder.select(self.builder.icmp_signed("<", x, high), x, high)

    def rounded(self, x: Any, shift: Any, limit: Any) -> Any:
        """Shifted down and saturated to -limit .. limit-1; the half is added already."""
        low = splat(self.builder, self.vector, self.builder.neg(limit))
        high = splat(self.builder, self.vector, self.builder.sub(limit, ir.Constant(limit.type, 1)))
        return self.clipped(self.builder.ashr(x, splat(self.builder, self.vector, shift)), low, high)


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


@_jit
def fix(g, residual, fixed, reads, writes, first_pixel, sums, carried, res, worst, counts):
    """Fixed-point results of a tile's output pixels, left in the first row of each pooling window of ``sums``."""
    windows = g.pool_rows * g.pool_cols
    shift = 0 if g.residual_max else g.shift
    _, _, ox, oy = position(g, first_pixel)
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
