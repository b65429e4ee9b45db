"""What a step may have to wait for inside the engine: loads of its group, and the drain of the pixel before."""

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class LoadGate(wiring.Component):
    """Open once ``transfers_done >= after + g*after_step`` for the current group g.

    Members
    -------
    after : ``In(32)``, after_step : ``In(16)``  valid from the cycle of ``start`` on
    start : ``In(1)``            group 0 is the current one from the next cycle on
    next_group : ``In(1)``       so is the group after the current one
    transfers_done : ``In(32)``  grows by at most one a cycle
    open : ``Out(1)``
    """

    after: Signal
    after_step: Signal
    start: Signal
    next_group: Signal
    transfers_done: Signal
    open: Signal

    def __init__(self) -> None:
        super().__init__(
            {
                "after": In(32),
                "after_step": In(16),
                "start": In(1),
                "next_group": In(1),
                "transfers_done": In(32),
                "open": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # A register holds the difference as of the cycle before: a sign and one possible increment are left to look at.
        surplus, parity = Signal(signed(34)), Signal()
        rises = parity != self.transfers_done[0]
        after_step_less_one = Signal(signed(17))
        m.d.sync += [parity.eq(self.transfers_done[0]), after_step_less_one.eq(self.after_step - 1)]
        with m.If(self.start):
            m.d.sync += surplus.eq(self.transfers_done - self.after)
        with m.Else():
            less = Signal(signed(17))
            m.d.comb += less.eq(Mux(rises, after_step_less_one, self.after_step))
            m.d.sync += surplus.eq(Mux(self.next_group, surplus - less, surplus + rises))
        m.d.comb += self.open.eq((surplus >= 0) | (surplus.all() & rises))
        return m


class DrainGate(wiring.Component):
    """Shut for the ``chunks * digits - 1`` cycles after a pixel.

    Members
    -------
    chunks : ``In(8)``, digits : ``In(8)``  at least 1, in the cycle of ``pixel``
    pixel : ``In(1)``   the last step of a convolution pixel issues
    open : ``Out(1)``
    """

    chunks: Signal
    digits: Signal
    pixel: Signal
    open: Signal

    def __init__(self) -> None:
        super().__init__({"chunks": In(8), "digits": In(8), "pixel": In(1), "open": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        chunks, digits = Signal(8), Signal(8)  # (chunks - 1)*self.digits + digits cycles are left; none if chunks is 0
        old_chunks, old_digits = Signal(8), Signal(8)
        m.d.comb += [
            old_chunks.eq(Mux(self.pixel, self.chunks, chunks)),
            old_digits.eq(Mux(self.pixel, self.digits, digits)),
            self.open.eq(chunks == 0),
        ]
        with m.If(self.pixel | (chunks != 0)):
            with m.If(old_digits == 1):
                m.d.sync += [chunks.eq(old_chunks - 1), digits.eq(self.digits)]
            with m.Else():
                m.d.sync += [chunks.eq(old_chunks), digits.eq(old_digits - 1)]
        return m
