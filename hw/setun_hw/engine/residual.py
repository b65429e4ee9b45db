"""The residual memories: one for each strip, with a read port and a write port of their own."""

from amaranth import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from setun_hw.config import Config
from setun_hw.engine.layout import UNCHECKED, index_bits, residual_load_layout, residual_store_layout


def residual_read_layout(config: Config) -> data.StructLayout:
    """A read of every memory by post-processing."""
    return data.StructLayout({"enable": 1, "address": index_bits(config.residual_words)})


def residual_write_layout(config: Config) -> data.StructLayout:
    """A write to every memory by post-processing."""
    return data.StructLayout(
        {
            "enable": 1,
            "address": index_bits(config.residual_words),
            "words": data.ArrayLayout(config.residual_word_bits, config.strips),
        }
    )


class ResidualMemories(wiring.Component):
    """P memories; post-processing goes first.

    Members
    -------
    read : ``In(residual_read_layout(config))``
    words : ``Out(ArrayLayout(residual_word_bits, P))``   the cycle after ``read``
    write : ``In(residual_write_layout(config))``
    load : ``In(stream.Signature(residual_load_layout(config)))``    ready in cycles without ``write.enable``
    store : ``In(stream.Signature(residual_store_layout(config)))``  ready in cycles without ``read.enable``
    stored : ``Out(ArrayLayout(residual_word_bits, P))``  first that word, two cycles later; then those of memories 1 ..
    """

    read: "data.View[data.StructLayout]"
    words: "data.View[data.ArrayLayout]"
    write: "data.View[data.StructLayout]"
    load: stream.Interface
    store: stream.Interface
    stored: "data.View[data.ArrayLayout]"

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {
                "read": In(residual_read_layout(config)),
                "words": Out(data.ArrayLayout(config.residual_word_bits, config.strips)),
                "write": In(residual_write_layout(config)),
                "load": In(stream.Signature(residual_load_layout(config))),
                "store": In(stream.Signature(residual_store_layout(config))),
                "stored": Out(data.ArrayLayout(config.residual_word_bits, config.strips)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, read, write, load = self.config, self.read, self.write, self.load.payload
        bank = Signal(index_bits(config.strips))
        m.d.sync += bank.eq(self.store.payload.bank)
        m.d.comb += [self.load.ready.eq(~write.enable), self.store.ready.eq(~read.enable)]
        words = []
        for p in range(config.strips):
            memory = Memory(
                shape=unsigned(config.residual_word_bits), depth=config.residual_words, init=[], attrs=UNCHECKED
            )
            m.submodules[f"memory{p}"] = memory
            reader, writer = memory.read_port(), memory.write_port()
            m.d.comb += [
                reader.addr.eq(Mux(read.enable, read.address, self.store.payload.address)),
                reader.en.eq(read.enable | self.store.valid),
                writer.addr.eq(Mux(write.enable, write.address, load.address)),
                writer.data.eq(Mux(write.enable, write.words[p], load.words[p])),
                writer.en.eq(write.enable | (self.load.valid & load.banks[p])),
                self.words[p].eq(reader.data),
            ]
            words.append(reader.data)
        stored = Signal(self.stored.shape(), reset_less=True)
        first = Cat(words).word_select(bank, config.residual_word_bits)
        m.d.sync += stored.eq(Cat(first, *words[1:]))
        m.d.comb += self.stored.eq(stored)
        return m
