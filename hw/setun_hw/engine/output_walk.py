"""Where in the activation banks each drained digit is written."""

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from setun_hw.config import Config
from setun_hw.engine.layout import STEP_LAYOUT, compute_layout, most_digits


def clip(m: Module, words: Value, bits: int) -> Signal:
    """A base or stride as it is, or ``2**bits``, which takes every address out of the memory, where it is larger."""
    clipped = Signal(bits + 1)
    high = words[bits:].any()
    m.d.comb += clipped.eq(Cat(Mux(high, 0, words[:bits]), high))
    return clipped


class OutputWalk(wiring.Component):
    """Address and place in the word, drain cycle by drain cycle.

    A drain begins in the cycle of ``step.valid`` and goes on as long as ``drains``; the address follows in the same
    cycle. It is exact unless the true one lies beyond the memory, and then it lies beyond the memory too.

    Members
    -------
    descriptor : ``In(compute_layout(config))``  valid from the cycle of ``start`` on
    start : ``In(1)``            go to the first output pixel
    step : ``In(STEP_LAYOUT)``   ``valid`` in the first cycle of a convolution pixel's drain
    drains : ``In(1)``           in every cycle of it
    holds : ``In(1)``            this cycle has no digit yet
    last_digit : ``In(1)``       this cycle's digit is the chunk's last
    address : ``Out``, place : ``Out(N/W)``  one bit of ``place`` is set
    """

    descriptor: "data.View[data.StructLayout]"
    start: Signal
    step: "data.View[data.StructLayout]"
    drains: Signal
    holds: Signal
    last_digit: Signal
    address: Signal
    place: Signal

    def __init__(self, config: Config) -> None:
        self.config = config
        self._places = config.lanes // config.post
        # An address is checked before the next is made from it, so a bit more than the longest move needs is enough.
        jump = (config.chunks // self._places + 1) * most_digits(config)
        self._memory_bits = max((config.activation_words - 1).bit_length(), jump.bit_length())
        super().__init__(
            {
                "descriptor": In(compute_layout(config)),
                "start": In(1),
                "step": In(STEP_LAYOUT),
                "drains": In(1),
                "holds": In(1),
                "last_digit": In(1),
                "address": Out(self._memory_bits + 1),
                "place": Out(self._places),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        d, step, places, bits = self.descriptor, self.step, self._places, len(self.address)
        group, row, pixel, later, chunk = (
            Signal(bits, name=f"{name}_address") for name in ("group", "row", "pixel", "later", "chunk")
        )
        group_place, later_place, first_digit = Signal(places), Signal(places), Signal()

        # Within a drain: digits of a chunk lie one behind the other; the next chunk begins there too, or behind.
        begins = Signal(bits)
        m.d.comb += [
            self.address.eq(Mux(step.valid, pixel, later)),
            self.place.eq(Mux(step.valid, group_place, later_place)),
            begins.eq(Mux(step.valid | first_digit, self.address, chunk)),
        ]
        with m.If(self.drains):
            m.d.sync += [
                chunk.eq(begins),
                first_digit.eq(self.last_digit),
                later.eq(Mux(self.last_digit & ~self.place[-1], begins, self.address + ~self.holds)),
                later_place.eq(Mux(self.last_digit, self.place.rotate_left(1), self.place)),
            ]

        # From pixel to pixel, when one leaves.
        turn, more = self.config.chunks % places, self.config.chunks // places
        spills = group_place[places - turn :].any()
        next_group, next_row = Signal(bits), Signal(bits)
        m.d.comb += [
            next_group.eq(group + more * d.out_digits + Mux(spills, d.out_digits, 0)),
            next_row.eq(row + clip(m, d.out_row_stride, self._memory_bits)),
        ]
        with m.If(self.start):
            first = clip(m, d.out_base, self._memory_bits)
            m.d.sync += [group.eq(first), row.eq(first), pixel.eq(first), group_place.eq(1)]
        with m.Elif(step.valid & step.emit):
            with m.If(~step.last_col):
                m.d.sync += pixel.eq(pixel + clip(m, d.out_col_stride, self._memory_bits))
            with m.Elif(~step.last_row):
                m.d.sync += [row.eq(next_row), pixel.eq(next_row)]
            with m.Else():
                m.d.sync += [
                    group.eq(next_group),
                    row.eq(next_group),
                    pixel.eq(next_group),
                    group_place.eq(group_place.rotate_left(turn)),
                ]
        return m
