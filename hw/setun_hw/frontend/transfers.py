"""Moves words between external memory and chip; also lends the bus to descriptor fetches."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from setun_hw.config import Config
from setun_hw.descriptor import Opcode
from setun_hw.engine.layout import (
    ERROR_LAYOUT,
    TRANSFER_LAYOUT,
    load_layout,
    parameter_write_layout,
    store_layout,
    weight_write_layout,
)
from setun_hw.error_codes import ErrorCode
from setun_hw.frontend.axi import MasterSignature, burst_layout
from setun_hw.frontend.bursts import BurstPlanner
from setun_hw.frontend.load import COUNTS_LAYOUT, Loader
from setun_hw.frontend.ports import residual_members
from setun_hw.frontend.reader import Reader, beat_layout
from setun_hw.frontend.store import Storer
from setun_hw.frontend.writer import Writer


class Transfers(wiring.Component):
    """Carries out LOAD_* and STORE_* descriptors.

    Members
    -------
    opcode, transfer : ``In``       the descriptor
    base : ``In``                   address of its region
    prepare : ``In(1)``             look at it: in the cycle before ``start`` or earlier
    start : ``In(1)``               carry it out; the first burst's address is valid a cycle later
    done : ``Out(1)``               the last word is written, or the last response arrives
    counts : ``Out(COUNTS_LAYOUT)`` complete in the cycle after ``done``
    error : ``Out(ERROR_LAYOUT)``   ``done`` does not count then
    drain : ``In(1)``               bring the bus to rest and forget the transfer; held until ``quiet``
    quiet : ``Out(1)``              the bus is at rest
    fetching : ``In(1)``            beats that arrive are a descriptor's
    burst, fetched : streams        that descriptor's burst, and its beats
    axi : ``Out(MasterSignature(config))``
    load ... parameter_write : the engine's members, the other way round
    """

    opcode: Signal
    transfer: "data.View[data.StructLayout]"
    base: Signal
    prepare: Signal
    start: Signal
    done: Signal
    counts: "data.View[data.StructLayout]"
    error: "data.View[data.StructLayout]"
    drain: Signal
    quiet: Signal
    fetching: Signal
    burst: stream.Interface
    fetched: stream.Interface
    axi: Any
    load: stream.Interface
    store: stream.Interface
    residual_load: stream.Interface
    residual_store: stream.Interface
    residual_stored: "data.View[data.ArrayLayout]"
    stored: "data.View[data.ArrayLayout]"
    weight_write: "data.View[data.StructLayout]"
    parameter_write: "data.View[data.StructLayout]"

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {
                "opcode": In(8),
                "transfer": In(TRANSFER_LAYOUT),
                "base": In(config.axi_address_bits),
                "prepare": In(1),
                "start": In(1),
                "done": Out(1),
                "counts": Out(COUNTS_LAYOUT),
                "error": Out(ERROR_LAYOUT),
                "drain": In(1),
                "quiet": Out(1),
                "fetching": In(1),
                "burst": In(stream.Signature(burst_layout(config))),
                "fetched": Out(stream.Signature(beat_layout(config))),
                "axi": Out(MasterSignature(config)),
                **residual_members(config),
                "load": Out(stream.Signature(load_layout(config))),
                "store": Out(stream.Signature(store_layout(config))),
                "stored": In(data.ArrayLayout(config.word_bits, config.strips)),
                "weight_write": Out(weight_write_layout(config)),
                "parameter_write": Out(parameter_write_layout(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, transfer = self.config, self.transfer
        m.submodules.planner = planner = BurstPlanner(config)
        m.submodules.reader = reader = Reader(config)
        m.submodules.writer = writer = Writer(config)
        m.submodules.loader = loader = Loader(config)
        storers = self._storers(m, Opcode.STORE_ACTIVATIONS, self.store, self.stored)
        if config.affine:
            storers += self._storers(m, Opcode.STORE_RESIDUAL, self.residual_store, self.residual_stored)
            connect(m, loader.residual_load, flipped(self.residual_load))
        storing = Cat(chosen for chosen, _ in storers).any()
        forget = self.drain & self.quiet

        connect(m, loader.load, flipped(self.load))
        m.d.comb += [
            planner.load.eq(self.prepare),
            planner.address.eq(self.base + transfer.offset),
            planner.beats.eq(transfer.beats),
            planner.start.eq(self.start),
            planner.clear.eq(forget),
            loader.opcode.eq(self.opcode),
            loader.transfer.eq(transfer),
            loader.prepare.eq(self.prepare),
            loader.start.eq(self.start & ~storing),
            loader.clear.eq(self.drain),
            self.weight_write.eq(loader.weight_write),
            self.parameter_write.eq(loader.parameter_write),
            self.done.eq(loader.done),
            self.counts.eq(loader.counts),
            self.quiet.eq(reader.quiet & writer.quiet),
        ]

        store_error = Signal(ERROR_LAYOUT)
        for chosen, storer in storers:
            m.d.comb += [
                storer.transfer.eq(transfer),
                storer.prepare.eq(self.prepare),
                storer.start.eq(self.start & chosen),
                storer.clear.eq(forget),
                storer.freeze.eq(self.drain),
                storer.answered.eq(writer.answered),
                storer.beats.ready.eq(writer.data.ready & chosen),
            ]
            with m.If(chosen):
                m.d.comb += [
                    self.done.eq(storer.done),
                    self.counts.eq(storer.counts),
                    store_error.eq(storer.error),
                    writer.data.valid.eq(storer.beats.valid),
                    writer.data.payload.eq(storer.beats.payload),
                ]

        # The bus belongs to a fetch while there is one, else to the transfer.
        for part in (reader.axi, writer.axi):
            for name, member in part.signature.members.items():
                inside, outside = getattr(part, name), getattr(self.axi, name)
                m.d.comb += outside.eq(inside) if member.flow is Out else inside.eq(outside)
        burst = Mux(self.burst.valid, self.burst.payload.as_value(), planner.o.payload.as_value())
        m.d.comb += [
            reader.drain.eq(self.drain),
            writer.drain.eq(self.drain),
            reader.i.valid.eq(self.burst.valid | planner.o.valid & ~storing),
            reader.i.payload.eq(burst),
            writer.i.valid.eq(planner.o.valid & storing),
            writer.i.payload.eq(planner.o.payload),
            self.burst.ready.eq(reader.i.ready),
            planner.o.ready.eq(Mux(storing, writer.i.ready, reader.i.ready & ~self.burst.valid)),
            self.fetched.valid.eq(reader.o.valid & self.fetching),
            self.fetched.payload.eq(reader.o.payload),
            loader.beats.valid.eq(reader.o.valid & ~self.fetching),
            loader.beats.payload.eq(reader.o.payload),
            reader.o.ready.eq(Mux(self.fetching, self.fetched.ready, loader.beats.ready)),
        ]

        with m.If(writer.error):
            m.d.comb += [self.error.valid.eq(1), self.error.code.eq(ErrorCode.AXI_WRITE)]
        with m.Elif(loader.error.valid):
            m.d.comb += self.error.eq(loader.error)
        with m.Else():
            m.d.comb += self.error.eq(store_error)
        return m

    def _storers(
        self, m: Module, opcode: Opcode, port: stream.Interface, stored: "data.View[data.ArrayLayout]"
    ) -> list[tuple[Value, Storer]]:
        """Those of a kind of memory, for words and for lines, and when each is meant."""
        found = []
        for lines in (False, True):
            storer = Storer(self.config, residual=opcode is Opcode.STORE_RESIDUAL, lines=lines)
            m.submodules[f"{opcode.name.lower()}_{'lines' if lines else 'words'}"] = storer
            m.d.comb += storer.stored.eq(stored if lines else stored[0])
            with m.If(storer.active):
                m.d.comb += [port.valid.eq(storer.store.valid), port.payload.eq(storer.store.payload)]
            if opcode is Opcode.STORE_RESIDUAL:
                m.d.comb += storer.store.ready.eq(port.ready)
            found.append(((self.opcode == opcode) & (self.transfer.lines == int(lines)), storer))
        return found
