"""Weight and parameter memory: one write port, one read port with a register behind it."""

from amaranth import Module, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from setun_hw.config import Config
from setun_hw.engine.layout import (
    UNCHECKED,
    index_bits,
    parameter_write_layout,
    slice_digits,
    weight_slices,
    weight_write_layout,
)


class WeightMemory(wiring.Component):
    """Words of M*N digits, written slice by slice.

    Members
    -------
    write : ``In(weight_write_layout(config))``
    address : ``In``
    word : ``Out(2*M*N)``   two cycles after ``address``
    """

    write: "data.View[data.StructLayout]"
    address: Signal
    word: Signal

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {
                "write": In(weight_write_layout(config)),
                "address": In(index_bits(config.weight_words)),
                "word": Out(config.weight_word_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, write = self.config, self.write
        word = Signal(config.weight_word_bits, reset_less=True)
        m.d.comb += self.word.eq(word)
        width = 2 * slice_digits(config)
        for k in range(weight_slices(config)):
            part = word[k * width : (k + 1) * width]
            memory = Memory(shape=unsigned(len(part)), depth=config.weight_words, init=[], attrs=UNCHECKED)
            m.submodules[f"slice{k}"] = memory
            reader, writer = memory.read_port(), memory.write_port()
            m.d.comb += [
                reader.addr.eq(self.address),
                writer.addr.eq(write.address),
                writer.data.eq(write.data),
                writer.en.eq(write.enable & (write.slice == k)),
            ]
            m.d.sync += part.eq(reader.data)
        return m


class ParameterMemory(wiring.Component):
    """Words of the parameters of W channels.

    Members
    -------
    write : ``In(parameter_write_layout(config))``
    address : ``In``
    word : ``Out(config.parameter_word_bits)``   two cycles after ``address``
    """

    write: "data.View[data.StructLayout]"
    address: Signal
    word: Signal

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {
                "write": In(parameter_write_layout(config)),
                "address": In(index_bits(config.parameter_words)),
                "word": Out(config.parameter_word_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, write = self.config, self.write
        m.submodules.memory = memory = Memory(
            shape=unsigned(config.parameter_word_bits), depth=config.parameter_words, init=[], attrs=UNCHECKED
        )
        reader, writer = memory.read_port(), memory.write_port()
        word = Signal(config.parameter_word_bits, reset_less=True)
        m.d.comb += [
            reader.addr.eq(self.address),
            writer.addr.eq(write.address),
            writer.data.eq(write.data),
            writer.en.eq(write.enable),
            self.word.eq(word),
        ]
        m.d.sync += word.eq(reader.data)
        return m
