"""AXI4-Lite slave: turns the bus into single reads and writes."""

from typing import Any

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from setun_hw.frontend.axi import LiteSignature


class Lite(wiring.Component):
    """One write and one read at a time; every address is answered with OKAY.

    Members
    -------
    bus : ``Out(LiteSignature(address_bits))``    seen from inside: a slave
    write : ``Out(1)``, write_address, write_data, write_strobe : ``Out``   for one cycle
    read : ``Out(1)``, read_address : ``Out``     for one cycle, and the address until the data is given
    read_data : ``In(32)``                        two cycles after ``read``
    """

    bus: Any
    write: Signal
    write_address: Signal
    write_data: Signal
    write_strobe: Signal
    read: Signal
    read_address: Signal
    read_data: Signal

    def __init__(self, address_bits: int) -> None:
        super().__init__(
            {
                "bus": Out(LiteSignature(address_bits)),
                "write": Out(1),
                "write_address": Out(address_bits),
                "write_data": Out(32),
                "write_strobe": Out(4),
                "read": Out(1),
                "read_address": Out(address_bits),
                "read_data": In(32),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bus = self.bus
        # An address and its data are taken together, so that neither has to be kept.
        m.d.comb += [
            self.write.eq(bus.awvalid & bus.wvalid & ~bus.bvalid),
            bus.awready.eq(self.write),
            bus.wready.eq(self.write),
            self.write_address.eq(bus.awaddr),
            self.write_data.eq(bus.wdata),
            self.write_strobe.eq(bus.wstrb),
        ]
        with m.If(self.write):
            m.d.sync += bus.bvalid.eq(1)
        with m.Elif(bus.bready):
            m.d.sync += bus.bvalid.eq(0)

        looking, found = Signal(), Signal()
        address = Signal.like(self.read_address)
        m.d.comb += [
            self.read.eq(bus.arvalid & bus.arready),
            bus.arready.eq(~looking & ~found & ~bus.rvalid),
            self.read_address.eq(address),
        ]
        m.d.sync += [looking.eq(self.read), found.eq(looking)]
        with m.If(self.read):
            m.d.sync += address.eq(bus.araddr)
        with m.If(found):
            m.d.sync += [bus.rvalid.eq(1), bus.rdata.eq(self.read_data)]
        with m.Elif(bus.rready):
            m.d.sync += bus.rvalid.eq(0)
        return m
