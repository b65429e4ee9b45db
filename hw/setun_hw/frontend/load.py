"""Loads: beats of external memory to words on chip."""

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from setun_hw.arithmetic.unpacker import Unpacker as ByteDecoder
from setun_hw.config import Config
from setun_hw.descriptor import Opcode
from setun_hw.engine.layout import (
    ERROR_LAYOUT,
    TRANSFER_LAYOUT,
    load_layout,
    parameter_write_layout,
    residual_load_layout,
    weight_slices,
    weight_write_layout,
)
from setun_hw.error_codes import ErrorCode
from setun_hw.external import map_word_bits
from setun_hw.frontend.reader import beat_layout
from setun_hw.frontend.unpack import Unpacker
from setun_hw.frontend.walk import Walk

#: what a transfer counts, up to and including the last cycle
COUNTS_LAYOUT = data.StructLayout({"words": 32, "wait_memory": 32, "wait_port": 32})


class Loader(wiring.Component):
    """Carries out LOAD_WEIGHTS, LOAD_PARAMETERS, LOAD_ACTIVATIONS and LOAD_RESIDUAL.

    After ``start`` in cycle t it takes beats from cycle t+1 on, and writes words as docs/machine.md says.

    Members
    -------
    opcode, transfer : ``In``           the descriptor; ``prepare`` in the cycle before ``start`` or earlier
    prepare, start, clear : ``In(1)``   ``clear`` forgets everything
    active : ``Out(1)``
    done : ``Out(1)``                   the last word is being written
    counts : ``Out(COUNTS_LAYOUT)``     complete in the cycle after ``done``
    error : ``Out(ERROR_LAYOUT)``       ``done`` does not count then
    beats : ``In(stream.Signature(beat_layout(config)))``
    load : ``Out(stream.Signature(load_layout(config)))``
    residual_load : ``Out(stream.Signature(residual_load_layout(config)))``  with ``affine`` only
    weight_write, parameter_write : ``Out``
    """

    opcode: Signal
    transfer: "data.View[data.StructLayout]"
    prepare: Signal
    start: Signal
    clear: Signal
    active: Signal
    done: Signal
    counts: "data.View[data.StructLayout]"
    error: "data.View[data.StructLayout]"
    beats: stream.Interface
    load: stream.Interface
    residual_load: stream.Interface
    weight_write: "data.View[data.StructLayout]"
    parameter_write: "data.View[data.StructLayout]"

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {
                "opcode": In(8),
                "transfer": In(TRANSFER_LAYOUT),
                "prepare": In(1),
                "start": In(1),
                "clear": In(1),
                "active": Out(1),
                "done": Out(1),
                "counts": Out(COUNTS_LAYOUT),
                "error": Out(ERROR_LAYOUT),
                "beats": In(stream.Signature(beat_layout(config))),
                "load": Out(stream.Signature(load_layout(config))),
                **(
                    {"residual_load": Out(stream.Signature(residual_load_layout(config)))} if config.affine else {}
                ),
                "weight_write": Out(weight_write_layout(config)),
                "parameter_write": Out(parameter_write_layout(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, transfer, beat_bits = self.config, self.transfer, self.config.axi_data_bits
        maps = self.opcode == Opcode.LOAD_ACTIVATIONS
        if config.affine:
            maps = maps | (self.opcode == Opcode.LOAD_RESIDUAL)

        m.submodules.walk = walk = Walk(config)
        m.d.comb += [
            walk.load.eq(self.prepare),
            walk.base.eq(transfer.base),
            walk.rows.eq(Mux(maps, transfer.rows, 1)),
            walk.strip_rows.eq(Mux(maps, transfer.strip_rows, 1)),
            walk.row_words.eq(Mux(maps, transfer.row_words, transfer.words)),
        ]
        slice_bits = beat_bits if config.packed_weights else min(beat_bits, config.weight_word_bits)
        m.submodules.weights = weights = Unpacker(slice_bits, beat_bits)
        m.submodules.parameters = parameters = Unpacker(config.parameter_word_bits, beat_bits)
        unpackers: list[tuple[Value, Unpacker]] = [
            (self.opcode == Opcode.LOAD_WEIGHTS, weights),
            (self.opcode == Opcode.LOAD_PARAMETERS, parameters),
        ]
        # Loads that may have to wait: where to, which words or lines, how deep.
        ports = [(self.load, *self._map_unpackers(m, Opcode.LOAD_ACTIVATIONS, unpackers), config.activation_words)]
        if config.affine:
            found = self._map_unpackers(m, Opcode.LOAD_RESIDUAL, unpackers)
            ports.append((self.residual_load, *found, config.residual_words))

        left = Signal(32)  # beats not taken yet
        taken, ready, waiting, written = Signal(), Signal(), Signal(), Signal()
        for chosen, unpacker in unpackers:
            m.d.comb += [
                unpacker.i.valid.eq(taken & chosen),
                unpacker.i.payload.eq(self.beats.p.data),
                unpacker.end.eq(walk.end_of_row),
                unpacker.clear.eq(self.clear),
            ]
            with m.If(chosen):
                m.d.comb += [
                    ready.eq(unpacker.i.ready),
                    waiting.eq(unpacker.o.valid),
                    written.eq(unpacker.o.valid & unpacker.o.ready),
                ]
        m.d.comb += [
            self.beats.ready.eq(self.active & (left != 0) & ready),
            taken.eq(self.beats.valid & self.beats.ready),
        ]

        stray, blocked = Signal(len(ports)), Signal(len(ports))
        for k, (port, words, lines, depth) in enumerate(ports):
            outside = (walk.address >= depth) | (walk.bank >= config.strips)
            offered = words.o.valid | lines.o.valid
            m.d.comb += [
                port.valid.eq(offered & ~outside),
                words.o.ready.eq(port.ready & ~outside),
                lines.o.ready.eq(port.ready & ~outside),
                port.p.banks.eq(Mux(transfer.lines, ~0, 1 << walk.bank)),
                port.p.address.eq(walk.address),
                port.p.words.eq(Mux(transfer.lines, lines.o.payload, words.o.payload.replicate(config.strips))),
                stray[k].eq(offered & outside),
                blocked[k].eq(port.valid & ~port.ready),
            ]
        m.d.comb += [
            parameters.o.ready.eq(1),
            self.parameter_write.enable.eq(parameters.o.valid),
            self.parameter_write.address.eq(walk.address),
            self.parameter_write.data.eq(parameters.o.payload),
        ]
        word_written = written & (
            maps | (self.opcode == Opcode.LOAD_PARAMETERS) | self._write_weights(m, weights, walk)
        )
        m.d.comb += [walk.step.eq(word_written), self.done.eq(word_written & walk.end)]

        with m.If(self.start):
            m.d.sync += [self.active.eq(1), left.eq(transfer.beats), self.counts.eq(0)]
        with m.If(taken):
            m.d.sync += left.eq(left - 1)
        with m.If(word_written):
            m.d.sync += self.counts.words.eq(self.counts.words + 1)
        with m.If(self.beats.ready & ~self.beats.valid):
            m.d.sync += self.counts.wait_memory.eq(self.counts.wait_memory + 1)
        with m.If(blocked.any()):
            m.d.sync += self.counts.wait_port.eq(self.counts.wait_port + 1)
        with m.If(self.done | self.clear):
            m.d.sync += self.active.eq(0)

        amiss = self.done & ((left != 0) | (self.counts.words + 1 != transfer.words))
        starved = self.active & (left == 0) & ~waiting
        with m.If(taken & (self.beats.p.error | ((left == 1) & ~self.beats.p.last))):
            m.d.comb += [self.error.valid.eq(1), self.error.code.eq(ErrorCode.AXI_READ)]
        with m.Elif(stray.any()):
            m.d.comb += [self.error.valid.eq(1), self.error.code.eq(ErrorCode.OUT_OF_RANGE)]
        with m.Elif(amiss | starved):
            m.d.comb += [self.error.valid.eq(1), self.error.code.eq(ErrorCode.BAD_FIELD)]
        return m

    def _map_unpackers(
        self, m: Module, opcode: Opcode, unpackers: list[tuple[Value, Unpacker]]
    ) -> tuple[Unpacker, Unpacker]:
        """Those of a map's words and of its lines, also added to ``unpackers``."""
        config, lines = self.config, self.transfer.lines
        found = []
        for name, wanted in (("words", ~lines), ("lines", lines)):
            bits = map_word_bits(config, residual=opcode is Opcode.LOAD_RESIDUAL, lines=name == "lines")
            m.submodules[f"{opcode.name.lower()}_{name}"] = unpacker = Unpacker(bits, config.axi_data_bits)
            unpackers.append(((self.opcode == opcode) & wanted, unpacker))
            found.append(unpacker)
        return found[0], found[1]

    def _write_weights(self, m: Module, weights: Unpacker, walk: Walk) -> Value:
        """Drives ``weight_write``; returns whether the slice at hand completes its word."""
        write, slices = self.weight_write, weight_slices(self.config)
        piece = Signal(range(max(2, slices)))
        last = piece == slices - 1
        with m.If(weights.o.valid):
            m.d.sync += piece.eq(Mux(last, 0, piece + 1))
        with m.If(self.clear):
            m.d.sync += piece.eq(0)
        m.d.comb += [
            weights.o.ready.eq(1),
            write.enable.eq(weights.o.valid),
            write.address.eq(walk.address),
            write.slice.eq(piece),
        ]
        if not self.config.packed_weights:
            m.d.comb += write.data.eq(weights.o.payload)
            return last
        trits = []
        for byte in range(self.config.axi_data_bits // 8):
            m.submodules[f"byte_{byte}"] = decoder = ByteDecoder()
            m.d.comb += decoder.byte.eq(weights.o.payload.word_select(byte, 8))
            trits.append(decoder.trits)
        m.d.comb += write.data.eq(Cat(trits))
        return last
