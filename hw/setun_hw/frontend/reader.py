"""Read half of the AXI4 master."""

from typing import Any

from amaranth import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from setun_hw.config import Config
from setun_hw.frontend.axi import CACHE, INCR, ReadSignature, burst_layout
from setun_hw.timing import BURSTS_IN_FLIGHT


def beat_layout(config: Config) -> data.StructLayout:
    """A beat that arrived: its data, whether it is the last of its burst, whether the memory reports an error."""
    return data.StructLayout({"data": config.axi_data_bits, "last": 1, "error": 1})


class Reader(wiring.Component):
    """Asks for bursts and hands on their beats, with at most ``BURSTS_IN_FLIGHT`` bursts unfinished.

    While ``drain``, no further burst is asked for (an address already offered stays, as AXI demands) and what
    arrives is dropped.

    Members
    -------
    i : ``In(stream.Signature(burst_layout(config)))``    must not change while offered and ``drain``
    o : ``Out(stream.Signature(beat_layout(config)))``
    drain : ``In(1)``
    quiet : ``Out(1)``     nothing is offered and nothing will arrive
    axi : ``Out(ReadSignature(config))``
    """

    i: stream.Interface
    o: stream.Interface
    drain: Signal
    quiet: Signal
    axi: Any

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {
                "i": In(stream.Signature(burst_layout(config))),
                "o": Out(stream.Signature(beat_layout(config))),
                "drain": In(1),
                "quiet": Out(1),
                "axi": Out(ReadSignature(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        axi = self.axi
        unfinished = Signal(range(BURSTS_IN_FLIGHT + 1))
        held = Signal()
        asked = axi.arvalid & axi.arready
        finished = axi.rvalid & axi.rready & axi.rlast & (unfinished != 0)
        m.d.comb += [
            axi.arvalid.eq(held | self.i.valid & (unfinished != BURSTS_IN_FLIGHT) & ~self.drain),
            self.i.ready.eq(asked),
            axi.araddr.eq(self.i.p.address),
            axi.arlen.eq(self.i.p.beats - 1),
            axi.arsize.eq((self.config.axi_data_bits // 8).bit_length() - 1),
            axi.arburst.eq(INCR),
            axi.arcache.eq(CACHE),
            self.o.valid.eq(axi.rvalid & ~self.drain),
            self.o.p.data.eq(axi.rdata),
            self.o.p.last.eq(axi.rlast),
            self.o.p.error.eq(axi.rresp[1]),
            axi.rready.eq(self.o.ready | self.drain),
            self.quiet.eq(~held & (unfinished == 0)),
        ]
        m.d.sync += [held.eq(axi.arvalid & ~axi.arready), unfinished.eq(unfinished + asked - finished)]
        return m
