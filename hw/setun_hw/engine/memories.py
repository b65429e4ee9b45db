"""Weight and parameter memory: one write port, one read port with a register behind it."""

from amaranth import Cat, Module, Signal, unsigned
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
    read : ``In(1)``, address : ``In``
    word : ``Out(2*M*N)``   two cycles after ``read`` and until the next
    """

    write: "data.View[data.StructLayout]"
    read: Signal
    address: Signal
    word: Signal

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {
                "write": In(weight_write_layout(config)),
                "read": In(1),
                "address": In(index_bits(config.weight_words)),
                "word": Out(config.weight_word_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, write = self.config, self.write
        word = Signal(config.weight_word_bits, reset_less=True)
        arrives = Signal()
        m.d.comb += self.word.eq(word)
        m.d.sync += arrives.eq(self.read)
        width = 2 * slice_digits(config)
        for k in range(weight_slices(config)):
            part = word[k * width : (k + 1) * width]
            memory = Memory(shape=unsigned(len(part)), depth=config.weight_words, init=[], attrs=UNCHECKED)
            m.submodules[f"slice{k}"] = memory
            reader, writer = memory.read_port(), memory.write_port()
            m.d.comb += [
                reader.addr.eq(self.address),
                reader.en.eq(self.read),
                writer.addr.eq(write.address),
                writer.data.eq(write.data),
                writer.en.eq(write.enable & (write.slice == k)),
            ]
            with m.If(arrives):
                m.d.sync += part.eq(reader.data)
        return m


#: thresholds and codes, beside the names of fixed-point parameters
LEVELS = "levels"


def parameter_places(config: Config) -> dict[str, tuple[int, int]]:
    """First bit, and the one past the last, of a channel's parameters: thresholds and codes, then each fixed-point
    parameter."""
    low = config.channel_parameter_bits - sum(config.affine_parameters.values())
    places = {LEVELS: (0, low)}
    for name, bits in config.affine_parameters.items():
        places[name] = (low, low + bits)
        low += bits
    return places


class ParameterMemory(wiring.Component):
    """Words of some of the parameters of W channels.

    Members
    -------
    write : ``In(parameter_write_layout(config))``
    read : ``In(1)``, address : ``In``
    word : ``Out``   two cycles after ``read`` and until the next: named parameters of each channel, channel 0 lowest
    """

    write: "data.View[data.StructLayout]"
    read: Signal
    address: Signal
    word: Signal

    def __init__(self, config: Config, *names: str) -> None:
        self.config = config
        self._places = [parameter_places(config)[name] for name in names]
        super().__init__(
            {
                "write": In(parameter_write_layout(config)),
                "read": In(1),
                "address": In(index_bits(config.parameter_words)),
                "word": Out(config.post * sum(high - low for low, high in self._places)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, write = self.config, self.write
        bits = len(self.word)
        channels = [write.data.word_select(c, config.channel_parameter_bits) for c in range(config.post)]
        m.submodules.memory = memory = Memory(
            shape=unsigned(bits), depth=config.parameter_words, init=[], attrs=UNCHECKED
        )
        reader, writer = memory.read_port(), memory.write_port()
        word, arrives = Signal(bits, reset_less=True), Signal()
        m.d.comb += [
            reader.addr.eq(self.address),
            reader.en.eq(self.read),
            writer.addr.eq(write.address),
            writer.data.eq(Cat(channel[low:high] for channel in channels for low, high in self._places)),
            writer.en.eq(write.enable),
            self.word.eq(word),
        ]
        m.d.sync += arrives.eq(self.read)
        with m.If(arrives):
            m.d.sync += word.eq(reader.data)
        return m
