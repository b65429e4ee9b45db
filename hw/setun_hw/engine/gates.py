"""What a step may have to wait for inside the engine: loads of its group, and the drain of the pixel before."""

from amaranth import Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from setun_hw.config import Config


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


def drain_cycles(config: Config, d: "data.View[data.StructLayout]") -> Value:
    """Cycles that a chunk takes: one for each digit, and for each word of a residual window before the last."""
    return d.out_digits + Mux(d.residual, d.res_window - 1, 0)[:16] if config.affine else d.out_digits


class DrainGate(wiring.Component):
    """Shut for the ``chunks * cycles - 1`` cycles after a pixel.

    Members
    -------
    chunks : ``In(8)``, cycles : ``In(bits)``  at least 1, in the cycle of ``pixel``; ``cycles`` in all cycles
    pixel : ``In(1)``   the last step of a convolution pixel issues
    open : ``Out(1)``
    """

    chunks: Signal
    cycles: Signal
    pixel: Signal
    open: Signal

    def __init__(self, bits: int) -> None:
        super().__init__({"chunks": In(8), "cycles": In(bits), "pixel": In(1), "open": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # (chunks - 1)*self.cycles + cycles are left; none if chunks is 0
        chunks, cycles = Signal(8), Signal.like(self.cycles)
        old_chunks, old_cycles = Signal(8), Signal.like(self.cycles)
        m.d.comb += [
            old_chunks.eq(Mux(self.pixel, self.chunks, chunks)),
            old_cycles.eq(Mux(self.pixel, self.cycles, cycles)),
            self.open.eq(chunks == 0),
        ]
        with m.If(self.pixel | (chunks != 0)):
            with m.If(old_cycles == 1):
                m.d.sync += [chunks.eq(old_chunks - 1), cycles.eq(self.cycles)]
            with m.Else():
                m.d.sync += [chunks.eq(old_chunks), cycles.eq(old_cycles - 1)]
        return m
