"""The activation memory: P banks that read one address and write one address a cycle."""

from amaranth import Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from setun_hw.config import Config
from setun_hw.engine.layout import UNCHECKED, index_bits, load_layout


def read_layout(config: Config) -> data.StructLayout:
    """A read: strip p gets the word of bank ``bank + p`` modulo P, or ``pad`` digits unless inside."""
    return data.StructLayout(
        {
            "enable": 1,
            "address": index_bits(config.activation_words),
            "bank": index_bits(config.strips),
            "inside": config.strips,
            "pad": 2,
        }
    )


def write_layout(config: Config) -> data.StructLayout:
    """A write to every bank: W digits of each strip to one of the N/W places in the word."""
    return data.StructLayout(
        {
            "enable": 1,
            "address": index_bits(config.activation_words),
            "place": config.lanes // config.post,
            "digits": data.ArrayLayout(2 * config.post, config.strips),
        }
    )


class Banks(wiring.Component):
    """Activation banks with strip rotation and padding.

    Members
    -------
    read : ``In(read_layout(config))``
    digits : ``Out(ArrayLayout(2*N, P))``   words of all strips, two cycles after ``read.enable`` and until the next
    write : ``In(write_layout(config))``    ``place`` has one bit set
    load : ``In(stream.Signature(load_layout(config)))``  whole words; ready in cycles without ``write.enable``
    """

    read: "data.View[data.StructLayout]"
    digits: "data.View[data.ArrayLayout]"
    write: "data.View[data.StructLayout]"
    load: stream.Interface

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {
                "read": In(read_layout(config)),
                "digits": Out(data.ArrayLayout(config.word_bits, config.strips)),
                "write": In(write_layout(config)),
                "load": In(stream.Signature(load_layout(config))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, read, write, load = self.config, self.read, self.write, self.load.payload
        places = config.lanes // config.post
        words = []
        # Bank b serves strip b - bank, and rests where that strip gets padding.
        reads: list[Value] = [read.enable & read.inside[p] for p in range(config.strips)]
        for k in range((config.strips - 1).bit_length()):
            reads = [Mux(read.bank[k], reads[(b - (1 << k)) % config.strips], bit) for b, bit in enumerate(reads)]
        m.d.comb += self.load.ready.eq(~write.enable)
        for p in range(config.strips):
            memory = Memory(shape=unsigned(config.word_bits), depth=config.activation_words, init=[], attrs=UNCHECKED)
            m.submodules[f"bank{p}"] = memory
            reader, writer = memory.read_port(), memory.write_port(granularity=2 * config.post)
            loads = self.load.valid & load.banks[p]
            m.d.comb += [
                reader.addr.eq(read.address),
                reader.en.eq(reads[p]),
                writer.addr.eq(Mux(write.enable, write.address, load.address)),
                writer.data.eq(Mux(write.enable, write.digits[p].replicate(places), load.words[p])),
                writer.en.eq(Mux(write.enable, write.place, loads.replicate(places))),
            ]
            words.append(reader.data)

        arrives, bank, inside, pad = Signal(), Signal.like(read.bank), Signal(config.strips), Signal(2)
        m.d.sync += [arrives.eq(read.enable), bank.eq(read.bank), inside.eq(read.inside), pad.eq(read.pad)]
        for k in range((config.strips - 1).bit_length()):
            words = [Mux(bank[k], words[(p + (1 << k)) % config.strips], word) for p, word in enumerate(words)]
        rotated = Cat(Mux(inside[p], word, pad.replicate(config.lanes)) for p, word in enumerate(words))
        digits = Signal(self.digits.shape(), reset_less=True)
        with m.If(arrives):
            m.d.sync += digits.eq(rotated)
        m.d.comb += self.digits.eq(digits)
        return m
