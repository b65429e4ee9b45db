"""Write half of the AXI4 master."""

from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from setun_hw.config import Config
from setun_hw.frontend.axi import CACHE, INCR, WriteSignature, burst_layout
from setun_hw.timing import BURST_BEATS, BURSTS_IN_FLIGHT


class Writer(wiring.Component):
    """Announces bursts and writes their beats, with at most ``BURSTS_IN_FLIGHT`` bursts unfinished.

    A beat is valid from the cycle in which its burst's address is, not before. While ``drain``, no further burst is
    announced and the announced ones are filled up with beats whose strobes are 0.

    Members
    -------
    i : ``In(stream.Signature(burst_layout(config)))``    must not change while offered and ``drain``
    data : ``In(stream.Signature(axi_data_bits))``         must not change while ``drain``, but for what is taken
    drain : ``In(1)``
    quiet : ``Out(1)``      nothing is offered and every response has arrived
    error : ``Out(1)``      a response arrives in this cycle, and reports an error
    answered : ``Out(1)``   a response arrives in this cycle, and none is missing after it
    axi : ``Out(WriteSignature(config))``
    """

    i: stream.Interface
    data: stream.Interface
    drain: Signal
    quiet: Signal
    error: Signal
    answered: Signal
    axi: Any

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {
                "i": In(stream.Signature(burst_layout(config))),
                "data": In(stream.Signature(config.axi_data_bits)),
                "drain": In(1),
                "quiet": Out(1),
                "error": Out(1),
                "answered": Out(1),
                "axi": Out(WriteSignature(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        axi = self.axi
        unfinished = Signal(range(BURSTS_IN_FLIGHT + 1))
        held = Signal()  # an address is offered that was not taken in the cycle before
        announced = axi.awvalid & axi.awready
        answered = axi.bvalid & axi.bready & (unfinished != 0)
        m.d.comb += [
            axi.awvalid.eq(held | self.i.valid & (unfinished != BURSTS_IN_FLIGHT) & ~self.drain),
            self.i.ready.eq(announced),
            axi.awaddr.eq(self.i.p.address),
            axi.awlen.eq(self.i.p.beats - 1),
            axi.awsize.eq((self.config.axi_data_bits // 8).bit_length() - 1),
            axi.awburst.eq(INCR),
            axi.awcache.eq(CACHE),
            axi.bready.eq(1),
            self.error.eq(answered & axi.bresp[1]),
            self.answered.eq(answered & (unfinished == 1) & ~axi.awvalid),
        ]
        m.d.sync += [held.eq(axi.awvalid & ~axi.awready), unfinished.eq(unfinished + announced - answered)]

        # Beats owed to the oldest burst, and to the one announced behind it; an address counts once it becomes valid.
        owed, owed_next, due = (Signal(range(BURST_BEATS + 1)) for _ in range(3))
        fresh = axi.awvalid & ~held
        given = axi.wvalid & axi.wready
        stuck = Signal()  # a beat with strobes is offered that was not taken in the cycle before
        keep = ~self.drain | stuck
        m.d.comb += [
            due.eq(Mux(owed != 0, owed, Mux(fresh, self.i.p.beats, 0))),
            axi.wvalid.eq((due != 0) & (self.data.valid | self.drain)),
            axi.wlast.eq(due == 1),
            axi.wdata.eq(self.data.payload),
            axi.wstrb.eq(keep.replicate(len(axi.wstrb))),
            self.data.ready.eq(given & keep),
            self.quiet.eq(~held & (unfinished == 0) & (owed == 0)),
        ]
        m.d.sync += stuck.eq(axi.wvalid & ~axi.wready & keep)
        with m.If((due == 1) & given & (owed != 0)):
            # A burst announced in this very cycle finds no other behind the finished one.
            m.d.sync += [owed.eq(Mux(fresh, self.i.p.beats, owed_next)), owed_next.eq(0)]
        with m.Else():
            m.d.sync += owed.eq(due - given)
            with m.If(fresh & (owed != 0)):
                m.d.sync += owed_next.eq(self.i.p.beats)
        return m
