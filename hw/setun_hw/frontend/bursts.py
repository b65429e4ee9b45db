"""Cuts a run of beats into AXI bursts."""

from amaranth import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from setun_hw.config import Config
from setun_hw.frontend.axi import burst_layout
from setun_hw.timing import BURST_BEATS, BURST_BOUNDARY


class BurstPlanner(wiring.Component):
    """Offers the bursts of a run, in order, none longer than 256 beats or across a 4 KiB boundary.

    A run loaded in cycle c can be started from cycle c+1 on; after ``start`` in cycle t its first burst is offered in
    cycle t+1, every other two cycles after the one before was taken.

    Members
    -------
    load : ``In(1)``, address, beats : ``In``  the run: byte address (whole beats) and number of beats, not 0
    start : ``In(1)``
    clear : ``In(1)``     forget the run
    o : ``Out(stream.Signature(burst_layout(config)))``
    """

    load: Signal
    address: Signal
    beats: Signal
    start: Signal
    clear: Signal
    o: stream.Interface

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {
                "load": In(1),
                "address": In(config.axi_address_bits),
                "beats": In(32),
                "start": In(1),
                "clear": In(1),
                "o": Out(stream.Signature(burst_layout(config))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        shift = (self.config.axi_data_bits // 8).bit_length() - 1
        page = BURST_BOUNDARY >> shift
        index = Signal(len(self.address) - shift)
        remaining = Signal(32)
        length = Signal(range(BURST_BEATS + 1))
        armed, settled = Signal(), Signal()

        # The length is computed one cycle behind the run's registers, which keeps it off the address channel's path.
        to_boundary = Signal(range(page + 1))
        longest = Signal(range(BURST_BEATS + 1))
        m.d.comb += [
            to_boundary.eq(page - index[: page.bit_length() - 1]),
            longest.eq(Mux(to_boundary > BURST_BEATS, BURST_BEATS, to_boundary)),
            self.o.valid.eq(armed & settled),
            self.o.p.address.eq(index << shift),
            self.o.p.beats.eq(length),
        ]
        taken = self.o.valid & self.o.ready
        m.d.sync += [
            length.eq(Mux(remaining > longest, longest, remaining)),
            settled.eq(~taken),
        ]
        with m.If(self.start):
            m.d.sync += armed.eq(1)
        with m.If(taken):
            m.d.sync += [index.eq(index + length), remaining.eq(remaining - length)]
            with m.If(remaining == length):
                m.d.sync += armed.eq(0)
        with m.If(self.load):
            m.d.sync += [index.eq(self.address >> shift), remaining.eq(self.beats)]
        with m.If(self.clear):
            m.d.sync += armed.eq(0)
        return m
