"""Sums of products of digits, many channels side by side, with what the multipliers and accumulators did."""
# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, untyped-decorator"
# pyright: reportCallIssue=false

from typing import Any

import numba as nb
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from setun_sim.kernels.names import VECTOR
from setun_sim.kernels.vectors import load, splat, store


@intrinsic
def _sum_trits(_typing: Any, memory: Any, base: Any, places: Any, rows: Any, ends: Any, again: Any, w: Any, k: Any,
               m: Any, sums: Any, totals: Any) -> Any:  # fmt: skip
    """Sums of a tile's pixels for VECTOR channels from ``m`` on; arguments as those of :func:`sum_products`."""
    signature = types.void(memory, types.intp, places, rows, ends, again, w, types.intp, types.intp, sums, totals)
    return signature, lambda *given: _Sums(*given).write(radix=3)


@intrinsic
def _sum_radix4(_typing: Any, memory: Any, base: Any, places: Any, rows: Any, ends: Any, again: Any, w: Any, k: Any,
                m: Any, sums: Any, totals: Any) -> Any:  # fmt: skip
    """:func:`_sum_trits` for digits of radix 4."""
    signature = types.void(memory, types.intp, places, rows, ends, again, w, types.intp, types.intp, sums, totals)
    return signature, lambda *given: _Sums(*given).write(radix=4)


