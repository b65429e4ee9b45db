"""Where post-processing reads and writes the residual memories."""

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from setun_hw.config import Config
from setun_hw.engine.drain import pool_layout
from setun_hw.engine.layout import STEP_LAYOUT, compute_layout
from setun_hw.engine.output_walk import clip


def memory_bits(config: Config) -> int:
    """Bits that hold every word's address, and every chunk's index."""
    return max((config.residual_words - 1).bit_length(), 16)


class _Walk(wiring.Component):
    """A walk over pixels in the order in which they drain.

    Members
    -------
    descriptor : ``In(compute_layout(config))``  valid from the cycle of ``start`` on
    start : ``In(1)``                 go to the first output pixel
    step : ``In(STEP_LAYOUT)``        stage *pool*: the pixel that drains, ``valid`` in its first cycle
    pool : ``In(pool_layout(config))``
    address : ``Out``                 in the same cycle; exact, or at least ``2**memory_bits`` where the true one is
    """

    descriptor: "data.View[data.StructLayout]"
    start: Signal
    step: "data.View[data.StructLayout]"
    pool: "data.View[data.StructLayout]"
    address: Signal

    def __init__(self, config: Config) -> None:
        self.config = config
        self._bits = memory_bits(config)
        super().__init__(
            {
                "descriptor": In(compute_layout(config)),
                "start": In(1),
                "step": In(STEP_LAYOUT),
                "pool": In(pool_layout(config)),
                "address": Out(self._bits + 2),
            }
        )

    def _clip(self, m: Module, words: Value) -> Signal:
        return clip(m, words, self._bits)

    def _pixels(self, m: Module, base: Value, col_words: Value, row_words: Value, group_words: int) -> Value:
        """First word of the pixel that drains; it goes on when a pooling window is complete."""
        step = self.step
        group, row, pixel, held, origin = (
            Signal(self._bits + 2, name=name) for name in ("group", "row", "pixel", "held", "origin")
        )
        next_row, next_group = Signal.like(row), Signal.like(group)
        m.d.comb += [
            origin.eq(Mux(step.valid, pixel, held)),
            next_row.eq(row + self._clip(m, row_words)),
            next_group.eq(group + group_words),
        ]
        m.d.sync += held.eq(origin)
        with m.If(self.start):
            first = self._clip(m, base)
            m.d.sync += [group.eq(first), row.eq(first), pixel.eq(first)]
        with m.Elif(step.valid & step.emit):
            with m.If(~step.last_col):
                m.d.sync += pixel.eq(pixel + self._clip(m, col_words))
            with m.Elif(~step.last_row):
                m.d.sync += [row.eq(next_row), pixel.eq(next_row)]
            with m.Else():
                m.d.sync += [group.eq(next_group), row.eq(next_group), pixel.eq(next_group)]
        return origin


class ResidualOutWalk(_Walk):
    """Word of each chunk of the output."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        d = self.descriptor
        origin = self._pixels(m, d.res_out_base, d.res_out_col_stride, d.res_out_row_stride, self.config.chunks)
        later = Signal.like(self.address)
        m.d.comb += self.address.eq(Mux(self.step.valid, origin, later))
        m.d.sync += later.eq(self.address + self.pool.ends)
        return m


class ResidualReadWalk(_Walk):
    """Words of each chunk's window, row by row."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        d, pool = self.descriptor, self.pool
        origin = self._pixels(m, d.res_base, d.res_col_words, d.res_row_words, 0)

        # The window.
        place, row, held_place, held_row = (
            Signal(self._bits + 2, name=name) for name in ("place", "window_row", "held_place", "held_row")
        )
        left, held_left = Signal(8), Signal(8)
        m.d.comb += [
            place.eq(Mux(pool.takes, origin, held_place)),
            row.eq(Mux(pool.takes, origin, held_row)),
            left.eq(Mux(pool.takes, d.res_cols, held_left)),  # words of the window's row, this one included
        ]
        next_row = Signal.like(row)
        m.d.comb += next_row.eq(row + self._clip(m, d.res_row_stride))
        with m.If(left == 1):
            m.d.sync += [held_place.eq(next_row), held_row.eq(next_row), held_left.eq(d.res_cols)]
        with m.Else():
            m.d.sync += [
                held_place.eq(place + self._clip(m, d.res_col_stride)),
                held_row.eq(row),
                held_left.eq(left - 1),
            ]

        # The chunk, modulo the operand's chunks.
        chunk, group_chunk, held_chunk, next_group_chunk = (
            Signal(16, name=name) for name in ("chunk", "group_chunk", "held_chunk", "next_group_chunk")
        )
        turned, group_step = Signal(17), Signal(16)
        m.d.sync += group_step.eq(self._group_step(m))
        m.d.comb += [
            chunk.eq(Mux(self.step.valid, group_chunk, held_chunk)),
            turned.eq(group_chunk + group_step),
            next_group_chunk.eq(Mux(turned >= d.res_chunks, turned - d.res_chunks, turned)),
            self.address.eq(place + chunk),
        ]
        with m.If(pool.ends):
            m.d.sync += held_chunk.eq(Mux(chunk == d.res_chunks - 1, 0, chunk + 1))
        with m.Else():
            m.d.sync += held_chunk.eq(chunk)
        with m.If(self.start):
            m.d.sync += group_chunk.eq(d.res_first)
        with m.Elif(self.step.valid & self.step.emit & self.step.last_col & self.step.last_row):
            m.d.sync += group_chunk.eq(next_group_chunk)
        return m

    def _group_step(self, m: Module) -> Signal:
        """M/W modulo the operand's chunks."""
        chunks, count = self.config.chunks, self.descriptor.res_chunks
        step = Signal(range(chunks + 1))
        m.d.comb += step.eq(chunks)
        with m.Switch(count):
            for value in range(1, chunks + 1):
                with m.Case(value):
                    m.d.comb += step.eq(chunks % value)
        return step
