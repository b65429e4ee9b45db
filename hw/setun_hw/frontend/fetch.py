"""Fetches descriptors."""

from amaranth import Cat, Module, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from setun_hw.config import Config
from setun_hw.descriptor import CHECK, SIZE, WORDS, Compute, Field, Post, Transfer
from setun_hw.engine.layout import AFFINE_FIELDS, POST_LAYOUT, TRANSFER_LAYOUT, compute_layout
from setun_hw.frontend.axi import burst_layout
from setun_hw.frontend.reader import beat_layout


class Fetch(wiring.Component):
    """Reads 128 bytes and shows them as a descriptor.

    After ``begin`` in cycle f-1 the burst is offered in cycle f; the descriptor taken in full in cycle r is shown from
    cycle r+1 on.

    Members
    -------
    first : ``In(1)``, address : ``In``   the next fetch is the one at ``address``, a multiple of 128
    begin : ``In(1)``                      fetch the next descriptor, 128 bytes on
    clear : ``In(1)``                      forget what is under way
    active : ``Out(1)``                    a fetch is under way
    done : ``Out(1)``                      the last beat is being taken
    failed : ``Out(1)``                    the memory reports an error, or ends the burst too early or too late
    sound : ``Out(1)``                     the check word is right
    version, opcode : ``Out(8)``
    transfer, compute : ``Out``            all its fields; those of SET_POST in ``compute`` are 0
    post : ``Out(POST_LAYOUT)``            with ``affine`` only
    affine_fields : ``Out(1)``             a field of COMPUTE is used that only configurations with ``affine`` have
    burst : ``Out(stream.Signature(burst_layout(config)))``
    beats : ``In(stream.Signature(beat_layout(config)))``   always taken at once
    """

    first: Signal
    address: Signal
    begin: Signal
    clear: Signal
    active: Signal
    done: Signal
    failed: Signal
    sound: Signal
    version: Signal
    opcode: Signal
    transfer: "data.View[data.StructLayout]"
    compute: "data.View[data.StructLayout]"
    post: "data.View[data.StructLayout]"
    affine_fields: Signal
    burst: stream.Interface
    beats: stream.Interface

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {
                "first": In(1),
                "address": In(config.axi_address_bits),
                "begin": In(1),
                "clear": In(1),
                "active": Out(1),
                "done": Out(1),
                "failed": Out(1),
                "sound": Out(1),
                "version": Out(8),
                "opcode": Out(8),
                "transfer": Out(TRANSFER_LAYOUT),
                "compute": Out(compute_layout(config)),
                **({"post": Out(POST_LAYOUT)} if config.affine else {}),
                "affine_fields": Out(1),
                "burst": Out(stream.Signature(burst_layout(config))),
                "beats": In(stream.Signature(beat_layout(config))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        beats = SIZE * 8 // self.config.axi_data_bits
        per_beat = WORDS // beats
        block = Signal(len(self.address) - (SIZE.bit_length() - 1))
        offered = Signal()
        index = Signal(range(max(2, beats)))
        words = [Signal(32, name=f"word_{k}") for k in range(WORDS)]
        parity = Signal(32)

        m.d.comb += [
            self.burst.valid.eq(offered),
            self.burst.p.address.eq(block << (SIZE.bit_length() - 1)),
            self.burst.p.beats.eq(beats),
            self.beats.ready.eq(self.active),
        ]
        taken = self.beats.valid & self.active
        last = index == beats - 1
        with m.If(taken):
            arrived = [self.beats.p.data.word_select(k, 32) for k in range(per_beat)]
            folded: Value = parity
            for word in arrived:
                folded = folded ^ word
            m.d.sync += [index.eq(index + 1), parity.eq(folded)]
            with m.Switch(index):
                for beat in range(beats):
                    with m.Case(beat):
                        m.d.sync += [words[beat * per_beat + k].eq(arrived[k]) for k in range(per_beat)]
            with m.If(last):
                m.d.sync += [self.active.eq(0), block.eq(block + 1)]
        m.d.comb += [
            self.done.eq(taken & last),
            self.failed.eq(taken & (self.beats.p.error | (self.beats.p.last != last))),
            self.sound.eq(parity == CHECK),
            self.opcode.eq(words[0][:8]),
            self.version.eq(words[0][8:16]),
        ]
        m.d.comb += [self.transfer[name].eq(_bits(words, field)) for name, field in Transfer.LAYOUT.items()]
        m.d.comb += [
            self.compute[name].eq(_bits(words, field))
            for name, field in Compute.LAYOUT.items()
            if name in self.compute.shape().members
        ]
        m.d.comb += self.affine_fields.eq(Cat(_bits(words, Compute.LAYOUT[name]) for name in AFFINE_FIELDS).any())
        if self.config.affine:
            m.d.comb += [self.post[name].eq(_bits(words, field)) for name, field in Post.LAYOUT.items()]

        with m.If(self.burst.valid & self.burst.ready):
            m.d.sync += offered.eq(0)
        with m.If(self.begin):
            m.d.sync += [offered.eq(1), self.active.eq(1), index.eq(0), parity.eq(0)]
        with m.If(self.first):
            m.d.sync += block.eq(self.address >> (SIZE.bit_length() - 1))
        with m.If(self.clear):
            m.d.sync += [offered.eq(0), self.active.eq(0)]
        return m


def _bits(words: list[Signal], field: Field) -> Value:
    return words[field.word][field.low : field.low + field.bits]