class _Sums:
    """Writes the loops over pixels, segments and entries; all sums stay in registers from entry to entry."""

    def __init__(self, context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        self.builder = builder
        self.arrays = [
            context.make_array(kind)(context, builder, argument) if isinstance(kind, types.Array) else argument
            for kind, argument in zip(signature.args, arguments, strict=True)
        ]
        dtypes = {n: context.get_data_type(kind.dtype) for n, kind in enumerate(signature.args) if n not in (1, 7, 8)}
        self.index = arguments[1].type
        self.words = ir.VectorType(dtypes[6], VECTOR)
        self.numbers = ir.VectorType(dtypes[9], VECTOR)
        self.wide = ir.VectorType(ir.IntType(64), VECTOR)
        self.count = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(self.words, [self.words]), f"llvm.ctpop.v{VECTOR}i{dtypes[6].width}"
        )

    def write(self, radix: int) -> Any:
        """All of it."""
        builder, index = self.builder, self.index
        memory, base, places, rows, ends, again, w, k, m, sums, totals = self.arrays
        self.units, self.channels = (cgutils.unpack_tuple(builder, w.shape)[n] for n in (3, 4))
        self.w_base = builder.mul(k, cgutils.unpack_tuple(builder, w.shape)[1])
        pixels, width = cgutils.unpack_tuple(builder, sums.shape)
        (segments,) = cgutils.unpack_tuple(builder, again.shape)
        zero, none = ir.Constant(self.numbers, [0] * VECTOR), ir.Constant(self.words, [0] * VECTOR)
        acc, nonzero, changed = (cgutils.alloca_once_value(builder, zero) for _ in range(3))
        plus, minus, both, differ = (cgutils.alloca_once_value(builder, none) for _ in range(4))
        entry = cgutils.alloca_once_value(builder, ir.Constant(index, 0))
        with cgutils.for_range(builder, pixels, intp=index) as pixel:
            builder.store(zero, acc)
            with cgutils.for_range(builder, segments, intp=index) as segment:
                for part in (plus, minus, both, differ):
                    builder.store(none, part)
                place = builder.add(builder.mul(pixel.index, segments), segment.index)
                end = builder.load(builder.gep(ends.data, [place]))
                begin = builder.load(entry)
                with cgutils.for_range_slice(builder, begin, end, ir.Constant(index, 1), index) as (at, _):
                    a, b, c = self._products(memory, base, places, rows, w, m, at, radix)
                    self._add(plus, a)
                    self._add(minus, b)
                    if c is not None:
                        self._add(both, c)
                    self._add(differ, builder.zext(builder.icmp_unsigned("!=", a, b), self.words))
                builder.store(end, entry)
                times = builder.load(builder.gep(again.data, [segment.index]))
                with builder.if_then(builder.trunc(times, ir.IntType(1))):
                    builder.store(builder.mul(builder.load(acc), ir.Constant(self.numbers, [radix] * VECTOR)), acc)
                a, b, c = (self._number(builder.load(part)) for part in (plus, minus, both))
                self._add(acc, builder.sub(a, b))
                self._add(nonzero, c if radix == 4 else builder.add(a, b))
                self._add(changed, self._number(builder.load(differ)))
            target = builder.gep(sums.data, [builder.add(builder.mul(pixel.index, width), m)])
            store(builder, builder.load(acc), target)
        for n, variable in enumerate((nonzero, changed)):
            target = builder.gep(totals.data, [ir.Constant(index, n * VECTOR)])
            value, before = builder.load(variable), load(builder, target, self.wide)
            value = builder.zext(value, self.wide) if self.numbers.element.width < 64 else value
            store(builder, builder.add(before, value), target)
        return ir.Constant(ir.IntType(8).as_pointer(), None)

    def _products(self, memory: Any, base: Any, places: Any, rows: Any, w: Any, m: Any, at: Any, radix: int) -> Any:
        """Products of one word with each channel's: of the sign of +1, of -1, and for radix 4 all that are not 0."""
        builder, index, units = self.builder, self.index, self.units
        two = ir.Constant(index, 2)
        word = builder.sext(builder.load(builder.gep(places.data, [at])), index)
        first = builder.add(base, builder.mul(builder.mul(word, two), units))
        row = builder.add(self.w_base, builder.sext(builder.load(builder.gep(rows.data, [at])), index))
        row = builder.mul(builder.mul(row, two), units)
        if self.words.element.width < 64:  # only words of 64 bits come in several units
            return self._unit(memory, w, m, first, row, radix, ir.Constant(index, 0))
        none = ir.Constant(self.words, [0] * VECTOR)
        parts = [cgutils.alloca_once(builder, self.words) for _ in range(3 if radix == 4 else 2)]
        for part in parts:
            builder.store(none, part)
        with cgutils.for_range(builder, units, intp=index) as unit:
            found = self._unit(memory, w, m, first, row, radix, unit.index)
            for part, value in zip(parts, found, strict=False):
                self._add(part, value)
        return (*(builder.load(part) for part in parts), None)[:3]

    def _unit(self, memory: Any, w: Any, m: Any, first: Any, row: Any, radix: int, unit: Any) -> Any:
        builder = self.builder
        low = builder.add(first, unit)
        p, n = (
            splat(builder, self.words, builder.load(builder.gep(memory.data, [at])))
            for at in (low, builder.add(low, self.units))
        )
        word = builder.add(row, unit)
        wp, wn = (
            load(builder, builder.gep(w.data, [builder.add(builder.mul(at, self.channels), m)]), self.words)
            for at in (word, builder.add(word, self.units))
        )
        if radix == 4:
            plus = builder.add(self._ones(builder.and_(p, wp)), self._shifted(self._ones(builder.and_(n, wn)), 2))
            minus = builder.add(self._ones(builder.and_(p, wn)), self._ones(builder.and_(n, wp)))
            both = self._ones(builder.and_(builder.or_(p, n), builder.or_(wp, wn)))
            return plus, self._shifted(minus, 1), both
        agree = builder.or_(builder.and_(p, wp), builder.and_(n, wn))
        differ = builder.or_(builder.and_(p, wn), builder.and_(n, wp))
        return self._ones(agree), self._ones(differ), None

    def _ones(self, x: Any) -> Any:
        return self.builder.call(self.count, [x])

    def _shifted(self, x: Any, by: int) -> Any:
        return self.builder.shl(x, ir.Constant(self.words, [by] * VECTOR))

    def _number(self, x: Any) -> Any:
        """Counts of a segment as numbers of the accumulators' type."""
        if self.words.element.width < self.numbers.element.width:
            return self.builder.zext(x, self.numbers)
        return self.builder.trunc(x, self.numbers) if self.words.element.width > self.numbers.element.width else x

    def _add(self, variable: Any, value: Any) -> None:
        self.builder.store(self.builder.add(self.builder.load(variable), value), variable)


@nb.njit(nogil=True)
def sum_products(radix, memory, base, places, rows, ends, again, w, k, sums, totals):
    """Sums of a tile's pixels into ``sums[pixel, channel]``.

    ``memory`` is flat, ``base`` an image's first element; ``places``, ``rows`` and ``ends`` are those of
    :func:`setun_sim.kernels.places.list_words`, ``again`` those of ``segments_of``. ``totals`` (2, VECTOR) grow by the
    products that are not 0, and by the additions that change an accumulator.
    """
    for m in range(0, sums.shape[1], VECTOR):
        if radix == 4:
            _sum_radix4(memory, base, places, rows, ends, again, w, k, m, sums, totals)
        else:
            _sum_trits(memory, base, places, rows, ends, again, w, k, m, sums, totals)
